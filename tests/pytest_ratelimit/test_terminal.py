"""RL121 and RL122: retrying what no wait cures, and not retrying what it would."""

from __future__ import annotations

from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, Policy, judge
from tests.pytest_ratelimit.simulation import attempt, chains, refusal, trace_of


def recovery(trace: Trace, *, declared: bool = True) -> Judgement:
    return judge(trace, Policy(retries_declared=declared))["RL122"]


def test_a_quota_error_that_was_retried() -> None:
    """Five retries of insufficient_quota are five too many, and their tokens are counted."""
    trace = chains([[1.0] * 5], terminal=True, reason="insufficient_quota")
    (finding,) = judge(trace)["RL121"].findings
    assert finding.severity == "error"
    assert finding.evidence == (
        "The error was 429 insufficient_quota (5 x).",
        "They demanded 5,000 tokens for nothing.",
    )


def test_giving_up_on_it_is_the_innocent_neighbour() -> None:
    """A quota error that ends the call is right."""
    assert judge(trace_of(refusal(terminal=True)))["RL121"].verdict == "ok"


def test_without_such_an_error_there_is_nothing_to_judge() -> None:
    """Refusals that a wait cures say nothing about the others."""
    assert judge(chains([[1.0]]))["RL121"].verdict == "n/a"


def test_a_declared_policy_that_never_fired() -> None:
    """A refusal that reached the application although retries are declared is an error."""
    trace = trace_of(refusal(hint=2.0, hint_form="seconds"))
    (finding,) = recovery(trace).findings
    assert finding.severity == "error"
    assert "named waits of up to 2 s" in finding.evidence[1]


def test_a_policy_that_fired_is_the_innocent_neighbour() -> None:
    """A refusal that was retried, even in vain, is what was declared."""
    assert recovery(trace_of(refusal(), attempt(arrived_at=2.0))).verdict == "ok"
    assert recovery(chains([[1.0]])).verdict == "ok"


def test_giving_up_is_legal_where_nothing_is_declared() -> None:
    """Without a declaration, and after a terminal error, nothing is expected."""
    assert recovery(trace_of(refusal()), declared=False).verdict == "n/a"
    assert recovery(trace_of(refusal(terminal=True))).verdict == "n/a"
