"""RL204 and RL205: do callers on one key share what it allows?"""

from __future__ import annotations

import random

import pytest

from fake_provider._attempt import Attempt
from fake_provider._limits import Limit, Limits
from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, Policy, judge
from tests.pytest_ratelimit.simulation import attempt, refusal, trace_of

FOUR = Limit(kind="concurrent", amount=4)
TOKENS = Limit(kind="tokens", amount=10_000)


def concurrency(trace: Trace, **policy: object) -> Judgement:
    return judge(trace, Policy(**policy))["RL204"]  # type: ignore[arg-type]


def sharing(*attempts: Attempt, **policy: object) -> Judgement:
    trace = trace_of(*attempts, limits=Limits.of([TOKENS]))
    return judge(trace, Policy(**policy))["RL205"]  # type: ignore[arg-type]


def wave(served: int, refused: int, at: float = 0.0) -> list[Attempt]:
    """Requests at one instant, of which a limit on concurrency refuses some."""
    made = []
    for n in range(served + refused):
        own = {"call": int(at) * 100 + n, "caller": f"a{n}", "unit": f"{at}/{n}", "arrived_at": at}
        if n < served:
            made.append(attempt(**own, ended_at=at + 2.0, room=1.0))
        else:
            made.append(refusal(**own, ended_at=at, reason="concurrent_requests", room=0.0))
    return made


def test_more_requests_in_flight_than_the_limit() -> None:
    """Twelve requests at once against four are an error, told in full."""
    trace = trace_of(*wave(4, 8), *wave(4, 2, at=5.0), limits=Limits.of([FOUR]))
    (finding,) = concurrency(trace).findings
    assert finding.severity == "error"
    assert finding.attempts == (*range(4, 12), 16, 17)
    assert str(finding) == (
        "RL204 concurrency-overrun: 12 requests in flight or asking to be, and "
        "concurrent_requests admits 4\n"
        "\n"
        "  At t=0.000 s, when 8 were refused; 10 in the whole run, 0 of them retries.\n"
        "  Cause: callers do not know how many requests the others have in flight.\n"
        "  Remedy: hold a semaphore of 4 while a request is served, one for all callers on the "
        "key.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL204": "reason"})'
    )


def test_as_many_as_the_limit_allows_is_innocent() -> None:
    """Four at a time are what four allow, also where one begins as another ends."""
    trace = trace_of(*wave(4, 0), *wave(4, 0, at=2.0), limits=Limits.of([FOUR]))
    assert concurrency(trace).verdict == "ok"


def test_more_requests_in_flight_than_stated() -> None:
    """A stated number of requests in flight is a contract, whoever admitted them."""
    trace = trace_of(*wave(4, 0))
    (finding,) = concurrency(trace, max_concurrent_requests=3).findings
    assert finding.severity == "error"
    assert finding.summary == "4 requests in flight, and what is stated allows 3"
    assert finding.evidence == ("At t=0.000 s, of 4 callers: a0, a1, a2, a3.",)
    assert finding.attempts == (0, 1, 2, 3)
    assert concurrency(trace, max_concurrent_requests=4).verdict == "ok"


@pytest.mark.parametrize("seed", range(10))
def test_the_stated_number_is_compared_with_the_largest_count(seed: int) -> None:
    """One above is an error exactly where counting at every arrival says so."""
    rng = random.Random(seed)
    made = [
        attempt(call=n, arrived_at=n / 2, ended_at=n / 2 + rng.randrange(8) / 2) for n in range(30)
    ]
    most = max(
        sum(a.arrived_at <= at.arrived_at < (a.ended_at or 0.0) for a in made) for at in made
    )
    assert concurrency(trace_of(*made), max_concurrent_requests=most).verdict == "ok"
    below = concurrency(trace_of(*made), max_concurrent_requests=most - 0.5)
    assert len(below.findings[0].attempts) == most


def test_without_a_limit_or_a_number_there_is_nothing_to_judge() -> None:
    """Requests in flight mean nothing where nobody said how many there may be."""
    assert concurrency(trace_of(*wave(4, 0))).missing == (
        "no limit on concurrent requests was enforced, and no number is stated"
    )


def told(caller: str, at: float, hint: float, **changes: object) -> Attempt:
    """A refusal by the limit on tokens, with a hint."""
    fields: dict[str, object] = {
        "caller": caller,
        "unit": caller,
        "arrived_at": at,
        "ended_at": at,
        "hint": hint,
        "hint_form": "seconds",
        "reason": "tokens_per_minute",
        "room": 0.0,
    }
    return refusal(**{**fields, **changes})


def test_a_sibling_that_begins_while_a_refusal_binds() -> None:
    """A call begun, and refused, while a sibling of its key was told to wait: told in full."""
    (finding,) = sharing(told("a0", 0.0, 20.0), told("a1", 5.0, 15.0, call=1)).findings
    assert finding.severity == "warning"
    assert finding.attempts == (1,)
    assert str(finding) == (
        "RL205 unshared-budget: 1 call begun, and refused, while a refusal of the same key "
        "still bound, by up to 15 s\n"
        "\n"
        "  Worst: a0 was told at t=0.000 s to wait 20 s; a1 began call 1 at t=5.000 s.\n"
        "  Callers: a1.\n"
        "  Cause: what one caller learns of the limit the others on its key do not know.\n"
        "  Remedy: share the hint: let every caller on the key wait until the latest instant that "
        "any of them was told, plus random.uniform(0, 2) each; or take each call's cost from one "
        "shared budget.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL205": "reason"})'
    )


@pytest.mark.parametrize(
    "other",
    [
        told("a1", 20.0, 15.0, call=1),
        told("a1", 0.05, 15.0, call=1),
        told("a1", 5.0, 15.0, call=1, key="1badcafe"),
        told("a1", 5.0, 15.0, call=1, model_class="claude-y"),
        told("a0", 5.0, 15.0, call=1),
        attempt(caller="a1", call=1, arrived_at=5.0),
    ],
    ids=["after it", "too soon to know", "another key", "another model", "itself", "admitted"],
)
def test_a_sibling_that_does_no_harm_is_innocent(other: Attempt) -> None:
    """Whoever waits, cannot know yet, asks elsewhere or is admitted is no fault of sharing."""
    assert sharing(told("a0", 0.0, 20.0), other).verdict == "ok"


def test_a_retry_of_a_sibling_is_not_its_first_attempt() -> None:
    """What a sibling does with its own hint is judged there."""
    siblings = (told("a1", 0.0, 3.0, call=1), told("a1", 3.0, 3.0, call=1))
    assert sharing(told("a0", 0.0, 20.0), *siblings).verdict == "ok"


def test_it_is_an_error_where_a_budget_is_stated() -> None:
    """A stated budget is one that callers share."""
    trace = (told("a0", 0.0, 20.0), told("a1", 5.0, 15.0, call=1))
    assert sharing(*trace, budget_tokens=1e9).verdict == "FLAG"


def test_an_overload_is_not_a_budget() -> None:
    """What an overload tells one caller says nothing about the key."""
    overload = told("a0", 0.0, 20.0, status=529, reason="overloaded", room=None)
    assert sharing(overload, told("a1", 5.0, 15.0, call=1)).verdict == "ok"


def test_without_a_hint_nobody_knows_how_long() -> None:
    """A refusal without a hint binds for a time that nobody was told."""
    judgement = sharing(refusal(reason="tokens_per_minute", room=0.0))
    assert judgement.missing.startswith("no limit refused an attempt with a hint")
