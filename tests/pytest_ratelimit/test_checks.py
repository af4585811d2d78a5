"""All checks together: order, purity, and that each of them can find something."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import pytest

from fake_provider._limits import Limit, Limits
from fake_provider._trace import Trace
from pytest_ratelimit._checks import CHECKED, Judgement, Policy, judge
from pytest_ratelimit._checks._digest import Digest
from pytest_ratelimit._checks._goodput import judge_goodput, judge_throttle
from pytest_ratelimit._checks._replays import judge_output, judge_running
from pytest_ratelimit._checks._sharing import judge_concurrency, judge_sharing
from pytest_ratelimit._checks._starvation import judge_starvation
from pytest_ratelimit._findings import CODES, SEVERITIES
from pytest_ratelimit._tolerance import check
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import probe, replay
from tests.pytest_ratelimit.simulation import Simulation, attempt, chains, refusal, trace_of
from tests.pytest_ratelimit.test_goodput import slow_pacer
from tests.pytest_ratelimit.test_outages import outage
from tests.pytest_ratelimit.test_starvation import one_large

TOKENS = Limits.of([Limit(kind="tokens", amount=10_000)])


def too_large() -> Trace:
    return trace_of(refusal(input_tokens=20_000, terminal=True), limits=TOKENS)


def stacked() -> Trace:
    return trace_of(*(refusal(sdk_retry=i % 2, arrived_at=float(i)) for i in range(4)))


def crowded() -> Trace:
    refused = refusal(call=1, caller="a1", reason="concurrent_requests", room=0.0)
    return trace_of(attempt(ended_at=1.0), refused, limits=Limits(concurrent_requests=1))


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
    "RL123": lambda: trace_of(
        attempt(ended_at=2.0, output_at=1.0, reason="cut"), attempt(arrived_at=3.0)
    ),
    "RL124": lambda: trace_of(attempt(ended_at=9.0), attempt(arrived_at=3.0)),
    "RL201": lambda: replay(delays.fixed()),
    "RL202": lambda: replay(delays.fixed()),
    "RL203": too_large,
    "RL204": crowded,
    "RL205": lambda: replay(delays.hint_plus(1.0), hint="ceil"),
    "RL301": lambda: trace_of(refusal()),
    "RL302": lambda: replay(delays.fixed()),
    "RL303": lambda: one_large(1),
    "RL304": lambda: outage(delays.full_jitter()),
    "RL305": slow_pacer,
    "RL901": lambda: trace_of(refusal(), attempt(arrived_at=5.0)),
    "RL902": lambda: trace_of(attempt()),
    "RL903": Trace,
}


ALONE: dict[str, Callable[[Digest], Judgement]] = {
    "RL123": judge_output,
    "RL124": judge_running,
    "RL204": judge_concurrency,
    "RL205": lambda digest: judge_sharing(digest, frozenset(), 0.0),
    "RL302": judge_goodput,
    "RL303": judge_starvation,
    "RL305": judge_throttle,
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


@pytest.mark.parametrize("code", ["RL123", "RL124", "RL204", "RL205", "RL302", "RL303", "RL305"])
def test_the_cost_of_a_check_is_flat(code: str) -> None:
    """Eight times the attempts cost less than 24 times the processor time: no check is square."""

    def cost(callers: int) -> float:
        limit = Limit(kind="tokens", amount=callers * 400_000, algorithm="token-bucket", burst=9**6)
        delay = delays.hint_plus(1.0)
        trace = Simulation(delay, limit, callers=callers, hint="ceil", attempts=9).run()
        digest = Digest(trace, Policy())
        assert digest.works  # shared by all checks, and not this one's cost
        start = time.process_time()
        ALONE[code](digest)
        return (time.process_time() - start) / len(trace.attempts)

    small, large = (min(cost(callers) for _ in range(3)) for callers in (50, 400))
    assert large < 3 * small + 5e-6


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
