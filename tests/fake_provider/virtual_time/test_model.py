"""Random programs against a discrete-event model: every wake-up and every reading, in order."""

from __future__ import annotations

import asyncio
import queue
import random
import threading
import time

import pytest

from fake_provider.virtual_time import VirtualClock

from . import model as m

NS = 1_000_000_000
STEPS = 12  # of each actor
LONGEST_NS = 4 * NS

KINDS = [
    "sleep",
    "hold",
    "try",
    "semaphore",
    "wait",
    "set",
    "clear",
    "await condition",
    "notify",
    "put",
    "get",
    "put simple",
    "get simple",
]
Step = tuple[str, int, int]  # what to do, a wait in ns, a small number


def program_of(seed):
    """For each thread, and each task of a loop beside them, its steps."""
    rng = random.Random(seed)

    def steps(kinds):
        return [
            (rng.choice(kinds), rng.randrange(1, LONGEST_NS), rng.randrange(3))
            for _ in range(STEPS)
        ]

    def actor(kinds):  # nobody begins at the instant at which another does
        return [("sleep", rng.randrange(1, NS), 0), *steps(kinds)]

    threads = [actor(KINDS) for _ in range(rng.randrange(2, 9))]
    tasks = [actor(["sleep", "timeout", "wait", "set", "clear"]) for _ in range(rng.randrange(4))]
    return threads, tasks


