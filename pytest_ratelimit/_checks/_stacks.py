"""Stacks: calls that the SDK retried inside another retry loop, and the factors of the product."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._checks._text import many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fake_provider._attempt import Attempt
    from pytest_ratelimit._checks._digest import Digest

# Delays with jitter show the loops where so many calls agree, within this factor of each other.
_MIN_CALLS = 3
_MOST = 0.9
_ALIKE = 1.4
# The longest delay of a round must be so many times its shortest for a repetition to show.
_CONTRAST = 2.0


class Stack(NamedTuple):
    """A call that was retried by the SDK and by the code around it.

    Args:
        call: Number of the call.
        caller: Who made it.
        outer: Rounds that the code around the SDK made.
        inner: Most attempts that the SDK made in one round.
        attempts: All attempts of the call.
        middle: Rounds of the innermost loop around the SDK, where the delays show that there are
            two such loops; 0 where they do not tell.
    """

    call: int
    caller: str
    outer: int
    inner: int
    attempts: tuple[Attempt, ...]
    middle: int = 0

    @property
    def factors(self) -> str:
        """The product, where every round was full; else the rounds."""
        made = many(len(self.attempts), "attempt")
        if len(self.attempts) != self.outer * self.inner:
            return f"{made} in {self.outer:,} outer rounds of up to {self.inner:,} SDK attempts"
        if self.middle:
            outermost = self.outer // self.middle
            return f"{made} = {outermost:,} outer x {self.middle:,} inner x {self.inner:,} SDK"
        return f"{made} = {self.outer:,} outer x {self.inner:,} SDK"


def measure_stacks(digest: Digest) -> list[Stack]:
    """Return the calls whose SDK counter went back to 0, the longest first: exact proof."""
    found = []
    for call in digest.trace.calls:
        if call.number in digest.inferred:
            continue
        counters = [attempt.sdk_retry or 0 for attempt in call.attempts]
        rounds = counters.count(0)
        if rounds > 1 and max(counters) > 0:
            inner = max(counters) + 1
            found.append(Stack(call.number, call.caller, rounds, inner, call.attempts))
    found.sort(key=lambda stack: -len(stack.attempts))
    waits = _waits(digest, found)
    shared = _shared_period(list(waits.values()))
    exact = 10 * digest.resolution
    return [
        stack._replace(middle=_period(waits.get(stack.call, []), slack_s=exact) or shared)
        for stack in found
    ]


def _waits(digest: Digest, stacks: list[Stack]) -> dict[int, list[float]]:
    """Return each call's delays before the rounds of the SDK, where no hint decided on one."""
    waits: dict[int, list[float]] = {stack.call: [] for stack in stacks}
    for retry in digest.retries:
        call = retry.attempt.call
        if call not in waits or retry.attempt.sdk_retry:
            continue
        if retry.path == "hint":
            del waits[call]
        else:
            waits[call].append(retry.delay)
    return waits


def _shared_period(rows: list[list[float]]) -> int:
    """Return the period that nearly all calls have within a factor, or 0."""
    periods = [_period(row, slack=_ALIKE) for row in rows]
    period, calls = max(Counter(periods).items(), key=lambda item: item[1], default=(0, 0))
    return period if calls >= max(_MIN_CALLS, _MOST * len(periods)) else 0


def _period(waits: Sequence[float], *, slack_s: float = 0.0, slack: float = 1.0) -> int:
    """Return in how many rounds the delays begin anew, or 0 if they do not.

    Args:
        waits: Delays before each round but the first, in seconds.
        slack_s: Seconds by which equal delays may differ.
        slack: Factor by which they may differ.
    """
    rounds = len(waits) + 1
    if not waits or max(waits) < _CONTRAST * min(waits):
        return 0
    for period in range(2, rounds // 2 + 1):
        if rounds % period:
            continue
        # The last delay of each period is the outer loop's: it may follow a schedule of its own.
        inner = [waits[start : start + period - 1] for start in range(0, rounds, period)]
        columns = zip(*inner, strict=True)
        if all(max(column) <= min(column) * slack + slack_s for column in columns):
            return period
    return 0
