"""Clocks: ``time`` and ``datetime`` as the code under test reads them, and ``sleep``."""

import datetime as dt
import operator
import time
from typing import TYPE_CHECKING, Any

from . import _busy, _current, _real
from . import _participants as states

if TYPE_CHECKING:
    from ._scheduler import Scheduler

# The two clocks of the operating system, besides the wall clock, that go on with virtual time.
_MONOTONIC_CLOCKS = {
    getattr(time, name)
    for name in ("CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME", "CLOCK_UPTIME_RAW")
    if hasattr(time, name)
}
_WALL_CLOCK = getattr(time, "CLOCK_REALTIME", None)
_real_now = _real.TYPES["datetime"].__dict__["now"]
_real_utcnow = _real.TYPES["datetime"].__dict__["utcnow"]


def sleep(secs: float) -> None:
    """``time.sleep``."""
    me = _current.participant()
    scheduler = _current.scheduler
    if me is None or scheduler is None:
        _real.sleep(secs)
        return
    if not isinstance(secs, float):
        secs = operator.index(secs)
    if secs < 0:
        message = "sleep length must be non-negative"
        raise ValueError(message)
    if secs == 0:
        scheduler.busy_wait.count(_busy.SLEEP_ZERO_READS)
        scheduler.let_others_run(me)
        return
    deadline_ns = scheduler.deadline_after(secs)
    while True:
        outcome = scheduler.block(me, None, deadline_ns, f"{secs:g} s to pass")
        if outcome is states.CLOSED:
            _real.sleep(scheduler.seconds_until(deadline_ns) or 0.0)
            return
        if scheduler.now_ns >= deadline_ns:
            return


def read() -> "Scheduler | None":
    """The open scheduler, if the caller reads virtual time; counts the read."""
    scheduler = _current.scheduler
    if scheduler is None or (scheduler.exempt and _real.get_ident() in scheduler.exempt):
        return None
    scheduler.reads += 1
    if scheduler.reads > _busy.READS:
        scheduler.busy_wait.move_on()
    return scheduler


def monotonic() -> float:
    """``time.monotonic``."""
    scheduler = read()
    return _real.monotonic() if scheduler is None else scheduler.monotonic


def monotonic_ns() -> int:
    """``time.monotonic_ns``."""
    scheduler = read()
    return _real.monotonic_ns() if scheduler is None else scheduler.monotonic_ns


def perf_counter() -> float:
    """``time.perf_counter``."""
    scheduler = read()
    return _real.perf_counter() if scheduler is None else scheduler.monotonic


def perf_counter_ns() -> int:
    """``time.perf_counter_ns``."""
    scheduler = read()
    return _real.perf_counter_ns() if scheduler is None else scheduler.monotonic_ns


def wall() -> float:
    """``time.time``."""
    scheduler = read()
    return _real.wall() if scheduler is None else scheduler.wall


def time_ns() -> int:
    """``time.time_ns``."""
    scheduler = read()
    return _real.time_ns() if scheduler is None else scheduler.wall_ns


def clock_gettime(clk_id: int, /) -> Any:
    """``time.clock_gettime``: clocks of the processor stay real."""
    scheduler = read()
    if scheduler is not None and clk_id == _WALL_CLOCK:
        return scheduler.wall
    if scheduler is not None and clk_id in _MONOTONIC_CLOCKS:
        return scheduler.monotonic
    return _real.clock_gettime(clk_id)


def clock_gettime_ns(clk_id: int, /) -> Any:
    """``time.clock_gettime_ns``."""
    scheduler = read()
    if scheduler is not None and clk_id == _WALL_CLOCK:
        return scheduler.wall_ns
    if scheduler is not None and clk_id in _MONOTONIC_CLOCKS:
        return scheduler.monotonic_ns
    return _real.clock_gettime_ns(clk_id)


def gmtime(secs: float | None = None, /) -> time.struct_time:
    """``time.gmtime``."""
    return _real.gmtime(wall() if secs is None else secs)


def localtime(secs: float | None = None, /) -> time.struct_time:
    """``time.localtime``."""
    return _real.localtime(wall() if secs is None else secs)


def ctime(secs: float | None = None, /) -> str:
    """``time.ctime``."""
    return _real.ctime(wall() if secs is None else secs)


def asctime(*when: Any) -> str:
    """``time.asctime``."""
    return _real.asctime(*when or (localtime(),))


def strftime(form: str, *when: Any) -> str:
    """``time.strftime``."""
    return _real.strftime(form, *when or (localtime(),))


def datetime_now(cls: type[dt.datetime], tz: Any = None) -> Any:
    """``datetime.now``, in microseconds rounded down as the original does."""
    scheduler = read()
    if scheduler is None:
        return _real_now.__get__(None, cls)(tz)
    seconds, microseconds = divmod(scheduler.wall_ns // 1000, 1_000_000)
    return cls.fromtimestamp(seconds, tz).replace(microsecond=microseconds)


def datetime_utcnow(cls: type[dt.datetime]) -> Any:
    """``datetime.utcnow``."""
    scheduler = read()
    if scheduler is None:
        return _real_utcnow.__get__(None, cls)()
    seconds, microseconds = divmod(scheduler.wall_ns // 1000, 1_000_000)
    now = cls.fromtimestamp(seconds, dt.UTC)
    return now.replace(microsecond=microseconds, tzinfo=None)


# What stands in for each function of ``time``; time-machine may take the wall clocks over.
INTERVAL_FUNCTIONS: dict[str, Any] = {
    "monotonic": monotonic,
    "monotonic_ns": monotonic_ns,
    "perf_counter": perf_counter,
    "perf_counter_ns": perf_counter_ns,
    "sleep": sleep,
}
WALL_FUNCTIONS: dict[str, Any] = {
    "asctime": asctime,
    "clock_gettime": clock_gettime,
    "clock_gettime_ns": clock_gettime_ns,
    "ctime": ctime,
    "gmtime": gmtime,
    "localtime": localtime,
    "strftime": strftime,
    "time": wall,
    "time_ns": time_ns,
}
WALL_METHODS = {"now": classmethod(datetime_now), "utcnow": classmethod(datetime_utcnow)}
