"""Schedule: what rule the delays follow, and how to mend it; asked once jitter has failed."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_ratelimit._checks._text import names, seconds
from pytest_ratelimit._stats import median, on_coarse_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fake_provider._attempt import Layer
    from pytest_ratelimit._checks._digest import Digest, Path, Retry

_TIGHT = 0.02
_LONGEST_BACKOFF_S = 60

Kind = Literal[
    "hint", "fixed", "exponential", "linear", "seed", "cap", "first-only", "some", "narrow"
]


class Explanation(NamedTuple):
    """Why delays agree, and what to do about it.

    Args:
        kind: The rule that the delays follow.
        cause: One clause that says so.
        remedy: What to write instead, with numbers from this run.
    """

    kind: Kind
    cause: str
    remedy: str


def explain(
    digest: Digest, path: Path, delay_s: float, drain_s: float, *, shared: bool
) -> Explanation:
    """Return why the delays on a path agree.

    Args:
        digest: The trace's digest.
        path: The path whose delays agree.
        delay_s: Median of these delays, in seconds.
        drain_s: Seconds that the limit needs to admit the retries, or 0.
        shared: True if some callers were found to draw the same delays.
    """
    if path == "hint":
        return _explain_hint(digest, max(drain_s, delay_s / 10))
    if shared:
        return Explanation("seed", "several callers draw the same random numbers.", _UNSEED)
    by_number = _own_delays(digest)
    tight = {number: delays for number, delays in by_number.items() if _tight(digest, delays)}
    varied = [delays for number, delays in by_number.items() if number not in tight]
    if _drawn_alike(digest, varied):
        return Explanation("seed", "several callers draw the same random numbers.", _UNSEED)
    middle = {number: median(delays) for number, delays in sorted(tight.items())}
    hinted = any(retry.path == "early" for retry in digest.certain)
    # Full jitter over twice the delay keeps its mean.
    backoff = _backoff(max(drain_s, 2 * delay_s), hinted=hinted)
    if len(tight) == sum(len(delays) > 1 for delays in by_number.values()) and tight:
        return _explain_all(list(middle.values()), backoff)
    if tight:
        return _explain_some(middle, max(by_number), backoff)
    wider = backoff.replace("draw the delay at random", "widen the jitter")
    return Explanation("narrow", "the jitter is too narrow for the delay.", wider)


def lost_at_cap(cap_s: float, how_many: str) -> Explanation:
    """Return the explanation for jitter that a cap clips, in seconds."""
    return Explanation(
        "cap",
        f"the jitter is lost at the cap: {how_many} {seconds(cap_s)}.",
        f"add the jitter after the cap: min({cap_s:.4g}, backoff) + "
        f"random.uniform(0, {_round_up(cap_s / 4):g}).",
    )


def layer_of(retries: Sequence[Retry]) -> Layer:
    """Return the layer that made most of these retries."""
    return Counter(retry.attempt.layer for retry in retries).most_common(1)[0][0]


_UNSEED = (
    "draw from a generator of each worker's own, random.Random() made after the fork, never "
    "seeded alike and not from the clock."
)


def _explain_hint(digest: Digest, spread_s: float) -> Explanation:
    """Return the explanation for exact obedience to the hint."""
    waited = [retry for retry in digest.certain if retry.path == "hint"]
    spread = uniform(spread_s)
    if layer_of(waited) == "sdk":
        return Explanation(
            "hint",
            "the SDK waited exactly what the hint said; no code of the application was involved.",
            "set max_retries=0 on the client, and retry around it: sleep the hint plus "
            f"{spread}, never less than the hint.",
        )
    return Explanation(
        "hint",
        "each caller waited exactly what the hint said.",
        f"sleep the hint plus {spread}, never less than the hint.",
    )


def _explain_all(middle: list[float], backoff: str) -> Explanation:
    """Return the explanation where no retry's delay varies."""
    if max(middle) <= min(middle) * (1 + _TIGHT):
        return Explanation(
            "fixed", f"a fixed delay of {seconds(middle[0])}, without jitter.", backoff
        )
    # Growth ends at a cap, so only the rise to the largest delay shows the rule.
    top = max(middle)
    rise = [delay for delay in middle if delay < top * 0.999] + [top]
    steps = list(itertools.pairwise(rise))
    if _regular([later / sooner for sooner, later in steps]) and min(middle) > 0:
        shown = names([seconds(delay) for delay in middle])
        return Explanation("exponential", f"exponential backoff without jitter: {shown}.", backoff)
    if _regular([later - sooner for sooner, later in steps]):
        shown = names([seconds(delay) for delay in middle])
        return Explanation("linear", f"linear backoff without jitter: {shown}.", backoff)
    return Explanation("seed", "every caller draws the same random numbers.", _UNSEED)


