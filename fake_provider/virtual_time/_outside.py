"""The outside: what the scheduler does not see, and for which time may have to stand still.

Threads that left the scheduler, threads that are older than it, child processes and peers beyond a
descriptor. Before each jump of time, each gets the chance to act at the current instant. All of it
needs the mutex.
"""

import threading
from typing import TYPE_CHECKING, Final

from . import _kernel, _real
from . import _participants as states
from ._descriptors import Descriptors
from ._older import OlderThreads
from ._participants import ASKED_PATIENCE_S, TOOL_MODULES, Participant
from ._stacks import current_frames, outermost_module

if TYPE_CHECKING:
    from ._dispatcher import Dispatcher

# Real seconds in which a peer beyond a descriptor may answer.
PEER_GRACE_S: Final = 0.001


class Outside:
    """What may still act at the current instant of one scheduler."""

    def __init__(self, scheduler: "Dispatcher") -> None:
        self._scheduler = scheduler
        self._foreign: dict[Participant, float] = {}  # each with the end of its patience
        self._child_wait_pulse = -1
        self._child_wait_until = 0.0
        self.descriptors = Descriptors(scheduler)
        self.older = OlderThreads(scheduler)
        self.in_grace = 0  # dispatchers that have released the mutex to wait

    def send(self, one: Participant, patience_s: float) -> None:
        """A participant runs, or waits, without the baton from now on."""
        one.state = states.FOREIGN
        self._foreign[one] = _real.monotonic() + patience_s

    def take_back(self, one: Participant) -> None:
        """A participant is back in the scheduler, or has ended."""
        self._foreign.pop(one, None)

    def stops_time(self) -> bool:
        """Whether somebody outside is still to be waited for, however long the timers say."""
        if self._foreign:
            now = _real.monotonic()
            if any(now <= until for until in self._foreign.values()):
                return True
        return bool(self._scheduler.room.on_descriptors) and self._waits_for_children()

    def may_act(self) -> bool:
        """Whether a last call is in order before time jumps."""
        return bool(self._scheduler.room.on_descriptors) or self.older.may_act()

    def last_call(self) -> None:
        """Give the outside a little real time; the mutex is released meanwhile."""
        self.in_grace += 1
        try:
            if self._scheduler.room.on_descriptors:
                for one in self._scheduler.room.on_descriptors:
                    self._scheduler.borders.cross("real descriptor", one, "waits for one")
                self.descriptors.poll(PEER_GRACE_S)
            else:
                self.older.give_time()
        finally:
            self.in_grace -= 1

    def can_wake_somebody(self) -> bool:
        """Whether a wake-up may come from outside, ever."""
        return bool(
            self._foreign
            or self._scheduler.room.on_descriptors
            or self.older.are_there()
            or self._strangers()
        )

    def waits_for_locks(self) -> bool:
        """Whether all that is outside are threads that wait for a lock, so that none comes back."""
        return not self._scheduler.room.on_descriptors and all(
            _kernel.state_of(native_id) is _kernel.LOCK for native_id in self._strangers()
        )

    def _strangers(self) -> set[int]:
        """Threads of this process that take no part and are no tool: theirs is another clock."""
        known = {one.native_id for one in self._scheduler.participants.values()}
        strangers = (
            {*_kernel.threads()} - known - self.older.tools - {self._scheduler.watchdog.native_id}
        )
        # A tool's thread that `threading` has not heard of has no native number here. But if there
        # are as many of them as strangers, they are all there is.
        return strangers if len(strangers) > self._hidden_tools() else set()

    def _hidden_tools(self) -> int:
        """How many threads run code of a tool without being a ``Thread``, as those of xdist do."""
        known = threading._active  # type: ignore[attr-defined]  # `enumerate` would take a lock
        hidden = [frame for ident, frame in current_frames().items() if ident not in known]
        return sum(outermost_module(frame).startswith(TOOL_MODULES) for frame in hidden)

    def has_foreign(self) -> bool:
        """Whether participants are outside."""
        return bool(self._foreign)

    def note_jump(self) -> None:
        """Time moves although participants are outside: their patience is over."""
        for one in self._foreign:
            self._scheduler.borders.jump_past(one)

    def _waits_for_children(self) -> bool:
        """Whether a descriptor may belong to a child process, which lives in real time."""
        if not _kernel.has_children():
            return False
        now = _real.monotonic()
        if self._child_wait_pulse != self._scheduler.entries:
            self._child_wait_pulse = self._scheduler.entries
            self._child_wait_until = now + ASKED_PATIENCE_S
        return bool(now < self._child_wait_until)
