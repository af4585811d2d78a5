"""Waves: retries of different callers that arrive together more than independent draws would."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_ratelimit._checks._digest import modelled
from pytest_ratelimit._checks._jitter import MOST_DELAYS
from pytest_ratelimit._checks._scan import crowded_spans
from pytest_ratelimit._stats import log_binomial_tail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_ratelimit._checks._digest import Digest, Retry
    from pytest_ratelimit._checks._jitter import JitterEvidence

Rule = Literal["crowded", "requeued", "unjittered", "short"]

# Shares of `min_spread_s` that are short: as small a share of independent draws falls into each.
_SHORT = (0.2, 0.02, 0.002)


class Wave(NamedTuple):
    """Retries of different callers that arrived together.

    Args:
        retries: The retries, in order of arrival.
        callers: How many callers made them.
        candidates: How many retries could have arrived then.
        width: Width of the window that was looked in, in seconds.
        log_p: Logarithm of the bound on its probability under independent jitter.
        rule: How it was found: `"crowded"`, `"requeued"`, `"unjittered"` or `"short"`.
    """

    retries: tuple[Retry, ...]
    callers: int
    candidates: int
    width: float
    log_p: float
    rule: Rule

    @property
    def harmful(self) -> bool:
        """True if a member was refused again, or no limit decided on it."""
        return any(r.attempt.refused or not modelled(r.attempt) for r in self.retries)


@dataclass(frozen=True, slots=True)
class Waves:
    """The waves of a trace.

    Args:
        waves: Disjoint waves, the largest and then the earliest first.
        missing: Why nothing can be said; empty if something can.
        retried: How many retries were looked at.
    """

    waves: tuple[Wave, ...] = ()
    missing: str = ""
    retried: int = 0

    @property
    def harmful(self) -> tuple[Wave, ...]:
        """The waves that the limiter could not take."""
        return tuple(wave for wave in self.waves if wave.harmful)

    @property
    def collided(self) -> frozenset[int]:
        """Indices of the attempts in harmful waves."""
        return frozenset(r.attempt.index for wave in self.harmful for r in wave.retries)


def measure_waves(digest: Digest, jitter: JitterEvidence) -> Waves:
    """Return the waves that independent jitter does not explain.

    Four rules in turn, each asked only where the one before saw no harm: more callers in a
    narrow window than the candidates explain; re-queues in such a window; delays without jitter,
    of callers that failed together; delays so short that no jitter could have kept them apart.
    """
    requeues = _requeues(digest)
    callers = len({retry.attempt.caller for retry in digest.certain})
    least = digest.policy.min_callers
    if callers < least and len({retry.attempt.caller for retry in requeues}) < least:
        return Waves(missing=f"it takes {least} callers that retry, and this run has {callers}")
    retried = len(digest.certain)
    waves = _crowded(digest, digest.certain, "crowded")
    if not any(wave.harmful for wave in waves):
        again = _crowded(digest, requeues, "requeued")
        if any(wave.harmful for wave in again):
            waves, retried = again, len(requeues)
    if not any(wave.harmful for wave in waves):
        others = (*_unjittered(digest, jitter), *_short(digest))
        largest = max((w for w in others if w.harmful), key=lambda w: w.callers, default=None)
        waves = waves if largest is None else [largest]
    return Waves(waves=tuple(waves), retried=retried)


def _requeues(digest: Digest) -> list[Retry]:
    """Return the re-queues of work that nobody else asked for with the same words.

    Of equal prompts nothing tells which one a later call takes up, or whether it is new work.
    """
    bodies = Counter(unit.partition("/")[0] for unit in {c.unit for c in digest.trace.calls})
    return [
        retry
        for retry in digest.requeues
        if bodies[retry.attempt.unit.partition("/")[0]] == 1
        and retry.delay > 10 * digest.resolution
    ]


def _crowded(digest: Digest, retries: list[Retry], rule: Rule) -> list[Wave]:
    """Return the waves by the first two rules: a scan of arrivals against their candidates."""
    delayed = [
        retry
        for retry in retries
        if retry.delay > 10 * digest.resolution and retry.attempt.index not in digest.handed_over
    ]
    if len({retry.attempt.caller for retry in delayed}) < digest.policy.min_callers:
        return []
    return [
        Wave(tuple(delayed[s.start : s.end]), s.callers, s.candidates, s.width, s.log_p, rule)
        for s in crowded_spans(digest, delayed)
    ]


def _unjittered(digest: Digest, jitter: JitterEvidence) -> Iterator[Wave]:
    """Yield the waves by the second rule: delays without jitter after a common failure."""
    if not jitter.rejected:
        return
    for group in jitter.failed:
        window = 2 * group.cluster.width + digest.resolution
        log_p = group.cluster.log_p + math.log(len(jitter.groups))
        yield from _together(digest, group.retries, window, log_p, "unjittered")


def _short(digest: Digest) -> Iterator[Wave]:
    """Yield the waves by the third rule: first retries after hardly any delay.

    Null: the first delay is spread at least as wide as `min_spread_s`, so that one in five at
    most is shorter than a fifth of it, and so on for smaller shares.
    """
    first = [r for r in digest.certain if r.number == 1 and r.path != "hint"][:MOST_DELAYS]
    correction = math.log(len(_SHORT))
    for share in _SHORT:
        window = share * digest.policy.min_spread_s
        short = [retry for retry in first if retry.delay <= window]
        log_p = correction + log_binomial_tail(len(first), share, len(short))
        if log_p <= digest.log_alpha:
            yield from _together(digest, short, max(window, digest.resolution), log_p, "short")


def _together(
    digest: Digest, retries: list[Retry], window: float, log_p: float, rule: Rule
) -> Iterator[Wave]:
    """Yield the sets of callers that failed and came back within a window, in seconds."""
    start = 0
    for end, last in enumerate(retries):
        while last.attempt.arrived_at - retries[start].attempt.arrived_at > window:
            start += 1
        if end + 1 - start < digest.policy.min_callers:
            continue
        members = tuple(
            r for r in retries[start : end + 1] if abs(r.failed_at - last.failed_at) <= window
        )
        callers = len({retry.attempt.caller for retry in members})
        if callers >= digest.policy.min_callers:
            yield Wave(members, callers, len(members), window, log_p, rule)
