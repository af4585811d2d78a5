"""RL103 and RL105: did retries wait as long as the provider said?"""

from __future__ import annotations

import random

import pytest

from fake_provider._limits import Limit, Limits
from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, judge
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import cold_start
from tests.pytest_ratelimit.simulation import Simulation, attempt, refusal, trace_of

PER_MINUTE = Limit(kind="requests", amount=2)


def respected(trace: Trace) -> Judgement:
    return judge(trace)["RL103"]


def window(trace: Trace) -> Judgement:
    return judge(trace)["RL105"]


def one_retry(delay: float, *, hint: float | None = 20.0, **changes: object) -> Trace:
    fields = {"hint": hint, "hint_form": "seconds", "ended_at": 0.25}
    return trace_of(
        refusal(**{**fields, **changes}),
        refusal(arrived_at=0.25 + delay, ended_at=0.25 + delay, layer=changes.get("layer", "code")),
    )


@pytest.mark.parametrize(
    ("delay", "verdict"), [(1.0, "FLAG"), (19.99, "FLAG"), (20.0, "ok"), (45.0, "ok")]
)
def test_a_hint_counts_from_the_arrival_of_the_answer(delay: float, verdict: str) -> None:
    """A retry before the hint has passed, counted from when the refusal ended, is early."""
    assert respected(one_retry(delay)).verdict == verdict


@pytest.mark.parametrize("form", ["date", "reset"])
def test_a_deadline_is_known_to_the_second(form: str) -> None:
    """Up to a second before a date or a reset is not early, and more is."""
    assert respected(one_retry(19.1, hint_form=form)).verdict == "ok"
    assert respected(one_retry(18.9, hint_form=form)).verdict == "FLAG"


@pytest.mark.parametrize("hint", [0.0, -1.0, float("nan"), None])
def test_a_hint_that_asks_for_nothing_cannot_be_ignored(hint: float | None) -> None:
    """After a hint of zero, below it, unreadable or none, a retry in 0.4 s is not early."""
    assert respected(one_retry(0.4, hint=hint)).verdict == "n/a"


def test_giving_up_is_legal() -> None:
    """A call that is not retried after a hint is not judged, and the judgement says why."""
    judgement = respected(trace_of(refusal(hint=300.0, hint_form="seconds")))
    assert judgement.verdict == "n/a"
    assert judgement.missing == (
        "1 attempt was refused with a hint and none was retried: giving up is legal, and it takes "
        "a retry to judge"
    )


def test_a_requeue_before_the_hint_is_early_too() -> None:
    """A new call for refused work that comes before the hint is early; after it is not."""
    refused = refusal(unit="u", hint=20.0, hint_form="seconds")
    early = trace_of(refused, attempt(call=1, unit="u", arrived_at=5.0))
    (finding,) = respected(early).findings
    assert finding.attempts == (1,)
    assert "1 re-queue among them: new calls for refused work." in finding.evidence
    assert respected(trace_of(refused, attempt(call=1, unit="u", arrived_at=20.0))).verdict == "ok"


def test_equal_prompts_of_several_callers_are_not_requeues() -> None:
    """Callers with the same body in flight together do not re-queue each other's work."""
    trace = trace_of(
        refusal(unit="u", hint=20.0, hint_form="seconds", ended_at=1.0),
        attempt(call=1, unit="u", caller="b", arrived_at=0.5),
        attempt(call=0, unit="u", arrived_at=21.0),
    )
    assert respected(trace).verdict == "ok"


def test_a_capped_wait_is_named() -> None:
    """Hints up to the cap are obeyed and longer ones cut: the cause is the cap."""
    attempts = []
    for call, hint in enumerate((5.0, 8.0, 30.0, 45.0, 60.0)):
        own = {"call": call, "caller": f"a{call}"}
        attempts.append(refusal(hint=hint, hint_form="seconds", **own))
        attempts.append(attempt(arrived_at=min(hint, 10.0), **own))
    (finding,) = respected(trace_of(*attempts)).findings
    assert finding.cause == (
        "the code around the SDK caps its wait at 10 s, and the hints went up to 60 s."
    )


def test_jitter_below_the_hint_is_named() -> None:
    """Waits of 0.9 to 1.1 of the hint are jitter on the wrong side of it."""
    rng = random.Random(1)
    attempts = []
    for call in range(8):
        own = {"call": call, "caller": f"a{call}"}
        attempts.append(refusal(hint=20.0, hint_form="seconds", **own))
        attempts.append(attempt(arrived_at=20.0 * rng.uniform(0.9, 1.1), **own))
    (finding,) = respected(trace_of(*attempts)).findings
    assert "jitter that also goes below it" in finding.cause
    assert finding.remedy.startswith("add the jitter on top: hint + random.uniform(0, ")


