"""Stated: numbers and words that a user states, with one message for each mistake."""

from __future__ import annotations

import math
from collections.abc import Iterable

# Far above any provider's limit, and low enough for sums of a window to stay in 64 bits.
MOST = 10**15


def whole_number(name: str, value: object, *, at_least: int = 1, at_most: int = MOST) -> int:
    """Return `value` as an int, or raise the one error that names what is allowed."""
    allowed = f"{name} must be a whole number, at least {at_least:,}"
    if at_most != MOST:
        allowed = f"{name} must be a whole number, at most {at_most:,}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{allowed}, got {value!r}")
    if not at_least <= value <= at_most:  # also where the value is not a number
        if MOST < value < math.inf:
            allowed = f"{name} must be a whole number, at most {MOST:,}"
        raise ValueError(f"{allowed}, got {value!r}")
    if value != int(value):
        raise ValueError(f"{allowed}, got {value!r}")
    return int(value)


def real_number(
    name: str,
    value: object,
    unit: str,
    *,
    above: float | None = None,
    low: float = -math.inf,
    high: float = math.inf,
) -> float:
    """Return `value` as a float inside its range, or raise the one error that names the range."""
    if above is not None:
        allowed = f"{name} must be a number of {unit} above {above:g}"
    elif not math.isfinite(low):
        allowed = f"{name} must be a number of {unit}"
    elif math.isfinite(high):
        allowed = f"{name} must be a number of {unit} from {low:g} to {high:g}"
    else:
        allowed = f"{name} must be a number of {unit}, at least {low:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{allowed}, got {value!r}")
    if not max(low, -MOST) <= value <= min(high, MOST) or (above is not None and value <= above):
        raise ValueError(f"{allowed}, got {value!r}")
    return float(value)


def one_of(name: str, value: object, allowed: Iterable[str]) -> str:
    """Return `value` if it is one of the allowed words.

    Args:
        name: The argument's name.
        value: What was given.
        allowed: The words, in the order in which the message lists them.

    Raises:
        ValueError: It is none of them.
    """
    words = tuple(allowed)
    __tracebackhide__ = True
    if value not in words:
        raise ValueError(f"{name} must be one of {', '.join(words)}, got {value!r}")
    return str(value)
