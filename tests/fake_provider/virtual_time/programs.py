"""Random programs of threads and primitives, for tests of schedules and of real time."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import queue
import random
import threading
import time
from collections.abc import Callable

from fake_provider.virtual_time import VirtualClock

STEPS = 12  # of each thread
DURATIONS = [0, 0.1, 0.5, 1, 1, 2, 3.7]  # seconds
EXACT_NS = 1  # a positive wait is at least this long


class Program:
    """A random program: which threads run, and what each of them does in what order.

    Args:
        seed: Decides everything.
        clock: The clock it runs under; its readings are checked at every step.
    """

    def __init__(self, seed: int, clock: VirtualClock, *, exact: bool) -> None:
        self.seed, self.clock, self.exact = seed, clock, exact
        self.locks = [threading.Lock(), threading.Lock()]
        self.rlock, self.semaphore = threading.RLock(), threading.Semaphore(2)
        self.queue, self.simple = queue.Queue(3), queue.SimpleQueue()
        self.event, self.condition = threading.Event(), threading.Condition()
        self.log: list[tuple[int, int, str]] = []
        self.errors: list[str] = []

    def run(self) -> tuple[tuple[int, int, str], ...]:
        """Run to the end; returns the log of (nanoseconds, thread, step)."""
        threads = random.Random(self.seed).randint(2, 8)
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            for future in [pool.submit(self._thread, number) for number in range(threads)]:
                future.result()
        return tuple(self.log)

    def _thread(self, number: int) -> None:
        rng = random.Random(self.seed * 100 + number)
        steps: list[Callable[[random.Random, float], None]] = [
            self._sleep,
            self._sleep_under_a_lock,
            self._try_a_lock,
            self._sleep_under_a_reentrant_lock,
            self._sleep_under_a_semaphore,
            self._put,
            self._get,
            self._put_simple,
            self._get_simple,
            self._wait_for_condition,
            self._notify,
            self._set_or_wait_for_event,
            self._run_a_loop,
        ]
        for _ in range(STEPS):
            step = rng.choice(steps)
            step(rng, rng.choice(DURATIONS))
            self.log.append((self.clock.now_ns, number, step.__name__))

    def _check(self, began_ns: int, seconds: float, what: str, *, exactly: bool = True) -> None:
        """A wait that timed out has lasted as long as it should, and no longer if exact."""
        late_ns = self.clock.now_ns - began_ns - round(seconds * 1e9)
        if late_ns < -EXACT_NS or (exactly and self.exact and late_ns > EXACT_NS):
            self.errors.append(f"{what} of {seconds} s was {late_ns} ns late")

    def _sleep(self, rng: random.Random, seconds: float) -> None:
        began_ns = self.clock.now_ns
        time.sleep(seconds)
        self._check(began_ns, seconds, "sleep")

    def _sleep_under_a_lock(self, rng: random.Random, seconds: float) -> None:
        with rng.choice(self.locks):
            time.sleep(seconds)

    def _try_a_lock(self, rng: random.Random, seconds: float) -> None:
        began_ns, lock = self.clock.now_ns, rng.choice(self.locks)
        if lock.acquire(timeout=seconds):
            lock.release()
            if self.exact and self.clock.now_ns > began_ns + round(seconds * 1e9) + EXACT_NS:
                self.errors.append("a lock came after its timeout")
        else:
            self._check(began_ns, seconds, "timeout of a lock")

    def _sleep_under_a_reentrant_lock(self, rng: random.Random, seconds: float) -> None:
        with self.rlock, self.rlock:
            time.sleep(seconds)

    def _sleep_under_a_semaphore(self, rng: random.Random, seconds: float) -> None:
        with self.semaphore:
            time.sleep(seconds)

    def _put(self, rng: random.Random, seconds: float) -> None:
        began_ns = self.clock.now_ns
        try:
            self.queue.put(0, timeout=seconds)
        except queue.Full:
            self._check(began_ns, seconds, "timeout of put", exactly=False)

    def _get(self, rng: random.Random, seconds: float) -> None:
        began_ns = self.clock.now_ns
        try:
            self.queue.get(timeout=seconds)
        except queue.Empty:
            self._check(began_ns, seconds, "timeout of get", exactly=False)

    def _put_simple(self, rng: random.Random, seconds: float) -> None:
        self.simple.put(0)

    def _get_simple(self, rng: random.Random, seconds: float) -> None:
        began_ns = self.clock.now_ns
        try:
            self.simple.get(timeout=seconds)
        except queue.Empty:
            self._check(began_ns, seconds, "timeout of a simple queue")

    def _wait_for_condition(self, rng: random.Random, seconds: float) -> None:
        with self.condition:
            began_ns = self.clock.now_ns
            if not self.condition.wait(seconds):
                self._check(began_ns, seconds, "timeout of a condition", exactly=False)

    def _notify(self, rng: random.Random, seconds: float) -> None:
        with self.condition:
            self.condition.notify(rng.randint(1, 3))

    def _set_or_wait_for_event(self, rng: random.Random, seconds: float) -> None:
        if rng.random() < 0.5:
            self.event.set()
        else:
            self.event.wait(seconds)
            self.event.clear()

    def _run_a_loop(self, rng: random.Random, seconds: float) -> None:
        async def main() -> None:
            work = asyncio.gather(
                asyncio.sleep(seconds), asyncio.to_thread(time.sleep, seconds / 2)
            )
            await asyncio.wait_for(work, 10)

        asyncio.run(main())


def log_of(seed: int, schedule: str) -> tuple[tuple[int, int, str], ...]:
    """The log of a random program under a schedule, with the invariants of time asserted."""
    with VirtualClock(schedule=schedule, seed=seed, limit=1e6) as clock:
        program = Program(seed, clock, exact=schedule == "fifo")
        log = program.run()
        assert program.errors == []
        assert all(before[0] <= after[0] for before, after in itertools.pairwise(log))
        assert clock.stats["foreign"] == 0
    return log
