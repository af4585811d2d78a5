"""A discrete-event model of threads, tasks and their primitives: what a run has to look like.

Actors are generators that say what they wait for. The primitives follow the documentation of
`threading`, `queue` and `asyncio`, and CPython where that is silent: a lock may be taken by
whoever comes first, a waiter that was beaten to it waits on.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Generator

# What an actor waits for: a key (None for a mere sleep), a deadline in ns, its place in the queue.
Wait = tuple[object, int | None, bool]
Actor = Generator[Wait, bool, None]


class Model:
    """Runs actors, one at a time, first in, first out; time moves when nobody can run."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._ready: deque[tuple[Actor, bool]] = deque()
        self._waiting: dict[object, deque[Actor]] = {}
        self._timers: list[tuple[int, int, Actor, int]] = []
        self._number = itertools.count()
        self._turn: dict[Actor, int] = {}  # grows when an actor is woken: its timers are void
        self._key: dict[Actor, object] = {}

    def start(self, actor: Actor) -> None:
        """Let an actor begin after those that are ready."""
        self._turn[actor] = 0
        self._ready.append((actor, True))

    def wake(self, key: object) -> None:
        """Let the first actor run that waits for a key."""
        queue = self._waiting.get(key)
        if queue:
            self._resume(queue[0], woken=True)

    def _resume(self, actor: Actor, *, woken: bool) -> None:
        self._turn[actor] += 1
        queue = self._waiting.get(self._key[actor])
        if queue and actor in queue:
            queue.remove(actor)
        self._ready.append((actor, woken))

    def run(self) -> None:
        """Run until nobody waits for a deadline."""
        while True:
            while self._ready:
                self._step(*self._ready.popleft())
            while self._timers and self._timers[0][3] != self._turn[self._timers[0][2]]:
                heapq.heappop(self._timers)
            if not self._timers:
                return
            self.now_ns = self._timers[0][0]
            while self._timers and self._timers[0][0] == self.now_ns:
                _, _, actor, turn = heapq.heappop(self._timers)
                if turn == self._turn[actor]:
                    self._resume(actor, woken=False)

    def _step(self, actor: Actor, woken: bool) -> None:
        try:
            key, deadline_ns, first = actor.send(None if self._turn[actor] == 0 else woken)
        except StopIteration:
            return
        self._turn[actor] += 1
        self._key[actor] = key
        if key is not None:
            queue = self._waiting.setdefault(key, deque())
            queue.appendleft(actor) if first else queue.append(actor)
        if deadline_ns is not None:
            item = (deadline_ns, next(self._number), actor, self._turn[actor])
            heapq.heappush(self._timers, item)

    def sleep(self, ns: int) -> Generator[Wait, bool, None]:
        """`time.sleep` and `asyncio.sleep`."""
        yield None, self.now_ns + ns, False

    def until(
        self, key: object, take: Callable[[], bool], timeout_ns: int | None, *, keeps_place: bool
    ) -> Generator[Wait, bool, bool]:
        """Try, wait to be woken and try again, until the deadline."""
        deadline_ns = None if timeout_ns is None else self.now_ns + timeout_ns
        first = False
        while not take():
            if not (yield key, deadline_ns, first):
                return take()
            first = keeps_place
        return True


class Lock:
    """`threading.Lock`: whoever comes first takes it, and one that was beaten keeps its place."""

    def __init__(self, model: Model) -> None:
        self.model, self.taken = model, False

    def _take(self) -> bool:
        taken, self.taken = self.taken, True
        return not taken

    def acquire(self, timeout_ns: int | None = None) -> Generator[Wait, bool, bool]:
        return (yield from self.model.until(self, self._take, timeout_ns, keeps_place=True))

    def release(self) -> None:
        self.taken = False
        self.model.wake(self)


class Semaphore:
    """`threading.Semaphore`: one that was beaten waits again, behind the others."""

    def __init__(self, model: Model, value: int) -> None:
        self.model, self.value = model, value

    def _take(self) -> bool:
        if self.value:
            self.value -= 1
            return True
        return False

    def acquire(self, timeout_ns: int | None = None) -> Generator[Wait, bool, bool]:
        return (yield from self.model.until(self, self._take, timeout_ns, keeps_place=False))

    def release(self) -> None:
        self.value += 1
        self.model.wake(self)


class Event:
    """`threading.Event` and `asyncio.Event`: a waiter that was woken has seen it set."""

    def __init__(self, model: Model) -> None:
        self.model, self.flag, self.waiting = model, False, 0

    def wait(self, timeout_ns: int | None) -> Generator[Wait, bool, bool]:
        if self.flag:
            return True
        self.waiting += 1
        deadline_ns = None if timeout_ns is None else self.model.now_ns + timeout_ns
        woken = yield self, deadline_ns, False
        self.waiting -= not woken
        return woken

    def set(self) -> None:
        self.flag = True
        while self.waiting:
            self.waiting -= 1
            self.model.wake(self)

    def clear(self) -> None:
        self.flag = False


class Condition:
    """`threading.Condition`: a waiter takes the lock again before it goes on.

    One that has timed out still counts as waiting until it has the lock: a notification can be
    lost on it.
    """

    def __init__(self, model: Model) -> None:
        self.model, self.lock = model, Lock(model)
        self.waiting: deque[object] = deque()

    def wait(self, timeout_ns: int) -> Generator[Wait, bool, bool]:
        ticket = object()
        self.waiting.append(ticket)
        self.lock.release()
        woken = yield ticket, self.model.now_ns + timeout_ns, False
        yield from self.lock.acquire()
        if ticket in self.waiting:
            self.waiting.remove(ticket)
        return woken

    def notify(self, count: int) -> None:
        for _ in range(min(count, len(self.waiting))):
            self.model.wake(self.waiting.popleft())


class Queue:
    """`queue.Queue` and `queue.SimpleQueue`, for numbers; a size of None has no bound."""

    def __init__(self, model: Model, size: int | None, *, keeps_place: bool) -> None:
        self.model, self.size, self.keeps_place = model, size, keeps_place
        self.items: deque[int] = deque()
        self.full = object()

    def put(self, item: int, timeout_ns: int) -> Generator[Wait, bool, bool]:
        def take() -> bool:
            if self.size is not None and len(self.items) >= self.size:
                return False
            self.items.append(item)
            self.model.wake(self)
            return True

        return (yield from self.model.until(self.full, take, timeout_ns, keeps_place=False))

    def get(self, timeout_ns: int) -> Generator[Wait, bool, int | None]:
        got: list[int] = []

        def take() -> bool:
            if self.items:
                got.append(self.items.popleft())
                self.model.wake(self.full)
            return bool(got)

        yield from self.model.until(self, take, timeout_ns, keeps_place=self.keeps_place)
        return got[0] if got else None
