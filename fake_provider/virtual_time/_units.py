"""Seconds outside, integer nanoseconds inside."""

NANOSECONDS = 1_000_000_000  # in a second


def seconds(ns: int) -> float:
    """Nanoseconds as seconds, for calls that really wait; never negative."""
    return max(0, ns) / NANOSECONDS
