"""The published incident, replayed: broken, repaired, and with other clients in it."""

from __future__ import annotations

import statistics

import pytest

from pytest_ratelimit._checks import Policy, judge
from pytest_ratelimit._tolerance import check
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import replay

WRONG = ["RL101", "RL102", "RL106", "RL113", "RL114", "RL201", "RL202"]


def test_the_incident_has_its_stated_figures() -> None:
    """Over ten seeds: 14 minutes, 8 refused at first, 13.2 x the load, within 5 %."""
    traces = [replay(delays.fixed(), seed=seed) for seed in range(10)]
    assert statistics.median(t.makespan for t in traces) == pytest.approx(852, rel=0.05)
    assert statistics.median(t.amplification for t in traces) == pytest.approx(13.4, rel=0.05)
    for trace in traces:
        assert sum(a.refused for a in trace.attempts if a.arrived_at == 0.0) == 8


def test_the_incident_is_condemned_on_every_count() -> None:
    """Over ten seeds the same eight codes are errors, and there is no other finding."""
    for seed in range(10):
        found = check(replay(delays.fixed(), seed=seed))
        assert {f.severity for f in found} == {"error"}, seed
        assert [f.code for f in found] == [*WRONG, "RL302"], seed


def test_the_repaired_incident_is_quiet() -> None:
    """Over ten seeds: jitter and a shared bucket end in 40 s, and nothing is refused."""
    for seed in range(10):
        trace = replay(delays.full_jitter(2.0), seed=seed, paced=True)
        assert trace.makespan < 42
        assert [f.code for f in check(trace)] == ["RL902"], seed


def test_the_shared_bucket_alone_is_quiet_too() -> None:
    """With the bucket in front the fixed delay is never used: quiet, not condemned."""
    assert [f.code for f in check(replay(delays.fixed(), paced=True))] == ["RL902"]


def test_jitter_alone_leaves_the_budget() -> None:
    """Full jitter without the bucket is spread, and still asks for too much at once."""
    for seed in range(5):
        judged = judge(replay(delays.full_jitter(2.0), seed=seed))
        assert judged["RL101"].verdict != "FLAG", seed
        assert judged["RL102"].verdict == "ok", seed
        assert judged["RL201"].verdict == "note", seed


def test_obeying_the_hint_to_the_millisecond_is_the_next_incident() -> None:
    """The SDK on an exact hint comes back together as well, and is named as what waited."""
    trace = replay(delays.sdk(obeys=True), hint="exact", attempts=3, sdk=True)
    judged = judge(trace)
    assert judged["RL103"].verdict == "ok"
    for code in ("RL101", "RL102"):
        (finding,) = judged[code].findings
        assert finding.severity == "error"
        assert finding.cause.startswith("the SDK waited exactly")


def test_a_quarter_second_of_jitter_is_not_enough_for_this_limit() -> None:
    """A quarter of jitter on 1 s passes as jitter, and is called narrow: the limit needs 5 s."""
    judged = judge(replay(lambda s: 1 + 0.25 * s.rng.random()))
    assert judged["RL102"].verdict == "ok"
    (finding,) = judged["RL101"].findings
    assert finding.severity == "warning"
    assert any(line.startswith("Narrow") for line in finding.evidence)


def test_the_level_does_not_decide_the_incident() -> None:
    """At 1e-3 and at 1e-8 the incident is the same eight errors."""
    trace = replay(delays.fixed())
    lax, strict = (check(trace, Policy(alpha=alpha)) for alpha in (1e-3, 1e-8))
    assert [f.code for f in lax] == [f.code for f in strict]