def test_the_layer_that_ignored_it_is_named() -> None:
    """Early retries that the SDK made are the SDK's."""
    (finding,) = respected(one_retry(1.0, layer="sdk")).findings
    assert finding.cause.startswith("the SDK waits on a schedule of its own")


@pytest.mark.parametrize("seed", range(3))
def test_early_retries_are_those_of_a_plain_search(seed: int) -> None:
    """In a job that ignores its hints, the early retries are those that a plain loop finds."""
    trace = cold_start(delays.full_jitter(), seed=seed, hint="exact")
    expected = []
    for call in trace.calls:
        for before, after in zip(call.attempts, call.attempts[1:], strict=False):
            due = before.ended_at + before.hint  # type: ignore[operator]
            if after.arrived_at < due - 1e-6:
                expected.append(after.index)
    (finding,) = respected(trace).findings
    assert finding.attempts == tuple(sorted(expected))


def test_a_job_that_obeys_its_hints() -> None:
    """Waiting the hint and some more is never early."""
    assert respected(cold_start(delays.hint_plus(1.0), seed=1, hint="exact")).verdict == "ok"


def chain(times: list[float], **changes: object) -> Trace:
    """One call of refusals at these times, that could not have fitted at any of them."""
    fields = {"reason": "requests_per_minute", "room": 0.0, **changes}
    made = [refusal(arrived_at=at, ended_at=at, **fields) for at in times]
    served = [attempt(call=9, caller="b", room=2.0), attempt(call=10, caller="c", room=1.0)]
    shifted = [refusal(**{**fields, "arrived_at": at + 1, "ended_at": at + 1}) for at in times]
    assert made
    return trace_of(*served, *shifted, limits=Limits.of([PER_MINUTE]))


def test_all_attempts_inside_the_window_with_a_hint() -> None:
    """Five attempts in four seconds, told to wait 59 s: an error."""
    trace = chain([0, 1, 2, 3, 4], hint=59.0, hint_form="seconds")
    (finding,) = window(trace).findings
    assert finding.severity == "error"
    assert finding.evidence[0] == (
        "Worst: agent-0, call 0, made 5 attempts in 4 s, and the hint asked for 59 s."
    )
    assert finding.attempts == (2, 3, 4, 5, 6)


def test_without_a_hint_it_is_a_note() -> None:
    """The same without a hint is a note, with what the limit would have needed."""
    (finding,) = window(chain([0, 1, 2, 3, 4])).findings
    assert finding.severity == "note"
    assert "its cost needed 59 s. No hint said so." in finding.evidence[0]


def test_a_call_that_outlasts_the_window_is_its_neighbour() -> None:
    """A last attempt after the window has passed had its chance, with a hint or without."""
    assert window(chain([0, 30, 59.5])).verdict == "ok"
    assert window(chain([0, 30, 60], hint=59.0, hint_form="seconds")).verdict == "ok"


def test_a_single_attempt_gave_up_and_is_not_inside() -> None:
    """A call that was never retried is not judged."""
    assert window(chain([0.0])).verdict == "n/a"


def test_one_attempt_with_room_had_its_chance() -> None:
    """Where the cost would have fitted at one attempt, the window was not the obstacle."""
    trace = chain([0, 1, 2], room=1.2, hint=59.0, hint_form="seconds")
    assert window(trace).verdict == "ok"


def test_the_wait_of_a_bucket_is_its_refill() -> None:
    """Without a hint a bucket's wait is the time in which it regains what is missing."""
    limit = Limit(kind="tokens", amount=6_000, algorithm="token-bucket", burst=1_000)
    trace = Simulation(
        delays.fixed(0.5), limit, callers=2, calls=1, tokens=lambda c, i, r: 1_000, attempts=3
    ).run()
    (finding,) = window(trace).findings
    assert "made 3 attempts in 1 s, and its cost needed 10 s" in finding.evidence[0]


def test_a_requeue_after_a_timeout_has_no_hint_to_wait_for() -> None:
    """Work that failed without a refusal may be dispatched again at any time."""
    trace = trace_of(
        attempt(unit="u", ended_at=30.0, cancelled_at=10.0),
        attempt(call=1, unit="u", arrived_at=11.0),
    )
    assert respected(trace).verdict == "n/a"
