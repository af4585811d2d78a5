"""Readings across the border of a clock: what was read before it opened is never in the future."""

from __future__ import annotations

import asyncio
import datetime as dt
import queue
import threading
import time

import pytest
import trio
import trio.testing

from fake_provider.virtual_time import VirtualClock, _current, _real

from .helpers import real_sleep, run_threads

DAY_NS = 86_400 * 10**9
YEARS = 365 * DAY_NS


class Bucket:
    """A token bucket as an application keeps it at module level: one token a second, empty."""

    def __init__(self, clock=time.monotonic):
        self.clock = clock
        self.tokens, self.read_at = 0.0, clock()

    def take(self):
        """Take a token; returns the seconds that this took."""
        began = self.clock()
        while True:
            now = self.clock()
            self.tokens = min(1.0, self.tokens + now - self.read_at)
            self.read_at = now
            if self.tokens >= 1:
                self.tokens -= 1
                return now - began
            time.sleep(1 - self.tokens)


# As old as this module.
BUCKETS = [Bucket(read) for read in (time.monotonic, time.perf_counter, time.time)]


def uptime(monkeypatch, ns):
    """Let this machine have been up for so many nanoseconds, and this process be new."""
    monkeypatch.setattr(_current, "shown_ns", 0)
    for name in ("monotonic_ns", "perf_counter_ns"):
        monkeypatch.setattr(_real, name, lambda: ns)


def today(monkeypatch, date):
    """Let this be another day, and this process be new."""
    monkeypatch.setattr(_current, "shown_wall_ns", 0)
    ns = round(dt.datetime.fromisoformat(date).timestamp()) * 10**9
    monkeypatch.setattr(_real, "time_ns", lambda: ns)


def dates(*starts):
    """What some clocks show when they open, one after another; each runs for an hour."""
    shown = []
    for start in starts:
        with VirtualClock(start) as clock:
            shown.append(clock.now().isoformat(" ", "minutes")[:-6])
            time.sleep(3600)
    return shown


async def loop_time():
    return asyncio.get_running_loop().time()


