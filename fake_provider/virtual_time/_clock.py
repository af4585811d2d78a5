"""The clock that a user opens: virtual, or real with the same members."""

import datetime
import math
import os
import random
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Literal, Self

from . import _clocks, _current, _real
from . import _participants as states
from ._errors import VirtualTimeError, VirtualTimeWarning
from ._scheduler import Scheduler
from ._units import NANOSECONDS

# The wall clock starts at 2026-01-01T00:00:00Z unless told otherwise: the same in every run.
DEFAULT_START_NS: Final = 1_767_225_600 * NANOSECONDS
DEFAULT_EXPLORE: Final = 0.3
EXPENSIVE_SWITCHES: Final = 100_000

Start = str | datetime.datetime | float | None


class VirtualClock:
    """Virtual time for every thread and event loop of this process, as a context manager.

    Args:
        start: Where the wall clock starts: an ISO 8601 string or a datetime (UTC if it names no
            zone), or seconds since 1970. None means 2026-01-01T00:00:00Z or, when time is frozen
            by freezegun or time-machine, that instant.
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
        start: Start = None,
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
            message = "a virtual clock is open in this process already; one at a time"
            raise VirtualTimeError(message)
        # Late, because it imports asyncio, which a program that only imports us may not need.
        from . import _install

        start_ns = self._start_ns
        if start_ns is None:
            start_ns = _install.frozen_wall_ns() or _install.travelled_wall_ns()
        scheduler = Scheduler(
            wall_start_ns=DEFAULT_START_NS if start_ns is None else start_ns,
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
            scheduler.enter()
            from . import _install

            _install.uninstall(scheduler)
            _current.scheduler = _current.clock = None
            alive = scheduler.close()
        finally:
            scheduler.leave()
        self._leaked = tuple(one.name for one in alive if not one.adopted)
        self._complain(scheduler, quiet=error is not None)

    def _complain(self, scheduler: Scheduler, *, quiet: bool) -> None:
        """Warn of what makes the run inexact, and fail a strict one, unless it has failed."""
        for message in scheduler.borders.jumped_past:
            warnings.warn(message, VirtualTimeWarning, stacklevel=3)
        if scheduler.stats["switches"] > EXPENSIVE_SWITCHES:
            message = (
                f"{scheduler.stats['switches']:,} switches between threads in one run: a loop that "
                "polls with a short sleep makes virtual time slow"
            )
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

    def now(self) -> datetime.datetime:
        """The instant that the wall clock shows, in UTC; microseconds are rounded down."""
        microseconds = self._opened().wall_ns // 1000
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        return epoch + datetime.timedelta(microseconds=microseconds)

    def advance(self, seconds: float) -> None:
        """Let virtual seconds pass for the caller; others run meanwhile.

        Args:
            seconds: How many, 0 or more.
        """
        self._opened()
        _clocks.sleep(seconds)

    @contextmanager
    def passthrough(self) -> Iterator[None]:
        """Real time for the calling thread inside the ``with`` block."""
        exempt = self._opened().exempt
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
    def warnings(self) -> tuple[str, ...]:
        """The borders of virtual time that were crossed, each with its line."""
        if self._scheduler is None:
            return ()
        borders = self._scheduler.borders
        return (*borders.crossed, *borders.jumped_past)

    def interrupt(self, exception: BaseException) -> None:
        """Let the thread that opened the clock raise at its current or next blocking point.

        Args:
            exception: What it raises. A ``RunStopped`` is raised again at every later one, so
                that no clean-up waits for work that has been given up.
        """
        self._opened().stops.interrupt(exception)

    def _opened(self) -> Scheduler:
        if self._scheduler is None:
            message = "the virtual clock has not been opened; use it in a with statement"
            raise VirtualTimeError(message)
        return self._scheduler


class RealClock:
    """The real clock with the members of a virtual one."""

    def __init__(self) -> None:
        self._opened_ns: int | None = None
        self._closed_ns: int | None = None

    def __enter__(self) -> Self:
        self._opened_ns, self._closed_ns = _real.monotonic_ns(), None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed_ns = _real.monotonic_ns()

    def elapsed(self) -> float:
        """Seconds since the clock was opened, or how many there were when it closed."""
        return self.now_ns / NANOSECONDS

    @property
    def now_ns(self) -> int:
        """Nanoseconds since the clock was opened."""
        if self._opened_ns is None:
            return 0
        until_ns = _real.monotonic_ns() if self._closed_ns is None else self._closed_ns
        return int(until_ns - self._opened_ns)

    def now(self) -> datetime.datetime:
        """The instant that the wall clock shows, in UTC."""
        return datetime.datetime.fromtimestamp(_real.wall(), tz=datetime.UTC)

    def advance(self, seconds: float) -> None:
        """Sleep for real seconds."""
        _real.sleep(seconds)

    @contextmanager
    def passthrough(self) -> Iterator[None]:
        """Nothing changes: time is real."""
        yield

    @property
    def stats(self) -> dict[str, int]:
        """Empty: nothing is scheduled."""
        return {}

    @property
    def leaked(self) -> tuple[str, ...]:
        """Empty: threads are not followed."""
        return ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Empty: real time has no borders."""
        return ()


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


threading._register_atexit(_close_at_exit)  # type: ignore[attr-defined]
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def _start_ns(start: Start) -> int:
    """An instant in nanoseconds since 1970."""
    allowed = "an ISO 8601 string, a datetime, seconds since 1970, or None"
    if isinstance(start, str):
        try:
            start = datetime.datetime.fromisoformat(start)
        except ValueError:
            message = f"start must be {allowed}, got {start!r}"
            raise ValueError(message) from None
    if isinstance(start, datetime.datetime):
        aware = start if start.tzinfo else start.replace(tzinfo=datetime.UTC)
        since = aware - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
    _check_number("start", start, allowed, lambda _: True)
    return round(start * NANOSECONDS)


def _check_number(name: str, value: object, allowed: str, is_allowed: Callable[[float], bool]) -> None:
    message = f"{name} must be {allowed}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(message)
    if not math.isfinite(value) or not is_allowed(value):
        raise ValueError(message)
