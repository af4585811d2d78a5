"""Stops: what ends a run early, raised in the participant that opened the clock."""

from typing import TYPE_CHECKING, NoReturn

from . import _participants as states
from . import _report
from ._errors import RunStopped, VirtualDeadlock, VirtualTimeLimit
from ._units import NANOSECONDS

if TYPE_CHECKING:
    from ._scheduler import Scheduler


class Stops:
    """Exceptions that the main participant raises where it blocks."""

    def __init__(self, scheduler: "Scheduler") -> None:
        self._scheduler = scheduler
        self.to_raise: BaseException | None = None
        self.stopped = False  # the run did not end by itself

    def interrupt(self, exception: BaseException) -> None:
        """Let the main participant raise an exception at its current or next blocking point."""
        scheduler = self._scheduler
        try:
            scheduler.enter()
            self.set(exception)
            if scheduler.holder is None:
                scheduler.hand_over()
        finally:
            scheduler.leave()

    def set(self, exception: BaseException) -> None:
        """Like ``interrupt``, for a caller that has the mutex and hands the baton over itself."""
        self.to_raise = exception
        self._scheduler.tell_main(states.INTERRUPTED)

    def raise_now(self) -> NoReturn:
        """Raise what is due; a ``RunStopped`` stays due, so that no clean-up waits for ever."""
        exception = self.to_raise
        assert exception is not None
        if isinstance(exception, RunStopped):
            self.stopped = True
        else:
            self.to_raise = None
        raise exception

    def raise_for(self, outcome: str) -> NoReturn:
        """Raise what an outcome of ``block`` stands for."""
        scheduler = self._scheduler
        if outcome is states.ABANDONED:
            message = "the virtual clock closed after a stop, while this thread waited"
            raise RunStopped(message)
        if outcome is states.INTERRUPTED:
            self.raise_now()
        self.stopped = True
        waiting = _report.who_waits(scheduler)
        now = f"{scheduler.now_ns / NANOSECONDS:.9g}"
        if outcome is states.DEADLOCK:
            raise VirtualDeadlock(
                f"deadlock at {now} virtual seconds: every thread waits, and nothing is scheduled "
                f"that could wake one\n{waiting}"
            )
        self.to_raise = VirtualTimeLimit(
            f"the run would have passed its limit of {scheduler.limit_ns / NANOSECONDS:g} virtual "
            f"seconds; it stands at {now}\n{waiting}"
        )
        self.raise_now()
