"""Seconds outside, integer nanoseconds inside."""

NANOSECONDS = 1_000_000_000  # in a second


def wait_ns(seconds: float) -> int:
    """A wait in nanoseconds, at least 1 if it is positive.

    ``deadline - monotonic()`` can be 1e-13: a wait of nothing would be repeated for ever.
    """
    return round(seconds * NANOSECONDS) or (1 if seconds > 0 else 0)


def seconds(ns: int) -> float:
    """Nanoseconds as seconds, for calls that really wait; never negative."""
    return max(0, ns) / NANOSECONDS
