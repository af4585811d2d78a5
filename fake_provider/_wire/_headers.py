"""Headers: instants, waits and overrides as response headers write them."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from time import gmtime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fake_provider._wire._shapes import Hint

Headers = tuple[tuple[str, str], ...]

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


# One answer names up to five instants, many of them the same second: the text is kept.
@lru_cache(maxsize=4096)
def rfc3339(second: int) -> str:
    """Return a POSIX second as RFC 3339, such as `2026-02-27T12:52:07Z`."""
    year, month, day, hour, minute, rest = gmtime(second)[:6]
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{rest:02}Z"


@lru_cache(maxsize=4096)
def http_date(second: int) -> str:
    """Return a POSIX second as HTTP writes dates, such as `Fri, 27 Feb 2026 12:52:07 GMT`."""
    return formatdate(second, usegmt=True)


def go_duration(milliseconds: int) -> str:
    """Return milliseconds, 0 or more, as Go prints a duration: `0s`, `12ms`, `1.046s`, `6m0s`."""
    return precise_duration(milliseconds * NS_PER_MS)


def precise_duration(ns: int) -> str:
    """Return nanoseconds, 0 or more, as Go prints a duration of a millisecond or more."""
    if ns < NS_PER_S:
        return f"{ns / NS_PER_MS:.6f}".rstrip("0").rstrip(".") + "ms" if ns else "0s"
    seconds, ns = divmod(ns, NS_PER_S)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{ns:09}".rstrip("0") if ns else ""
    text = f"{seconds}{fraction}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def ceil_div(number: int, by: int) -> int:
    """Return the quotient rounded up: a wait that is cut short is a wait in vain."""
    return -(-number // by)


def wait_ns(hint: Hint) -> int:
    """Return the hint's wait in whole nanoseconds, as the limiter computed it."""
    return round(hint.wait_s * NS_PER_S)


def retry_after(hint: Hint, wall_ns: int) -> Headers:
    """Return the header that names the wait, if this form of hint has one.

    Args:
        hint: The form, and the wait in seconds; a wait of 0 is none to name.
        wall_ns: POSIX nanoseconds now.

    Returns:
        One header, or none for the forms `"reset"` and `"none"`. Each form is rounded up to
        what it can express, so that a client that obeys it is never early.
    """
    wait = wait_ns(hint)
    if wait <= 0:
        return ()
    if hint.form == "seconds":
        return (("retry-after", str(ceil_div(wait, NS_PER_S))),)
    if hint.form == "ms":
        return (("retry-after-ms", str(ceil_div(wait, NS_PER_MS))),)
    if hint.form == "date":
        return (("retry-after", http_date(ceil_div(wall_ns + wait, NS_PER_S))),)
    return ()


def override(headers: Headers, given: Headers) -> Headers:
    """Return `headers` with those that `given` names replaced, and the rest of `given` added."""
    named = tuple((name.lower(), value) for name, value in given)
    names = {name for name, _ in named}
    return tuple(pair for pair in headers if pair[0] not in names) + named
