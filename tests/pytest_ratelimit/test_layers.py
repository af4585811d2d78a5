"""RL112: was one call retried by several layers?"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

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
        "1 call retried by the SDK inside another retry loop; call 0 made 15 attempts = 5 outer "
        "x 3 SDK"
    )
    assert finding.remedy == (
        "set max_retries=0 on the client, and keep one loop around it: at most 5 attempts instead "
        "of 15."
    )
    assert finding.attempts == tuple(range(15))


def test_rounds_that_are_not_full_are_counted_as_they_are() -> None:
    """A last round that succeeded early leaves no product."""
    trace = trace_of(*counted([0, 1, 2, 0, 1]))  # type: ignore[arg-type]
    summary = layers(trace).findings[0].summary
    assert summary.endswith("call 0 made 5 attempts in 2 outer rounds of up to 3 SDK attempts")


def test_the_sdk_alone_is_the_innocent_neighbour() -> None:
    """A counter that only rises is one layer."""
    assert layers(trace_of(*counted([0, 1, 2]))).verdict == "ok"  # type: ignore[arg-type]


def seen(depths: list[int], sdk: list[int] | None = None, **changes: object) -> Trace:
    """One call whose retries were sent again from these depths of the stack."""
    counters: list[int | None] = [None] * (len(depths) + 1) if sdk is None else [*sdk]
    attempts = []
    for i, depth in enumerate([None, *depths]):
        fields = {
            "depth": depth,
            "sdk_retry": counters[i],
            "layer": "sdk" if counters[i] else "code",
        }
        attempts.append(refusal(**fields, arrived_at=float(i), ended_at=float(i), **changes))
    return trace_of(*attempts)


def test_two_loops_on_the_stack_are_proof() -> None:
    """Where the stack was seen, neither a counter nor a pattern of delays is needed."""
    (finding,) = layers(seen([3, 3, 3, 1, 3, 3, 3, 1, 3, 3, 3])).findings
    assert finding.severity == "error"
    assert finding.summary == (
        "1 call retried by one loop inside another; call 0 made 12 attempts = 3 outer x 4 inner"
    )
    assert finding.evidence[0] == (
        "Call 0 of agent-0: 2 loops were on the stack, one inside the other, and each sent it "
        "again."
    )
    assert finding.cause == "two loops retry the same call: the attempts multiply."
    assert finding.remedy == "keep one of the loops: at most 4 attempts instead of 12."


def test_the_stack_tells_every_factor_around_the_sdk() -> None:
    """3 x 5 x 3 attempts with any delays: what the SDK's counter says, and both loops around."""
    inner = ([5, 5, 4] * 5)[:-1]
    depths = [*inner, 2, *inner, 2, *inner]
    (finding,) = layers(seen(depths, [0, 1, 2] * 15)).findings
    assert finding.summary.endswith("call 0 made 45 attempts = 3 outer x 5 inner x 3 SDK")
    assert finding.evidence[2] == (
        "Call 0 of agent-0: the SDK's retry counter started again 14 x within one call."
    )
    assert finding.remedy.endswith("keep one loop around it: at most 5 attempts instead of 45.")


def test_a_transport_that_retries_under_the_sdk() -> None:
    """The SDK is then the outer loop, and its counter never starts again."""
    (finding,) = layers(seen([3, 3, 1, 3, 3, 1, 3, 3], [0, 0, 0, 1, 1, 1, 2, 2, 2])).findings
    assert finding.summary.endswith("call 0 made 9 attempts = 3 SDK x 3 inner")
    assert "started again" not in str(finding)
    assert finding.cause.startswith("the transport under the SDK retries, and so does the SDK")


def test_rounds_on_the_stack_that_are_not_full() -> None:
    """A last round that was cut short leaves no product."""
    (finding,) = layers(seen([3, 3, 1, 3])).findings
    assert finding.summary.endswith("made 5 attempts in 2 outer rounds of up to 3 inner attempts")


@pytest.mark.parametrize(
    "depths",
    [[2, 2, 2, 2], [1, 2, 3, 4], [1, 2, 2, 2], [0, 0, 0]],
    ids=["one loop", "recursion", "a loop after a first try", "a parent's loop"],
)
def test_one_loop_on_the_stack_is_the_innocent_neighbour(depths: list[int]) -> None:
    """A depth that never falls is one layer, and that is a verdict even on one call."""
    assert layers(seen(depths)).verdict == "ok"


