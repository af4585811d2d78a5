"""Outages (RL304): does goodput come back once an outage has ended?"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._text import instant, many, seconds, were
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fake_provider._attempt import Attempt
    from pytest_ratelimit._checks._digest import Digest

# Scripted failures that belong to one outage, at least, and the seconds that they cover.
_MIN_FAILURES = 3
_MIN_OUTAGE_S = 1.0
# Answers before it from which a goodput can be read.
_MIN_SERVED = 10


class _Outage(NamedTuple):
    """A stretch in which a script refused every attempt, in seconds from the trace's start."""

    start: float
    end: float
    failures: int


class _Aftermath(NamedTuple):
    """What came of an outage.

    Args:
        outage: The outage.
        before: Answers per second before it.
        after: Answers per second in the time that was allowed for recovery.
        recovered_at: When goodput was back, in seconds; None if it never was.
        attempts: Attempts in the time that was allowed for recovery.
    """

    outage: _Outage
    before: float
    after: float
    recovered_at: float | None
    attempts: list[Attempt]


def judge_outages(digest: Digest) -> Judgement:
    """Return the judgement on RL304.

    Where fewer attempts come after an outage than half of what was served before it, the demand
    has gone, and nothing says that goodput could have come back.
    """
    outages = list(_outages(digest.trace.attempts))
    if not outages:
        return Judgement.unjudged(
            "no outage: it takes a stretch of scripted 429, 5xx or 529 after calls were served"
        )
    ends = sorted(
        a.ended_at for a in digest.trace.attempts if a.succeeded and a.ended_at is not None
    )
    known = [after for outage in outages if (after := _aftermath(digest, outage, ends))]
    if not known:
        return Judgement.unjudged(
            f"it takes {_MIN_SERVED} calls served before the outage, and demand for "
            f"{seconds(digest.policy.recovery_s)} after it"
        )
    down = [
        after
        for after in known
        if after.recovered_at is None
        or after.recovered_at - after.outage.end > digest.policy.recovery_s
    ]
    return Judgement.of(_finding(digest, down[0]) if down else None)


def _outages(attempts: tuple[Attempt, ...]) -> Iterator[_Outage]:
    """Yield the stretches in which a script refused every attempt that came."""
    stretch: list[Attempt] = []
    for attempt in (*attempts, None):
        if attempt is not None and _scripted(attempt):
            stretch.append(attempt)
            continue
        if len(stretch) >= _MIN_FAILURES:
            start, end = stretch[0].arrived_at, stretch[-1].arrived_at
            if end - start >= _MIN_OUTAGE_S:
                yield _Outage(start, end, len(stretch))
        stretch = []


def _scripted(attempt: Attempt) -> bool:
    """Return True if a script answered with a failure that passes."""
    failure = attempt.status == 429 or attempt.status >= 500
    return failure and attempt.room is None and not attempt.terminal


def _aftermath(digest: Digest, outage: _Outage, ends: list[float]) -> _Aftermath | None:
    """Return what came of an outage, or None where nothing can be said."""
    trace, policy = digest.trace, digest.policy
    served = _count(ends, 0.0, outage.start)
    began = trace.attempts[0].arrived_at
    until = outage.end + policy.recovery_s
    if served < _MIN_SERVED or outage.start <= began:
        return None
    before = served / (outage.start - began)
    later = [a for a in trace.attempts if outage.end < a.arrived_at <= until]
    enough = policy.recovery_share * before * policy.recovery_s
    # Without demand to the end of that time there is nothing to serve.
    tail = [a for a in later if a.arrived_at > until - policy.recovery_s / 4]
    if trace.ended_at <= until or len({a.call for a in later}) < enough or not tail:
        return None
    after = _count(ends, outage.end, until) / policy.recovery_s
    rate = policy.recovery_share * before
    width = max(policy.recovery_s / 4, _MIN_SERVED / rate)
    recovered = _recovered_at(outage.end, trace.ended_at, width, rate, ends)
    return _Aftermath(outage, before, after, recovered, later)


def _recovered_at(
    start: float, end: float, width: float, rate: float, ends: list[float]
) -> float | None:
    """Return when the first stretch of a width began in which answers came at a rate.

    A burst that the limit had saved up while it refused fills no such stretch.
    """
    needed = max(1, math.floor(width * rate))
    starts = [start, *(at for at in ends if start < at)]
    return next(
        (at for at in starts if at + width <= end and _count(ends, at, at + width) >= needed), None
    )


def _count(ends: list[float], start: float, end: float) -> int:
    """Return how many answers ended after one instant and up to another."""
    return bisect_right(ends, end) - bisect_right(ends, start)


def _finding(digest: Digest, after: _Aftermath) -> Finding:
    """Return the finding about a goodput that stayed down."""
    outage = after.outage
    refused = sum(attempt.refused for attempt in after.attempts)
    retries = sum(attempt.is_retry for attempt in after.attempts)
    back = (
        "it did not come back in this run"
        if after.recovered_at is None
        else f"it came back {seconds(after.recovered_at - outage.end)} after the end"
    )
    allowed = max(1, int(0.2 * after.before * digest.policy.recovery_s))
    charging = any(attempt.refused and attempt.charged for attempt in after.attempts)
    return Finding(
        code="RL304",
        severity="error",
        summary=f"an outage of {seconds(outage.end - outage.start)} ended at "
        f"{instant(outage.end)}, and goodput stayed below "
        f"{100 * digest.policy.recovery_share:g} % for more than "
        f"{seconds(digest.policy.recovery_s)}",
        evidence=(
            (
                f"{after.before:.2g} answers a second before it, {after.after:.2g} in the "
                f"{seconds(digest.policy.recovery_s)} after it; {back}."
            ),
            (
                f"In that time {many(len(after.attempts), 'attempt')} came, {retries:,} of them "
                f"retries, and {refused:,} {were(refused)} refused."
            ),
        ),
        cause="retries left over from the outage keep the limit full"
        + (", since refused attempts are charged as well." if charging else "."),
        remedy="share a retry budget of 20 % between the callers: "
        f"{many(allowed, 'retry')} per "
        f"{seconds(digest.policy.recovery_s)} at this load, and give up beyond it.",
        attempts=tuple(attempt.index for attempt in after.attempts),
    )
