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

STEP_S: Final = 0.0005  # real seconds between two looks
LONGEST_S: Final = 0.25  # real seconds for a thread that was woken, on a machine under load


class OlderThreads:
    """The threads that were there when the clock opened and have not yet taken part."""

    def __init__(self, scheduler: "Dispatcher") -> None:
        self._scheduler = scheduler
        self._threads: dict[int, threading.Thread] = {}
        self.tools: set[int] = set()  # native numbers of those that stay in real time
        # Where each thread waited in the kernel when it was last seen to stand still. While it is
        # still there, it has no work, and needs no time.
        self._standing: dict[int, str] = {}

    def meet(self) -> None:
        """Take note of every thread but the calling one; tools live in real time for good."""
        for thread in threading.enumerate():
            ident = thread.ident
            if ident is None or ident == _real.get_ident():
                continue
            self._threads[ident] = thread
            if thread in left_behind or is_tool(thread):
                self.leave_out(thread)
        self._standing = self._where()

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
            self.leave_out(thread)
            return None
        try:
            scheduler.enter()
            me = scheduler.new_participant(thread.name if thread else f"thread {ident}", thread)
            me.is_this_thread()
            me.adopted = me.told = True  # a stop of this run is none of its business
            self._threads.pop(ident, None)
            # Time stands still from here until it has queued for the baton.
            scheduler.outside.send(me, COMPUTING_PATIENCE_S)
            scheduler.participants[ident] = me
            scheduler.stats["adopted"] += 1
            scheduler.borders.cross("adopted thread", me, "is older than the clock")
        finally:
            scheduler.leave()
        return me

    def are_there(self) -> bool:
        """Whether any of them is still alive."""
        for ident, thread in list(self._threads.items()):
            if not _real.is_thread_alive(thread):
                del self._threads[ident]
        return bool(self._threads)

    def may_act(self) -> bool:
        """Whether one of them has left the place where it stood, or cannot be watched."""
        return bool(self._threads) and self.are_there() and not self._stand_still(self._where())

    def give_time(self) -> None:
        """Let them reach a hooked call, in real time; the mutex is released meanwhile."""
        scheduler = self._scheduler
        scheduler.stats["graces"] += 1
        began = _real.monotonic()
        where = self._where()
        while True:
            scheduler.leave()
            _real.sleep(STEP_S)
            scheduler.enter()
            if scheduler.is_busy():
                return
            before, where = where, self._where()
            # One that stood still until now was woken, so it gets the time to come to rest again.
            # A single look does not tell: it may stand at the interpreter's lock, which we hold.
            woken = [i for i in where if where[i] != self._standing.get(i, where[i])]
            restless = [
                i for i in woken if where[i] != before.get(i) or where[i] == _kernel.RUNNING
            ]
            if not restless or _real.monotonic() - began > LONGEST_S:
                break
        self._standing = {i: line for i, line in where.items() if line != _kernel.RUNNING}

    def _where(self) -> dict[int, str]:
        return {i: _kernel.wait_of(t.native_id or 0) for i, t in self._threads.items()}

    def _stand_still(self, where: dict[int, str]) -> bool:
        return all(line and line == self._standing.get(ident) for ident, line in where.items())

