"""freezegun as a neighbour: opened outside, inside, nested, ticking, and moved by hand."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime as dt
import subprocess
import sys
import threading
import time

import pytest
import trio
from freezegun import freeze_time

from fake_provider.virtual_time import VirtualClock

from .helpers import real_clock

T0 = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def live(began=T0):
    """Sleep, wait, run a loop and trio; every clock must agree that 156.8 s have passed."""
    wall, monotonic, counter = time.time(), time.monotonic(), time.perf_counter()
    stamp = dt.datetime.now(dt.UTC)
    assert wall == pytest.approx(began, abs=0.01)
    time.sleep(90.5)
    assert time.time() - wall == pytest.approx(90.5, abs=2e-6)
    assert time.monotonic() - monotonic == pytest.approx(90.5, abs=2e-6)
    assert time.perf_counter() - counter == pytest.approx(90.5, abs=2e-6)
    passed = dt.datetime.now(dt.UTC) - stamp
    assert passed.total_seconds() == pytest.approx(90.5, abs=2e-6)
    done = threading.Event()
    threading.Timer(10, done.set).start()
    assert done.wait(20)
    assert time.time() - wall == pytest.approx(100.5, abs=1e-5)

    async def main():
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(30)
        await asyncio.gather(*(asyncio.sleep(seconds / 7) for seconds in range(50)))
        await asyncio.to_thread(time.sleep, 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(100), 3.3)
        return loop.time() - before

    assert asyncio.run(main()) == pytest.approx(45.3, abs=1e-4)
    before = time.time()
    trio.run(trio.sleep, 11)
    assert time.time() - before == pytest.approx(11, abs=1e-5)


def test_opened_under_frozen_time():
    """The clock starts at the frozen instant and drives it; the frozen time stays there."""
    with freeze_time("2026-01-01"):
        with VirtualClock() as clock:
            live()
            assert clock.elapsed() == pytest.approx(156.8)
        assert time.time() == pytest.approx(T0 + 156.8, abs=0.01)


def test_opened_under_ticking_time():
    """A frozen time that ticks counts virtual time inside the clock and real time outside."""
    with freeze_time("2026-01-01", tick=True):
        with VirtualClock():
            live(time.time())
        after = time.time()
        assert after == pytest.approx(T0 + 156.8, abs=2)
        end = real_clock() + 0.01
        while real_clock() < end:
            pass
        assert 0.009 < time.time() - after < 2


@pytest.mark.parametrize("options", [{}, {"real_asyncio": True}], ids=str)
def test_frozen_under_the_clock(options):
    """Time that is frozen while the clock is open moves with it."""
    with VirtualClock() as clock:
        with freeze_time("2026-01-01", **options):
            live()
        time.sleep(1)
        assert clock.elapsed() == pytest.approx(157.8)


def test_frozen_by_a_decorator():
    """``@freeze_time`` on a function that runs under the clock works the same."""
    with VirtualClock():
        freeze_time("2026-01-01")(live)()


def test_nested_frozen_times():
    """Every frozen time moves with the clock, the outer and the inner."""
    with freeze_time("2025-01-01"), VirtualClock():
        with freeze_time("2026-01-01"):
            time.sleep(60)
            assert time.time() == T0 + 60
        assert dt.datetime.now() == dt.datetime(2025, 1, 1, 0, 1)


def test_frozen_inside_a_running_loop():
    """A coroutine may freeze time between its awaits."""

    async def main():
        await asyncio.sleep(5)
        with freeze_time("2026-01-01", real_asyncio=True):
            await asyncio.sleep(60)
            assert time.time() == T0 + 60
        await asyncio.sleep(5)

    with VirtualClock() as clock:
        asyncio.run(main())
        assert clock.elapsed() == 70.0


@pytest.mark.parametrize("tick", [False, True])
def test_a_manual_tick_moves_the_clock(tick):
    """``tick`` and ``move_to`` move virtual time by exactly as much, and wake who is due."""
    with freeze_time("2026-01-01", tick=tick) as frozen, VirtualClock() as clock:
        woken = []
        thread = threading.Thread(target=lambda: time.sleep(60) or woken.append(clock.elapsed()))
        thread.start()
        frozen.tick(120)
        assert clock.elapsed() == pytest.approx(120.0, abs=1e-5)
        thread.join()
        assert woken == [pytest.approx(120.0, abs=1e-5)]
        frozen.move_to("2026-01-01 01:00:00")
        assert clock.elapsed() == pytest.approx(3600.0, abs=0.5 if tick else 1e-5)
        time.sleep(10)
        assert time.time() == pytest.approx(T0 + 3610, abs=1e-3)


def test_moving_back_does_not_move_the_clock():
    """A frozen time that is set back leaves virtual time alone: it never runs backwards."""
    with freeze_time("2026-01-01") as frozen, VirtualClock() as clock:
        time.sleep(100)
        frozen.move_to("2025-12-31")
        assert clock.elapsed() == 100.0


def test_shallow_functions_in_threads_see_frozen_time():
    """What freezegun alone would take for code of ``threading`` sees frozen time as well."""
    with freeze_time("2026-01-01"), VirtualClock():
        seen = []
        thread = threading.Thread(target=lambda: seen.append(time.time()))
        thread.start()
        thread.join()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(time.time).result())
        assert seen == [T0, T0]


def test_auto_tick():
    """A frozen time that steps at each read does not disturb the clock."""
    with freeze_time("2026-01-01", auto_tick_seconds=1), VirtualClock() as clock:
        time.sleep(10)
        assert clock.elapsed() == 10.0


def test_closed_in_crossed_order():
    """The clock may close before a time that was frozen inside it."""
    frozen = freeze_time("2026-01-01")
    with VirtualClock():
        frozen.start()
        time.sleep(5)
    assert time.time() == T0 + 5
    frozen.stop()
    assert abs(time.perf_counter() - real_clock()) < 1


@pytest.mark.parametrize("neighbour", ["freezegun", "time_machine"])
def test_imported_first_while_time_is_not_real(neighbour):
    """The package may be imported first while time is frozen: its own clocks are real anyway."""
    opening = {
        "freezegun": "from freezegun import freeze_time as move; k = {}",
        "time_machine": "from time_machine import travel as move; k = {'tick': False}",
    }[neighbour]
    code = f"""
import time
real = time.time()
{opening}
with move("2026-01-01T00:00:00+00:00", **k):
    from fake_provider.virtual_time import VirtualClock, _real
    assert abs(_real.wall() - real) < 60, _real.wall()
    with VirtualClock() as clock:
        assert time.time() == {T0}, time.time()
        time.sleep(50)
        assert clock.elapsed() == 50.0 and time.time() == {T0} + 50, time.time()
    with VirtualClock() as clock:
        assert time.time() == {T0} + 50
assert abs(time.time() - real) < 60
with VirtualClock() as clock:
    time.sleep(50)
    assert clock.elapsed() == 50.0
assert abs(time.time() - real) < 60
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
