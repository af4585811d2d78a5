"""The dispatcher: chooses who runs next, and moves virtual time when nobody can run.

The half of the scheduler that never blocks, except to give the outside world a moment. Its methods
need the mutex.
"""

import gc
import math
import random
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from . import _participants as states
from . import _real
from ._borders import Borders
from ._mutex import Mutex
from ._outside import Outside
from ._participants import Participant
from ._patches import PatchSet
from ._stops import Stops
from ._units import NANOSECONDS, seconds
from ._waiting import WaitingRoom
from ._watchdog import Watchdog

if TYPE_CHECKING:
    import asyncio

# How many last bits a reading can be off by rounding; a longer wait takes time.
MOST_NUDGES: Final = 2
COUNTED: Final = ("adopted", "blocks", "foreign", "graces", "jumps", "polls", "spins", "switches")


class Dispatcher:
    """The state of one run under virtual time, and who holds the baton.

    Args:
        wall_start_ns: Where the wall clock starts, in nanoseconds since 1970.
        monotonic_start_ns: Where the monotonic clocks start, in nanoseconds.
        limit_ns: Where the run is stopped, in virtual nanoseconds.
        rng: Chooses among runnable participants; None takes them first in, first out.
        strict: Refuse to cross the borders of virtual time instead of noting it.
    """

    def __init__(
        self,
        *,
        wall_start_ns: int,
        monotonic_start_ns: int,
        limit_ns: int,
        rng: random.Random | None = None,
        strict: bool = False,
    ) -> None:
        self._wall_start_ns = wall_start_ns
        self._monotonic_start_ns = monotonic_start_ns
        self.limit_ns = limit_ns
        self.rng = rng
        self.closed = False
        self.monotonic = 0.0
        self.set_now(0)

        self.main: Participant
        self.holder: Participant | None = None
        self._last_holder: Participant | None = None
        self.participants: dict[int, Participant] = {}
        self.ended: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._next_index = 0
        self.exempt: set[int] = set()  # threads that live in real time
        self.loops: dict[asyncio.AbstractEventLoop, Any] = {}  # each with its selector
        self.loop_of: dict[Any, Any] = {}  # and each selector's loop
        self.patches = PatchSet()
        self.wall_patches = PatchSet()  # time-machine may take the wall clock over for a while

        self.room = WaitingRoom(rng)
        self.inbox: deque[tuple[object, int]] = deque()
        self.is_in_doubt = False  # an exception has left a table, or a wake-up, half done
        self.mutex = Mutex()
        self._inside: set[int] = set()  # threads that are in the scheduler, or on their way
        self._collects = False
        self.entries = 0  # grows with every entry into the scheduler: the watchdog's pulse
        self.reads = 0.0  # clock reads since somebody blocked
        self.listeners: list[Callable[[int, int], None]] = []
        self.stats = dict.fromkeys(COUNTED, 0)

        self.outside = Outside(self)
        self.borders = Borders(self, strict=strict)
        self.stops = Stops(self)
        self.watchdog = Watchdog(self)

    def new_participant(self, name: str, thread: threading.Thread | None) -> Participant:
        """A participant that has yet to run."""
        one = Participant(self._next_index, name, thread)
        self._next_index += 1
        return one

    def set_now(self, now_ns: int) -> None:
        """Move every reading of the clock to an instant after the start."""
        self.now_ns = now_ns
        self.monotonic_ns = self._monotonic_start_ns + now_ns
        self.wall_ns = self._wall_start_ns + now_ns
        self.monotonic = max(self.monotonic, self.monotonic_ns / NANOSECONDS)
        self.wall = self.wall_ns / NANOSECONDS
        self._nudges = 0

    def deadline_after(self, wait_s: float) -> int:
        """The instant at which a wait is over that begins now, in nanoseconds after the start.

        Args:
            wait_s: How long it is. ``deadline - monotonic()`` can be 1e-10 because a sum or a
                reading was rounded. Such a rest takes no time, but the reading moves by its last
                bit, or else the wait would be repeated for ever.
        """
        wait_ns = round(wait_s * NANOSECONDS)
        if wait_ns == 0 and wait_s > 0:
            if self._nudges < MOST_NUDGES:
                self._nudges += 1
                self.monotonic = math.nextafter(self.monotonic, math.inf)
            else:
                wait_ns = 1
        return self.now_ns + wait_ns

    def seconds_until(self, deadline_ns: int | None) -> float | None:
        """What is left of a wait that goes on in real time; None if it has no end."""
        return None if deadline_ns is None else seconds(deadline_ns - self.now_ns)

    def __enter__(self) -> None:
        """Before the mutex is taken: turn the garbage collector off, as a finalizer may wait."""
        self._inside.add(_real.get_ident())
        if gc.isenabled():
            self._collects = True
            gc.disable()

    def __exit__(self, kind: object = None, *_exception: object) -> None:
        """After the mutex was released: deal with the notes that handlers have left meanwhile.

        What an exception keeps from being done here, whoever leaves next will do.
        """
        if kind is not None:
            self.is_in_doubt = True
        while self.inbox:
            with self.mutex:
                self.settle()
        self._inside.discard(_real.get_ident())
        if self._collects and not self._inside:
            self.collect_again()

    def settle(self) -> None:
        """Deal with the inbox, and hand the baton over if nobody has it."""
        self._empty_inbox()
        if self.holder is None and self.room.ready:
            self.hand_over()

    def collect_again(self) -> None:
        """Turn the garbage collector on, if it was on."""
        if self._collects:
            self._collects = False
            gc.enable()

    def pause(self, wait: Callable[[], Any]) -> Any:
        """What a function returns that waits in real time, while others may enter."""
        self.settle()
        return self.mutex.without(wait)

    def hand_over(self, caller: Participant | None = None) -> None:
        """Choose the next holder and let it run, if anybody can run now.

        Args:
            caller: The participant whose thread this is; it needs no bell to go on.
        """
        chosen = self._choose()
        if chosen is None and self._is_deadlocked() and self.tell_main(states.DEADLOCK):
            chosen = self._choose()
        if chosen is None:
            self.watchdog.start()
        elif chosen is not caller:
            chosen.ring()

    def _choose(self) -> Participant | None:
        """Find who runs next, moving time when nobody can run at this instant."""
        room = self.room
        had_last_call = False
        while True:
            self._remove_doubts()
            self._empty_inbox()
            if room.ready:
                self.holder = chosen = room.next_ready()
                chosen.state = states.RUNNING
                room.forget(chosen)
                if chosen is not self._last_holder:
                    self._last_holder = chosen
                    self.stats["switches"] += 1
                return chosen
            if room.on_descriptors and self.outside.descriptors.poll():
                continue
            if self.stops.final is not None:
                if not self.tell_main(states.INTERRUPTED):
                    return None
                continue
            if self.outside.stops_time():
                return None
            deadline_ns = room.next_deadline_ns()
            if deadline_ns is None:
                return None
            if not had_last_call and self.outside.may_act():
                had_last_call = True
                self.outside.last_call()
                if self.holder is not None or self.closed:
                    return None  # somebody else handed the baton over meanwhile
                continue
            if deadline_ns > self.limit_ns:
                if not self.tell_main(states.LIMIT):
                    return None
                continue
            if deadline_ns > self.now_ns:
                self._jump_to(deadline_ns)
            room.run_out(self.now_ns)

    def tell_main(self, outcome: str) -> bool:
        """Let the main participant run to raise an error; returns whether it was blocked."""
        return self.room.make_ready(self.main, outcome)

    def is_busy(self) -> bool:
        """Whether somebody runs or can run, or the clock has closed."""
        return self.holder is not None or bool(self.room.ready or self.inbox) or self.closed

    def _jump_to(self, now_ns: int) -> None:
        before_ns = self.now_ns
        self.set_now(now_ns)
        self.stats["jumps"] += 1
        self.outside.note_jump()
        for listener in self.listeners:
            listener(before_ns, now_ns)

    def _remove_doubts(self) -> None:
        """Mend the tables after an exception, and let everybody look again who waits."""
        if self.is_in_doubt:
            self.is_in_doubt = False
            self.room.tidy()
            self.room.wake_all()

    def _empty_inbox(self) -> None:
        while self.inbox:
            self.room.wake(*self.inbox[0])
            self.inbox.popleft()

    def _is_deadlocked(self) -> bool:
        """Whether nothing inside or outside this process can make anybody run."""
        return not (
            self.holder is not None
            or self.closed
            or self.room.next_deadline_ns() is not None
            or self.outside.can_wake_somebody()
        )
