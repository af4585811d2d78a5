"""Stops: what ends a run early.

The participant that opened the clock raises where it blocks. After a ``RunStopped`` the run winds
down: time stands still, the other participants are told once by a ``RunStopped`` of their own, and
whatever they release on their way out still wakes those who wait for it, so that executors and
loops can be shut down. When nobody can run, the main participant raises again: no clean-up waits
for ever.
"""

import threading
from typing import TYPE_CHECKING, Final, NoReturn

from . import _participants as states
from . import _real, _report
from ._errors import RunStopped, VirtualDeadlock, VirtualTimeLimit
from ._units import NANOSECONDS

if TYPE_CHECKING:
    from ._dispatcher import Dispatcher
    from ._participants import Participant


TURNS_TO_END: Final = 100
LONGEST_END_S: Final = 1.0  # real seconds, for all threads together


class Stops:
    """The exceptions that are due in one run."""

    def __init__(self, scheduler: "Dispatcher") -> None:
        self._scheduler = scheduler
        self.to_raise: BaseException | None = None  # by the main participant, when it blocks next
        self.final: RunStopped | None = None  # the run winds down because of it
        self._turns_left = TURNS_TO_END

    def interrupt(self, exception: BaseException) -> None:
        """Let the main participant raise an exception at its current or next blocking point."""
        scheduler = self._scheduler
        with scheduler, scheduler.mutex:
            self.set(exception)
            if scheduler.holder is None:
                scheduler.hand_over()

    def set(self, exception: BaseException) -> None:
        """Like ``interrupt``, for a caller that has the mutex and hands the baton over itself."""
        self.to_raise = exception
        self._scheduler.tell_main(states.INTERRUPTED)
        if isinstance(exception, RunStopped):
            self._wind_down(exception)

    def may_end_by_itself(self, me: "Participant") -> bool:
        """Whether a loop with callbacks to run gets a few more turns before it is stopped.

        The error that stops a run is often on its way to whoever runs the loop already; raised
        in between, it would reach a loop that is about to stop, and be lost in its clean-up.
        """
        if me is not self._scheduler.main or self.to_raise is None or not self._turns_left:
            return False
        self._turns_left -= 1
        return True

    def postpone(self, exception: BaseException) -> bool:
        """Let an exception be due again at the next blocking point; returns whether it may be.

        The main task of trio runs, or is about to, and so cannot be told at this moment.
        """
        if not self._turns_left:
            return False
        self._turns_left -= 1
        self.to_raise = exception
        return True

    def raise_for(self, me: "Participant", outcome: str) -> NoReturn:
        """Raise what an outcome of ``block`` stands for."""
        if outcome is states.ABANDONED:
            self.raise_in_other(me)
        if outcome is states.DEADLOCK:
            self._stop(
                VirtualDeadlock,
                "deadlock: every thread waits, and nothing is scheduled that could wake one",
            )
        if outcome is states.LIMIT:
            limit = f"{self._scheduler.limit_ns / NANOSECONDS:g}"
            self._stop(VirtualTimeLimit, f"the run would have passed its limit of {limit} s")
        self.raise_in_main()

    def raise_in_main(self) -> NoReturn:
        """Raise in the main participant what is due."""
        exception, self.to_raise = self.to_raise or self.final, None
        assert exception is not None
        raise exception

    def raise_in_other(self, me: "Participant") -> NoReturn:
        """Tell another participant, once, that the run was stopped."""
        me.told = True
        thread = threading.current_thread()
        if hasattr(thread, "_invoke_excepthook"):
            thread._invoke_excepthook = lambda _: None  # it is told to end: that is no news
        reason = str(self.final).partition("\n")[0]
        message = f"this thread runs under a virtual clock that was stopped: {reason}"
        raise RunStopped(message)

    def wait_for_ends(self, alive: "list[Participant]") -> None:
        """After a stop, let the threads end that were told to, in real time and not for long."""
        until = _real.monotonic() + LONGEST_END_S
        for one in alive:
            if one.outcome is states.ABANDONED and one.thread is not None:
                _real.join_thread(one.thread, max(0.0, until - _real.monotonic()))

    def _stop(self, kind: type[RunStopped], reason: str) -> None:
        """Make the end of the run due, with a report of who waits where."""
        scheduler = self._scheduler
        now = f"{scheduler.now_ns / NANOSECONDS:.9g}"
        report = _report.who_waits(scheduler)
        self.to_raise = kind(f"{reason}; the virtual clock stands at {now} s\n{report}")
        with scheduler, scheduler.mutex:
            self._wind_down(self.to_raise)

    def _wind_down(self, exception: RunStopped) -> None:
        self.final = exception
        for one in list(self._scheduler.participants.values()):
            if one is not self._scheduler.main and not one.told and not one.is_idle():
                self._scheduler.room.make_ready(one, states.ABANDONED)
