"""Supervision: busy waits, threads that leave virtual time, deadlocks, limits and interrupts."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import io
import os
import pdb
import threading
import time
from types import SimpleNamespace

import pytest

from fake_provider.virtual_time import (
    RunStopped,
    VirtualClock,
    VirtualDeadlock,
    VirtualTimeError,
    VirtualTimeLimit,
    VirtualTimeWarning,
    _clock,
    _watchdog,
)

from .helpers import real_clock, real_sleep, run_threads, start_real_thread


class Enough(RunStopped):
    """What a test stops a run with."""


# -- busy waits


def test_a_busy_wait_on_the_clock_ends():
    """Code that only looks at the clock sees time move, in small steps, past its deadline."""
    began = real_clock()
    with VirtualClock() as clock:
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            pass
        assert 0.05 <= clock.elapsed() < 0.07
        assert clock.stats["spins"] > 0
    assert "busy wait: thread 'MainThread' never blocks" in clock.warnings[0]
    assert real_clock() - began < 2


@pytest.mark.parametrize(
    "poll",
    [
        pytest.param(time.time, id="clock"),
        pytest.param(lambda: time.sleep(0), id="sleep-0"),
        pytest.param(lambda: threading.Lock().locked() or held.acquire(blocking=False), id="lock"),
    ],
)
def test_a_busy_wait_for_another_thread_ends(poll):
    """A poll for what another thread does after 5 s ends soon after 5 virtual seconds."""
    flag = []
    began = real_clock()
    with VirtualClock() as clock:
        thread = threading.Thread(target=lambda: time.sleep(5) or flag.append(1))
        thread.start()
        while not flag:
            poll()
        assert 5 <= clock.elapsed() < 5.02
        thread.join()
    assert real_clock() - began < 5


held = threading.Lock()
held.acquire()


async def count_turns(wait):
    """How often a task waits for 1e-12 s, until a tenth of a nanosecond is over."""
    turns, level, read_at = 0, 1e-10, time.monotonic()
    while level > 0:  # as a leaky bucket does
        await wait(1e-12)
        now = time.monotonic()
        level, read_at = level - (now - read_at), now
        turns += 1
    return turns


async def wait_for_timer(seconds):
    """Wait for a timer of the loop, as limiters do that wake their waiters."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_at(loop.time() + seconds, future.set_result, None)
    await future


@pytest.mark.parametrize("wait", [wait_for_timer, asyncio.sleep])
def test_a_timer_that_is_made_for_this_instant_does_not_spin(wait):
    """A limiter that waits for the rest of a rounded sum gets on, in a few turns of the loop."""
    with VirtualClock() as clock:
        assert asyncio.run(count_turns(wait)) < 500
        assert clock.elapsed() < 1e-6
        assert clock.stats["spins"] == 0


def test_timers_for_this_instant_take_no_time():
    """Callbacks that call each other by way of timers are done at the same instant."""

    async def main():
        for _ in range(50):
            await wait_for_timer(0)

    with VirtualClock() as clock:
        asyncio.run(main())
        assert clock.elapsed() == 0.0


