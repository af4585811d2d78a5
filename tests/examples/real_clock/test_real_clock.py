import time

import pytest
from anthropic import Anthropic
from pytest_ratelimit import assert_retry_after_respected

QUESTION = {
    "model": "claude-sonnet-5",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "What changed?"}],
}


@pytest.mark.ratelimit(
    requests_per_minute=600, window=0.2, latency=0.001, hint="ms", clock="real"
)  # 2 requests in any 0.2 s
def test_on_the_real_clock(fake_provider):
    client, started = Anthropic(), time.monotonic()
    for _ in range(3):
        client.messages.create(**QUESTION)
    assert time.monotonic() - started >= 0.19
    assert fake_provider.trace.clock == "real"
    assert_retry_after_respected(fake_provider.trace)
