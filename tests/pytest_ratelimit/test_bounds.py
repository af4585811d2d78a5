"""RL111: does a call give up?"""

from __future__ import annotations

from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, Policy, judge
from tests.pytest_ratelimit.simulation import attempt, chains, refusal, trace_of


def bounds(trace: Trace, **policy: object) -> Judgement:
    return judge(trace, Policy(**policy))["RL111"]  # type: ignore[arg-type]


def test_more_attempts_than_the_bound() -> None:
    """Eleven attempts are over a bound of ten, and ten are not."""
    (finding,) = bounds(chains([[1.0] * 10])).findings
    assert finding.severity == "error"
    assert finding.summary == "1 call made more than 10 attempts, up to 11"
    assert finding.attempts == (10,)
    assert bounds(chains([[1.0] * 9])).verdict == "ok"


def test_the_bound_is_the_policys() -> None:
    """A policy of four attempts is met by four and not by five."""
    assert bounds(chains([[1.0] * 4]), max_attempts=4).verdict == "FLAG"
    assert bounds(chains([[1.0] * 3]), max_attempts=4).verdict == "ok"


def test_a_call_that_was_served_shows_no_bound() -> None:
    """Where every call succeeded in the end, nobody saw whether it would have given up."""
    judgement = bounds(trace_of(refusal(), attempt(arrived_at=1.0)))
    assert judgement.verdict == "n/a"
    assert "this run's longest call made 2 attempts" in judgement.missing


def test_attempts_of_stacked_layers_are_left_to_their_own_code() -> None:
    """45 attempts of two stacked layers are RL112's, unless the run had to be stopped."""
    stacked = [refusal(sdk_retry=i % 3, arrived_at=float(i), ended_at=float(i)) for i in range(45)]
    assert bounds(trace_of(*stacked)).verdict == "ok"
    (finding,) = bounds(trace_of(*stacked, stopped="24 virtual hours have passed")).findings
    assert "The run was stopped: 24 virtual hours have passed." in finding.evidence


def test_declared_bounds_on_waits() -> None:
    """A single wait or a total above its declared bound is an error; by default none is."""
    trace = chains([[5.0, 90.0]])
    assert bounds(trace).verdict == "ok"
    (single,) = bounds(trace, max_wait_s=60.0).findings
    assert single.summary == "1 retry came after a wait above 60 s, up to 90 s"
    (total,) = bounds(trace, max_total_wait_s=60.0).findings
    assert total.summary == "1 call kept trying for more than 60 s, up to 95 s"
    assert bounds(trace, max_wait_s=90.0, max_total_wait_s=95.0).verdict == "ok"


def test_a_wait_inside_the_sdk_is_named() -> None:
    """A long wait on the SDK's own account says so, and what the hint had asked for."""
    trace = chains([[300.0]], layer="sdk", hint=300.0, hint_form="seconds")
    (finding,) = bounds(trace, max_wait_s=120.0).findings
    assert finding.evidence == (
        "agent-0 waited that long inside the SDK, where the hint asked for 300 s.",
    )
