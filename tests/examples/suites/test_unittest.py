import unittest

import pytest
from anthropic import Anthropic, AsyncAnthropic, RateLimitError
from pytest_ratelimit import current

QUESTION = {
    "model": "claude-sonnet-5",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "What changed?"}],
}


@pytest.mark.ratelimit(requests_per_minute=2)
class TestClient(unittest.TestCase):
    def setUp(self):
        self.client = Anthropic(max_retries=0)
        self.client.messages.create(**QUESTION)

    def test_the_set_up_counts(self):
        self.client.messages.create(**QUESTION)
        with self.assertRaises(RateLimitError):
            self.client.messages.create(**QUESTION)
        self.assertEqual(len(current().trace.attempts), 3)

    @pytest.mark.ratelimit(requests_per_minute=1)
    def test_a_method_may_say_otherwise(self):
        with self.assertRaises(RateLimitError):
            self.client.messages.create(**QUESTION)


@pytest.mark.ratelimit(requests_per_minute=2)
class TestAsyncClient(unittest.IsolatedAsyncioTestCase):
    async def test_it_waits(self):
        async with AsyncAnthropic(max_retries=1) as client:
            for _ in range(3):
                await client.messages.create(**QUESTION)
        self.assertEqual(len(current().trace.refused), 1)
