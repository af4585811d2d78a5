"""The waiting room: which participants can run, and what the others wait for.

Plain tables, without threads and without a clock; the scheduler guards them with its mutex. The
handler of a signal may raise between any two steps, so that steps are in such an order that nobody
is lost: a participant enters the next table before it leaves the last. ``tidy`` mends the rest.
"""

import heapq
import random
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from . import _participants as states
from ._participants import Participant


class WaitingRoom:
    """The ready queue, the waiters by key, and the timers.

    Args:
        rng: Chooses among those that are ready or that wait for one key; None takes them in order.
    """

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng
        self.ready: deque[Participant] = deque()
        self.waiters: dict[object, deque[Participant]] = {}
        # Participants that wait for descriptors of the operating system, in order of arrival.
        self.on_descriptors: dict[Participant, None] = {}
        self._timers: list[tuple[int, int, Participant, int]] = []
        self._timer_number = 0  # equal deadlines run out in order of arrival

    def add_ready(self, one: Participant) -> None:
        """Put a participant at the end of the ready queue."""
        one.state, one.outcome = states.READY, states.WOKEN
        self.ready.append(one)

    def add_waiter(self, one: Participant, key: object, *, first: bool) -> None:
        """Let a participant wait for a key, as the last or as the first in the queue."""
        queue = self.waiters.get(key)
        if queue is None:
            queue = self.waiters[key] = deque()
        if first:
            queue.appendleft(one)
        else:
            queue.append(one)

    def add_timer(self, one: Participant, deadline_ns: int) -> None:
        """Let a participant run again at a deadline, unless something else wakes it before."""
        self._timer_number += 1
        heapq.heappush(self._timers, (deadline_ns, self._timer_number, one, one.generation))

    def add_descriptors(self, one: Participant, descriptors: Sequence[tuple[int, int]]) -> None:
        """Let a participant wait for descriptors of the operating system."""
        one.descriptors = descriptors
        self.on_descriptors[one] = None

    def forget(self, one: Participant) -> None:
        """Take a participant out of every queue and void its timer."""
        self._stop_waiting(one)
        with suppress(ValueError):
            self.ready.remove(one)

    def make_ready(self, one: Participant, outcome: str) -> bool:
        """Let a blocked participant run again; returns whether it was blocked."""
        if one.state is not states.BLOCKED:
            return False
        one.outcome = outcome
        self.ready.append(one)
        one.state = states.READY
        self._stop_waiting(one)
        return True

    def tidy(self) -> None:
        """Mend the tables after an exception came in between."""
        for one in dict.fromkeys(self.ready):
            while self.ready.count(one) > 1:
                self.ready.remove(one)
            one.state = states.READY
            self._stop_waiting(one)

    def _stop_waiting(self, one: Participant) -> None:
        one.generation += 1
        queue = self.waiters.get(one.key)
        if queue is not None:
            with suppress(ValueError):
                queue.remove(one)
            if not queue:
                del self.waiters[one.key]
        if one.descriptors:
            self.on_descriptors.pop(one, None)
            one.descriptors = ()

    def wake(self, key: object, count: int) -> None:
        """Make the first waiters for a key ready."""
        queue = self.waiters.get(key)
        if queue is None:
            return
        if self._rng is not None and len(queue) > 1:
            queue.rotate(-self._rng.randrange(len(queue)))  # real locks are not fair either
        for one in [queue[place] for place in range(min(count, len(queue)))]:
            self.make_ready(one, states.WOKEN)

    def wake_all(self) -> None:
        """Make everybody ready that waits for a key; whoever finds nothing waits on."""
        for key, queue in list(self.waiters.items()):
            self.wake(key, len(queue))

    def next_ready(self) -> Participant:
        """The participant that runs next; it stays in the ready queue until it is forgotten."""
        if self._rng is None or len(self.ready) == 1:
            return self.ready[0]
        return self.ready[self._rng.randrange(len(self.ready))]

    def can_go_on(self) -> bool:
        """Whether anybody in it can run, now or later."""
        return bool(self.ready or self._timers or self.on_descriptors)

    def next_deadline_ns(self) -> int | None:
        """The earliest deadline of a participant that still waits for it."""
        timers = self._timers
        while timers and timers[0][3] != timers[0][2].generation:
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    def run_out(self, now_ns: int) -> None:
        """Make everybody ready whose deadline has come, in order of deadline and arrival."""
        timers = self._timers
        while timers and timers[0][0] <= now_ns:
            _, _, one, generation = timers[0]
            if generation == one.generation:
                self.make_ready(one, states.TIMEOUT)
            heapq.heappop(timers)
