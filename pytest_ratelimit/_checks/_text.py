"""The words of a message: quantities with their units, and plurals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TINY_S = 5e-7
_IRREGULAR = {"retry": "retries"}


def seconds(value: float) -> str:
    """Return a duration in the unit that reads best: `"250 us"`, `"40 ms"`, `"4.86 s"`."""
    if abs(value) < _TINY_S:
        return "0 s"
    for unit, scale in (("us", 1e6), ("ms", 1e3)):
        if abs(value) * scale < 999.5:
            return f"{value * scale:.3g} {unit}"
    return f"{value:,.4g} s" if abs(value) < 1e4 else f"{value:,.0f} s"


def instant(at: float) -> str:
    """Return a point in time: `"t=12.000 s"`."""
    return f"t={at:.3f} s"


def near(spread_s: float) -> str:
    """Return how close together instants lie that are spread over so many seconds."""
    return "at the same instant" if spread_s < _TINY_S else f"within {seconds(spread_s)}"


def odds(log_p: float) -> str:
    """Return a probability from its logarithm: `"p = 3e-30"`."""
    if log_p < math.log(1e-99):
        return "p < 1e-99"
    return f"p = {math.exp(min(0.0, log_p)):.1g}"


def many(number: int, noun: str) -> str:
    """Return a number with its noun: `"1 retry"`, `"8 retries"`, `"1,200 calls"`."""
    word = noun if number == 1 else _IRREGULAR.get(noun, noun + "s")
    return f"{number:,} {word}"


def were(number: int) -> str:
    """Return the verb for so many."""
    return "was" if number == 1 else "were"


def amount(value: float) -> str:
    """Return a number of tokens or requests, rounded to whole ones: `"1,730,000"`."""
    return f"{value:,.0f}"


def names(items: Sequence[object], shown: int = 6) -> str:
    """Return the first few of some names, and how many more there are."""
    head = ", ".join(str(item) for item in items[:shown])
    return head if len(items) <= shown else f"{head} and {len(items) - shown:,} more"
