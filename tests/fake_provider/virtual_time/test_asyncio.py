"""asyncio: loops in any thread, younger or older than the clock, and threads under them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import signal
import threading
import time

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from fake_provider.virtual_time import VirtualClock, VirtualTimeError

from .helpers import real_clock, real_sleep, run_threads, start_real_thread


def test_tasks_overlap():
    """Tasks that sleep at the same time take as long as the longest."""

    async def main():
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(asyncio.sleep(seconds) for seconds in range(10)))
        return loop.time() - began

    with VirtualClock() as clock:
        assert asyncio.run(main()) == 9.0
        assert clock.elapsed() == 9.0


def test_timeouts_are_exact():
    """``wait_for`` and ``timeout`` end at their deadline, whatever runs in a thread meanwhile."""

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(100), 3.3)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.to_thread(time.sleep, 50)
        return clock.elapsed()

    with VirtualClock() as clock:
        assert asyncio.run(main()) == pytest.approx(8.3)
        assert clock.elapsed() == pytest.approx(53.3)


def test_work_in_a_thread_takes_no_virtual_time():
    """Real work in a worker thread does not let a timeout of the loop fire."""

    def work():
        end = time.process_time() + 0.03
        while time.process_time() < end:
            pass
        return "done"

    async def main():
        async with asyncio.timeout(1):
            return await asyncio.to_thread(work)

    with VirtualClock() as clock:
        assert asyncio.run(main()) == "done"
        assert clock.elapsed() == 0.0


def test_an_executor_overlaps_with_the_loop():
    """``run_in_executor`` and tasks share one time."""

    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            asyncio.sleep(4), *(loop.run_in_executor(None, time.sleep, s) for s in (1, 2, 3))
        )

    with VirtualClock() as clock:
        asyncio.run(main())
        assert clock.elapsed() == 4.0


def test_a_loop_may_poll_a_future():
    """A task that spins on ``sleep(0)`` lets the thread run that it polls for."""

    async def main():
        future = asyncio.get_running_loop().run_in_executor(None, lambda: 3)
        while not future.done():
            await asyncio.sleep(0)
        return future.result()

    with VirtualClock() as clock:
        assert asyncio.run(main()) == 3
        assert clock.elapsed() < 0.01


def test_loops_in_several_threads():
    """Loops in threads share the time, and are called from other threads."""

    async def measure(seconds):
        await asyncio.sleep(seconds)
        return clock.elapsed()

    with VirtualClock() as clock:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        future = asyncio.run_coroutine_threadsafe(measure(30), loop)
        with pytest.raises(concurrent.futures.TimeoutError):
            future.result(timeout=10)
        assert clock.elapsed() == 10.0
        assert asyncio.run_coroutine_threadsafe(measure(30), loop).result() == 40.0
        run_threads(*[lambda: asyncio.run(measure(100))] * 3)
        assert clock.elapsed() == 140.0
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_loop_that_is_older_than_the_clock():
    """A background loop of a session serves a clock, and real time afterwards."""

    async def sleep(seconds):
        await asyncio.sleep(seconds)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    real_sleep(0.02)
    for _ in range(3):
        with VirtualClock() as clock:
            asyncio.run_coroutine_threadsafe(sleep(30), loop).result(timeout=100)
            assert clock.elapsed() == 30.0
        began = real_clock()
        asyncio.run_coroutine_threadsafe(sleep(0.02), loop).result(timeout=5)
        assert 0.02 <= real_clock() - began < 2
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_timer_that_is_left_in_a_session_loop():
    """A timer left behind in a loop keeps its distance to now in the next, real test."""
    loop = asyncio.new_event_loop()

    async def begin():
        return asyncio.create_task(asyncio.sleep(0.05, "left"))

    with VirtualClock() as clock:
        task = loop.run_until_complete(begin())
        time.sleep(0.01)
    began = real_clock()
    assert loop.run_until_complete(asyncio.wait_for(task, 2)) == "left"
    assert 0.02 < real_clock() - began < 2
    assert clock.elapsed() == 0.01
    loop.close()


def test_fifty_crooked_timers_under_one_gather():
    """Deadlines that are no round numbers neither spin nor hang."""

    async def main():
        await asyncio.gather(*(asyncio.sleep(seconds / 7) for seconds in range(50)))

    with VirtualClock() as clock:
        asyncio.run(main())
        assert clock.elapsed() == pytest.approx(7.0)
        assert clock.stats["spins"] == 0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(backend):
    """anyio's task groups, cancel scopes and threads work on both backends."""

    async def main():
        async with anyio.create_task_group() as group:
            for seconds in (1, 2, 3):
                group.start_soon(anyio.to_thread.run_sync, time.sleep, seconds)
            group.start_soon(anyio.sleep, 4)
        with anyio.move_on_after(5):
            await anyio.sleep(50)

        def back():
            anyio.from_thread.run(anyio.sleep, 6)
            time.sleep(1)

        await anyio.to_thread.run_sync(back)

    with VirtualClock() as clock:
        anyio.run(main, backend=backend)
        assert clock.elapsed() == pytest.approx(16.0)


def test_a_blocking_portal():
    """anyio's portal calls into a loop in another thread."""
    with VirtualClock() as clock:
        with anyio.from_thread.start_blocking_portal() as portal:
            portal.call(anyio.sleep, 20)
            portal.start_task_soon(anyio.sleep, 30).result(timeout=60)
        assert clock.elapsed() == 50.0


def test_a_signal_wakes_a_loop():
    """A handler that a loop has added runs although the loop waits in virtual time."""

    async def main():
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, arrived.set)
        start_real_thread(
            lambda: (
                real_sleep(0.05),
                signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1),
            )
        )
        await arrived.wait()
        loop.remove_signal_handler(signal.SIGUSR1)

    with VirtualClock() as clock:
        asyncio.run(main())
        assert clock.elapsed() == 0.0


def test_a_loop_with_a_clock_of_its_own_is_refused():
    """A loop without a selector (uvloop) cannot be virtual, and says so."""

    class OwnClock(asyncio.BaseEventLoop):
        pass

    loop = OwnClock()
    with VirtualClock(), pytest.raises(VirtualTimeError, match="OwnClock keeps a clock of its own"):
        loop.run_forever()
    loop.close()


def test_a_shadowed_selector_is_ours_while_the_clock_is_open():
    """A tool that replaces ``select`` on one selector (looptime) has it back afterwards."""
    loop = asyncio.new_event_loop()

    def shadow(timeout=None):
        raise AssertionError("the tool's clock is not asked under ours")

    loop._selector.select = shadow
    with VirtualClock() as clock:
        loop.run_until_complete(asyncio.sleep(60))
        assert clock.elapsed() == 60.0
    assert loop._selector.select is shadow
    del loop._selector.select
    loop.close()
