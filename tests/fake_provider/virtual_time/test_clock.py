"""The clock as a user opens it: arguments, members, and how it is opened and closed."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time

import pytest

import fake_provider.virtual_time as virtual_time
from fake_provider.virtual_time import (
    RealClock,
    RunStopped,
    VirtualClock,
    VirtualDeadlock,
    VirtualTimeError,
    VirtualTimeLimit,
    active,
)

from .helpers import real_clock, real_sleep


def test_public_names_are_sorted_and_exist():
    """``__all__`` is the sorted list of what the package offers."""
    assert virtual_time.__all__ == sorted(virtual_time.__all__)
    assert all(hasattr(virtual_time, name) for name in virtual_time.__all__)


def test_a_sleep_takes_virtual_time_only():
    """An hour of sleep moves every clock by an hour and takes less than a real second."""
    began = real_clock()
    with VirtualClock() as clock:
        before = (time.time(), time.monotonic(), time.perf_counter(), time.time_ns())
        time.sleep(3600)
        after = (time.time(), time.monotonic(), time.perf_counter(), time.time_ns())
        assert clock.elapsed() == 3600.0
        assert clock.now_ns == 3_600 * 10**9
    assert [b - a for a, b in zip(before, after, strict=True)] == [3600, 3600, 3600, 3600 * 10**9]
    assert real_clock() - began < 1


def test_time_starts_at_zero_and_at_midnight():
    """A fresh clock has elapsed 0.0 s and shows a midnight in UTC."""
    with VirtualClock() as clock:
        assert (clock.elapsed(), clock.now_ns, time.time() % 86_400) == (0.0, 0, 0.0)
        assert clock.now().timestamp() == time.time()


@pytest.mark.parametrize(
    "start",
    [
        "2030-05-06T07:08:09+00:00",
        "2030-05-06T07:08:09",
        "2030-05-06 09:08:09+02:00",
        dt.datetime(2030, 5, 6, 7, 8, 9),
        dt.datetime(2030, 5, 6, 7, 8, 9, tzinfo=dt.UTC),
        1_904_281_689,
        1_904_281_689.0,
    ],
)
def test_start_takes_every_form_of_an_instant(start):
    """A string, a datetime and POSIX seconds name the same instant; without a zone it is UTC."""
    with VirtualClock(start) as clock:
        assert clock.now() == dt.datetime(2030, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
        assert time.time() == 1_904_281_689.0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"start": "yesterday"}, ValueError, "start must be an ISO 8601 string, a datetime, seco"),
        ({"start": [2026]}, TypeError, r"start must be .*, got \[2026\]"),
        ({"start": True}, TypeError, "start must be .*, got True"),
        ({"start": float("nan")}, ValueError, "start must be .*, got nan"),
        ({"schedule": "lifo"}, ValueError, "schedule must be 'fifo' or 'random', got 'lifo'"),
        ({"seed": 1.5}, TypeError, "seed must be an int, got 1.5"),
        ({"limit": 0}, ValueError, "limit must be a number of seconds above 0, got 0"),
        ({"limit": "24h"}, TypeError, "limit must be a number of seconds above 0, got '24h'"),
        ({"explore": 2, "schedule": "random"}, ValueError, "explore must be a probability from 0"),
        ({"explore": 0.5}, ValueError, "explore=0.5 needs schedule='random', got 'fifo'"),
    ],
)
def test_a_bad_argument_is_refused_at_once(arguments, error, message):
    """The constructor names the argument, the value and what is allowed."""
    with pytest.raises(error, match=message):
        VirtualClock(**arguments)


def test_one_clock_at_a_time():
    """A second clock is refused, and the first stays open."""
    with VirtualClock() as clock:
        with pytest.raises(VirtualTimeError, match="open in this process already"):
            VirtualClock().__enter__()
        assert active() is clock
    assert active() is None


def test_a_clock_can_be_opened_again():
    """Each opening starts from zero, and the last reading outlives the clock."""
    clock = VirtualClock()
    for _ in range(2):
        with clock:
            assert clock.elapsed() == 0.0
            time.sleep(5)
        assert clock.elapsed() == 5.0


def test_members_without_an_open_clock():
    """A clock that is not open has no time to give, and says so."""
    clock = VirtualClock()
    assert (clock.elapsed(), clock.stats, clock.leaked, clock.warnings) == (0.0, {}, (), ())
    for use in (clock.now, lambda: clock.advance(1), lambda: clock.interrupt(ValueError())):
        with pytest.raises(VirtualTimeError, match="in a with statement"):
            use()


def test_advance_lets_others_run():
    """``advance`` is a sleep for the caller; what is due meanwhile happens in between."""
    with VirtualClock() as clock:
        fired = []
        threading.Timer(7, lambda: fired.append(clock.elapsed())).start()
        clock.advance(10)
        assert (fired, clock.elapsed()) == ([7.0], 10.0)
        with pytest.raises(ValueError, match="seconds must be a number, 0 or more, got -1"):
            clock.advance(-1)


def test_passthrough_is_real_time():
    """Inside ``passthrough`` a sleep is real and virtual time stands still."""
    with VirtualClock() as clock:
        began = real_clock()
        with clock.passthrough(), clock.passthrough():
            time.sleep(0.02)
            assert abs(time.perf_counter() - real_clock()) < 1
        assert real_clock() - began >= 0.02
        assert clock.elapsed() == 0.0
        time.sleep(1)
        assert clock.elapsed() == 1.0


def test_stats_count_what_happened():
    """``stats`` is a dict of ints: here two jumps, and two blocks for them."""
    with VirtualClock() as clock:
        time.sleep(1)
        time.sleep(1)
        assert all(type(count) is int for count in clock.stats.values())
        assert (clock.stats["jumps"], clock.stats["blocks"], clock.stats["foreign"]) == (2, 2, 0)


def test_everything_is_real_again_after_closing():
    """After closing, a sleep is real and clocks agree with the system."""
    with VirtualClock():
        time.sleep(100)
    began = real_clock()
    time.sleep(0.02)
    assert real_clock() - began >= 0.02
    assert abs(time.perf_counter() - real_clock()) < 1
    assert threading.Lock().acquire(timeout=0.01)
    assert type(time.sleep).__name__ == "builtin_function_or_method"
    assert dt.datetime.now(dt.UTC).year != 1970


def test_opened_and_closed_inside_a_running_loop():
    """Pending timers keep their distance to now when a clock opens and when it closes."""

    async def main():
        early = asyncio.create_task(asyncio.sleep(0.2, "early"))
        await asyncio.sleep(0.01)
        with VirtualClock() as clock:
            await asyncio.sleep(3600)
            assert early.done()
            assert clock.elapsed() == 3600.0
            late = asyncio.create_task(asyncio.sleep(0.05, "late"))
            await asyncio.sleep(0)
        began = real_clock()
        assert await late == "late"
        assert 0.03 < real_clock() - began < 1

    asyncio.run(main())


def test_opened_in_another_thread():
    """The thread that opens the clock is the main participant, whichever it is."""
    seen = []

    def body():
        with VirtualClock() as clock:
            time.sleep(50)
            seen.append(clock.elapsed())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [50.0]


def test_an_exception_closes_the_clock():
    """An exception leaves the ``with`` block unchanged, and the clock closed."""
    with pytest.raises(KeyError), VirtualClock():
        raise KeyError
    assert active() is None


def test_three_hundred_clocks_in_a_row():
    """Opening and closing many times leaves nothing behind that slows or breaks the next."""
    for _ in range(300):
        with VirtualClock() as clock:
            time.sleep(1)
            asyncio.run(asyncio.sleep(1))
            thread = threading.Thread(target=time.sleep, args=(1,))
            thread.start()
            thread.join()
            assert clock.elapsed() == 3.0
            assert clock.stats["foreign"] == 0


def test_kinds_of_stop():
    """A stop is no ``Exception``, so a retry loop does not swallow it; a misuse error is one."""
    assert issubclass(VirtualDeadlock, RunStopped)
    assert issubclass(VirtualTimeLimit, RunStopped)
    assert not issubclass(RunStopped, Exception)
    assert issubclass(VirtualTimeError, RuntimeError)


def test_the_real_clock_has_the_same_members():
    """``RealClock`` measures and sleeps real time, and has nothing to report."""
    clock = RealClock()
    assert clock.elapsed() == 0.0
    with clock:
        assert clock.elapsed() < 1
        with clock.passthrough():
            clock.advance(0.02)
        assert 0.02 <= clock.elapsed() < 1
        assert abs(clock.now().timestamp() - time.time()) < 1
        assert active() is None
    closed_at = clock.now_ns
    real_sleep(0.002)
    assert clock.now_ns == closed_at
    assert (clock.stats, clock.leaked, clock.warnings) == ({}, (), ())
