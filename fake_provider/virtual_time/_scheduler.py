"""The scheduler: who runs, who waits, and when virtual time moves.

Every participant is an ordinary thread. Exactly one of them holds the *baton* and runs; it passes
the baton on inside a blocking call, never elsewhere. When nobody can run, time jumps to the
earliest deadline.

Three invariants carry the argument that this is sound:

I1. At most one participant runs Python code: the holder. (A thread that blocks outside the
    scheduler is taken out, marked foreign, and queues for the baton when it comes back.)
I2. ``now_ns`` changes only in ``_choose``, when the ready queue is empty and every participant is
    blocked, foreign beyond its patience, or done.
I3. No wake-up is lost. Whatever can unblock a participant is a hooked operation (release, put, end
    of a thread, write to a loop's self-pipe), a timer, or a descriptor that is polled before each
    jump. A waiter registers first and then tests again; a waker changes the state first and then
    looks for waiters. Both touch the tables under one mutex.

From I2 and I3, time jumps only when nothing could have progressed at the current instant, so a run
is a discrete-event execution in which computing costs nothing, and one that could have happened in
real time. From I1, the next decision depends only on the sequence of hooked operations and on the
seed, so a run is repeatable. What is not claimed is completeness: nothing pre-empts a participant
between two hooked operations, unless the schedule explores (``explore``).

The locks of CPython stay the truth. A participant only tries to take one; if that fails it waits
here. So an object made under a clock is an ordinary object afterwards, and one made before needs
no preparation.

Signal handlers and finalizers may run hooked operations in a thread that is inside the scheduler.
They find the mutex owned and leave a note in the inbox.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from . import _current, _real
from . import _participants as states
from ._busy import BusyWait
from ._dispatcher import Dispatcher
from ._participants import COMPUTING_PATIENCE_S, Participant

Attempt = Callable[[], bool]

# How often others get their turn when the clock closes: two may hand work to each other for ever.
TURNS_AT_THE_END: Final = 100


class Scheduler(Dispatcher):
    """One run under virtual time, as its threads use it.

    Args:
        explore: Probability that a participant lets others run before it takes a lock.
        arguments: Those of ``Dispatcher``.
    """

    def __init__(self, *, explore: float = 0.0, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.explore = explore
        self.busy_wait = BusyWait(self)

    def wait(
        self,
        me: Participant,
        key: object,
        attempt: Attempt,
        deadline_ns: int | None,
        doing: str,
    ) -> str:
        """Block until an attempt succeeds (GOT), until a deadline, or until the clock closes."""
        first = False
        try:
            while True:
                outcome = self.block(me, key, deadline_ns, doing, attempt=attempt, first=first)
                if outcome is states.GOT or attempt():
                    return states.GOT
                if outcome is not states.WOKEN:
                    return outcome
                first = True  # somebody was faster: keep the place in the queue
        except BaseException:
            self.is_in_doubt = True  # it may have been woken, and will not use what it waited for
            raise

    def block(
        self,
        me: Participant,
        key: object,
        deadline_ns: int | None,
        doing: str,
        *,
        attempt: Attempt | None = None,
        descriptors: Sequence[tuple[int, int]] = (),
        first: bool = False,
    ) -> str:
        """Block the calling participant; returns why it runs again.

        Args:
            me: The calling participant, which holds the baton.
            key: Wakes it when passed to ``wake``; None for a mere sleep.
            deadline_ns: When it runs again at the latest.
            doing: What it waits for, in words.
            attempt: Tested once more after registering; success means that it need not block.
            descriptors: File descriptors that wake it, each with its poll events.
            first: Wait before the others that wait for this key.
        """
        stops = self.stops
        if me is self.main:
            if stops.to_raise is not None:
                stops.raise_in_main()
        elif stops.final is not None and not me.told and doing != states.AN_ITEM:
            stops.raise_in_other(me)
        room = self.room
        me.inside = True
        try:
            with self, self.mutex:
                if self.closed:
                    return states.CLOSED
                self.entries += 1
                self.stats["blocks"] += 1
                self.reads = 0
                me.state, me.key, me.doing = states.BLOCKED, key, doing
                if key is not None:
                    room.add_waiter(me, key, first=first)
                    if attempt is not None and attempt():
                        room.forget(me)
                        me.state = states.RUNNING
                        return states.GOT
                if descriptors:
                    room.add_descriptors(me, descriptors)
                if deadline_ns is not None:
                    room.add_timer(me, deadline_ns)
                self.holder = None
                self.hand_over(caller=me)
            me.park()
            if me.outcome in states.STOPPING:
                stops.raise_for(me, me.outcome)
            return me.outcome
        except BaseException:
            self._recover(me)
            raise
        finally:
            me.inside = False

    def let_others_run(self, me: Participant) -> None:
        """Go to the end of the ready queue; time stands still."""
        if me is self.main and self.stops.to_raise is not None:
            self.stops.raise_in_main()
        if self.room.ready or self.inbox:
            self.rejoin(me)

    def let_others_rest(self) -> None:
        """At the end: let those that could run at this instant come to their next wait.

        Only there can it be told who waits for work, as the loop of a session does, and may be
        taken in by a later clock; and who sleeps, and may not.
        """
        for _ in range(TURNS_AT_THE_END):
            is_mine = self.holder is self.main and self.main.ident == _real.get_ident()
            if not (is_mine and self.room.ready) or self.stops.final or self.stops.to_raise:
                return
            self.let_others_run(self.main)

    def rejoin(self, me: Participant) -> None:
        """Queue for the baton, with or without holding it."""
        me.inside = True
        try:
            with self, self.mutex:
                if self.closed:
                    return
                self.entries += 1
                self.outside.take_back(me)
                self.room.add_ready(me)
                if self.holder is me:
                    self.holder = None
                if self.holder is None:
                    self.hand_over(caller=me)
            me.park()
        except BaseException:
            self._recover(me)
            raise
        finally:
            me.inside = False

    def explore_here(self) -> None:
        """Let others run before the caller takes a lock, with the probability ``explore``."""
        me = _current.holder()
        if me is not None and self.rng is not None and self.rng.random() < self.explore:
            self.let_others_run(me)

    def wake(self, key: object, count: int = 1) -> None:
        """Make the first waiters for a key runnable; from any thread, handler or finalizer."""
        # First the note, then the mutex: who holds it looks at the inbox before time jumps.
        self.inbox.append((key, count))
        if not self.mutex.is_mine():
            with self, self.mutex:
                self.entries += 1
                self.settle()

    def move_by_hand(self, passed_ns: int) -> None:
        """Let time pass although somebody could run: a test has moved a frozen time."""
        with self, self.mutex:
            self._jump_to(self.now_ns + passed_ns)
            self.room.run_out(self.now_ns)
            if self.holder is None:
                self.hand_over()

    def close(self) -> list[Participant]:
        """Set every thread free; returns those that are still alive. Needs the mutex.

        A thread that waits goes on waiting in real time. After a stop it is told to end instead:
        what it waits for may be a virtual day away.
        """
        self.closed = True
        alive = [one for one in self.participants.values() if one is not self.main]
        for one in {**dict.fromkeys(alive), **dict.fromkeys(self.room.ready), self.main: None}:
            if one is not self.main and not one.is_resting():
                states.left_behind.add(one.thread)
            if one.state in states.PARKED:
                ends = self.stops.final is not None and not one.adopted and not one.is_idle()
                if one.state is states.BLOCKED and one is not self.main and ends:
                    one.outcome = states.ABANDONED
                elif one.outcome is not states.ABANDONED:
                    one.outcome = states.CLOSED
                one.state = states.RELEASED
                one.ring()
        self.watchdog.stop()
        return alive

    def _recover(self, me: Participant) -> None:
        """After an exception in a wait: let ``me`` run on, in a state that is whole again."""
        while not self._is_mended(me):
            continue

    def _is_mended(self, me: Participant) -> bool:
        try:
            self._mend(me)
        except BaseException:  # noqa: BLE001 - one more signal, while the first is on its way
            return False
        return True

    def _mend(self, me: Participant) -> None:
        """Mend what an exception left half done; ``me`` has the baton if nobody else has."""
        with self, self.mutex:
            if self.closed:
                return
            self.set_now(self.now_ns)
            self.room.tidy()
            self.room.forget(me)
            if self.holder is None or self.holder is me:
                self.holder = me
                me.state = states.RUNNING
                return
            self.outside.send(me, COMPUTING_PATIENCE_S)
            self.room.forget(self.holder)
            self.holder.state = states.RUNNING
            self.holder.ring()
