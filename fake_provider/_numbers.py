"""Numbers: those that a user states, checked once, with one message for each mistake."""

from __future__ import annotations

import math

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
