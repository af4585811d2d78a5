"""RL112: was one call retried by several layers?"""

from __future__ import annotations

import random

import pytest

from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, judge
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import probe
from tests.pytest_ratelimit.simulation import chains, refusal, trace_of


def layers(trace: Trace) -> Judgement:
    return judge(trace)["RL112"]


def counted(counters: list[int], *, call: int = 0) -> list[object]:
    return [
        refusal(call=call, caller=f"a{call}", sdk_retry=n, arrived_at=float(i), ended_at=float(i))
        for i, n in enumerate(counters)
    ]


def test_the_counter_that_starts_again_is_proof() -> None:
    """Five rounds of three SDK attempts are 15 = 5 x 3, without any statistics."""
    trace = trace_of(*counted([0, 1, 2] * 5))  # type: ignore[arg-type]
    (finding,) = layers(trace).findings
    assert finding.severity == "error"
    assert finding.summary == (
        "1 call retried by the SDK inside another retry loop; call 0 made 15 = 5 outer x 3 SDK "
        "attempts"
    )
    assert finding.remedy == (
        "set max_retries=0 on the client, and keep the one loop around it: 5 attempts instead of "
        "15."
    )
    assert finding.attempts == tuple(range(15))


def test_rounds_that_are_not_full_are_counted_as_they_are() -> None:
    """A last round that succeeded early leaves no product."""
    trace = trace_of(*counted([0, 1, 2, 0, 1]))  # type: ignore[arg-type]
    assert "5 in 2 outer rounds of up to 3 SDK attempts" in layers(trace).findings[0].summary


def test_the_sdk_alone_is_the_innocent_neighbour() -> None:
    """A counter that only rises is one layer."""
    assert layers(trace_of(*counted([0, 1, 2]))).verdict == "ok"  # type: ignore[arg-type]


def test_an_inferred_call_proves_nothing() -> None:
    """Where nothing tells a retry from new work, a counter that starts again may be new work."""
    attempts = [
        refusal(sdk_retry=n, arrived_at=float(i), attribution="inferred")
        for i, n in enumerate([0, 1, 2] * 3)
    ]
    assert layers(trace_of(*attempts)).verdict == "ok"


def test_the_simulated_stack() -> None:
    """The SDK's loop inside one of full jitter is found in every call."""
    trace = probe(delays.sdk(), seed=1, attempts=3, outer=(5, delays.full_jitter()))
    (finding,) = layers(trace).findings
    assert finding.summary.startswith("8 calls retried by the SDK inside another retry loop; ")


def test_without_a_counter_a_regular_pattern_is_a_warning() -> None:
    """Delays that fall back to the start at the same retries in every call show two loops."""
    trace = chains([[1.0, 2.0, 4.0, 1.0, 1.0, 2.0, 4.0]] * 3)
    (finding,) = layers(trace).findings
    assert finding.severity == "warning"
    assert finding.summary == (
        "the delays of 3 calls fall back to the start at retry 4: a retry loop inside another"
    )


def test_draws_that_fall_anywhere_are_no_pattern() -> None:
    """Full jitter falls back at random retries, which is not a loop in a loop."""
    for seed in range(100):
        for callers in (3, 4, 8):
            trace = probe(delays.full_jitter(), seed=seed, callers=callers, attempts=5)
            assert layers(trace).verdict == "ok", (seed, callers)


def test_too_little_without_a_counter() -> None:
    """Without the SDK's counter two calls are too few, and the judgement says what it takes."""
    judgement = layers(chains([[1.0, 2.0, 4.0, 1.0]] * 2))
    assert judgement.verdict == "n/a"
    assert judgement.missing.startswith("no SDK sends its counter")
    assert layers(trace_of(refusal())).missing == "nothing was retried: it takes one call that was"


def test_a_fall_in_some_calls_only_spoils_the_pattern() -> None:
    """Where one call in three also falls back elsewhere, the delays are no schedule in a loop."""
    regular = [1.0, 2.0, 4.0, 1.0, 2.0, 4.0]
    assert layers(chains([regular] * 3)).verdict == "note"
    assert layers(chains([regular, regular, [1.0, 2.0, 4.0, 1.0, 0.5, 4.0]])).verdict == "ok"


@pytest.mark.parametrize("sdk", [False, True], ids=["no counter", "counter at 0"])
@pytest.mark.parametrize("seed", range(40))
def test_equal_draws_are_no_stack(seed: int, sdk: bool) -> None:
    """Callers that share one seed of full jitter fall back together, and that is no loop in one."""
    rng = random.Random(seed)
    draws = [rng.uniform(0, 2.0**n) for n in range(6)]
    trace = chains([draws] * 12, sdk_retry=0 if sdk else None)
    assert layers(trace).verdict != "note"


@pytest.mark.parametrize("seed", range(40))
def test_two_seeds_among_twelve_callers_are_no_stack(seed: int) -> None:
    """Two different rows of draws are two pieces of evidence, however many callers make them."""
    trace = probe(delays.full_jitter(), seed=seed, callers=12, seeds=2, attempts=8)
    assert layers(trace).verdict != "note"


def test_a_stack_without_jitter_repeats_itself() -> None:
    """Equal delays in every caller that repeat from round to round are a loop in a loop."""
    for rounds in ([1.0, 2.0, 4.0, 5.0, 1.0, 2.0, 4.0], [1.0, 2.0, 4.0, 1.0, 2.0, 4.0]):
        trace = chains([rounds] * 12, sdk_retry=0)
        assert layers(trace).verdict == "note"


@pytest.mark.parametrize("seed", range(5))
def test_two_loops_around_an_sdk_that_does_not_retry(seed: int) -> None:
    """The SDK's counter stays at 0, and the pattern of the two loops around it is still seen."""
    rng = random.Random(seed)
    rows = [
        [base * rng.uniform(0.75, 1) for base in (0.5, 1.0, 2.0, 0.5, 0.5, 1.0, 2.0)]
        for _ in range(8)
    ]
    (finding,) = layers(chains(rows, sdk_retry=0)).findings
    assert finding.severity == "warning"
    assert finding.evidence[1] == (
        "The SDK's own counter stayed at 0: both loops are around it, and this is read from the "
        "delays."
    )


def test_a_counter_at_0_says_nothing_about_loops_around_it() -> None:
    """With too few calls for the pattern, a counter that never rose leaves nothing judged."""
    judgement = layers(trace_of(*counted([0, 0, 0, 0])))  # type: ignore[arg-type]
    assert judgement.missing == (
        "the SDK's retry counter stayed at 0, and without it the pattern takes 3 calls with 4 "
        "retries each"
    )
