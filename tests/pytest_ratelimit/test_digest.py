"""What the digest makes of a trace."""

from __future__ import annotations

import random

import pytest

from fake_provider._limits import Limit
from pytest_ratelimit._checks._costs import cost
from pytest_ratelimit._checks._digest import Digest
from pytest_ratelimit._checks._policy import Policy
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import PACER, probe, replay
from tests.pytest_ratelimit.simulation import Simulation, attempt, chains, refusal, trace_of


def digest(trace: object) -> Digest:
    return Digest(trace, Policy())  # type: ignore[arg-type]


def hinted(hint: float, came_at: float, **changes: object) -> Digest:
    """One refusal that ended at 1.5 s with a hint, and a retry."""
    fields = {"arrived_at": 1.0, "ended_at": 1.5, "hint": hint, "hint_form": "seconds"}
    return digest(
        trace_of(
            refusal(**{**fields, **changes}),
            attempt(arrived_at=came_at, ended_at=came_at),
        )
    )


def test_delay_counts_from_the_arrival_of_the_answer() -> None:
    """A retry's delay runs from the moment the refusal had left, not from when it was decided."""
    (retry,) = hinted(2.0, 3.5).retries
    assert (retry.number, retry.delay, retry.hint, retry.path) == (1, 2.0, 2.0, "hint")
    assert retry.excess == 0.0


@pytest.mark.parametrize(
    ("hint", "came_at", "changes", "path"),
    [
        (2.0, 3.5, {}, "hint"),
        (2.0, 3.5 - 1e-7, {}, "hint"),
        (2.0, 3.49, {}, "early"),
        (0.0, 1.6, {}, "own"),
        (-1.0, 1.6, {}, "own"),
        (float("nan"), 1.6, {}, "own"),
        (float("inf"), 1.6, {}, "own"),
        (20.0, 20.6, {"hint_form": "date"}, "hint"),
        (20.0, 20.4, {"hint_form": "date"}, "early"),
        (20.0, 20.6, {"hint_form": "reset"}, "hint"),
        (20.0, 20.6, {"hint_form": "ms"}, "early"),
    ],
)
def test_path_of_a_retry(
    hint: float, came_at: float, changes: dict[str, object], path: str
) -> None:
    """A hint of 0 or less binds nobody; dates and resets are deadlines in whole seconds."""
    assert hinted(hint, came_at, **changes).retries[0].path == path


def test_the_real_clock_has_a_wider_tolerance() -> None:
    """On the real clock 20 ms before the hint is not early, whatever the stated resolution."""
    early = refusal(ended_at=0.0, hint=1.0, hint_form="seconds")
    for came_at, path in ((0.985, "hint"), (0.97, "early")):
        trace = trace_of(early, attempt(arrived_at=came_at), clock="real")
        assert digest(trace).retries[0].path == path


def test_retries_of_attempts_that_did_not_fail_are_none() -> None:
    """What follows a success, or an attempt still being served, is no retry of a failure."""
    served = trace_of(attempt(), attempt(arrived_at=1.0))
    running = trace_of(attempt(ended_at=None, status=429), attempt(arrived_at=1.0))
    assert digest(served).retries == []
    assert digest(running).retries == []


def test_a_client_that_gave_up_waiting_failed_then() -> None:
    """After a client's timeout the delay runs from the moment it gave up."""
    trace = trace_of(attempt(ended_at=30.0, cancelled_at=10.0), attempt(arrived_at=12.0))
    assert digest(trace).retries[0].delay == 2.0


def test_inferred_calls_are_left_out_of_statistics() -> None:
    """Retries of a call whose attribution was inferred are retries, and not certain ones."""
    one = digest(chains([[1.0, 1.0]], attribution="inferred"))
    assert len(one.retries) == 2
    assert one.certain == []
    assert one.groups == {}


def test_share_of_the_hinted_retries_on_a_path() -> None:
    """Two of three retries obeyed the hint: their delays may be packed 1.5 times as dense."""
    attempts = []
    for call, delay in enumerate((5.0, 6.0, 1.0)):
        own = {"call": call, "caller": f"a{call}"}
        attempts.append(refusal(hint=4.0, hint_form="seconds", **own))
        attempts.append(attempt(arrived_at=delay, **own))
    one = digest(trace_of(*attempts))
    assert one.share((1, "hint")) == pytest.approx(2 / 3)
    assert one.share((1, "early")) == pytest.approx(1 / 3)


def test_requeued_calls_are_one_piece_of_work() -> None:
    """A new call for a refused unit re-queues it, first in, first out."""
    trace = trace_of(
        refusal(call=0, unit="u", ended_at=0.6),
        refusal(call=1, unit="u", arrived_at=0.5, ended_at=0.7),
        attempt(call=2, unit="u", arrived_at=10.0),
        attempt(call=3, unit="u", arrived_at=11.0),
        attempt(call=4, unit="u", arrived_at=12.0),
    )
    works = [[call.number for call in work] for work in digest(trace).works]
    assert works == [[0, 2], [1, 3], [4]]


def test_equal_bodies_in_flight_are_different_work() -> None:
    """A call that begins before another of the same unit has ended does not re-queue it."""
    trace = trace_of(
        refusal(call=0, unit="u", ended_at=5.0),
        attempt(call=1, unit="u", arrived_at=1.0, ended_at=2.0),
        attempt(call=2, unit="u", arrived_at=3.0),
    )
    assert [len(work) for work in digest(trace).works] == [1, 1, 1]


def test_a_shared_pacer_is_seen_by_its_gap() -> None:
    """Behind a pacer of 41,000 tokens a 0.683 s the gap is found; without one there is none."""
    never = probe(delays.full_jitter(), seed=1, callers=12)
    assert digest(never).pace == 0.0
    limit = PACER
    paced = Simulation(
        delays.full_jitter(),
        limit,
        callers=12,
        pacer=limit,
        script=lambda now, call: random.Random(call).random() < 0.2,
    ).run()
    assert digest(paced).pace == pytest.approx(41_000 / 60_000, rel=0.05)


def test_a_trace_without_retries_is_not_paced() -> None:
    """Nothing to judge is not pacing."""
    assert digest(replay(delays.full_jitter(2.0), paced=True)).pace == 0.0


def test_sends_at_one_instant_are_not_paced() -> None:
    """Where every arrival coincides with the next there is no gap to speak of."""
    assert digest(chains([[0.0] * 4] * 4)).pace == 0.0


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("requests", 1), ("tokens", 110), ("input_tokens", 100), ("output_tokens", 10)],
)
def test_cost_is_in_the_limits_own_unit(kind: str, expected: int) -> None:
    """An attempt of 100 input and 10 output tokens costs what its limit counts."""
    limit = Limit(kind=kind, amount=1_000)  # type: ignore[arg-type]
    assert cost(attempt(input_tokens=100, output_tokens=10), limit) == expected