def _explain_some(middle: dict[int, float], last: int, backoff: str) -> Explanation:
    """Return the explanation where some retries' delays vary and others do not."""
    numbers = list(middle)
    tail = numbers == list(range(numbers[0], last + 1)) and numbers[0] > 1
    if tail and max(middle.values()) <= min(middle.values()) * (1 + _TIGHT):
        return lost_at_cap(max(middle.values()), f"from retry {numbers[0]} on every delay is")
    if tail:
        rule = _explain_all(list(middle.values()), backoff)
        if rule.kind == "seed":
            return rule
        return Explanation(
            "first-only", f"there is jitter before retry {numbers[0]} only, none after.", backoff
        )
    if numbers == [1]:
        return Explanation(
            "some",
            f"the first delay is always {seconds(middle[1])}: a lower bound (min=) on the wait "
            "leaves no room for jitter on the first retry.",
            backoff.replace("for example", "without min=, for example"),
        )
    return Explanation("some", f"there is no jitter before retry {names(numbers)}.", backoff)


def _own_delays(digest: Digest) -> dict[int, list[float]]:
    """Return the delays that the code chose itself, by retry number."""
    delays: dict[int, list[float]] = defaultdict(list)
    for (number, path), retries in digest.groups.items():
        if path != "hint":
            delays[number].extend(retry.delay for retry in retries)
    return delays


def _tight(digest: Digest, delays: list[float]) -> bool:
    """Return True if two delays or more are as good as equal."""
    slack = _TIGHT * median(delays) + 10 * digest.resolution
    return len(delays) > 1 and max(delays) - min(delays) <= slack


def _drawn_alike(digest: Digest, varied: list[list[float]]) -> bool:
    """Return True if most delays that vary are equal to another's: the same draws, made again.

    Neither the ends of a range count, at which a clipped draw lies, nor whole numbers.
    """
    slack = max(1e-6, digest.resolution)
    equal = between = 0
    for delays in varied:
        low, high = min(delays) + slack, max(delays) - slack
        inner = sorted(delay for delay in delays if low < delay < high)
        between += len(inner)
        gaps = [math.inf, *(b - a for a, b in itertools.pairwise(inner)), math.inf]
        equal += sum(min(pair) <= slack for pair in itertools.pairwise(gaps)) if inner else 0
    return equal > between / 2 and not (varied and on_coarse_grid(varied, slack))


def _regular(values: list[float]) -> bool:
    """Return True if numbers are as good as equal; the last one may be cut short by a cap."""
    body = values[:-1] or values
    return not body or max(body) - min(body) <= _TIGHT * abs(max(body))


def full_jitter(spread_s: float) -> str:
    """Return the code that draws delays over so many seconds at first, or 1 s at least."""
    multiplier = max(1.0, _round_up(spread_s))
    longest = max(_LONGEST_BACKOFF_S, 4 * multiplier)
    return f"wait=wait_random_exponential(multiplier={multiplier:g}, max={longest:g})"


def uniform(spread_s: float) -> str:
    """Return the code that draws jitter over so many seconds, or 1 s at least."""
    return f"random.uniform(0, {max(1.0, _round_up(spread_s)):g})"


def _backoff(spread_s: float, *, hinted: bool) -> str:
    """Return the remedy: full jitter wide enough for the limit, and for the delay chosen."""
    full = full_jitter(spread_s)
    if hinted:
        return f"wait the hint plus {uniform(spread_s)}; where there is none, {full}."
    return f"draw the delay at random, for example {full}."


def _round_up(value: float) -> float:
    """Return a number rounded up to two significant digits."""
    if value <= 0:
        return 1.0
    scale = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(value / scale - 1e-9) * scale
