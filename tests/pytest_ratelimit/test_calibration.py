"""Error rates of the statistical checks, by simulation with fixed seeds.

The slow versions are the measurement; the ordinary ones guard against a gross error.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st

from fake_provider._limits import Limit
from fake_provider._trace import Trace
from pytest_ratelimit._checks import Policy, judge
from pytest_ratelimit._checks._digest import Digest
from pytest_ratelimit._checks._jitter import measure_jitter
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import REPLAY, SMALL, TEN_SECONDS, cold_start, probe
from tests.pytest_ratelimit.simulation import Delay, chains

LAX = Policy(alpha=1e-3)
STATISTICAL = ("RL101", "RL102", "RL104", "RL106", "RL107")

HEALTHY: dict[str, Delay] = {
    "full jitter": delays.full_jitter(),
    "equal jitter": delays.equal_jitter(),
    "decorrelated": delays.decorrelated(),
    "SDK": delays.sdk(),
    "gRPC": delays.grpc(),
    "exponential plus a second": delays.plus_uniform(),
}
FAULTY: dict[str, tuple[Delay, int | None]] = {
    "fixed": (delays.fixed(), None),
    "linear": (delays.linear(), None),
    "exponential": (delays.exponential(), None),
    "first delay without": (delays.cookbook(), None),
    "first delay only": (delays.first_only(), None),
    "lost at the cap": (delays.plus_uniform(1.0, 4.0), None),
    "1 % of the delay": (delays.share(0.01), None),
    "2 % of the delay": (delays.share(0.02), None),
    "one seed": (delays.full_jitter(), 1),
    "two seeds": (delays.full_jitter(), 2),
    "four seeds": (delays.full_jitter(), 4),
}


def rejected(n: int, runs: int) -> float:
    """Share of runs in which jitter exactly as wide as required is called missing."""
    rng = random.Random(n)
    fallen = 0
    for _ in range(runs):
        trace = chains([[1.0 + 0.1 * rng.random()] for _ in range(n)])
        fallen += measure_jitter(Digest(trace, LAX)).rejected
    return fallen / runs


def flagged(trace: Trace, policy: Policy = LAX) -> list[str]:
    """The statistical codes that found an error or a warning."""
    judged = judge(trace, policy)
    return [c for c in STATISTICAL if any(f.severity != "note" for f in judged[c].findings)]


@pytest.mark.parametrize("n", [3, 8, 12])
def test_the_bound_is_nearly_tight(n: int) -> None:
    """Jitter exactly at the threshold is rejected in at most 3 of 1,000 runs at alpha 1e-3."""
    assert rejected(n, 1_000) <= 3e-3


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 8, 12])
def test_the_bound_is_tight(n: int) -> None:
    """Jitter exactly at the threshold is rejected in 0.5 to 2 of 1,000 runs at alpha 1e-3."""
    assert 0.5e-3 <= rejected(n, 20_000) <= 2e-3


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_policies_in_the_probe(name: str) -> None:
    """Not one of 40 runs of a healthy policy is flagged, at a hundred times the usual alpha."""
    found = [flagged(probe(HEALTHY[name], seed=seed, callers=12)) for seed in range(40)]
    assert found == [[]] * 40


@pytest.mark.slow
@pytest.mark.parametrize("callers", [3, 8, 12, 30])
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_policies_in_400_probes(name: str, callers: int) -> None:
    """At most one of 400 runs of a healthy policy is flagged at 1e-3, and none at 1e-5."""
    traces = [probe(HEALTHY[name], seed=seed, callers=callers) for seed in range(400)]
    assert sum(bool(flagged(trace)) for trace in traces) <= 1
    assert not any(flagged(trace, Policy()) for trace in traces)


@pytest.mark.parametrize("limit", [SMALL, TEN_SECONDS, REPLAY], ids=["bucket", "window", "charged"])
@pytest.mark.parametrize("hint", [None, "ceil"])
def test_healthy_policies_against_a_limit(limit: Limit, hint: str | None) -> None:
    """In a cold start no healthy policy is an error, whatever the limit and its hints."""
    policies = {"plus": delays.hint_plus(1.0), "times": delays.hint_times(0.2)}
    for name, delay in (HEALTHY if hint is None else policies).items():
        for seed in range(6):
            judged = judge(cold_start(delay, seed=seed, limit=limit, hint=hint), LAX)
            verdicts = {code: judged[code].verdict for code in STATISTICAL}
            assert "FLAG" not in verdicts.values(), (name, seed, verdicts)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [SMALL, TEN_SECONDS, REPLAY], ids=["bucket", "window", "charged"])
@pytest.mark.parametrize("over", [0.0, 2.0, 30.0])
def test_healthy_policies_in_many_jobs(limit: Limit, over: float) -> None:
    """Of 600 jobs of healthy policies none is an error at the usual level."""
    errors: Counter[tuple[str, str]] = Counter()
    for name, delay in HEALTHY.items():
        for seed in range(100):
            judged = judge(cold_start(delay, seed=seed, limit=limit, over=over))
            errors.update((name, c) for c in STATISTICAL if judged[c].verdict == "FLAG")
    assert not errors


@pytest.mark.parametrize("name", FAULTY)
def test_faulty_policies_with_eight_callers(name: str) -> None:
    """Every one of 20 runs of a faulty policy is found with eight callers, at the usual level."""
    delay, seeds = FAULTY[name]
    for seed in range(20):
        found = flagged(probe(delay, seed=seed, seeds=seeds), Policy())
        assert {"RL102", "RL104"} & set(found), seed


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTY)
def test_faulty_policies_in_400_probes(name: str) -> None:
    """At least 396 of 400 runs of a faulty policy are found with eight callers."""
    delay, seeds = FAULTY[name]
    found = [flagged(probe(delay, seed=seed, seeds=seeds), Policy()) for seed in range(400)]
    assert sum(bool({"RL102", "RL104"} & set(codes)) for codes in found) >= 396


@pytest.mark.parametrize("name", ["fixed", "linear", "exponential", "1 % of the delay"])
def test_lockstep_is_an_error_that_is_seen(name: str) -> None:
    """Eight callers in lockstep are refused together, and RL101 says so in every run."""
    delay, _ = FAULTY[name]
    for seed in range(20):
        assert judge(probe(delay, seed=seed))["RL101"].verdict == "FLAG", seed


@pytest.mark.parametrize("callers", [3, 5])
def test_few_callers_in_lockstep(callers: int) -> None:
    """Three callers without any jitter are enough in virtual time."""
    judged = judge(probe(delays.fixed(), seed=1, callers=callers))
    assert judged["RL101"].verdict == judged["RL102"].verdict == "FLAG"


@pytest.mark.slow
@pytest.mark.parametrize(("callers", "policy"), [(12, LAX), (14, Policy())], ids=["1e-3", "1e-5"])
def test_five_percent_of_the_delay_takes_more_callers(callers: int, policy: Policy) -> None:
    """Jitter of half of what counts is found in 380 of 400 runs with 12 callers, or with 14."""
    traces = [probe(delays.share(0.05), seed=seed, callers=callers) for seed in range(400)]
    assert sum("RL102" in flagged(trace, policy) for trace in traces) >= 380


LIMITS = st.sampled_from([None, SMALL, TEN_SECONDS, REPLAY])
# Decorrelated delays that reach their cap are equal there, which is a finding and no chance.
SEARCHED = {**HEALTHY, "decorrelated": delays.decorrelated(cap=math.inf)}


def assert_acquitted(
    name: str, seed: int, callers: int, attempts: int, limit: Limit | None
) -> None:
    """Judge a healthy fleet, and tell Hypothesis how near it came to an accusation."""
    delay = SEARCHED[name]
    if limit is None:
        trace = probe(delay, seed=seed, callers=callers, attempts=attempts)
    else:
        trace = cold_start(
            delay, seed=seed, callers=callers, attempts=attempts, calls=1, limit=limit
        )
    judged = judge(trace)
    target(-measure_jitter(Digest(trace, Policy())).log_p)
    assert [c for c in STATISTICAL if judged[c].verdict == "FLAG"] == []
    # A herd that is narrow for its limit is no chance either.
    assert [c for c in STATISTICAL[1:] if judged[c].findings] == []


FLEETS = {
    "name": st.sampled_from(sorted(SEARCHED)),
    "seed": st.integers(0, 2**32),
    "callers": st.integers(2, 16),
    "attempts": st.integers(2, 7),
    "limit": LIMITS,
}


@settings(max_examples=300, derandomize=True, deadline=None)
@given(**FLEETS)
def test_a_search_for_an_accusation_finds_none(**fleet: Any) -> None:
    """Hypothesis, told how near it is, finds no healthy fleet that is accused."""
    assert_acquitted(**fleet)


@pytest.mark.slow
@pytest.mark.timeout(7_200)
@settings(
    max_examples=100_000,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(**FLEETS)
def test_a_long_search_for_an_accusation_finds_none(**fleet: Any) -> None:
    """Nor does it in 100,000 examples, at the level that is the default in virtual time."""
    assert_acquitted(**fleet)
