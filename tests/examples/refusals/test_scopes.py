import time

import pytest
from anthropic import Anthropic, APIStatusError
from fake_provider import Fault, caller


def ask():
    try:
        Anthropic(max_retries=0).messages.create(
            model="claude-sonnet-5",
            max_tokens=500,
            messages=[{"role": "user", "content": "What changed?"}],
        )
    except APIStatusError as error:
        return error.status_code
    return 200


@pytest.mark.ratelimit(requests_per_minute=1)
def test_the_first_are_refused_then_the_limit_decides(fake_provider):
    fake_provider.script(Fault(), first=3)
    assert [ask() for _ in range(5)] == [429, 429, 429, 200, 429]
    refused = [attempt.reason for attempt in fake_provider.trace.refused]
    assert refused == ["scripted"] * 3 + ["requests_per_minute"]


def test_an_outage_from_60_to_90_seconds(fake_provider):
    fake_provider.script(Fault(status=529), between=(60, 90))
    time.sleep(75)
    assert ask() == 529
    time.sleep(15)
    assert ask() == 200


def test_one_caller_only(fake_provider):
    fake_provider.script(Fault(kind="overloaded"), caller="planner")
    assert ask() == 200
    with caller("planner"):
        assert ask() == 529
