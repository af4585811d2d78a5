"""Threads: started, joined, pooled, older than the clock, and left behind."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import multiprocessing
import multiprocessing.pool
import queue
import threading
import time

import pytest

from fake_provider.virtual_time import VirtualClock

from .helpers import real_clock, real_sleep, run_threads


@pytest.fixture(scope="module")
def old_pool():
    """A pool whose two workers are older than every clock."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(real_sleep, [0.02, 0.02]))
        yield pool


def test_sleeps_overlap():
    """Threads that sleep at the same time take as long as the longest."""
    with VirtualClock() as clock:
        run_threads(*(lambda seconds=seconds: time.sleep(seconds) for seconds in range(10)))
        assert clock.elapsed() == 9.0


def test_join_waits_until_the_end_or_the_timeout():
    """``join`` returns at the end of the thread, or at its own deadline."""
    with VirtualClock() as clock:
        thread = threading.Thread(target=time.sleep, args=(10,))
        thread.start()
        thread.join(3)
        assert (clock.elapsed(), thread.is_alive()) == (3.0, True)
        thread.join(0)
        thread.join(30)
        assert (clock.elapsed(), thread.is_alive()) == (10.0, False)
        thread.join()
        with pytest.raises(RuntimeError):
            threading.current_thread().join()


def test_is_alive_changes_at_a_virtual_instant():
    """Polling ``is_alive`` gives the same number of polls in every run."""

    def polls():
        with VirtualClock():
            thread = threading.Thread(target=time.sleep, args=(1,))
            thread.start()
            count = 0
            while thread.is_alive():
                time.sleep(0.25)
                count += 1
            return count

    assert {polls() for _ in range(30)} == {4}


def test_a_pool_maps_waits_and_times_out():
    """``map``, ``as_completed`` with a timeout, and the end of a pool are exact."""
    with VirtualClock() as clock:
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            assert list(pool.map(lambda s: time.sleep(s) or s, [3, 1, 2])) == [3, 1, 2]
            assert clock.elapsed() == 3.0
            futures = [pool.submit(time.sleep, seconds) for seconds in (1, 2, 30)]
            with pytest.raises(TimeoutError):
                list(concurrent.futures.as_completed(futures, timeout=5))
            assert clock.elapsed() == pytest.approx(8.0, abs=1e-5)
        assert clock.elapsed() == pytest.approx(33.0, abs=1e-5)
        assert clock.stats["foreign"] == 0


def test_concurrent_submits_start_workers_under_a_module_lock():
    """Threads that submit to new pools at once do not block each other outside the clock."""

    def submit():
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(time.sleep, [1] * 4))

    with VirtualClock() as clock:
        run_threads(*[submit] * 6)
        assert clock.elapsed() == 1.0
        assert clock.stats["foreign"] == 0


def test_a_pool_of_multiprocessing():
    """``multiprocessing.pool.ThreadPool``, which wakes a thread through a pipe, works."""
    with VirtualClock() as clock, multiprocessing.pool.ThreadPool(4) as pool:
        pool.map(time.sleep, [1, 2, 3, 4])
        assert clock.elapsed() == pytest.approx(4.0, abs=0.2)
        with pytest.raises(multiprocessing.TimeoutError):
            pool.apply_async(time.sleep, (50,)).get(timeout=5)


def test_an_older_pool_takes_part(old_pool):
    """Workers that are older than the clock are adopted at their first wait."""
    with VirtualClock() as clock:
        futures = [old_pool.submit(lambda: time.sleep(60) or clock.elapsed()) for _ in range(4)]
        assert [future.result() for future in futures] == [60.0, 60.0, 120.0, 120.0]
        assert clock.stats["adopted"] == 2
        assert clock.leaked == ()
    assert len(clock.warnings) == 2
    assert "adopted thread" in clock.warnings[0]


def test_an_older_pool_moves_between_real_and_virtual_time(old_pool):
    """A session's pool serves real time, one clock, real time, and the next clock."""
    for _ in range(3):
        began = real_clock()
        old_pool.submit(time.sleep, 0.02).result(timeout=5)
        assert real_clock() - began >= 0.02
        with VirtualClock() as clock:
            old_pool.submit(time.sleep, 60).result()
            assert clock.elapsed() == 60.0


def test_older_idle_threads_cost_nothing(old_pool):
    """Idle older threads get no real time before a jump, because nothing has woken them."""
    with VirtualClock() as clock:
        time.sleep(0.001)
        graces = clock.stats["graces"]
        for _ in range(500):
            time.sleep(1)
        assert clock.stats["graces"] - graces <= 5