def test_a_busy_wait_on_a_flag_without_any_hook():
    """A loop with nothing that we see gives way to threads that are ready, after a real second."""
    flag = []
    with VirtualClock() as clock:
        threads = [threading.Thread(target=flag.append, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        threads.append(threading.Thread(target=lambda: time.sleep(0) or flag.append(2)))
        threads[-1].start()
        while len(flag) < 3:
            pass
        for thread in threads:
            thread.join()
        assert clock.elapsed() == 0.0


# -- threads that leave virtual time


@pytest.fixture
def pipe():
    """A pipe: reading it blocks where no hook sees it."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_time_stands_still_for_a_blocked_thread(pipe):
    """While a thread blocks outside the scheduler, others run, but time does not move."""
    reader, writer = pipe
    seen = []
    began = real_clock()
    with VirtualClock() as clock:
        thread = threading.Thread(target=lambda: seen.append((os.read(reader, 1), clock.elapsed())))
        thread.start()
        start_real_thread(lambda: (real_sleep(0.3), os.write(writer, b"x")))
        time.sleep(5)
        thread.join()
        assert clock.stats["foreign"] == 1
    assert seen == [(b"x", 0.0)]
    assert real_clock() - began >= 0.3
    (warning,) = clock.warnings
    assert "foreign blocking: thread" in warning
    assert "os.read(reader, 1)" in warning


def test_time_moves_on_when_patience_ends(pipe):
    """A thread that blocks longer than a second lets time move, with a warning that names it."""
    reader, writer = pipe
    seen = []

    def run():
        with VirtualClock() as clock:
            thread = threading.Thread(
                target=lambda: os.read(reader, 1) and seen.append(clock.now())
            )
            thread.start()
            time.sleep(5)
            os.write(writer, b"x")
            thread.join()
            assert seen == [clock.now()]
            assert clock.elapsed() == 5.0

    with pytest.warns(VirtualTimeWarning, match=r"time moved while thread .*os\.read"):
        run()


@pytest.mark.parametrize(
    ("used_ms", "gives_up"), [(1, False), (2_000, True)], ids=["starved", "computing"]
)
def test_a_thread_that_a_busy_machine_does_not_let_run_keeps_the_baton(
    monkeypatch, used_ms, gives_up
):
    """A holder that can run loses the baton by the processor's time that it uses, not by ours."""
    used_ns, times, taken = iter([0, used_ms * 1_000_000]), iter([0.0, 3_600.0]), []
    kernel = SimpleNamespace(
        RUNNING="running",
        state_of=lambda _: "running",
        cpu_ns_of=lambda _: 5_000_000_000 + next(used_ns),
    )
    monkeypatch.setattr(_watchdog, "_kernel", kernel)
    monkeypatch.setattr(_watchdog, "_real", SimpleNamespace(monotonic=lambda: next(times)))
    holder = SimpleNamespace(inside=False, native_id=0, ident=0)
    room = SimpleNamespace(ready=[holder], can_go_on=lambda: True)
    scheduler = contextlib.nullcontext()
    for name, value in {
        "mutex": contextlib.nullcontext(),
        "holder": holder,
        "entries": 1,
        "inbox": (),
        "room": room,
    }.items():
        setattr(scheduler, name, value)
    watchdog = _watchdog.Watchdog(scheduler)
    monkeypatch.setattr(watchdog, "_take_baton", lambda one, **_: taken.append(one))
    watchdog._look()
    watchdog._look()
    assert taken == [holder] * gives_up


def test_time_stands_still_at_a_debugger_s_prompt(pipe, monkeypatch):
    """Whoever looks around in a debugger finds everything as it was, however long it takes."""
    monkeypatch.setattr(_watchdog, "BLOCKED_PATIENCE_S", 0.0)
    reader, writer = pipe
    seen = []
    with VirtualClock() as clock, os.fdopen(os.dup(reader)) as prompt:
        thread = threading.Thread(target=lambda: time.sleep(5) or seen.append(clock.elapsed()))
        thread.start()
        time.sleep(1)
        start_real_thread(lambda: (real_sleep(0.3), os.write(writer, b"continue\n")))
        pdb.Pdb(stdin=prompt, stdout=io.StringIO(), nosigint=True, readrc=False).set_trace()
        assert (seen, clock.elapsed(), clock.stats["foreign"]) == ([], 1.0, 0)
        thread.join()
        assert seen == [5.0]


# -- deadlocks


def test_a_deadlock_names_every_thread():
    """A lock order that deadlocks is found; the text says who waits where, and for what."""
    one, two = threading.Lock(), threading.Lock()

    def first():
        with one:
            time.sleep(1)
            two.acquire()

    def second():
        with two:
            time.sleep(1)
            one.acquire()

    with pytest.raises(VirtualDeadlock) as caught, VirtualClock() as clock:
        run_threads(first, second)
    text = str(caught.value)
    assert text.startswith("deadlock: every thread waits, and nothing is scheduled")
    assert "thread 'MainThread' waits for the end of thread" in text
    assert "in first: two.acquire()" in text
    assert "in second: one.acquire()" in text
    assert "virtual_time/_" not in text.replace("virtual_time/test_", "")
    assert clock.elapsed() == 1.0


def test_a_deadlock_names_every_task():
    """Tasks that wait for an event that nobody sets are named with their lines."""

    async def ask(event):
        await event.wait()

    async def main():
        event = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(ask(event), name="asker")

    message = r"task 'asker' waits, .* await event\.wait\(\)"
    with pytest.raises(VirtualDeadlock, match=message), VirtualClock():
        asyncio.run(main())


def test_a_deadlock_with_idle_workers_is_found():
    """Workers of a pool that wait for work do not hide a deadlock, and are not hurt by it."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:

        def run():
            with VirtualClock():
                list(pool.map(time.sleep, [1, 1]))
                threading.Event().wait()

        with pytest.raises(VirtualDeadlock):
            run()
        assert pool.submit(lambda: "alive").result(timeout=5) == "alive"


def test_a_deadlock_ends_a_pool_cleanly():
    """The pool of a deadlocked run shuts down: its workers are told to end."""
    stuck = threading.Lock()
    stuck.acquire()
    before = threading.active_count()
    with (
        pytest.raises(VirtualDeadlock),
        VirtualClock() as clock,
        concurrent.futures.ThreadPoolExecutor(3) as pool,
    ):
        list(pool.map(lambda _: stuck.acquire(), range(3)))
    assert threading.active_count() <= before
    assert clock.leaked == ()


# -- limits


def test_the_limit_stops_a_poller():
    """A thread that polls for ever stops the run at the limit, and no later."""
    with (
        pytest.raises(VirtualTimeLimit, match="passed its limit of 3600 s") as caught,
        VirtualClock(limit=3600) as clock,
    ):
        run_threads(lambda: [time.sleep(7) for _ in range(10**6)])
    assert clock.elapsed() == 3598.0
    assert "waits for 7 s to pass" in str(caught.value)


def test_the_limit_names_threads_that_are_deadlocked_beside_others():
    """A deadlock of some threads is none of the run, but it is in the report of the limit."""
    one = threading.Lock()
    one.acquire()

    def stuck():
        one.acquire()

    message = r"waits for a lock, .* in stuck"
    with pytest.raises(VirtualTimeLimit, match=message), VirtualClock(limit=3600):
        run_threads(stuck, lambda: [time.sleep(60) for _ in range(10**6)])


def test_the_limit_ends_a_loop_cleanly():
    """``asyncio.run`` cancels its tasks and shuts its executor down although the run is over."""
    cancelled = []

    async def retries():
        try:
            while True:
                try:
                    await asyncio.sleep(30)
                except Exception:  # the retry loop must not swallow the stop
                    raise AssertionError from None
        finally:
            cancelled.append(1)

    async def main():
        await asyncio.gather(retries(), retries(), asyncio.to_thread(time.sleep, 1e6))

    before = threading.active_count()
    with pytest.raises(VirtualTimeLimit), VirtualClock(limit=100):
        asyncio.run(main())
    assert cancelled == [1, 1]
    assert threading.active_count() <= before


def test_after_a_stop_nothing_waits():
    """A clean-up that would need time raises the stop again; one that needs none succeeds."""
    with VirtualClock(limit=100) as clock:
        with pytest.raises(VirtualTimeLimit):
            time.sleep(101)
        with pytest.raises(VirtualTimeLimit):
            time.sleep(1)
        with pytest.raises(VirtualTimeLimit):
            threading.Event().wait()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: 7).result() == 7
        assert clock.elapsed() == 0.0


# -- interrupts


def test_an_interrupt_reaches_a_waiting_thread():
    """A stop from a worker ends the thread that waits for it, and the worker as well."""
    ended = []

    def work():
        try:
            for number in range(10**6):
                time.sleep(1)
                if number == 49:
                    clock.interrupt(Enough("fifty"))
        finally:
            ended.append(clock.elapsed())

    with (
        pytest.raises(Enough, match="fifty"),
        VirtualClock() as clock,
        concurrent.futures.ThreadPoolExecutor(2) as pool,
    ):
        list(pool.map(lambda _: work(), range(2)))
    assert ended == [50.0, 50.0]


def test_an_interrupt_reaches_a_loop_that_never_waits():
    """A task that spins on ``sleep(0)`` is stopped at its next turn."""

    async def spins():
        for number in range(10**9):
            if number == 100:
                clock.interrupt(Enough("spinning"))
            await asyncio.sleep(0)

    with pytest.raises(Enough), VirtualClock() as clock:
        asyncio.run(spins())


def test_an_ordinary_exception_is_raised_once():
    """An interrupt that is no stop can be caught, and the run goes on."""
    with VirtualClock() as clock:
        threading.Timer(5, lambda: clock.interrupt(ValueError("wake up"))).start()
        with pytest.raises(ValueError, match="wake up"):
            time.sleep(100)
        assert clock.elapsed() == 5.0
        time.sleep(10)
        assert clock.elapsed() == 15.0


def test_an_interrupt_by_the_main_thread_waits_for_its_next_block():
    """Interrupting oneself raises at the next wait, not at once."""
    with VirtualClock() as clock:
        clock.interrupt(Enough("later"))
        assert threading.Lock().acquire()
        with pytest.raises(Enough):
            time.sleep(1)


# -- strict


def test_a_strict_clock_refuses_a_busy_wait():
    """A strict run fails where it would have to guess, and names the line."""

    def spin():
        began = time.monotonic()
        while time.monotonic() < began + 60:
            pass

    message = r"busy wait: thread .* time\.monotonic\(\)"
    with pytest.raises(VirtualTimeError, match=message), VirtualClock(strict=True):
        spin()


def test_a_strict_clock_refuses_foreign_blocking(pipe):
    """A thread that blocks where no hook sees it fails a strict run."""
    reader, writer = pipe
    message = r"foreign blocking: .* os\.read\(reader, 1\)"
    with pytest.raises(VirtualTimeError, match=message), VirtualClock(strict=True):
        run_threads(lambda: os.read(reader, 1), lambda: time.sleep(5))
    os.write(writer, b"x")


def test_a_strict_violation_is_not_swallowed():
    """A strict run fails at its end, even if the code under test caught the error."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()

        def run():
            with VirtualClock(strict=True), contextlib.suppress(Exception):
                pool.submit(time.sleep, 0.05).result()

        with pytest.raises(VirtualTimeError, match="adopted thread"):
            run()


def test_a_strict_clock_accepts_what_is_exact():
    """Threads, loops and pools that are made under a strict clock cross no border."""
    with VirtualClock(strict=True) as clock:
        asyncio.run(asyncio.sleep(5))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(time.sleep, [1, 2, 3]))
        assert clock.elapsed() == 9.0
        assert clock.warnings == ()


def test_many_switches_are_worth_a_remark(monkeypatch):
    """A poller that makes the run slow is named among the warnings."""
    monkeypatch.setattr(_clock, "EXPENSIVE_SWITCHES", 100)
    with VirtualClock() as clock:
        run_threads(*[lambda: [time.sleep(0.01) for _ in range(60)]] * 2)
    assert clock.stats["switches"] > 100
    assert "switches between threads in one run" in clock.warnings[-1]
