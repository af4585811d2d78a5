"""Stacks: calls that were retried by one loop inside another, and the factors of the product.

Three witnesses tell of them, the best first: the depth on the caller's stack at which the code
lies that sent an attempt again; the SDK's own counter, which went back to 0; and delays that
begin anew, which tell two loops around the SDK apart.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_ratelimit._checks._text import many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fake_provider._attempt import Attempt
    from fake_provider._trace import Call
    from pytest_ratelimit._checks._digest import Digest

# Delays with jitter show the loops where so many calls agree, within this factor of each other.
_MIN_CALLS = 3
_MOST = 0.9
_ALIKE = 1.4
# The longest delay of a round must be so many times its shortest for a repetition to show.
_CONTRAST = 2.0
# The SDK's loop lies just below the frame that called it.
_SDK_BELOW = 0.5

Witness = Literal["depth", "counter", "delays"]


class Loop(NamedTuple):
    """One loop of a stack.

    Args:
        rounds: How often it came round in its outer loop, at most.
        is_sdk: True for the SDK's own.
    """

    rounds: int
    is_sdk: bool


class Stack(NamedTuple):
    """A call that was retried by one loop inside another.

    Args:
        call: Number of the call.
        caller: Who made it.
        attempts: All attempts of the call.
        loops: The loops, outermost first, two or more.
        witness: What told them.
    """

    call: int
    caller: str
    attempts: tuple[Attempt, ...]
    loops: tuple[Loop, ...]
    witness: Witness

    @property
    def is_sdk(self) -> bool:
        """True if one of the loops is the SDK's."""
        return any(loop.is_sdk for loop in self.loops)

    @property
    def code(self) -> list[int]:
        """Rounds of the loops that are not the SDK's, outermost first."""
        return [loop.rounds for loop in self.loops if not loop.is_sdk]

    @property
    def inner(self) -> int:
        """Most attempts that the innermost loop made in one round."""
        return self.loops[-1].rounds

    @property
    def restarts(self) -> int:
        """How often the SDK's counter went back to 0."""
        counters = [attempt.sdk_retry or 0 for attempt in self.attempts]
        return sum(now == 0 < before for before, now in itertools.pairwise(counters))

    @property
    def factors(self) -> str:
        """The product, where every round was full; else the rounds."""
        made = many(len(self.attempts), "attempt")
        product = math.prod(loop.rounds for loop in self.loops)
        if product == len(self.attempts):
            names = ["SDK" if loop.is_sdk else "inner" for loop in self.loops]
            if not self.loops[0].is_sdk:
                names[0] = "outer"
            pairs = zip(self.loops, names, strict=True)
            return f"{made} = " + " x ".join(f"{loop.rounds:,} {name}" for loop, name in pairs)
        inner = "SDK attempt" if self.loops[-1].is_sdk else "inner attempt"
        outer = self.loops[0].rounds
        return f"{made} in {outer:,} outer rounds of up to {many(product // outer, inner)}"


def measure_stacks(digest: Digest) -> list[Stack]:
    """Return the calls that were retried by one loop inside another, the longest first."""
    found, counted = [], []
    for call in digest.trace.calls:
        if len(call.attempts) < 3 or call.number in digest.inferred:
            continue
        loops = _by_depth(digest, call)
        if loops:
            found.append(Stack(call.number, call.caller, call.attempts, loops, "depth"))
            continue
        loops = _by_counter(call)
        if loops:
            counted.append(Stack(call.number, call.caller, call.attempts, loops, "counter"))
    found += _by_delays(digest, counted)
    found.sort(key=lambda stack: -len(stack.attempts))
    return found


def knows_depth(call: Call) -> bool:
    """Return True if the stack was seen at every retry of a call."""
    return all(retry.depth is not None for retry in call.retries)


def _by_depth(digest: Digest, call: Call) -> tuple[Loop, ...]:
    """Return the loops of a call by the depths of its retries; empty if there is one at most.

    A loop is inside another if the outer one sent the work again after it: the depth falls.
    """
    if not any(retry.depth is not None for retry in call.retries):
        return ()
    pairs = list(itertools.pairwise(call.attempts))
    # An inner loop for one kind of failure and an outer one for another do not multiply.
    nests = (
        _nest([_level(digest, *pair) if pair[0].refused is refused else None for pair in pairs])
        for refused in (True, False)
    )
    loops = max(nests, key=len)
    return tuple(loops) if len(loops) > 1 else ()


def _level(digest: Digest, before: Attempt, retry: Attempt) -> float | None:
    """Return how deep the loop lies that sent an attempt again, None if it is no such loop.

    A fallback goes elsewhere at once; what follows an error that no wait can cure is a mistake of
    another kind (RL121).
    """
    if retry.depth is None or (before.terminal and not retry.sdk_retry):
        return None
    at_once = before.ended_at is not None and (
        retry.arrived_at - before.ended_at <= digest.immediate_s
    )
    elsewhere = (before.key, before.host, before.model_class) != (
        retry.key,
        retry.host,
        retry.model_class,
    )
    if at_once and elsewhere:
        return None
    return retry.depth + (_SDK_BELOW if retry.layer == "sdk" else 0.0)


def _nest(levels: Sequence[float | None]) -> list[Loop]:
    """Return the loops that made these retries, outermost first; one for a single loop.

    Args:
        levels: Depth of the loop that made each; None where it tells nothing.
    """
    known = [level for level in levels if level is not None]
    outer = min(known, default=0.0)
    last = max((i for i, level in enumerate(levels) if level == outer), default=0)
    deeper = [level for level in levels[:last] if level is not None and level > outer]
    if not deeper:
        is_sdk = bool(known) and all(level % 1 for level in known)
        return [Loop(len(levels) + 1, is_sdk)]
    rounds: list[list[float | None]] = [[]]
    for level in levels:
        if level == outer:
            rounds.append([])
        else:
            rounds[-1].append(level)
    inner = max(map(_nest, rounds), key=lambda loops: (len(loops), loops[-1].rounds))
    return [Loop(len(rounds), bool(outer % 1)), *inner]


def _by_counter(call: Call) -> tuple[Loop, ...]:
    """Return the two loops of a call whose SDK counter went back to 0; empty if it did not."""
    counters = [attempt.sdk_retry or 0 for attempt in call.attempts]
    rounds = counters.count(0)
    if rounds < 2 or not max(counters):
        return ()
    return Loop(rounds, is_sdk=False), Loop(max(counters) + 1, is_sdk=True)


def _by_delays(digest: Digest, stacks: list[Stack]) -> list[Stack]:
    """Return stacks with the loop around the SDK told apart into two, where the delays do so."""
    waits = _waits(digest, stacks)
    shared = _shared_period(list(waits.values()))
    exact = 10 * digest.resolution
    told = []
    for stack in stacks:
        period = _period(waits.get(stack.call, []), slack_s=exact) or shared
        outer, sdk = stack.loops
        if period and outer.rounds % period == 0:
            two = Loop(outer.rounds // period, is_sdk=False), Loop(period, is_sdk=False)
            told.append(stack._replace(loops=(*two, sdk), witness="delays"))
        else:
            told.append(stack)
    return told


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
