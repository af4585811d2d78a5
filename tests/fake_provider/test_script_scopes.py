"""Scripts for some requests: the first ones, those of a while, those of one caller."""

from __future__ import annotations

import time

import anthropic
import pytest

from fake_provider import Answer, FakeProvider, Fault, caller

BODY = {
    "model": "claude-sonnet-5",
    "max_tokens": 16,
    "messages": [{"role": "user", "content": "hello"}],
}
CLIENT = anthropic.Anthropic(api_key="test", max_retries=0)


def ask():
    """The status that one request is answered with."""
    try:
        CLIENT.messages.create(**BODY)
    except anthropic.APIStatusError as error:
        return error.status_code
    return 200


def asked(requests):
    return [ask() for _ in range(requests)]


def test_the_first_are_refused_and_then_the_limits_decide():
    """Refuse the first three, then limit as configured: two of the rest fit, one does not."""
    with FakeProvider(requests_per_minute=2) as provider:
        provider.script(Fault(), first=3)
        assert asked(6) == [429, 429, 429, 200, 200, 429]
        reasons = [attempt.reason for attempt in provider.trace.attempts]
    assert reasons == ["scripted"] * 3 + [None, None, "requests_per_minute"]


def test_an_overload_lasts_from_one_instant_to_another():
    """529 from t=60 to t=90: what arrives at 60 is refused, what arrives at 90 is not."""
    with FakeProvider(latency=0) as provider:
        provider.script(Fault(status=529), between=(60, 90))
        seen = []
        for pause in (0, 59.9, 0.1, 29.9, 0.1):
            time.sleep(pause)
            seen.append(ask())
        assert provider.clock.elapsed() == 90
    assert seen == [200, 200, 529, 529, 200]


def test_one_caller_is_refused_and_nobody_else():
    """This caller only: its requests, and not those of others or of nobody by name."""
    with FakeProvider() as provider:
        provider.script(Fault(), caller="planner")
        seen = [ask()]
        for name in ("planner", "writer", "planner"):
            with caller(name):
                seen.append(ask())
    assert seen == [200, 429, 200, 429]


def test_the_first_are_counted_among_those_that_the_rest_lets_through():
    """Of one caller in a while, the first two: what is outside of it uses nothing up."""
    with FakeProvider(latency=0) as provider:
        provider.script(Fault(status=529), first=2, between=(10, 20), caller="planner")
        seen = []
        for at in (0, 10, 11, 12, 13):
            time.sleep(at - provider.clock.elapsed())
            with caller("writer"):
                seen.append(ask())
            with caller("planner"):
                seen.append(ask())
    assert seen == [200, 200, 200, 529, 200, 529, 200, 200, 200, 200]


def test_a_sequence_is_for_the_requests_that_it_is_asked_about():
    """Requests of others take nothing from it."""
    with FakeProvider() as provider:
        provider.script([Fault(), Fault(status=529)], caller="planner")
        seen = []
        for name in ("writer", "planner", "writer", "planner", "planner"):
            with caller(name):
                seen.append(ask())
    assert seen == [200, 429, 200, 529, 200]


def test_scripts_of_several_scopes_are_asked_in_order():
    """The first that has an answer gives it, and what it does not cover is the next one's."""
    with FakeProvider() as provider:
        provider.script(Fault(status=529), first=1)
        provider.script(Fault(status=500), first=2)
        assert asked(4) == [529, 500, 500, 200]


def test_an_answer_alone_answers_every_request():
    """As a fault alone does; the limits still admit it."""
    with FakeProvider(requests_per_minute=2) as provider:
        provider.script(Answer(text="as scripted"))
        texts = [CLIENT.messages.create(**BODY).content[0].text for _ in range(2)]
        assert ask() == 429
    assert texts == ["as scripted"] * 2


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"first": 0}, "first must be a whole number, at least 1, got 0"),
        ({"first": "3"}, "first must be a whole number, at least 1, got '3'"),
        ({"caller": 3}, "caller must be a name or None, got 3"),
        ({"between": 60}, "between must be a pair of seconds or None, got 60"),
        ({"between": (-1, 5)}, "the start of between must be a number of seconds, at least 0"),
        ({"between": (90, 60)}, "the end of between must be a number of seconds above 90, got 60"),
    ],
)
def test_a_scope_that_is_none_is_named(stated, message):
    """Argument, value and what is allowed, when the script is given."""
    with pytest.raises((TypeError, ValueError), match=message):
        FakeProvider().script(Fault(), **stated)
