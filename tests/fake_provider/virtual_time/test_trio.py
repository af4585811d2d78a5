"""trio: exact times, one order of tasks, and stops that trio understands."""

from __future__ import annotations

import time

import pytest
import trio
import trio.testing

from fake_provider.virtual_time import VirtualClock, VirtualDeadlock, VirtualTimeLimit


def test_threads_and_timeouts():
    """Worker threads, cancel scopes and calls back into trio share one time, in two clocks."""

    async def main():
        async with trio.open_nursery() as nursery:
            for seconds in (1, 2, 3):
                nursery.start_soon(trio.to_thread.run_sync, time.sleep, seconds)
        with trio.move_on_after(4):
            await trio.sleep_forever()
        await trio.to_thread.run_sync(lambda: trio.from_thread.run(trio.sleep, 5))

    for _ in range(2):
        with VirtualClock() as clock:
            trio.run(main)
            assert clock.elapsed() == pytest.approx(12.0)


def test_the_order_of_tasks_is_repeatable():
    """Twenty runs of forty tasks with equal deadlines give one order."""

    async def note(log, number):
        for _ in range(3):
            await trio.sleep(number % 3)
            log.append(number)

    async def main(log):
        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(note, log, number)

    logs = set()
    for _ in range(20):
        log = []
        with VirtualClock():
            trio.run(main, log)
        logs.add(tuple(log))
    assert len(logs) == 1


def test_a_mock_clock_inside():
    """trio's own ``MockClock`` keeps working under a clock."""
    with VirtualClock():
        trio.run(trio.sleep, 30, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_deadlock_is_found_at_once():
    """A task that waits for ever is a deadlock, which reaches the caller of ``trio.run``."""
    with (
        pytest.raises(VirtualDeadlock, match=r"task 'trio\.sleep_forever' waits"),
        VirtualClock() as clock,
    ):
        trio.run(trio.sleep_forever)
    assert clock.elapsed() == 0.0


def test_a_limit_cancels_the_nursery():
    """At the limit, trio cancels what runs and ends, also a worker thread in a long sleep."""

    async def polls():
        while True:
            await trio.sleep(9)

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(polls)
            nursery.start_soon(trio.to_thread.run_sync, time.sleep, 1e6)

    with pytest.raises(BaseExceptionGroup) as caught, VirtualClock(limit=100) as clock:
        trio.run(main)
    assert caught.value.split(VirtualTimeLimit)[0] is not None
    assert clock.elapsed() == 99.0


def test_trio_is_real_again_afterwards():
    """After the clock, trio's clock is the real one and its draws are not the clock's."""
    with VirtualClock():
        trio.run(trio.sleep, 3600)

    async def main():
        before = trio.current_time()
        await trio.sleep(0.01)
        return trio.current_time() - before

    assert 0.01 <= trio.run(main) < 1
