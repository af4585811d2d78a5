"""Zones: the instants at which days begin somewhere."""

from __future__ import annotations

import datetime as dt

NS_PER_S = 1_000_000_000


def zone(name: str) -> dt.tzinfo:
    """Return the time zone of an IANA name.

    Args:
        name: Such as `"America/Los_Angeles"`; `"UTC"` needs no database.

    Raises:
        ValueError: The machine's database and the package tzdata know no zone of that name.
    """
    if name == "UTC":
        return dt.UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            "timezone must be the IANA name of a zone that this machine or the package tzdata "
            f"knows, got {name!r}"
        ) from None


def day_around(where: dt.tzinfo, wall_ns: int) -> tuple[int, int]:
    """Return when the day of an instant begins and ends, 23 to 25 hours apart as clocks change.

    Args:
        where: The time zone.
        wall_ns: The instant, in POSIX nanoseconds.

    Returns:
        Its first instant, and that of the next day, in POSIX nanoseconds.
    """
    today = dt.datetime.fromtimestamp(wall_ns // NS_PER_S, where).date()
    return _midnight(where, today), _midnight(where, today + dt.timedelta(days=1))


def _midnight(where: dt.tzinfo, day: dt.date) -> int:
    """Return when a day begins, in POSIX nanoseconds."""
    begins = dt.datetime.combine(day, dt.time(), tzinfo=where)
    return round(begins.timestamp()) * NS_PER_S