def test_a_pool_made_under_a_clock_outlives_it():
    """A pool made under a clock serves real time afterwards, and the next clock."""
    with VirtualClock():
        pool = concurrent.futures.ThreadPoolExecutor(2)
        pool.submit(time.sleep, 60).result()
    began = real_clock()
    pool.submit(time.sleep, 0.02).result(timeout=5)
    assert 0.02 <= real_clock() - began < 2
    with VirtualClock() as clock:
        pool.submit(time.sleep, 60).result()
        assert clock.elapsed() == 60.0
    pool.shutdown()


@pytest.mark.parametrize("older", [True, False], ids=["older", "made-under-a-clock"])
@pytest.mark.parametrize("wakes", ["at-the-end", "before"])
def test_a_loop_of_a_session_serves_every_clock(older, wakes):
    """A loop in a thread that has just been woken when a clock closes takes part in the next."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    if older:
        thread.start()
    for _ in range(3):
        with VirtualClock() as clock:
            if not thread.is_alive():
                thread.start()
            asyncio.run_coroutine_threadsafe(asyncio.sleep(60), loop).result()
            if wakes == "at-the-end":
                loop.call_soon_threadsafe(int)
            assert clock.elapsed() == 60.0
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_worker_that_has_just_been_given_work_serves_the_next_clock():
    """A thread that takes its work from a queue is at rest once it has done it."""
    jobs = queue.Queue()

    def work():
        while (job := jobs.get()) is not None:
            job()

    done = threading.Event()
    with VirtualClock():
        worker = threading.Thread(target=work)
        worker.start()
        jobs.put(int)
    with VirtualClock() as clock:
        jobs.put(lambda: time.sleep(60) or done.set())
        assert done.wait(61)
        assert clock.elapsed() == 60.0
    jobs.put(None)
    worker.join()


def test_workers_that_hand_each_other_work_for_ever_do_not_hold_the_end_up():
    """Closing gives the others some turns, and no more."""
    ends, turns = threading.Event(), [threading.Semaphore(1), threading.Semaphore(0)]

    def hand_over(mine, other):
        while not ends.is_set():
            mine.acquire()
            other.release()

    pair = [threading.Thread(target=hand_over, args=turns[::step]) for step in (1, -1)]
    with VirtualClock():
        for thread in pair:
            thread.start()
    assert [thread.is_alive() for thread in pair] == [True, True]
    ends.set()
    for semaphore in turns:
        semaphore.release()
    for thread in pair:
        thread.join()


def test_sleepers_that_are_left_go_on_in_real_time():
    """Threads that outlive the clock are named, finish in real time, and disturb no later clock."""
    done = threading.Event()
    with VirtualClock() as clock:
        waits = threading.Thread(target=lambda: time.sleep(5) or done.wait(), name="waits")
        sleeps = threading.Thread(target=time.sleep, args=(5.3,), name="sleeps")
        waits.start()
        sleeps.start()
        time.sleep(5)
    assert clock.leaked == ("waits", "sleeps")
    with VirtualClock() as later:
        time.sleep(1000)
        assert later.stats["adopted"] == 0
    assert sleeps.is_alive()
    done.set()
    waits.join(5)
    sleeps.join(5)
    assert not waits.is_alive()
    assert not sleeps.is_alive()


def test_a_failing_thread_ends_like_any_other(monkeypatch):
    """An exception in a thread goes to ``excepthook``, and who joins it goes on."""
    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: seen.append(arguments.exc_type))

    def fail():
        time.sleep(3)
        raise ValueError

    with VirtualClock() as clock:
        run_threads(fail, fail)
        assert clock.elapsed() == 3.0
    assert seen == [ValueError, ValueError]


def test_finalizers_may_use_locks(monkeypatch):
    """``__del__`` that sets events and takes locks runs anywhere, also inside the scheduler."""
    # Reentrant: its own thread may hold it, which no other lock survives anywhere.
    shared = threading.RLock()
    collected = []

    class Cyclic:
        def __init__(self):
            self.me = self
            self.event = threading.Event()

        def __del__(self):
            self.event.set()
            with shared:
                collected.append(1)

    def work():
        for _ in range(50):
            Cyclic()
            with shared:
                time.sleep(0.1)

    thresholds = gc.get_threshold()
    gc.set_threshold(50)
    try:
        with VirtualClock() as clock:
            run_threads(*[work] * 8)
            assert clock.elapsed() == pytest.approx(40.0)
            assert clock.stats["foreign"] == 0
    finally:
        gc.set_threshold(*thresholds)
    assert collected


def test_an_adopted_thread_that_ends_gives_the_baton_back():
    """A thread that is older than the clock may end under it."""
    begin = threading.Event()

    def body():
        begin.wait()
        time.sleep(30)

    thread = threading.Thread(target=body)
    thread.start()
    with VirtualClock() as clock:
        begin.set()
        thread.join()
        time.sleep(10)
        assert clock.elapsed() in (10.0, 40.0)
        assert clock.stats["foreign"] == 0
