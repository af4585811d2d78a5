"""RL301: did every call end with success?"""

from __future__ import annotations

from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, judge
from tests.pytest_ratelimit.simulation import attempt, chains, refusal, trace_of


def losses(trace: Trace) -> Judgement:
    return judge(trace)["RL301"]


def test_calls_that_gave_up() -> None:
    """Two of two calls that ended refused are lost: a warning."""
    (finding,) = losses(chains([[1.0], [1.0]])).findings
    assert finding.severity == "warning"
    assert finding.summary == "2 of 2 calls ended without success"
    assert finding.evidence[0] == "The last answer was 429 scripted (2 x)."


def test_calls_that_were_served_in_the_end_are_not_lost() -> None:
    """A retry or a re-queue that was served saves the call; one in flight is not lost yet."""
    assert losses(trace_of(refusal(), attempt(arrived_at=1.0))).verdict == "ok"
    requeued = trace_of(refusal(unit="u"), attempt(call=1, unit="u", arrived_at=1.0))
    assert losses(requeued).verdict == "ok"
    assert losses(trace_of(attempt(status=429, ended_at=None))).verdict == "ok"


def test_errors_that_no_wait_cures_are_a_note() -> None:
    """Giving up on a terminal error is right: the loss is noted."""
    (finding,) = losses(trace_of(refusal(terminal=True))).findings
    assert finding.severity == "note"


def test_a_client_that_gave_up_waiting_lost_its_call() -> None:
    """A timeout on the client's side is a loss, and is called one."""
    (finding,) = losses(trace_of(attempt(ended_at=30.0, cancelled_at=10.0))).findings
    assert finding.evidence[0] == "The last answer was none, the client gave up waiting (1 x)."


def test_a_call_that_another_model_answered_is_not_lost() -> None:
    """A call that its caller asked of another model at once is saved; a second later it is not."""

    def then(at: float, **changes: object) -> Judgement:
        return losses(trace_of(refusal(), attempt(call=1, unit="v", arrived_at=at, **changes)))

    assert then(0.0, model_class="claude-y").verdict == "ok"
    assert then(0.0, host="second.test").verdict == "ok"
    assert then(0.0).verdict == "note"
    assert then(1.0, model_class="claude-y").verdict == "note"
    assert then(0.0, model_class="claude-y", caller="agent-1").verdict == "note"
