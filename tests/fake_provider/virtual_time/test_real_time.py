"""Virtual time against real time: the same program, with the same outcomes at the same times."""

from __future__ import annotations

import concurrent.futures
import itertools
import queue
import random
import threading
import time

import pytest

from fake_provider.virtual_time import VirtualClock

TOLERANCE_S = 0.05  # real seconds by which a wake-up of the real machine may be late
APART_S = 0.06  # events closer than this may come in any order in real time


def run(seed):
    """A random program of a few threads; returns (thread, step, outcome, seconds) in order."""
    rng = random.Random(seed)
    locks, narrow = [threading.Lock(), threading.Lock()], queue.Queue(2)
    condition, semaphore = threading.Condition(), threading.Semaphore(2)
    plans = [
        [(rng.randrange(7), rng.uniform(0.05, 0.4), rng.randrange(2)) for _ in range(5)]
        for _ in range(rng.randint(3, 5))
    ]
    log, began = [], time.monotonic()

    def step(kind, seconds, which):
        if kind == 0:
            return time.sleep(seconds)
        if kind == 1:
            with locks[which]:
                return time.sleep(seconds)
        if kind == 2:
            taken = locks[which].acquire(timeout=seconds)
            if taken:
                time.sleep(seconds / 3)
                locks[which].release()
            return taken
        if kind == 3:
            with condition:
                return condition.wait(seconds)
        if kind == 4:
            time.sleep(seconds)
            with condition:
                return condition.notify_all()
        if kind == 5:
            with semaphore:
                return time.sleep(seconds)
        try:
            if which:
                narrow.put(0, timeout=seconds)
            else:
                narrow.get(timeout=seconds)
        except (queue.Full, queue.Empty):
            return "timeout"
        return "done"

    def thread(number):
        for kind, seconds, which in plans[number]:
            outcome = step(kind, seconds, which)
            log.append((number, kind, outcome, time.monotonic() - began))

    with concurrent.futures.ThreadPoolExecutor(len(plans)) as pool:
        for future in [pool.submit(thread, number) for number in range(len(plans))]:
            future.result()
    return log


def closest(log):
    """The smallest distance between two events of different threads, in seconds."""
    pairs = itertools.pairwise(log)
    return min(after[3] - before[3] for before, after in pairs if before[0] != after[0])


@pytest.mark.slow
def test_real_and_virtual_time_agree():
    """Programs whose events lie apart have equal outcomes, and times within 50 ms."""
    compared = 0
    for seed in range(400):
        with VirtualClock():
            virtual = run(seed)
        if closest(virtual) < APART_S:
            continue
        real = run(seed)
        assert [one[:3] for one in sorted(real)] == [one[:3] for one in sorted(virtual)]
        for before, after in zip(sorted(virtual), sorted(real), strict=True):
            assert after[3] == pytest.approx(before[3], abs=TOLERANCE_S)
        compared += 1
        if compared == 12:
            break
    assert compared >= 5