def test_a_fallback_and_another_failure_are_no_loop() -> None:
    """An inner loop over keys, or for time-outs, does not multiply with one over refusals."""
    turns = [refusal(depth=d, key=f"key{i % 3}") for i, d in enumerate([None, 3, 3, 1, 3, 3])]
    by_key = [
        dataclasses.replace(a, arrived_at=float(i // 3), ended_at=float(i // 3))
        for i, a in enumerate(turns)
    ]
    assert layers(trace_of(*by_key)).verdict == "ok"
    for status in (500, 401):
        answers = [status, 429, status, 429, status, 429]
        mixed = [
            refusal(depth=d, status=s, terminal=s == 401, arrived_at=float(i), ended_at=float(i))
            for i, (d, s) in enumerate(zip([None, 3, 1, 3, 1, 3], answers, strict=True))
        ]
        assert layers(trace_of(*mixed)).verdict == "ok", status


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


Wait = Callable[[int, int], float]


def three_layers(
    outer: int, inner: int, sdk: int, wait: Callable[[int, int], float]
) -> list[float]:
    """Delays of one call: the SDK's own, and `wait(round, attempt)` around it."""
    row: list[float] = []
    for turn in range(outer):
        for place in range(inner):
            row += [0.5 * 2.0**n for n in range(sdk - 1)]
            row.append(wait(turn, place))
    return row[:-1]


def stacked(rows: list[list[float]], sdk: int) -> Trace:
    """Calls with these delays, whose SDK counts to `sdk`."""
    made = []
    for call, row in enumerate(rows):
        at = 0.0
        for place, delay in enumerate([0.0, *row]):
            at += delay
            fields = {"call": call, "caller": f"a{call}", "sdk_retry": place % sdk}
            made.append(refusal(**fields, attempt=place + 1, arrived_at=at, ended_at=at))
    return trace_of(*made)


def by_the_book(turn: int, place: int) -> float:
    """1, 2, 4 ... between the inner rounds, and 20, 40 ... after each outer one."""
    return 20.0 * 2.0**turn if place == 4 else 2.0**place


def test_two_loops_around_the_sdk_are_told_by_delays_that_begin_anew() -> None:
    """3 x 5 x 3 attempts without jitter: every factor is named, and the best loop to keep."""
    (finding,) = layers(stacked([three_layers(3, 5, 3, by_the_book)], 3)).findings
    assert finding.summary.endswith("call 0 made 45 attempts = 3 outer x 5 inner x 3 SDK")
    assert "Before every 5 rounds of the SDK the delays begin anew." in finding.evidence
    assert finding.cause.startswith("two loops around the SDK retry, and so does the SDK")
    assert finding.remedy.endswith("keep one loop around it: at most 5 attempts instead of 45.")


def test_two_loops_with_jitter_are_told_by_several_calls() -> None:
    """Calls that agree show what one call with jitter does not."""
    rng = random.Random(5)

    def jittered(turn: int, place: int) -> float:
        return by_the_book(turn, place) * rng.uniform(0.75, 1)

    rows = [three_layers(3, 5, 3, jittered) for _ in range(8)]
    (finding,) = layers(stacked(rows, 3)).findings
    assert "45 attempts = 3 outer x 5 inner x 3 SDK" in finding.summary
    (finding,) = layers(stacked(rows[:1], 3)).findings
    assert "45 attempts = 15 outer x 3 SDK" in finding.summary
    assert "Several loops around the SDK count as one here: the delays do not tell." in (
        finding.evidence
    )


@pytest.mark.parametrize(
    "wait",
    [
        lambda turn, place: 1.0,
        lambda turn, place: 2.0 ** (5 * turn + place),
        lambda turn, place: min(8.0, 2.0 ** (5 * turn + place)),
        lambda turn, place: 5.0 * turn + place + 1.0,
    ],
    ids=["fixed", "exponential", "capped", "linear"],
)
def test_one_loop_around_the_sdk_is_not_taken_for_two(wait: Wait) -> None:
    """A single schedule of 15 rounds has one factor, however it goes."""
    (finding,) = layers(stacked([three_layers(3, 5, 3, wait)] * 8, 3)).findings
    assert "45 attempts = 15 outer x 3 SDK" in finding.summary


@pytest.mark.parametrize("seed", range(100))
def test_draws_around_the_sdk_are_not_taken_for_two_loops(seed: int) -> None:
    """Full jitter and draws from one range have no period, in 1 call or in 12."""
    rng = random.Random(seed)
    for calls in (1, 12):
        for wait in (
            lambda turn, place: rng.uniform(0, 1),
            lambda turn, place: rng.uniform(0, min(60, 2.0 ** (4 * turn + place))),
        ):
            rows = [three_layers(3, 4, 3, wait) for _ in range(calls)]
            (finding,) = layers(stacked(rows, 3)).findings
            assert "= 12 outer x 3 SDK" in finding.summary, calls
