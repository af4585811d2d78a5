"""Locks, conditions, events, barriers and queues: exact times, and no wake-up lost."""

from __future__ import annotations

import queue
import sched
import threading
import time

import pytest

from fake_provider.virtual_time import VirtualClock

from .helpers import run_threads

# All older than any clock.
lock, rlock = threading.Lock(), threading.RLock()
condition, event = threading.Condition(), threading.Event()
old_queue, simple_queue = queue.Queue(), queue.SimpleQueue()


def test_locks_held_across_sleeps_serialize():
    """Three sleeps under one lock take their sum, under two locks their maximum."""

    def locked():
        with lock:
            time.sleep(10)

    def reentered():
        with rlock, rlock:
            time.sleep(10)

    with VirtualClock() as clock:
        run_threads(locked, locked, locked, reentered, reentered, reentered)
        assert clock.elapsed() == 30.0
        assert clock.stats["foreign"] == 0


@pytest.mark.parametrize("kind", [threading.Lock, threading.RLock])
def test_a_timeout_of_a_lock_is_exact(kind):
    """An attempt fails at its deadline, or succeeds at the instant of the release."""
    out = []
    contended = kind()

    def hold():
        with contended:
            time.sleep(10)

    def want():
        time.sleep(1)
        out.append((contended.acquire(timeout=3), clock.elapsed()))
        out.append((contended.acquire(timeout=30), clock.elapsed()))
        contended.release()

    with VirtualClock() as clock:
        run_threads(hold, want)
    assert out == [(False, 4.0), (True, 10.0)]


def test_a_lock_rejects_what_it_rejected_before():
    """Wrong arguments and a release by a stranger raise as in real time."""
    with VirtualClock():
        held = threading.Lock()
        with held:
            for arguments in ((False, 5), (True, -5), (True, 1e20)):
                with pytest.raises((ValueError, OverflowError)):
                    held.acquire(*arguments)
            assert held.acquire(blocking=False) is False
            assert held.acquire(timeout=0) is False
        with pytest.raises(RuntimeError):
            held.release()
        with pytest.raises(RuntimeError):
            threading.RLock().release()


def test_a_nested_condition_gives_back_all_levels():
    """``wait`` lets go of a lock that is held twice, and takes it back when it is free."""
    out = []
    nested = threading.Condition()

    def waits():
        with nested, nested:
            out.append((nested.wait(50), clock.elapsed()))

    def notifies():
        time.sleep(5)
        with nested:
            nested.notify_all()
            time.sleep(2)

    with VirtualClock() as clock:
        run_threads(waits, notifies)
    assert out == [(True, 7.0)]


@pytest.mark.parametrize("make", [lambda: condition, threading.Condition], ids=["old", "new"])
def test_waiting_on_a_condition_wakes_who_wants_its_lock(make):
    """``wait`` releases the lock, so another thread that waits for the lock runs at once."""
    out = []
    contended = make()

    def waits():
        contended.acquire()
        time.sleep(5)
        contended.wait(50)
        out.append(("waited", clock.elapsed()))
        contended.release()

    def notifies():
        time.sleep(1)
        with contended:
            out.append(("notified", clock.elapsed()))
            contended.notify()

    with VirtualClock() as clock:
        run_threads(waits, notifies)
    assert out == [("notified", 5.0), ("waited", 5.0)]


def test_a_condition_over_a_lock_of_the_user():
    """A condition asks no more of a lock than before."""

    class OwnLock:
        def __init__(self):
            self._lock = threading.Lock()

        def acquire(self, *arguments):
            return self._lock.acquire(*arguments)

        def release(self):
            self._lock.release()

        def __enter__(self):
            self._lock.acquire()

        def __exit__(self, *_):
            self._lock.release()

    own = threading.Condition(OwnLock())
    out = []

    def waits():
        with own:
            out.append((own.wait(9), clock.elapsed()))

    def notifies():
        time.sleep(3)
        with own:
            own.notify()

    with VirtualClock() as clock:
        run_threads(waits, notifies)
    assert out == [(True, 3.0)]


