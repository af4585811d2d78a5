"""The virtual clock, as a user opens it."""

import datetime as dt
import math
import os
import random
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Literal, Self

from . import _clocks, _current, _readings, _real
from . import _participants as states
from ._errors import RunStopped, VirtualTimeError, VirtualTimeWarning
from ._scheduler import Scheduler
from ._units import NANOSECONDS

DEFAULT_EXPLORE: Final = 0.3
EXPENSIVE_SWITCHES: Final = 100_000

Start = str | dt.datetime | float


class VirtualClock:
    """Virtual time for every thread and event loop of this process, as a context manager.

    Args:
        start: Where the wall clock starts: an ISO 8601 string or a datetime (UTC if it names no
            zone), or seconds since 1970. None means, when time is frozen by freezegun or
            time-machine, that instant; else 2030-01-01T00:00:00Z, or the first midnight after
            everything that earlier clocks of this process have shown.
        schedule: ``"fifo"`` runs those who can run in order; ``"random"`` draws one.
        seed: Of the draws of a random schedule; the same seed gives the same run.
        explore: Probability, 0 to 1, that a thread lets others run before it takes a lock, so
            that races show. None means 0.3 for a random schedule.
        limit: Virtual seconds after which the run is stopped.
        strict: Raise ``VirtualTimeError`` where code leaves virtual time, instead of noting it.

    Raises:
        ValueError: An argument is out of its range.
        TypeError: An argument has the wrong type.
    """

    def __init__(
        self,
        start: Start | None = None,
        *,
        schedule: Literal["fifo", "random"] = "fifo",
        seed: int = 0,
        explore: float | None = None,
        limit: float = 86_400.0,
        strict: bool = False,
    ) -> None:
        self._start_ns = None if start is None else _start_ns(start)
        if schedule not in ("fifo", "random"):
            message = f"schedule must be 'fifo' or 'random', got {schedule!r}"
            raise ValueError(message)
        if isinstance(seed, bool) or not isinstance(seed, int):
            message = f"seed must be an int, got {seed!r}"
            raise TypeError(message)
        _check_number("limit", limit, "a number of seconds above 0", lambda value: value > 0)
        if explore is not None:
            allowed = "a probability from 0 to 1"
            _check_number("explore", explore, allowed, lambda value: 0 <= value <= 1)
            if explore and schedule == "fifo":
                message = f"explore={explore!r} needs schedule='random', got 'fifo'"
                raise ValueError(message)
        self._schedule, self._seed = schedule, seed
        default = DEFAULT_EXPLORE if schedule == "random" else 0.0
        self._explore = default if explore is None else explore
        self._limit_ns = round(limit * NANOSECONDS)
        self._strict = strict
        self._scheduler: Scheduler | None = None
        self._leaked: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        """Open the clock: time starts to be virtual."""
        if _current.scheduler is not None:
            message = (
                "a virtual clock is open in this process already, and there is one at a time: use "
                "the provider or clock that is open (the fixture fake_provider opens one for the "
                "whole test), or open this one after it"
            )
            raise VirtualTimeError(message)
        # Late, because it imports asyncio, which a program that only imports us may not need.
        from . import _install

        start_ns = self._start_ns
        if start_ns is None:
            start_ns = _install.frozen_wall_ns() or _install.travelled_wall_ns()
        scheduler = Scheduler(
            wall_start_ns=_readings.wall_start_ns() if start_ns is None else start_ns,
            monotonic_start_ns=_readings.monotonic_start_ns(),
            limit_ns=self._limit_ns,
            rng=random.Random(self._seed) if self._schedule == "random" else None,
            explore=self._explore,
            strict=self._strict,
        )
        thread = threading.current_thread()
        main = scheduler.new_participant(thread.name, thread)
        main.is_this_thread()
        main.state = states.RUNNING
        scheduler.main = scheduler.holder = main
        scheduler.participants[main.ident] = main
        scheduler.outside.older.meet()
        self._scheduler, self._leaked = scheduler, ()
        _current.scheduler, _current.clock = scheduler, self
        try:
            _install.install(scheduler)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the clock: threads that still wait go on in real time."""
        scheduler = self._scheduler
        if scheduler is None or scheduler.closed:
            return
        try:
            scheduler.let_others_rest()
        finally:
            self._close(scheduler)
        self._complain(scheduler, quiet=error is not None)

    def _close(self, scheduler: Scheduler) -> None:
        """Let time be real again, and note which threads are left."""
        from . import _install

        with scheduler, scheduler.mutex:
            _install.uninstall(scheduler)
            _current.scheduler = _current.clock = None
            _readings.keep(scheduler.monotonic_ns, scheduler.wall_ns)
            alive = scheduler.close()
        scheduler.stops.wait_for_ends(alive)
        self._leaked = tuple(one.name for one in alive if not one.adopted)

    def _complain(self, scheduler: Scheduler, *, quiet: bool) -> None:
        """Warn of what made the run inexact, and fail a strict one, unless it has failed."""
        if scheduler.stats["switches"] > EXPENSIVE_SWITCHES:
            scheduler.borders.crossed.append(
                f"{scheduler.stats['switches']:,} switches between threads in one run: code that "
                "polls with a short sleep is what makes virtual time slow"
            )
        for message in scheduler.borders.jumped_past:
            warnings.warn(message, VirtualTimeWarning, stacklevel=3)
        if scheduler.borders.violations and not quiet:
            message = "strict virtual clock: " + "; ".join(scheduler.borders.violations)
            raise VirtualTimeError(message)

    def elapsed(self) -> float:
        """Virtual seconds since the clock was opened, or how many there were when it closed."""
        return self.now_ns / NANOSECONDS

    @property
    def now_ns(self) -> int:
        """Virtual nanoseconds since the clock was opened."""
        return 0 if self._scheduler is None else self._scheduler.now_ns

    def now(self) -> dt.datetime:
        """The instant that the wall clock shows, in UTC; microseconds are rounded down."""
        microseconds = self._opened().wall_ns // 1000
        return _real.EPOCH + dt.timedelta(microseconds=microseconds)

    def advance(self, seconds: float) -> None:
        """Let virtual seconds pass for the caller; others run meanwhile.

        Args:
            seconds: How many, 0 or more.
        """
        self._open()
        _check_number("seconds", seconds, "a number, 0 or more", lambda value: value >= 0)
        _clocks.sleep(seconds)

    @contextmanager
    def passthrough(self) -> Iterator[None]:
        """Real time for the calling thread inside the ``with`` block."""
        exempt = self._open().exempt
        ident = _real.get_ident()
        if ident in exempt:
            yield
            return
        exempt.add(ident)
        try:
            yield
        finally:
            exempt.discard(ident)

    @property
    def stats(self) -> dict[str, int]:
        """What happened how often: jumps of time, switches of threads, polls, and so on."""
        return {} if self._scheduler is None else dict(self._scheduler.stats)

    @property
    def leaked(self) -> tuple[str, ...]:
        """The names of threads that were still alive when the clock closed."""
        return self._leaked

    @property
    def stopped(self) -> RunStopped | None:
        """What ended the run early, if something did."""
        return None if self._scheduler is None else self._scheduler.stops.final

    @property
    def warnings(self) -> tuple[str, ...]:
        """The borders of virtual time that were crossed, each with its line."""
        if self._scheduler is None:
            return ()
        borders = self._scheduler.borders
        return (*borders.crossed, *borders.jumped_past)

    def interrupt(self, exception: BaseException) -> None:
        """Let the thread that opened the clock raise at its current or next blocking point.

        Args:
            exception: What it raises. After a ``RunStopped`` the run only winds down: time stands
                still, other threads end at their blocking points, and a clean-up that waits for
                more than that raises again.
        """
        self._open().stops.interrupt(exception)

    def _opened(self) -> Scheduler:
        if self._scheduler is None:
            message = "the virtual clock was never opened; use it in a with statement"
            raise VirtualTimeError(message)
        return self._scheduler

    def _open(self) -> Scheduler:
        if self._scheduler is None or self._scheduler.closed:
            message = "the virtual clock is not open; use it in a with statement"
            raise VirtualTimeError(message)
        return self._scheduler


def active() -> VirtualClock | None:
    """The virtual clock that is open in this process, if one is."""
    return _current.clock


def _close_at_exit() -> None:
    """Close a clock that is open when the interpreter ends: it waits for locks released in C."""
    clock = _current.clock
    if clock is not None:
        clock.__exit__(None, None, None)


def _forget_after_fork() -> None:
    """A forked child has one thread and real time."""
    clock, scheduler = _current.clock, _current.scheduler
    if clock is not None and scheduler is not None:
        scheduler.closed = True
        _current.clock = _current.scheduler = None
        scheduler.patches.off()
        scheduler.wall_patches.off()
        scheduler.collect_again()


threading._register_atexit(_close_at_exit)  # type: ignore[attr-defined]
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def _start_ns(start: Start) -> int:
    """An instant in nanoseconds since 1970."""
    allowed = "an ISO 8601 string, a datetime, seconds since 1970, or None"
    if isinstance(start, int | float):
        _check_number("start", start, allowed, lambda _: True)
        return round(start * NANOSECONDS)
    # Not the name in the module datetime, which freezegun replaces.
    datetime: type[dt.datetime] = _real.TYPES["datetime"]
    message = f"start must be {allowed}, got {start!r}"
    if isinstance(start, str):
        try:
            start = datetime.fromisoformat(start)
        except ValueError:
            raise ValueError(message) from None
    if not isinstance(start, datetime):
        raise TypeError(message)
    aware = start if start.tzinfo else start.replace(tzinfo=dt.UTC)
    return (aware - _real.EPOCH) // dt.timedelta(microseconds=1) * 1_000


def _check_number(
    name: str, value: object, allowed: str, is_allowed: Callable[[float], bool]
) -> None:
    message = f"{name} must be {allowed}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(message)
    if not math.isfinite(value) or not is_allowed(value):
        raise ValueError(message)
