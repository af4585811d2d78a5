"""Busy waits: code that looks at the clock or polls, again and again, without ever blocking."""

from typing import TYPE_CHECKING, Final

from . import _current

if TYPE_CHECKING:
    from ._scheduler import Scheduler

# How many clock reads without blocking are a busy wait, first and each time after. What else may
# be repeated counts as a number of reads, by how much real code would do it in a loop.
READS: Final = 10_000
READS_AGAIN: Final = 50
SLEEP_ZERO_READS: Final = 10.0
FAILED_LOCK_READS: Final = 5.0
EMPTY_SELECT_READS: Final = 0.1

# How many turns of a loop may find a timer that was made for the instant at which it is due.
TURNS: Final = 100

# Time then moves in steps that grow, so that neither a short wait nor a long one is lost.
SHORTEST_STEP_NS: Final = 1_000
LONGEST_STEP_NS: Final = 10_000_000


class BusyWait:
    """Moves time in small steps under a participant that never blocks."""

    def __init__(self, scheduler: "Scheduler") -> None:
        self._scheduler = scheduler
        self._step_ns = 0
        self._blocks = 0  # blocks of all participants, up to the last step
        self._turns = 0  # of loops, since one of them had to wait
        self._turn_step_s = 0.0

    def count(self, reads: float) -> None:
        """Count a poll as some number of clock reads."""
        self._scheduler.reads += reads
        if self._scheduler.reads > READS:
            self.move_on()

    def turn(self) -> float:
        """Count a turn of a loop whose next timer is due; returns the seconds it has to wait.

        A client that computes ``call_at(now + 1e-12)`` because its sums are rounded has made a
        timer for this very instant, and makes it again when it is called: in real time, each turn
        takes some, and it gets on.
        """
        self._turns += 1
        if self._turns <= TURNS:
            return 0.0
        self._turn_step_s = min(max(2 * self._turn_step_s, 1e-9), LONGEST_STEP_NS / 1e9)
        return self._turn_step_s

    def wait(self) -> None:
        """A loop has to wait: whatever it did at this instant, it gets on."""
        self._turns, self._turn_step_s = 0, 0.0

    def move_on(self) -> None:
        """Let the calling participant sleep for a step."""
        scheduler = self._scheduler
        me = _current.holder()
        if me is None:
            scheduler.reads = 0
            return
        goes_on = self._blocks == scheduler.stats["blocks"]
        if not self._step_ns:
            with scheduler, scheduler.mutex:
                scheduler.borders.cross("busy wait", me, "never blocks")
        self._step_ns = self._step_ns * 5 // 4 if goes_on else SHORTEST_STEP_NS
        self._step_ns = min(max(self._step_ns, SHORTEST_STEP_NS), LONGEST_STEP_NS)
        scheduler.stats["spins"] += 1
        scheduler.block(me, None, scheduler.now_ns + self._step_ns, "the clock, in a busy wait")
        scheduler.reads = READS - READS_AGAIN
        self._blocks = scheduler.stats["blocks"]
