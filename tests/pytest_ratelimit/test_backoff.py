"""RL106 and RL107: do delays grow, and are there any?"""

from __future__ import annotations

import pytest

from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, Policy, judge
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import cold_start, probe
from tests.pytest_ratelimit.simulation import Delay, Situation, attempt, chains, refusal, trace_of


def growth(trace: Trace, **policy: object) -> Judgement:
    return judge(trace, Policy(**policy))["RL106"]  # type: ignore[arg-type]


def delay(trace: Trace) -> Judgement:
    return judge(trace)["RL107"]


@pytest.mark.parametrize(
    ("own", "verdict"),
    [
        ([[1.0, 1.0, 1.0]] * 2, "FLAG"),
        ([[0.83] * 6], "FLAG"),
        ([[0.83] * 5], "n/a"),
        ([[1.0, 1.0]] * 2, "n/a"),
        ([[1.0, 2.0, 4.0]] * 12, "ok"),
        ([[1.0]] * 12, "n/a"),
    ],
)
def test_equal_delays_need_no_statistics(own: list[list[float]], verdict: str) -> None:
    """Three equal delays in two calls, or six in one, are flat; fewer are too few."""
    assert growth(chains(own)).verdict == verdict


@pytest.mark.parametrize(
    "flat",
    [
        lambda s: s.rng.uniform(0, 1),
        lambda s: s.rng.uniform(0.5, 1.5),
        lambda s: s.rng.gauss(1, 0.1),
    ],
)
def test_jittered_delays_that_do_not_grow(flat: Delay) -> None:
    """Constant ceilings under jitter are found from 12 calls of four retries."""
    (finding,) = growth(probe(flat, seed=3, callers=12)).findings
    assert finding.severity == "error"
    assert finding.p is not None
    assert finding.p <= 1e-5


@pytest.mark.parametrize(
    "growing",
    [delays.full_jitter(), delays.equal_jitter(), delays.sdk(), delays.grpc(), delays.linear()],
)
def test_growing_delays_are_the_innocent_neighbour(growing: Delay) -> None:
    """Schedules that grow are clean, although single sequences of full jitter shrink."""
    for seed in range(20):
        assert growth(probe(growing, seed=seed, callers=12)).verdict == "ok", seed


def test_too_few_calls_say_how_many_it_takes() -> None:
    """Three jittered calls cannot reach the level, and the judgement says how many could."""
    judgement = growth(probe(lambda s: s.rng.uniform(0, 1), seed=1, callers=3))
    assert judgement.verdict == "n/a"
    assert judgement.missing == (
        "it takes 7 calls with 4 retries each, two with three equal delays, or one with six, and "
        "this run has 3 calls"
    )


def test_a_declared_cap_is_where_growth_may_stop() -> None:
    """Delays that begin at the declared cap have nowhere to grow."""
    flat = chains([[8.0, 8.0, 8.0]] * 4)
    assert growth(flat).verdict == "FLAG"
    assert growth(flat, growth_cap_s=8.0).verdict == "n/a"


def test_waits_that_a_hint_decided_are_left_out() -> None:
    """A constant wait that satisfies the hint is the server's schedule, not the client's."""
    trace = chains([[20.0, 20.0, 20.0]] * 4, hint=20.0, hint_form="seconds")
    assert growth(trace).verdict == "n/a"
    ignored = chains([[20.0, 20.0, 20.0]] * 4, hint=60.0, hint_form="seconds")
    assert growth(ignored).verdict == "FLAG"


def test_the_shorter_half_of_a_growing_schedule_is_not_flat() -> None:
    """Delays that came before the hint are the short ones of their schedule: not judged."""
    for seed in range(20):
        trace = cold_start(delays.full_jitter(), seed=seed, hint="exact")
        assert growth(trace).verdict != "FLAG", seed


def test_one_seed_for_all_is_judged_by_eye_only() -> None:
    """Equal draws are not independent: twenty runs of one seed for all accuse no schedule."""
    for seed in range(20):
        trace = probe(delays.full_jitter(), seed=seed, callers=12, seeds=1)
        assert growth(trace).verdict != "FLAG", seed


def test_three_immediate_retries() -> None:
    """Retries within a millisecond of the refusal are hot; after a second they are not."""
    (finding,) = delay(chains([[0.0] * 3])).findings
    assert finding.severity == "error"
    assert finding.attempts == (1, 2, 3)
    assert delay(chains([[1.0] * 3])).verdict == "ok"


def test_one_immediate_retry_is_too_little() -> None:
    """One retry at once can be chance."""
    assert delay(chains([[0.0]])).verdict == "n/a"
    assert delay(trace_of(refusal())).verdict == "n/a"


def test_a_fallback_to_another_model_or_key_may_come_at_once() -> None:
    """Trying another model or key without waiting is a fallback, not a hot retry."""
    for field in ("model_class", "key"):
        attempts = [refusal(call=0, **{field: f"x{i}"}, arrived_at=i * 1e-4) for i in range(6)]
        assert delay(trace_of(*attempts)).verdict == "n/a"


def test_a_hint_of_zero_allows_an_immediate_retry() -> None:
    """A client that was told to wait 0 s and comes back at once is not hot."""
    assert delay(chains([[0.0] * 5], hint=0.0, hint_form="seconds")).verdict == "n/a"


def test_immediate_retries_that_were_served_are_a_warning() -> None:
    """Without harm in this run a hot retry is a warning."""
    attempts = []
    for call in range(6):
        own = {"call": call, "caller": f"a{call}", "arrived_at": float(call)}
        attempts += [refusal(**own, ended_at=float(call)), attempt(**own)]
    assert delay(trace_of(*attempts)).findings[0].severity == "warning"


def test_short_draws_of_a_healthy_schedule_are_not_hot() -> None:
    """Full jitter draws a delay near zero now and then, and is not accused."""
    for seed in range(20):
        assert delay(probe(delays.full_jitter(0.5), seed=seed, callers=30)).verdict == "ok", seed


def test_a_schedule_that_grows_later_is_not_flat() -> None:
    """A base below its jitter hides the growth at first; what came later shows it."""

    def slowly(s: Situation) -> float:
        return min(5.0, 0.1 * 2.0 ** (s.refusals - 1)) + s.rng.uniform(0, 1)

    assert growth(probe(slowly, seed=1, callers=12, attempts=10)).verdict == "ok"
    assert growth(probe(slowly, seed=1, callers=12, attempts=5)).verdict == "FLAG"
