"""Charging through the real SDK: what is reserved, what is settled, whose wall clock counts."""

from __future__ import annotations

import threading
import time

import anthropic
import pytest

from fake_provider import FakeProvider, HintStyle, Limits

CLIENT = anthropic.Anthropic(api_key="test", max_retries=0)
OTHER = anthropic.Anthropic(api_key="other", max_retries=0)


def ask(client=CLIENT, *, max_tokens=16):
    messages = [{"role": "user", "content": "hello"}]
    client.messages.create(model="claude-sonnet-5", max_tokens=max_tokens, messages=messages)


def refused(client=CLIENT, **options):
    """Return the hint of a refusal in seconds."""
    with pytest.raises(anthropic.RateLimitError) as caught:
        ask(client, **options)
    return int(caught.value.response.headers["retry-after"])


def test_output_is_charged_when_it_has_been_made():
    """Three answers at once overdraw the bucket, and the next request waits out the debt."""
    limits = Limits(output_tokens_per_minute=600, algorithm="token-bucket", charge="delivered")
    with FakeProvider(limits, output_tokens=400, latency=10.0) as provider:
        threads = [threading.Thread(target=ask, kwargs={"max_tokens": 900}) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # 10 s after the start the bucket was full again; 3 x 399 tokens more leave it at -597.
        assert refused() == 60
        time.sleep(60)
        ask()
    assert [attempt.status for attempt in provider.trace.attempts] == [200] * 3 + [429, 200]


def test_a_reservation_that_was_too_large_is_given_back():
    """While an answer is made its max_tokens are missing, and afterwards what it cost."""
    limits = Limits(tokens_per_minute=1_000, algorithm="leaky-bucket", charge="reserve")
    with FakeProvider(limits, tokens_per_request=60, output_tokens=50, latency=1.0):
        slow = threading.Thread(target=ask, kwargs={"max_tokens": 900})
        slow.start()
        time.sleep(0.5)
        # 10 + 900 are reserved, 8 have drained: of 10 + 300 asked for, 212 are missing.
        assert refused(max_tokens=300) == 13
        slow.join()
        ask(max_tokens=900)


def test_tokens_read_from_a_cache_are_free_where_the_limit_says_so():
    """Of 1,000 input tokens 900 come from the cache: ten requests fit a limit of 1,000."""
    with FakeProvider(
        input_tokens_per_minute=1_000,
        tokens_per_request=1_000,
        output_tokens=0,
        cached_tokens=900,
        latency=0,
    ):
        for _ in range(10):
            ask()
        assert refused() == 60


def test_a_limit_of_an_organization_counts_all_its_keys():
    """What one key has used is missing for another."""
    with FakeProvider(Limits(requests_per_minute=2, scope="model"), latency=0):
        ask()
        ask(OTHER)
        assert refused() == refused(OTHER) == 60


@pytest.mark.parametrize(("skew_s", "hint"), [(0.0, 15), (5.0, 10)])
def test_a_fixed_window_ends_by_the_provider_s_wall_clock(skew_s, hint):
    """From 45 s past the minute there are 15 s to go, less what the provider is ahead."""
    limits = Limits(requests_per_minute=1, algorithm="fixed-window")
    style = HintStyle(skew_s=skew_s)
    with FakeProvider(limits, start="2026-01-01T00:00:45Z", hint=style, latency=0):
        ask()
        assert refused() == hint
        time.sleep(hint)
        ask()


def test_a_day_ends_at_midnight_in_its_time_zone():
    """A quota of a day that is spent at 23:00 in Los Angeles is back an hour later."""
    limits = Limits(requests_per_day=1, algorithm="calendar-day", timezone="America/Los_Angeles")
    with FakeProvider(limits, start="2026-07-01T06:00:00Z", latency=0):
        ask()
        assert refused() == 3_600
        time.sleep(3_600)
        ask()
