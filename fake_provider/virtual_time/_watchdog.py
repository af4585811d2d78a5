"""The watchdog: a real thread that looks after what the scheduler cannot see.

A participant may block outside the scheduler (a pipe, a name server, a lock of an extension) while
it holds the baton. The watchdog then passes the baton on. It also wakes those that wait for
descriptors when nobody else runs, and tells a deadlock from a wait for the outside.
"""

import threading
from typing import TYPE_CHECKING, Final

from . import _kernel, _real
from . import _participants as states
from ._participants import ASKED_PATIENCE_S, BLOCKED_PATIENCE_S, COMPUTING_PATIENCE_S
from ._stacks import is_at_debugger
from ._units import seconds

if TYPE_CHECKING:
    from ._dispatcher import Dispatcher
    from ._participants import Participant

# All in real seconds.
TICK_S: Final = 0.025
BLOCKED_TICKS: Final = 2  # ticks in one system call that mean blocking
LOCKED_TICKS: Final = 12  # ticks in a lock: it may be the interpreter's, on a machine under load
# How long a participant may compute while others could run, in seconds of its processor: one that a
# busy machine does not let run keeps the baton, or a run would depend on the machine's load.
COMPUTING_S: Final = 1.0
LOCKED_OUTSIDE_S: Final = 0.1  # when nobody runs and older threads wait for locks: a deadlock
SILENT_OUTSIDE_S: Final = 10.0  # when nobody runs and the outside does not answer: a deadlock
BUSY_NS: Final = 200_000  # processor time in a tick that means computing


class Watchdog:
    """Supervises one scheduler; started with its second thread, or when nobody can run."""

    def __init__(self, scheduler: "Dispatcher") -> None:
        self._scheduler = scheduler
        self._bell: object = None  # released to end the thread
        self.ident = self.native_id = 0
        self._seen: tuple[Participant | None, int] = (None, -1)
        self._since = 0.0
        self._began_cpu_ns = self._cpu_ns = 0
        self._quiet_ticks = 0

    def start(self) -> None:
        """Start the thread, once."""
        if self._bell is None:
            self._bell = _real.new_lock()
            _real.lock_acquire(self._bell)
            _real.start_new_thread(self._run, ())

    def stop(self) -> None:
        """Let the thread end."""
        if self._bell is not None:
            _real.lock_release(self._bell)

    def _run(self) -> None:
        self.ident, self.native_id = _real.get_ident(), threading.get_native_id()
        while not self._scheduler.closed:
            if _real.lock_acquire(self._bell, True, TICK_S):
                return
            self._look()

    def _look(self) -> None:
        scheduler = self._scheduler
        holder, pulse = scheduler.holder, scheduler.entries
        now = _real.monotonic()
        if (holder, pulse) != self._seen:
            self._seen = (holder, pulse)
            self._since = now
            self._quiet_ticks = 0
            self._cpu_ns = 0 if holder is None else _kernel.cpu_ns_of(holder.native_id)
            self._began_cpu_ns = self._cpu_ns
        elif holder is not None:
            self._look_at_holder(holder, pulse, now)
        if holder is None:
            self._look_at_idleness(now)

    def _look_at_holder(self, holder: "Participant", pulse: int, now: float) -> None:
        scheduler = self._scheduler
        if holder.inside or not (scheduler.inbox or scheduler.room.can_go_on()):
            return
        state = _kernel.state_of(holder.native_id)
        cpu_ns = _kernel.cpu_ns_of(holder.native_id)
        computes = state is _kernel.RUNNING or cpu_ns - self._cpu_ns > BUSY_NS
        self._cpu_ns = cpu_ns
        if computes:
            self._quiet_ticks = 0
            allowed_s = COMPUTING_S if scheduler.room.ready else COMPUTING_PATIENCE_S
            # Where the kernel does not tell the processor's time, the real one has to do.
            used_s = seconds(cpu_ns - self._began_cpu_ns) if cpu_ns else now - self._since
            gives_up = used_s > allowed_s
        else:
            self._quiet_ticks += 1
            needed = BLOCKED_TICKS if state is _kernel.CALL else LOCKED_TICKS
            gives_up = self._quiet_ticks >= needed
        if gives_up and not is_at_debugger(holder.ident):
            with scheduler, scheduler.mutex:
                if scheduler.holder is holder and scheduler.entries == pulse and not holder.inside:
                    self._take_baton(holder, computes=computes)

    def _take_baton(self, holder: "Participant", *, computes: bool) -> None:
        scheduler = self._scheduler
        asked_for_it = holder.ident in scheduler.exempt
        patience_s = COMPUTING_PATIENCE_S if computes else BLOCKED_PATIENCE_S
        scheduler.outside.send(holder, ASKED_PATIENCE_S if asked_for_it else patience_s)
        scheduler.holder = None
        scheduler.stats["foreign"] += 1
        if not asked_for_it:
            scheduler.borders.cross(
                "foreign computing" if computes else "foreign blocking", holder, "kept the baton"
            )
        scheduler.hand_over()

    def _look_at_idleness(self, now: float) -> None:
        """Nobody runs: something outside may come back, or never will."""
        scheduler = self._scheduler
        with scheduler, scheduler.mutex:
            if scheduler.closed or scheduler.holder is not None or scheduler.outside.in_grace:
                return
            scheduler.hand_over()
            if scheduler.holder is not None or scheduler.outside.has_foreign():
                return
            if scheduler.room.on_descriptors and _kernel.has_children():
                return
            locked = scheduler.outside.waits_for_locks()
            if now - self._since > (LOCKED_OUTSIDE_S if locked else SILENT_OUTSIDE_S):
                scheduler.tell_main(states.DEADLOCK)
