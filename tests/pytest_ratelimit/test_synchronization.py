"""RL101: did callers come back together, and could the limiter take them?"""

from __future__ import annotations

import dataclasses
import itertools
import random

import pytest

from fake_provider._limits import Limit, Limits
from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, Policy, judge
from pytest_ratelimit._checks._digest import Digest
from pytest_ratelimit._checks._jitter import measure_jitter
from pytest_ratelimit._checks._scan import Span, _disjoint
from pytest_ratelimit._checks._waves import measure_waves
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import SMALL, cold_start, probe, replay
from tests.pytest_ratelimit.simulation import Simulation, attempt, chains, refusal, trace_of

TOKENS = Limit(kind="tokens", amount=60_000, algorithm="token-bucket", burst=3_000)


def sync(trace: object, **policy: object) -> Judgement:
    return judge(trace, Policy(**policy))["RL101"]  # type: ignore[arg-type]


def herd(arrivals: list[float], *, admitted: bool = False, room: float | None = 0.0) -> object:
    """Callers refused together at 0, and their retries; a limit decides unless room is None."""
    attempts = []
    for call, at in enumerate(arrivals):
        own = {"call": call, "caller": f"a{call}", "reason": "tokens_per_minute", "room": 0.0}
        attempts.append(refusal(**own))
        retry = refusal(**{**own, "room": room}, arrived_at=at, ended_at=at)
        if admitted:
            retry = attempt(call=call, caller=f"a{call}", arrived_at=at, room=8.0)
        attempts.append(retry)
    return trace_of(*attempts, limits=Limits.of([TOKENS]))


def test_retries_at_one_instant_that_are_refused_again() -> None:
    """Three callers back at the same instant, refused again: an error."""
    judgement = sync(herd([1.0] * 3))
    (finding,) = judgement.findings
    assert judgement.verdict == "FLAG"
    assert finding.attempts == (3, 4, 5)
    assert finding.summary == (
        "3 of 3 waiting callers sent retry 1 at the same instant, and all 3 were refused again"
    )


def test_independent_retries_are_the_innocent_neighbour() -> None:
    """Eight callers back over a second are what independent draws give."""
    rng = random.Random(1)
    assert sync(herd([rng.uniform(0, 1) for _ in range(8)])).verdict == "ok"


def test_two_callers_are_too_few() -> None:
    """Two callers make no wave, and the judgement says how many do."""
    judgement = sync(herd([1.0] * 2))
    assert judgement.verdict == "n/a"
    assert judgement.missing == "it takes 3 callers that retry, and this run has 2"
    assert sync(herd([1.0] * 2), min_callers=2, alpha=1e-3).verdict == "FLAG"


def test_first_attempts_together_are_no_retries() -> None:
    """Callers that start together and never retry are not judged."""
    attempts = [refusal(call=c, caller=f"a{c}") for c in range(8)]
    assert sync(trace_of(*attempts)).verdict == "n/a"


def test_a_wave_that_the_limiter_admitted_is_harmless() -> None:
    """A wave that a limit admitted whole is a note."""
    judgement = sync(herd([1.0] * 8, admitted=True))
    (finding,) = judgement.findings
    assert finding.severity == "note"
    assert "the limit admitted all of them" in finding.summary


def test_a_scripted_wave_is_never_harmless() -> None:
    """Where no limit decided, nothing says that one would have admitted the wave."""
    attempts = []
    for call in range(8):
        own = {"call": call, "caller": f"a{call}"}
        attempts += [refusal(**own), attempt(arrived_at=1.0, **own)]
    (finding,) = sync(trace_of(*attempts)).findings
    assert finding.severity == "error"
    assert any("No limit decided" in line for line in finding.evidence)


def test_callers_that_obey_one_reset_come_back_as_one() -> None:
    """Different delays to the same reset time end at one instant: arrivals are judged."""
    trace = Simulation(
        delays.sdk(obeys=True),
        Limit(kind="requests", amount=3, window=60.0),
        tokens=lambda c, i, r: 1,
        callers=12,
        calls=1,
        start=lambda c, rng: rng.uniform(0, 20),
        hint="reset",
        attempts=2,
    ).run()
    (finding,) = sync(trace).findings
    assert finding.severity == "error"
    assert "waited exactly what the hint said" in finding.cause