CLOCKS = [
    time.monotonic,
    time.monotonic_ns,
    time.perf_counter,
    time.perf_counter_ns,
    lambda: time.clock_gettime(time.CLOCK_MONOTONIC),
    lambda: asyncio.run(loop_time()),
    time.time,
    time.time_ns,
    lambda: dt.datetime.now(dt.UTC),
    dt.date.today,
]
NAMES = ["monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "gettime", "loop.time"]
NAMES += ["time", "time_ns", "now", "today"]


@pytest.mark.parametrize("read", CLOCKS, ids=NAMES)
def test_no_clock_runs_backwards_when_virtual_time_begins(read):
    """A reading from before is older than every reading under a clock, and under the next one."""
    readings = [read()]
    for _ in range(3):
        with VirtualClock():
            readings.append(read())
            time.sleep(500)
            readings.append(read())
    assert readings == sorted(readings)


@pytest.mark.parametrize("read", [time.monotonic, time.perf_counter, time.time])
def test_a_bucket_that_is_older_than_the_clock_fills_up(read):
    """Built in real time, used under a clock and under the next: never more than a second."""
    bucket = Bucket(read)
    for _ in range(3):
        with VirtualClock() as clock:
            assert [bucket.take() for _ in range(3)] == pytest.approx([0.0, 1.0, 1.0], abs=1e-6)
            time.sleep(300)
            bucket.take()
            assert clock.elapsed() == pytest.approx(302.0, abs=1e-6)


@pytest.mark.parametrize("test", range(2))
@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_of_a_module_fills_up(bucket, test):
    """It read the clock when the module was imported, or in the test before this one."""
    with VirtualClock() as clock:
        bucket.take()
        assert clock.elapsed() == 0.0
        time.sleep(3601)
        bucket.take()


@pytest.mark.parametrize("date", ["2026-03-04T05:06:07", "2029-12-31T23:59:59"])
def test_the_first_date_is_the_same_every_day(monkeypatch, date):
    """A process starts at the beginning of 2030, and goes on at the next midnight."""
    today(monkeypatch, date)
    assert dates(None, None) == ["2030-01-01 00:00", "2030-01-02 00:00"]


def test_after_the_first_date_a_clock_starts_tomorrow(monkeypatch):
    """No reading of the real clock is ever in the future."""
    today(monkeypatch, "2031-02-28T12:00:00")
    assert dates(None, None) == ["2031-03-01 00:00", "2031-03-02 00:00"]


def test_a_date_that_was_named_is_obeyed(monkeypatch):
    """Also where it lies before others; the next clock that names none is above all of them."""
    today(monkeypatch, "2026-03-04")
    named = ["2031-05-06T23:30", None, "2026-01-01T12:00", None]
    shown = ["2031-05-06 23:30", "2031-05-08 00:00", "2026-01-01 12:00", "2031-05-09 00:00"]
    assert dates(*named) == shown


@pytest.mark.parametrize("named", ["9999-12-31T01:00", "2150-01-01"])
def test_a_date_at_the_end_of_time_does_not_move_the_others(monkeypatch, named):
    """A test that looks at the far end of the calendar takes nobody with it."""
    today(monkeypatch, "2026-03-04")
    assert dates(named, None)[1] == "2030-01-01 00:00"


def test_loop_time_is_monotonic_time():
    """Code may compare the two, as it may in real time."""

    async def main():
        await asyncio.sleep(1 / 3)
        return asyncio.get_running_loop().time() == time.monotonic() == time.perf_counter()

    with VirtualClock():
        assert asyncio.run(main())


def seconds_of_a_minute(clock):
    """What a client with float arithmetic does in virtual time, to the nanosecond."""
    log = []
    window = time.monotonic() % 60
    items = queue.Queue()
    for number in range(1, 30):
        deadline = time.monotonic() + number / 7
        time.sleep(deadline - time.monotonic())
        with pytest.raises(queue.Empty):
            items.get(timeout=number / 10)
        asyncio.run(asyncio.sleep(number / 3))
        log.append((clock.now_ns, time.monotonic() % 60 - window))
    return log


def test_a_run_does_not_depend_on_what_came_before_it(monkeypatch):
    """Whatever the uptime below twelve days and the clocks before, one log to the nanosecond."""
    logs = []
    for ns in (0, 1_234_567_890, 3 * DAY_NS + 1, 12 * DAY_NS):
        with monkeypatch.context() as patch:
            uptime(patch, ns)
            with VirtualClock() as clock:
                logs.append(seconds_of_a_minute(clock))
    assert all(log == logs[0] for log in logs)


@pytest.mark.parametrize("ns", [0, DAY_NS, 12 * DAY_NS])
def test_timeouts_end_at_their_nanosecond(monkeypatch, ns):
    """A deadline that is computed from a reading ends at its instant, however it was rounded."""
    uptime(monkeypatch, ns)

    def wait_for_nothing(seconds):
        with pytest.raises(queue.Empty):
            queue.Queue().get(timeout=seconds)

    waits = [
        wait_for_nothing,
        lambda seconds: threading.Semaphore(0).acquire(timeout=seconds),
        lambda seconds: asyncio.run(asyncio.sleep(seconds)),
        lambda seconds: trio.run(trio.sleep, seconds),
        lambda seconds: time.sleep(time.monotonic() + seconds - time.monotonic()),
    ]
    with VirtualClock() as clock:
        for number in range(1, 50):
            for wait in waits:
                began_ns = clock.now_ns
                wait(number / 10)
                assert clock.now_ns - began_ns == number * 10**8


def test_a_wait_of_almost_nothing_takes_time_in_the_end():
    """Whoever polls with it lets others run, and time move."""
    flag = threading.Event()

    def poll():
        while not flag.is_set():
            time.sleep(1e-11)

    with VirtualClock() as clock:
        run_threads(poll, lambda: (time.sleep(1e-6), flag.set()))
        assert clock.elapsed() < 2e-6


@pytest.mark.parametrize("ns", [100 * DAY_NS, YEARS, 12 * YEARS])
def test_a_machine_that_has_been_up_for_years(monkeypatch, ns):
    """Readings are above its uptime, and no timer waits in vain for the last bit of one."""
    uptime(monkeypatch, ns)

    async def main():
        await asyncio.gather(*(asyncio.sleep(number / 7) for number in range(50)))
        await asyncio.wait_for(asyncio.to_thread(time.sleep, 5), 6)

    async def in_trio():
        for number in range(50):
            await trio.sleep(number / 7)

    with VirtualClock() as clock:
        assert time.monotonic_ns() >= ns
        asyncio.run(main())
        assert clock.elapsed() == pytest.approx(12.0, abs=1e-5)
        trio.run(in_trio)
        assert clock.elapsed() == pytest.approx(12.0 + 175, abs=1e-5)
        assert clock.stats["spins"] == 0


def test_real_time_is_untouched_afterwards():
    """Readings after a clock are those of the machine: nothing stays changed in the process."""
    before = time.monotonic()
    with VirtualClock():
        time.sleep(3600)
    assert before <= time.monotonic() < before + 60


def test_timers_of_a_running_trio_keep_their_distance():
    """A clock that opens and closes inside `trio.run` neither ends nor delays what is scheduled."""
    log = []

    async def note(seconds):
        await trio.sleep(seconds)
        log.append((seconds, clock.elapsed()))

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(note, 0.5)
            nursery.start_soon(note, 900.0)
            await trio.testing.wait_all_tasks_blocked()
            with clock:
                await trio.sleep(600)
                nursery.start_soon(note, 0.02)
                nursery.start_soon(note, 250.0)
                await trio.sleep(0.01)
            real_sleep(0.02)
            await trio.sleep(0.03)
            nursery.cancel_scope.cancel()

    clock = VirtualClock()
    trio.run(main)
    assert [seconds for seconds, _ in log] == [0.5, 0.02]
    assert log[0][1] == pytest.approx(0.5, abs=0.1)
