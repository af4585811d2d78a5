"""How close together independent draws come: statistics on plain lists of numbers.

Every probability is a natural logarithm, so that 1e-300 and its products stay exact. The null
hypothesis is always the same: the values are independent, and each has a density nowhere above
1 / jitter, whatever its shape. For n such values the narrowest window that holds k of them has

    P(width <= w) <= n x P(Bin(n - 1, w / jitter) >= k - 1)

because one of the n is the leftmost of the k, and every other falls within w after it with a
chance of at most w / jitter. Different values may have different distributions.
"""

from __future__ import annotations

import itertools
import math
from operator import sub
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NEVER = -math.inf
_COARSE_STEPS_S = (1.0, 0.5, 0.1)


class Cluster(NamedTuple):
    """The most surprising cluster among some values.

    Args:
        log_p: Logarithm of the bound on its probability, corrected for the sizes tried.
        size: How many values it holds.
        width: Width of the window that holds them, in the unit of the values.
        at: The smallest of them.
    """

    log_p: float
    size: int
    width: float
    at: float


def median(values: Iterable[float]) -> float:
    """Return the median of at least one number."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def log_binomial_tail(trials: int, chance: float, at_least: int) -> float:
    """Return log P(Bin(trials, chance) >= at_least), or 0 where that is no surprise.

    Args:
        trials: Number of trials, 0 or more.
        chance: Chance of success of each, from 0 to 1 (values outside are clipped).
        at_least: Number of successes.

    Returns:
        The exact logarithm above the mean, and 0 (certain) at or below it.
    """
    if at_least <= trials * chance or at_least <= 0 or chance >= 1:
        return 0.0
    if at_least > trials or chance <= 0:
        return NEVER
    first = (
        math.lgamma(trials + 1)
        - math.lgamma(at_least + 1)
        - math.lgamma(trials - at_least + 1)
        + at_least * math.log(chance)
        + (trials - at_least) * math.log1p(-chance)
    )
    odds = chance / (1 - chance)
    total = term = 1.0
    for successes in range(at_least, trials):
        term *= (trials - successes) / (successes + 1) * odds
        total += term
        if term < 1e-17 * total:
            break
    return min(0.0, first + math.log(total))


def tightest_cluster(
    values: Iterable[float], jitter: float, *, rounding: float = 0.0, landing: float = 0.0
) -> Cluster:
    """Return the cluster among values that independent jitter explains least.

    Windows that hold all values, 80 % of them, 64 % and so on down to 3 are tried. Jitter that is
    too narrow brings all of them together, so half of the chance of a false alarm is given to the
    first, and the rest in equal parts to the others.

    Args:
        values: The draws.
        jitter: Width of the jitter under the null hypothesis, above 0, in the same unit.
        rounding: Step to which the values are rounded, in the same unit.
        landing: Least chance, from 0 to 1, that two draws coincide: that of a coarse grid.

    Returns:
        The cluster; with log_p 0 if nothing is surprising.
    """
    ordered = sorted(values)
    n = len(ordered)
    best = Cluster(0.0, 0, math.inf, 0.0)
    if n < 2:
        return best
    sizes = _sizes(n)
    for size in sizes:
        tried = 1 if len(sizes) == 1 else 2 if size == n else 2 * (len(sizes) - 1)
        correction = math.log(tried) + math.log(n)
        widths = list(map(sub, ordered[size - 1 :], ordered))
        width = min(widths)
        chance = max((width + rounding) / jitter, landing)
        log_p = correction + log_binomial_tail(n - 1, chance, size - 1)
        if log_p < best.log_p:
            best = Cluster(log_p, size, width, ordered[widths.index(width)])
    return best


def _sizes(n: int) -> list[int]:
    """Return the cluster sizes to try among n values, largest first."""
    sizes = [n]
    while sizes[-1] > 3:
        sizes.append(max(3, min(sizes[-1] - 1, int(sizes[-1] * 0.8))))
    return sizes


def grid_step(values: Iterable[float], tolerance: float) -> float:
    """Return the step of the grid on which values sit, or 0.

    A grid shows itself by ties: there are three distinct values or more, fewer than there are
    values, and all are whole steps apart to within the tolerance.
    """
    ordered = sorted(values)
    distinct = ordered[:1]
    for value in ordered:
        if value - distinct[-1] > tolerance:
            distinct.append(value)
    if len(distinct) < 3 or len(distinct) == len(ordered):
        return 0.0
    step = min(b - a for a, b in itertools.pairwise(distinct))
    slack = max(tolerance, 1e-3 * step)
    origin = distinct[0]
    for value in distinct:
        steps = round((value - origin) / step)
        if abs(value - origin - steps * step) > slack:
            return 0.0
    return step


def on_coarse_grid(groups: Sequence[Sequence[float]], tolerance: float) -> bool:
    """Return True if the values are whole multiples of 1, 0.5 or 0.1 and vary in some group.

    Such values are draws of whole numbers (`randint(1, 5)`), where coincidence is no surprise;
    a step that is small against the values (below 5 % of their median) does not count.
    """
    values = [value for group in groups for value in group]
    if not any(max(group) - min(group) > 2 * tolerance for group in groups if group):
        return False
    middle = median(values)
    return any(
        step >= 0.05 * middle
        and all(abs(value - step * round(value / step)) <= tolerance for value in values)
        for step in _COARSE_STEPS_S
    )


def combine(log_ps: Sequence[float]) -> float:
    """Return the log p of several independent tests: twice the better of Bonferroni and Fisher.

    The first sees one strong deviation, the second many weak ones.
    """
    if not log_ps:
        return 0.0
    if len(log_ps) == 1:
        return min(0.0, log_ps[0])
    bonferroni = min(log_ps) + math.log(len(log_ps))
    return min(0.0, math.log(2) + min(bonferroni, fisher(log_ps)))


def fisher(log_ps: Sequence[float]) -> float:
    """Return Fisher's combination of independent log p values.

    -2 x their sum is chi-squared with 2m degrees of freedom, whose tail is a finite sum.
    """
    total = -sum(log_ps)
    if total <= 0:
        return 0.0
    if math.isinf(total):
        return NEVER
    term = tail = 1.0
    for i in range(1, len(log_ps)):
        term *= total / i
        tail += term
    return min(0.0, math.log(tail) - total)


def widest_jitter(width: float, n: int, alpha: float) -> float:
    """Return the width of jitter that n draws within `width` exclude at level alpha.

    Solves n x (width / jitter)^(n - 1) = alpha for the jitter; infinite below two draws.
    """
    return width * (n / alpha) ** (1.0 / (n - 1)) if n > 1 else math.inf


def likely_peak(n: int, width: float, spread: float, level: float = 1e-3) -> int:
    """Return the count that n draws over `spread` exceed within `width` with p <= level."""
    chance = min(1.0, width / spread)
    for peak in range(1, n):
        if math.log(n) + log_binomial_tail(n - 1, chance, peak) <= math.log(level):
            return peak
    return n