class Real:
    """The program on the primitives of Python, under a virtual clock."""

    def __init__(self, clock):
        self.clock, self.log, self.began_ns = clock, [], time.monotonic_ns()
        self.locks = [threading.Lock() for _ in range(3)]
        self.semaphore, self.event = threading.Semaphore(2), threading.Event()
        self.condition = threading.Condition(threading.Lock())
        self.queue, self.simple = queue.Queue(2), queue.SimpleQueue()

    def note(self, name, result=None):
        reading_ns = time.monotonic_ns() - self.began_ns
        assert reading_ns == self.clock.now_ns
        self.log.append((reading_ns, name, result))

    def thread(self, name, steps):
        for kind, ns, number in steps:
            self.note(name, self.step(kind, ns, number, name))

    def step(self, kind, ns, number, name):
        seconds = ns / NS
        if kind == "sleep":
            time.sleep(seconds)
        elif kind == "hold":
            with self.locks[number]:
                self.note(name, "holds")
                time.sleep(seconds)
        elif kind == "try":
            if self.locks[number].acquire(timeout=seconds):
                self.locks[number].release()
                return True
            return False
        elif kind == "semaphore":
            if self.semaphore.acquire(timeout=seconds):
                self.note(name, "admitted")
                time.sleep(seconds)
                self.semaphore.release()
                return True
            return False
        elif kind == "wait":
            return self.event.wait(seconds)
        elif kind == "set":
            self.event.set()
        elif kind == "clear":
            self.event.clear()
        elif kind == "await condition":
            with self.condition:
                self.note(name, "holds")
                return self.condition.wait(seconds)
        elif kind == "notify":
            with self.condition:
                time.sleep(ns // 8 / NS)
                self.condition.notify(number + 1)
        else:
            return self.exchange(kind, seconds, number)
        return None

    def exchange(self, kind, seconds, number):
        items = self.simple if "simple" in kind else self.queue
        try:
            if kind.startswith("get"):
                return items.get(timeout=seconds)
            items.put(number, timeout=seconds)
        except queue.Empty:
            return None
        except queue.Full:
            return False
        return True

    async def tasks(self, programs):
        event = asyncio.Event()

        async def task(name, steps):
            for kind, ns, _ in steps:
                result = None
                if kind == "sleep":
                    await asyncio.sleep(ns / NS)
                elif kind in ("timeout", "wait"):
                    work = event.wait() if kind == "wait" else asyncio.sleep(LONGEST_NS)
                    try:
                        async with asyncio.timeout(ns / NS):
                            await work
                        result = True
                    except TimeoutError:
                        result = False
                elif kind == "set":
                    event.set()
                elif kind == "clear":
                    event.clear()
                self.note(name, result)

        await asyncio.gather(*(task(f"task {n}", steps) for n, steps in enumerate(programs)))

    def run(self, threads, tasks):
        started = [
            threading.Thread(target=self.thread, args=(f"thread {n}", steps), daemon=True)
            for n, steps in enumerate(threads)
        ]
        for thread in started:
            thread.start()
        if tasks:
            asyncio.run(self.tasks(tasks))
        for thread in started:
            thread.join()
        return self.log


class Modelled:
    """The same program in the model."""

    def __init__(self):
        self.model, self.log = m.Model(), []
        self.locks = [m.Lock(self.model) for _ in range(3)]
        self.semaphore, self.event = m.Semaphore(self.model, 2), m.Event(self.model)
        self.task_event, self.condition = m.Event(self.model), m.Condition(self.model)
        self.queue = m.Queue(self.model, 2, keeps_place=False)
        self.simple = m.Queue(self.model, None, keeps_place=True)

    def note(self, name, result=None):
        self.log.append((self.model.now_ns, name, result))

    def actor(self, name, steps):
        for kind, ns, number in steps:
            result = yield from self.step(kind, ns, number, name)
            self.note(name, result)

    def step(self, kind, ns, number, name):
        event = self.task_event if name.startswith("task") else self.event
        if kind == "sleep":
            yield from self.model.sleep(ns)
        elif kind == "hold":
            yield from self.locks[number].acquire()
            self.note(name, "holds")
            yield from self.model.sleep(ns)
            self.locks[number].release()
        elif kind == "try":
            taken = yield from self.locks[number].acquire(ns)
            if taken:
                self.locks[number].release()
            return taken
        elif kind == "semaphore":
            taken = yield from self.semaphore.acquire(ns)
            if taken:
                self.note(name, "admitted")
                yield from self.model.sleep(ns)
                self.semaphore.release()
            return taken
        elif kind == "timeout":
            yield from self.model.sleep(ns)
            return False
        elif kind == "wait":
            return (yield from event.wait(ns))
        elif kind == "set":
            event.set()
        elif kind == "clear":
            event.clear()
        elif kind == "await condition":
            yield from self.condition.lock.acquire()
            self.note(name, "holds")
            woken = yield from self.condition.wait(ns)
            self.condition.lock.release()
            return woken
        elif kind == "notify":
            yield from self.condition.lock.acquire()
            yield from self.model.sleep(ns // 8)
            self.condition.notify(number + 1)
            self.condition.lock.release()
        else:
            items = self.simple if "simple" in kind else self.queue
            work = items.get(ns) if kind.startswith("get") else items.put(number, ns)
            return (yield from work)
        return None

    def run(self, threads, tasks):
        for n, steps in enumerate(threads):
            self.model.start(self.actor(f"thread {n}", steps))
        for n, steps in enumerate(tasks):
            self.model.start(self.actor(f"task {n}", steps))
        self.model.run()
        return self.log


def differences(seed):
    """The first place where a run and its model differ, None if they do not."""
    program = program_of(seed)
    expected = Modelled().run(*program)
    with VirtualClock(limit=1e6) as clock:
        seen = Real(clock).run(*program)
    for place, (real, modelled) in enumerate(zip(seen, expected, strict=False)):
        if real != modelled:
            return seed, place, real, modelled
    return None if len(seen) == len(expected) else (seed, len(seen), len(expected))


@pytest.mark.parametrize("batch", range(4))
def test_random_programs_run_as_their_model(batch):
    """Twenty-five programs: every wake-up at its nanosecond, in its order, with its outcome."""
    found = [differences(seed) for seed in range(25 * batch, 25 * batch + 25)]
    assert [difference for difference in found if difference] == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("batch", range(10))
def test_two_thousand_random_programs_run_as_their_model(batch):
    """The same for two thousand programs."""
    found = [differences(seed) for seed in range(1_000 + 200 * batch, 1_200 + 200 * batch)]
    assert [difference for difference in found if difference] == []
