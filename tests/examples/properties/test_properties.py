from concurrent.futures import ThreadPoolExecutor

from anthropic import Anthropic
from fake_provider import FakeProvider
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_ratelimit import assert_all_calls_succeed, assert_retry_after_respected


def ask(client):
    return client.messages.create(
        model="claude-sonnet-5",
        max_tokens=500,
        messages=[{"role": "user", "content": "What changed?"}],
    )


@settings(max_examples=10, deadline=None, derandomize=True)
@given(workers=st.integers(2, 8), requests_per_minute=st.integers(1, 4))
def test_everybody_is_served_whatever_the_limit(workers, requests_per_minute):
    with FakeProvider(requests_per_minute=requests_per_minute) as provider:
        client = Anthropic(max_retries=8)
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(ask, [client] * workers))
    assert_all_calls_succeed(provider.trace)
    if provider.trace.retries:
        assert_retry_after_respected(provider.trace)
