"""Threads that are older than the clock: pools and loops of a session, threads of plugins.

They take part from their first blocking call on. Until then the scheduler does not see them, so it
gives them some real time before each jump of virtual time, if there is a sign that they need it.
"""

import threading
from typing import TYPE_CHECKING, Final

from . import _kernel, _real
from ._participants import COMPUTING_PATIENCE_S, Participant, is_tool, left_behind

if TYPE_CHECKING:
    from ._dispatcher import Dispatcher

# In real seconds: between two looks at the threads,
STEP_S: Final = 0.0005
# for which a thread that waits with a timeout must not have moved: what waits for the interpreter
# itself, which we hold when we look, does so with a timeout of 5 ms,
TIMED_STEP_S: Final = 0.012
# and at most for a thread to come to rest, on a machine under load.
LONGEST_S: Final = 0.25


class OlderThreads:
    """The threads that were there when the clock opened and have not yet taken part."""

    def __init__(self, scheduler: "Dispatcher") -> None:
        self._scheduler = scheduler
        self._threads: dict[int, threading.Thread] = {}
        self.tools: set[int] = set()  # native numbers of those that stay in real time
        # Where each thread was seen to rest in the kernel. While it is still there, it has no
        # work, and needs no time.
        self._resting: dict[int, str] = {}
        self._restless: set[int] = set()  # those that never rest, and are not waited for long
        self._arriving: set[int] = set()  # those that are about to take part

    def meet(self) -> None:
        """Take note of every thread but the calling one; tools live in real time for good."""
        for thread in threading.enumerate():
            ident = thread.ident
            if ident is None or ident == _real.get_ident():
                continue
            self._threads[ident] = thread
            if thread in left_behind or is_tool(thread):
                self.leave_out(thread)

    def leave_out(self, thread: threading.Thread) -> None:
        """Let a thread stay in real time, under this clock and every later one."""
        left_behind.add(thread)
        ident = thread.ident or 0
        self._threads.pop(ident, None)
        self._scheduler.exempt.add(ident)
        self.tools.add(thread.native_id or 0)

    def adopt(self) -> Participant | None:
        """Take the calling thread in; None if it belongs to a tool and stays in real time."""
        scheduler = self._scheduler
        ident = _real.get_ident()
        if scheduler.closed or ident == scheduler.watchdog.ident:
            return None
        thread = threading._active.get(ident)  # type: ignore[attr-defined]
        if thread is not None and (thread in left_behind or is_tool(thread)):
            scheduler.exempt.add(ident)
            return None
        self._arriving.add(ident)  # before it waits for the mutex, which looks like rest
        with scheduler, scheduler.mutex:
            me = scheduler.new_participant(thread.name if thread else f"thread {ident}", thread)
            me.is_this_thread()
            me.adopted = me.told = True  # a stop of this run is none of its business
            self._threads.pop(ident, None)
            self._arriving.discard(ident)
            # Time stands still from here until it has queued for the baton.
            scheduler.outside.send(me, COMPUTING_PATIENCE_S)
            scheduler.participants[ident] = me
            scheduler.stats["adopted"] += 1
            scheduler.borders.cross("adopted thread", me, "is older than the clock")
        return me

    def are_there(self) -> bool:
        """Whether any of them is still alive."""
        for ident, thread in list(self._threads.items()):
            if not _real.is_thread_alive(thread):
                del self._threads[ident]
        return bool(self._threads)

    def may_act(self) -> bool:
        """Whether one of them has left the place where it rested, or cannot be watched."""
        if self._arriving:
            return True
        return self.are_there() and any(
            self._resting.get(ident) != _kernel.wait_of(thread.native_id or 0)
            for ident, thread in self._threads.items()
        )

    def give_time(self) -> None:
        """Let them reach a hooked call, in real time; the mutex is released meanwhile."""
        scheduler = self._scheduler
        scheduler.stats["graces"] += 1
        began = _real.monotonic()
        seen: dict[int, tuple[str, float]] = {}  # each thread's place, and since when
        self._look(seen)
        while True:
            scheduler.pause(lambda: _real.sleep(STEP_S))
            if scheduler.is_busy():
                return
            moving = self._look(seen)
            waits_for_nobody = not (moving - self._restless or self._arriving)
            if waits_for_nobody or _real.monotonic() - began > LONGEST_S:
                break
        self._restless |= moving

    def _look(self, seen: dict[int, tuple[str, float]]) -> set[int]:
        """Note who rests; returns the others."""
        now = _real.monotonic()
        moving = set()
        for ident, thread in list(self._threads.items()):
            place = _kernel.wait_of(thread.native_id or 0)
            if place and place == self._resting.get(ident):
                continue
            if ident not in seen or seen[ident][0] != place:
                seen[ident] = (place, now)
            needed_s = TIMED_STEP_S if _kernel.is_timed(place) else STEP_S
            if _kernel.is_wait(place) and now - seen[ident][1] >= needed_s:
                self._resting[ident] = place
                self._restless.discard(ident)
            else:
                moving.add(ident)
        return moving
