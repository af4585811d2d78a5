import time

import pytest
from anthropic import Anthropic, RateLimitError


def ask():
    with Anthropic(max_retries=0) as client:
        client.messages.create(
            model="claude-sonnet-5",
            max_tokens=500,
            messages=[{"role": "user", "content": "What changed?"}],
        )


@pytest.mark.ratelimit(requests_per_minute=2, latency=0)
def test_a_window_admits_again_what_left_it(fake_provider):
    ask()
    time.sleep(10)
    ask()
    with pytest.raises(RateLimitError):
        ask()
    assert fake_provider.trace.refused[0].hint == 50  # until the first is 60 s old
    time.sleep(50)
    ask()


@pytest.mark.ratelimit(requests_per_minute=2, algorithm="token-bucket", burst=1, latency=0)
def test_a_bucket_gains_one_every_30_s(fake_provider):
    ask()
    with pytest.raises(RateLimitError):
        ask()
    assert fake_provider.trace.refused[0].hint == 30
    time.sleep(30)
    ask()
