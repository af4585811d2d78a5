"""All checks together: order, purity, and that each of them can find something."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from fake_provider._limits import Limit, Limits
from fake_provider._trace import Trace
from pytest_ratelimit._checks import CHECKED, Policy, check, judge
from pytest_ratelimit._findings import CODES, SEVERITIES
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import probe, replay
from tests.pytest_ratelimit.simulation import attempt, chains, refusal, trace_of

TOKENS = Limits.of([Limit(kind="tokens", amount=10_000)])


def too_large() -> Trace:
    return trace_of(refusal(input_tokens=20_000, terminal=True), limits=TOKENS)


def stacked() -> Trace:
    return trace_of(*(refusal(sdk_retry=i % 2, arrived_at=float(i)) for i in range(4)))


TRIPS: dict[str, Callable[[], Trace]] = {
    "RL101": lambda: replay(delays.fixed()),
    "RL102": lambda: replay(delays.fixed()),
    "RL103": lambda: chains([[1.0]], hint=20.0, hint_form="seconds"),
    "RL104": lambda: probe(delays.full_jitter(), seed=1, callers=12, seeds=4),
    "RL105": lambda: chains([[1.0]], hint=20.0, hint_form="seconds"),
    "RL106": lambda: replay(delays.fixed()),
    "RL107": lambda: chains([[0.0] * 4]),
    "RL111": lambda: chains([[1.0] * 20]),
    "RL112": stacked,
    "RL113": lambda: replay(delays.fixed()),
    "RL114": lambda: replay(delays.fixed()),
    "RL121": lambda: chains([[1.0]], terminal=True),
    "RL122": lambda: trace_of(refusal()),
    "RL201": lambda: replay(delays.fixed()),
    "RL202": lambda: replay(delays.fixed()),
    "RL203": too_large,
    "RL301": lambda: trace_of(refusal()),
    "RL901": lambda: trace_of(refusal(), attempt(arrived_at=5.0)),
    "RL902": lambda: trace_of(attempt()),
    "RL903": Trace,
}


def test_checked_codes_are_listed_ones_in_order() -> None:
    """Every code that is judged is in the list of codes, once and in order."""
    assert list(CHECKED) == sorted(set(CHECKED))
    assert set(CHECKED) <= set(CODES)


@pytest.mark.parametrize("code", CHECKED)
def test_every_check_finds_something_somewhere(code: str) -> None:
    """No check is there that nothing trips."""
    policy = Policy(retries_declared=code == "RL122")
    findings = judge(TRIPS[code](), policy)[code].findings
    assert findings
    assert {finding.code for finding in findings} == {code}


@pytest.mark.parametrize("code", CHECKED)
def test_every_finding_can_be_read_alone(code: str) -> None:
    """A finding says what, why and what to do, in one line each, and points into its trace."""
    trace = TRIPS[code]()
    for finding in check(trace, Policy(retries_declared=True)):
        assert finding.summary
        assert "\n" not in finding.summary
        assert not finding.summary.endswith(".")
        assert finding.cause.endswith(".")
        assert finding.remedy
        assert "http" not in str(finding)
        assert set(finding.attempts) <= {a.index for a in trace.attempts}
        assert list(finding.attempts) == sorted(set(finding.attempts))
        if finding.severity == "error" and finding.code != "RL903":
            assert finding.attempts
        assert finding.p is None or 0 <= finding.p <= 1e-3


def test_findings_come_worst_first() -> None:
    """Errors come before warnings and notes, and codes in order among them."""
    found = check(replay(delays.sdk(obeys=True), hint="exact", attempts=3))
    keys = [(SEVERITIES.index(finding.severity), finding.code) for finding in found]
    assert keys == sorted(keys)
    assert len({finding.severity for finding in found}) > 1


def test_a_check_is_a_pure_function() -> None:
    """Judging a trace twice gives equal judgements in the same order, one for each code."""
    trace = replay(delays.fixed())
    first, second = judge(trace), judge(trace)
    assert first == second
    assert list(first) == list(CHECKED)


@pytest.mark.parametrize("code", CHECKED)
def test_unjudged_says_what_is_missing(code: str) -> None:
    """On an empty trace and on a quiet one, what is not judged says what it would take."""
    for trace in (Trace(), trace_of(attempt())):
        judgement = judge(trace)[code]
        assert judgement.judged or judgement.missing
        assert judgement.judged or not judgement.findings


def test_a_trace_read_back_is_judged_alike() -> None:
    """Findings do not depend on whether a trace was just made or read from its file."""
    trace = replay(delays.fixed(), seed=3)
    file = io.StringIO()
    trace.dump(file)
    again = Trace.load(file.getvalue().splitlines())
    assert [str(f) for f in check(again)] == [str(f) for f in check(trace)]
