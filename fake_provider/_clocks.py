"""Clocks: the one that a provider runs by, as its keywords state it."""

from __future__ import annotations

from typing import Any, Literal

from fake_provider._stated import one_of, real_number
from fake_provider.virtual_time import RealClock, VirtualClock

CLOCKS = ("virtual", "real")


def clock_for(
    clock: str,
    start: Any,
    *,
    schedule: Literal["fifo", "random"],
    seed: int,
    stop_after: float,
    strict: bool,
) -> VirtualClock | RealClock:
    """Return a clock, closed; every argument is checked whichever clock it is.

    Args:
        clock: `"virtual"`, or `"real"`.
        start: Instant at which a virtual clock starts: ISO 8601, datetime or POSIX seconds.
        schedule: Order in which threads run on a virtual clock.
        seed: Seed of that order.
        stop_after: Virtual seconds after which a run is stopped, above 0.
        strict: True makes blocking outside a virtual clock an error.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of its range; the message names it by its keyword.
    """
    if not isinstance(strict, bool):
        raise TypeError(f"strict_clock must be True or False, got {strict!r}")
    virtual = VirtualClock(
        start,
        schedule=schedule,
        seed=seed,
        limit=real_number("stop_after", stop_after, "seconds", above=0.0),
        strict=strict,
    )
    return virtual if one_of("clock", clock, CLOCKS) == "virtual" else RealClock()