def test_a_small_herd_among_many_unrelated_retries() -> None:
    """Eight in lockstep are found among a thousand unrelated retries of a long run."""
    rng = random.Random(8)
    attempts = []
    for call in range(1_000):
        own = {"call": call, "caller": f"b{call}", "arrived_at": call * 3.0, "ended_at": call * 3.0}
        retry = attempt(**{**own, "arrived_at": call * 3.0 + rng.uniform(0, 1)})
        attempts += [refusal(**own), retry]
    for call in range(1_000, 1_008):
        own = {"call": call, "caller": f"a{call}"}
        at = 1_500.1
        attempts.append(refusal(**own, arrived_at=at, ended_at=at))
        attempts.append(refusal(**own, arrived_at=at + 0.7, ended_at=at + 0.7))
    (finding,) = sync(trace_of(*attempts)).findings
    assert finding.summary.startswith("8 of ")


def test_jitter_of_one_percent_does_not_keep_callers_apart() -> None:
    """Callers within 20 ms of each other after 1 s are found by their missing jitter."""
    for seed in range(10):
        trace = probe(delays.share(0.02), seed=seed, callers=12)
        assert sync(trace).verdict == "FLAG", seed


def test_equal_waits_without_a_cluster_are_another_finding() -> None:
    """At a saturated cap all delays are equal, yet callers keep the offsets drawn before."""
    trace = probe(delays.plus_uniform(1.0, 8.0), seed=5, callers=12, attempts=8)
    judged = judge(trace)
    assert judged["RL101"].verdict == "ok"
    assert judged["RL102"].verdict == "note"


def test_delays_too_short_for_any_jitter() -> None:
    """Full jitter over 50 ms leaves twelve callers together; over 1 s it does not."""
    for seed in range(10):
        hot = sync(probe(lambda s: s.doubled(0.05) * s.rng.random(), seed=seed, callers=12))
        assert hot.verdict == "FLAG", seed
        assert "too short for jitter" in hot.findings[0].cause
        assert sync(probe(delays.full_jitter(), seed=seed, callers=12)).verdict == "ok", seed


def test_jitter_narrower_than_the_limit_needs_is_a_warning() -> None:
    """Eight callers within a quarter of a second, where the limit needs 5 s, is narrow."""
    trace = cold_start(lambda s: 0.5 + 0.25 * s.rng.random(), seed=1, calls=1, limit=SMALL)
    judgement = sync(trace)
    (finding,) = judgement.findings
    assert judgement.verdict == "note"
    assert finding.severity == "warning"
    assert "in each of" in finding.summary
    assert any(line.startswith("Narrow") for line in finding.evidence)


def test_jitter_as_wide_as_the_limit_needs_is_its_neighbour() -> None:
    """The same callers, spread over the time that the limit needs, are not narrow."""
    trace = cold_start(lambda s: s.rng.uniform(0, 12.0), seed=1, calls=1, limit=SMALL)
    assert sync(trace).verdict == "ok"


def test_a_sliding_window_admits_a_whole_herd_at_once() -> None:
    """Six callers that fit into one window need no spread, however long they wait for it."""
    limit = Limit(kind="requests", amount=6, per=30.0, window=30.0)
    for seed in range(10):
        trace = Simulation(
            delays.full_jitter(2.0),
            limit,
            callers=12,
            calls=1,
            tokens=lambda c, i, r: 1,
            attempts=8,
            seed=seed,
        ).run()
        assert sync(trace).verdict == "ok", seed


def test_inferred_attempts_are_left_out() -> None:
    """A wave of attempts of which nothing says that they are retries is not judged."""
    assert sync(chains([[1.0]] * 8)).verdict == "FLAG"
    assert sync(chains([[1.0]] * 8, attribution="inferred")).verdict == "n/a"


