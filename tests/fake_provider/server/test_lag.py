"""How late a loop is, is measured while there are requests, and covers 99 % of the moments."""

from __future__ import annotations

import asyncio
import time

from fake_provider._lag import TICK_S, Lag


def test_the_usual_lag_covers_all_but_one_in_a_hundred():
    """One late tick in 200 does not count, three do."""
    lag = Lag(lambda: (0, 0))
    for _ in range(197):
        lag.note(0.0015, answering=False)
    lag.note(0.0105, answering=False)
    assert (lag.usual_s, lag.worst_s) == (0.002, 0.0105)
    lag.note(0.0105, answering=False)
    lag.note(0.0105, answering=False)
    assert lag.usual_s == 0.011


def test_a_loop_that_stood_still_with_requests_under_way_was_late_at_every_tick():
    """A second's standstill is as many late moments as ticks were slept through."""
    lag = Lag(lambda: (0, 0))
    for _ in range(200):
        lag.note(0.0, answering=True)
    lag.note(1.0, answering=True)
    assert 0.9 < lag.usual_s <= 1.001
    quiet = Lag(lambda: (0, 0))
    for _ in range(200):
        quiet.note(0.0, answering=False)
    quiet.note(1.0, answering=False)
    assert quiet.usual_s == 0.001


def test_nothing_measured_is_no_lag():
    """Before the first request there is nothing to say, nor after a reset."""
    lag = Lag(lambda: (0, 0))
    assert lag.usual_s == 0.0
    lag.note(1.0, answering=True)
    lag.reset()
    assert (lag.usual_s, lag.worst_s) == (0.0, 0.0)


def test_a_blocked_loop_is_seen():
    """A loop that is blocked while a request is under way is late by that, an idle one is not."""

    async def run(lag: Lag) -> None:
        measuring = asyncio.create_task(lag.measure())
        await asyncio.sleep(TICK_S / 2)
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            pass
        await asyncio.sleep(2 * TICK_S)
        measuring.cancel()

    busy, idle = Lag(lambda: (1, 1)), Lag(lambda: (0, 0))
    asyncio.run(run(busy))
    asyncio.run(run(idle))
    assert busy.worst_s >= 0.2 - 2 * TICK_S
    assert idle.worst_s == 0.0
