"""RL113 and RL114: how much more was asked for than the application wanted?"""

from __future__ import annotations

import pytest

from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, Policy, judge
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import replay
from tests.pytest_ratelimit.simulation import attempt, chains, refusal, trace_of


def storm(trace: Trace, **policy: object) -> Judgement:
    return judge(trace, Policy(**policy))["RL113"]  # type: ignore[arg-type]


def work(trace: Trace) -> Judgement:
    return judge(trace)["RL114"]


def test_more_than_three_attempts_per_call() -> None:
    """Four attempts per call are a storm, and three are refused often enough for a warning."""
    assert storm(chains([[1.0, 2.0, 4.0]] * 4)).verdict == "FLAG"
    (finding,) = storm(chains([[1.0, 2.0]] * 4)).findings
    assert finding.severity == "warning"


def test_retries_that_were_served_are_the_innocent_neighbour() -> None:
    """One retry per call that was then served is how retries are meant to work."""
    attempts = []
    for call in range(8):
        own = {"call": call, "caller": f"a{call}"}
        attempts += [refusal(**own), attempt(arrived_at=1.0 + call, **own)]
    assert storm(trace_of(*attempts)).verdict == "ok"


def test_a_shared_budget_of_eight_retries_for_forty_calls() -> None:
    """One retry for five calls is within a budget of 20 %, even if all were refused again."""
    attempts = [refusal(call=c, caller=f"a{c}") for c in range(40)]
    attempts += [
        refusal(call=c, caller=f"a{c}", arrived_at=2.0 + c, ended_at=50.0) for c in range(8)
    ]
    trace = trace_of(*attempts)
    assert storm(trace).verdict == "ok"
    assert storm(trace, retry_ratio=0.2).verdict == "ok"
    assert storm(trace, retry_ratio=0.1).verdict == "FLAG"


def test_terminal_errors_are_left_to_their_own_code() -> None:
    """Six attempts on an error that no wait cures are not a storm but RL121."""
    trace = chains([[1.0] * 5], terminal=True)
    assert storm(trace).verdict == "n/a"
    assert judge(trace)["RL121"].verdict == "FLAG"


@pytest.mark.parametrize(("reserve", "over"), [(0.0, 3), (2.0, 1), (3.0, 0)])
def test_the_stated_budget_is_replayed(reserve: float, over: int) -> None:
    """Five calls at 0.2 deposit one retry; of four retries three are over, less the reserve."""
    attempts = [attempt(call=c, caller=f"a{c}") for c in range(4)]
    attempts += [refusal(call=9, arrived_at=float(i), ended_at=float(i)) for i in range(5)]
    judgement = storm(trace_of(*attempts), retry_ratio=0.2, retry_reserve=reserve)
    findings = [f for f in judgement.findings if "stated budget" in f.summary]
    assert sum(len(finding.attempts) for finding in findings) == over


def test_deposits_expire() -> None:
    """Calls of an hour ago do not pay for the retries of now."""
    old = [attempt(call=c, caller=f"a{c}") for c in range(100)]
    new = [refusal(call=100, arrived_at=3600.0 + i, ended_at=3600.0 + i) for i in range(3)]
    judgement = storm(trace_of(*old, *new), retry_ratio=0.2)
    assert judgement.verdict == "FLAG"
    recent = [refusal(call=100, arrived_at=30.0 + i, ended_at=30.0 + i) for i in range(3)]
    assert storm(trace_of(*old, *recent), retry_ratio=0.2).verdict == "ok"


def test_requeued_work_in_the_incident() -> None:
    """The incident demanded 13.2 x the tokens asked for, most by retries, the rest by re-queues."""
    (finding,) = work(replay(delays.fixed())).findings
    assert finding.severity == "error"
    assert finding.summary == "27,742,500 tokens demanded for 2,106,000 asked for: 13.2 x"
    assert finding.evidence[0] == (
        "20,533,500 tokens more by retries, 5,103,000 by 126 re-queues of 46 units; 13.2 x the "
        "2,106,000 served."
    )


def test_one_requeue_is_a_warning() -> None:
    """Work that was dispatched once more and then served is a warning."""
    trace = trace_of(refusal(unit="u"), attempt(call=1, unit="u", arrived_at=60.0))
    (finding,) = work(trace).findings
    assert finding.severity == "warning"
    assert finding.attempts == (1,)


def test_retries_without_requeues_are_not_repeated_work() -> None:
    """Retries inside their calls are RL113's business."""
    assert work(chains([[1.0] * 6] * 4)).verdict == "ok"


def test_the_same_question_asked_twice_is_not_repeated_work() -> None:
    """A body that is asked again after it was served is new work."""
    trace = trace_of(attempt(unit="u"), attempt(call=1, unit="u", arrived_at=60.0))
    assert work(trace).verdict == "ok"


def test_calls_of_unknown_attribution_take_nothing_from_the_budget() -> None:
    """Retries that are only inferred are neither counted nor charged to the stated budget."""
    known = [attempt(call=c, caller=f"a{c}") for c in range(4)]
    guessed = [refusal(call=9, arrived_at=float(i), attribution="inferred") for i in range(5)]
    assert storm(trace_of(*known, *guessed), retry_ratio=0.2).verdict == "ok"