def test_the_incident_comes_back_in_44_waves() -> None:
    """The replay's 44 waves hold 344 of its 507 retries."""
    trace = replay(delays.fixed())
    found = Digest(trace, Policy())
    waves = measure_waves(found, measure_jitter(found))
    assert len(waves.harmful) == len(waves.waves) == 44
    assert sum(len(wave.retries) for wave in waves.waves) == 344
    assert waves.retried == 507


@pytest.mark.parametrize("seed", range(5))
def test_disjoint_spans_are_those_of_a_plain_search(seed: int) -> None:
    """Choosing disjoint spans in order of size is what marking every retry gives."""
    rng = random.Random(seed)
    spans = []
    for _ in range(200):
        start = rng.randrange(100)
        length = rng.randrange(3, 15)
        spans.append(Span(start, start + length, rng.randrange(3, length + 1), 9, 0.0, -1.0))
    taken: set[int] = set()
    expected = []
    for span in sorted(spans, key=lambda s: (-s.callers, s.width, s.start)):
        members = set(range(span.start, span.end))
        if not members & taken:
            taken |= members
            expected.append(span)
    chosen = _disjoint(spans)
    assert chosen == expected
    pairs = itertools.combinations(chosen, 2)
    assert all(a.end <= b.start or b.end <= a.start for a, b in pairs)


def test_immediate_retries_of_several_callers_are_a_wave_too() -> None:
    """Callers that come back without any delay come back together."""
    (finding,) = sync(chains([[0.0]] * 8)).findings
    assert finding.cause == (
        "delays of at most 0 s are too short for jitter to keep 8 callers apart."
    )
    assert "multiplier=1, max=60" in finding.remedy


@pytest.mark.parametrize("other", [{"key": "1badcafe"}, {"host": "b.test"}, {"model_class": "y"}])
def test_falling_back_together_is_no_herd(other: dict[str, str]) -> None:
    """Callers that turn to another key, host or model at once had no delay to spread."""
    attempts = []
    for call in range(8):
        own = {"call": call, "caller": f"a{call}"}
        attempts += [refusal(**own), attempt(**own, arrived_at=1e-4, ended_at=1.0, **other)]
    assert sync(trace_of(*attempts)).verdict == "n/a"
    late = [dataclasses.replace(a, arrived_at=1.0) if a.status == 200 else a for a in attempts]
    assert sync(trace_of(*late)).verdict == "FLAG"


@pytest.mark.parametrize("callers", [3, 6, 12])
def test_retries_at_once_are_a_herd(callers: int) -> None:
    """Three callers that try again without any delay come back together: no draw is that short."""
    trace = chains([[0.0, 0.0, 0.0]] * callers)
    (finding,) = judge(trace)["RL101"].findings
    assert finding.severity == "error"
    assert "too short for jitter" in finding.cause


def dispatched(*, apart: float, callers: int = 6, same: bool = False) -> Trace:
    """Work that is refused at once, and dispatched again after 20 s as new calls of new tasks."""
    made = []
    for turn in range(3):
        for i in range(callers):
            at = 20.0 * turn + apart * i * turn
            number = turn * callers + i
            unit = f"same/{i + 1}" if same else f"work{i}"
            fields = {"caller": f"task {number}", "call": number, "unit": unit}
            made.append(refusal(**fields, arrived_at=at, ended_at=at))
    return trace_of(*made)


def test_work_that_is_dispatched_again_at_once() -> None:
    """Re-queues that come back together are a wave as well, though each is a new call."""
    (finding,) = judge(dispatched(apart=0.0))["RL101"].findings
    assert finding.severity == "error"
    assert finding.summary == (
        "6 of 6 waiting callers sent refused work again at the same instant, and all 6 were "
        "refused again"
    )
    assert finding.cause == "what was refused is dispatched again all at once, as new calls."
    assert finding.remedy == "dispatch each piece by itself, after random.uniform(0, 40)."


def test_work_that_is_dispatched_again_one_by_one() -> None:
    """Re-queues that come apart, and those of equal prompts, accuse nobody."""
    assert judge(dispatched(apart=3.0))["RL101"].verdict == "ok"
    assert judge(dispatched(apart=0.0, same=True))["RL101"].verdict == "n/a"
    assert judge(dispatched(apart=0.0, callers=2))["RL101"].verdict == "ok"