def test_everything_may_be_older_than_the_clock():
    """A condition, an event and queues made before the clock wake at the exact instants."""
    out = []

    def waits():
        with condition:
            condition.wait()
        out.append(("condition", clock.elapsed()))
        event.wait()
        out.append(("event", clock.elapsed()))
        out.append((old_queue.get(), clock.elapsed()))
        out.append((simple_queue.get(timeout=100), clock.elapsed()))

    def wakes():
        time.sleep(1)
        with condition:
            condition.notify()
        time.sleep(1)
        event.set()
        time.sleep(1)
        old_queue.put("queue")
        time.sleep(1)
        simple_queue.put("simple queue")

    with VirtualClock() as clock:
        run_threads(waits, wakes)
    event.clear()
    assert out == [("condition", 1.0), ("event", 2.0), ("queue", 3.0), ("simple queue", 4.0)]


def test_a_barrier_opens_with_its_last_party():
    """All parties go on when the last arrives; a timeout breaks the barrier on time."""
    out = []
    barrier = threading.Barrier(3)

    def party(after):
        time.sleep(after)
        barrier.wait(100)
        out.append(clock.elapsed())

    with VirtualClock() as clock:
        run_threads(lambda: party(1), lambda: party(2), lambda: party(7))
        assert out == [7.0, 7.0, 7.0]
        with pytest.raises(threading.BrokenBarrierError):
            threading.Barrier(2).wait(5)
        assert clock.elapsed() == 12.0


def test_a_semaphore_admits_its_number():
    """Four uses of 4 s through a semaphore of 2 take 8 s."""
    semaphore = threading.BoundedSemaphore(2)

    def use():
        with semaphore:
            time.sleep(4)

    with VirtualClock() as clock:
        run_threads(use, use, use, use)
        assert clock.elapsed() == 8.0
        assert threading.Semaphore(0).acquire(timeout=2) is False
        assert clock.elapsed() == 10.0


def test_a_timer_and_a_scheduler():
    """``threading.Timer`` and ``sched.scheduler`` fire at their instants."""
    with VirtualClock() as clock:
        fired = threading.Event()
        threading.Timer(10, fired.set).start()
        assert fired.wait(20)
        assert clock.elapsed() == 10.0
        scheduler = sched.scheduler()
        scheduler.enter(3, 1, lambda: None)
        scheduler.run()
        assert clock.elapsed() == 13.0


def test_a_full_queue_makes_the_producer_wait():
    """``put`` waits for room, and ``join`` for the last ``task_done``."""
    narrow = queue.Queue(1)

    def consume():
        for _ in range(3):
            narrow.get()
            time.sleep(2)
            narrow.task_done()

    with VirtualClock() as clock:
        threading.Thread(target=consume, daemon=True).start()
        for item in range(3):
            narrow.put(item)
        assert clock.elapsed() == 4.0 - 2.0
        narrow.join()
        assert clock.elapsed() == 6.0


@pytest.mark.parametrize("make", [queue.Queue, queue.SimpleQueue, queue.LifoQueue])
def test_a_timeout_of_a_queue_is_exact(make):
    """An empty queue gives up at the deadline, also when the clock shows a crooked instant."""
    with VirtualClock() as clock:
        time.sleep(2.9)
        with pytest.raises(queue.Empty):
            make().get(timeout=1)
        assert clock.elapsed() == pytest.approx(3.9, abs=1e-8)
        with pytest.raises(queue.Empty):
            make().get(block=False)


def test_many_quick_operations_are_no_busy_wait():
    """Thousands of puts and gets that never block do not move time."""
    with VirtualClock() as clock:
        quick = queue.Queue()
        for item in range(5_000):
            quick.put(item)
        for _ in range(5_000):
            quick.get()
        assert clock.elapsed() == 0.0
        assert clock.stats["spins"] == 0


def test_objects_made_under_a_clock_outlive_it():
    """Locks, conditions and queues made under a clock are ordinary ones afterwards."""
    with VirtualClock():
        made = threading.Lock(), threading.RLock(), threading.Condition(), queue.Queue()
    inner_lock, inner_rlock, inner_condition, inner_queue = made
    with inner_lock, inner_rlock, inner_condition:
        assert inner_condition.wait(0.001) is False
        assert inner_lock.acquire(timeout=0.001) is False
    inner_queue.put(1)
    assert inner_queue.get(timeout=1) == 1
    assert inner_condition.acquire(timeout=1)
    inner_condition.release()
