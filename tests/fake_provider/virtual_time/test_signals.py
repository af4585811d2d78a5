"""Signals: a handler may raise wherever Python looks for signals, also inside the scheduler."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import selectors
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from fake_provider import virtual_time
from fake_provider.virtual_time import VirtualClock

from .helpers import real_sleep, start_real_thread

OURS = Path(virtual_time.__file__).parent


class Ping(BaseException):
    """What a handler raises; no exception, so that no code under test swallows it."""


def test_an_interrupted_wait_leaves_a_thread_that_can_go_on():
    """A signal handler that raises in a parked thread leaves it in the clock, able to sleep."""
    reader, writer = os.pipe()

    def interrupt(*_):
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with VirtualClock() as clock:
            thread = threading.Thread(target=os.read, args=(reader, 1), daemon=True)
            thread.start()
            main = threading.main_thread().ident
            start_real_thread(lambda: (real_sleep(0.1), signal.pthread_kill(main, signal.SIGUSR1)))
            with pytest.raises(KeyboardInterrupt):
                time.sleep(60)
            os.write(writer, b"x")
            thread.join()
            time.sleep(1)
            assert clock.elapsed() == 1.0
    finally:
        signal.signal(signal.SIGUSR1, handler)
        os.close(reader)
        os.close(writer)


def raise_at(point):
    """Raise ``Ping`` once, where Python looks for signals in our code for the n-th time from now.

    A profile function is called at the same places: when a function is entered, and when a call of
    C code has returned. The methods of locks are left out: a release that is interrupted before it
    has begun has not happened, as in all code that is not C.
    """

    def profile(frame, event, _):
        nonlocal point
        path = Path(frame.f_code.co_filename)
        if event in ("call", "c_return") and path.parent == OURS and path.stem != "_locks":
            point -= 1
            if point < 0:
                sys.setprofile(None)
                raise Ping

    sys.setprofile(profile)


class Beside:
    """A thread that waits for what the main thread does, and does things for it, again and again.

    Whatever the main thread leaves undone because it was interrupted, a second try does.
    """

    def __init__(self):
        self.rounds = 0
        self.lock, self.reentrant = threading.Lock(), threading.RLock()
        self.items, self.answers = queue.SimpleQueue(), queue.SimpleQueue()
        self.waits = self.ends = False

    def run(self):
        """Hold the locks for a while, and answer what is asked."""
        while not self.ends:
            with self.lock, self.reentrant:
                time.sleep(0.5)
            self.waits = True
            with contextlib.suppress(queue.Empty):
                self.answers.put(self.items.get(timeout=0.25))
            self.waits = False
            self.rounds += 1


def asked(beside):
    """Wait for an answer of the thread beside."""
    while not beside.answers.empty():
        beside.answers.get()
    beside.items.put(1)
    beside.answers.get(timeout=9)


def selected(_):
    """Wait as an event loop does."""
    with selectors.DefaultSelector() as selector:
        selector.select(1)


def started(beside):
    """Start threads and wait for them."""
    threads = [threading.Thread(target=time.sleep, args=(n,), daemon=True) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


OPERATIONS = {
    "sleep": lambda beside: time.sleep(1),
    "let others run": lambda beside: time.sleep(0),
    "ask": asked,
    "put": lambda beside: beside.items.put(1),
    "event": lambda beside: threading.Event().wait(timeout=1),
    "threads": started,
    "selector": selected,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_exception_at_any_point_breaks_nothing(name):
    """Wherever an operation is interrupted, other threads go on, and so does the main thread."""
    points = 0
    with VirtualClock(limit=1e9) as clock:
        beside = Beside()
        thread = threading.Thread(target=beside.run, daemon=True)
        thread.start()
        for point in itertools.count():
            while not beside.waits:
                time.sleep(0.1)
            raise_at(point)
            try:
                OPERATIONS[name](beside)
                break
            except Ping:
                points += 1
            finally:
                sys.setprofile(None)
            rounds, began = beside.rounds, clock.elapsed()
            time.sleep(10)
            assert clock.elapsed() == began + 10, point
            assert beside.rounds > rounds + 5, point
        beside.ends = True
        thread.join()
    assert points > 5


@pytest.mark.parametrize("lock", ["lock", "reentrant"])
def test_an_exception_at_any_point_of_a_release_wakes_who_waits(lock):
    """A lock that was let go is taken by who waits for it, although the wake-up was cut short."""
    taken = []
    with VirtualClock() as clock:
        for point in itertools.count():
            one = threading.Lock() if lock == "lock" else threading.RLock()
            one.acquire()

            def waits(one=one, point=point):
                with one:
                    taken.append(point)

            thread = threading.Thread(target=waits, daemon=True)
            thread.start()
            time.sleep(1)
            raise_at(point)
            try:
                one.release()
                break
            except Ping:
                with contextlib.suppress(RuntimeError):  # it was interrupted before it began
                    one.release()
            finally:
                sys.setprofile(None)
            thread.join()
        thread.join()
        assert clock.elapsed() == point + 1
    assert taken == list(range(point + 1))
    assert point > 3


def test_a_storm_of_signals_breaks_nothing():
    """Real signals, whose handler raises every now and then, leave the clock consistent."""
    armed, pings, ends = [], [], []
    main = threading.main_thread().ident

    def ping(*_):
        if armed:  # once for each attempt, so that it never hits this test itself
            armed.clear()
            raise Ping

    def storm():
        while not ends:
            real_sleep(0.0005)
            signal.pthread_kill(main, signal.SIGUSR2)
        ends.append("storm")

    def attempt():
        armed.append(True)
        for _ in range(20):
            time.sleep(1)
            with contextlib.suppress(queue.Empty):
                queue.SimpleQueue().get(timeout=0.5)
        armed.clear()

    held = threading.RLock()

    def others():
        while not ends:
            with held:
                time.sleep(3)

    handler = signal.signal(signal.SIGUSR2, ping)
    try:
        with VirtualClock(limit=1e9) as clock:
            threads = [threading.Thread(target=others, daemon=True) for _ in range(3)]
            for thread in threads:
                thread.start()
            start_real_thread(storm)
            while len(pings) < 100:
                with contextlib.suppress(Ping):
                    attempt()
                    continue
                pings.append(clock.elapsed())
            ends.append("main")
            for thread in threads:
                thread.join()
            assert pings == sorted(pings)
    finally:
        ends.append("main")
        while "storm" not in ends:
            real_sleep(0.01)
        signal.signal(signal.SIGUSR2, handler)
