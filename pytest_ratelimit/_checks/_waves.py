"""Waves: retries of different callers that arrive together more than independent draws would."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import accumulate
from operator import sub
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_ratelimit._checks._digest import modelled
from pytest_ratelimit._checks._jitter import MOST_DELAYS
from pytest_ratelimit._stats import grid_step, log_binomial_tail, median

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_ratelimit._checks._digest import Digest, GroupKey, Retry
    from pytest_ratelimit._checks._jitter import JitterEvidence

Rule = Literal["crowded", "requeued", "unjittered", "short"]

# Widths to look in, as shares of the jitter that the delays should carry.
_WIDTHS = (0.0, 0.001, 0.01, 0.1)
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
    scan = _Scan(digest, delayed)
    found: list[_Span] = []
    for share in _WIDTHS:
        found.extend(scan.spans(max(digest.resolution, share * scan.median_jitter)))
    return [
        Wave(tuple(delayed[s.start : s.end]), s.callers, s.candidates, s.width, s.log_p, rule)
        for s in _disjoint(found)
    ]


class _Span(NamedTuple):
    """A wave as a range of the retries in order of arrival."""

    start: int
    end: int
    callers: int
    candidates: int
    width: float
    log_p: float


class _Scan:
    """A scan of the arrivals of retries, prepared once for every width.

    A retry is a candidate of an instant if its failure could have brought it back then: the
    instant lies where its group's delays were seen to lie, or within the least jitter of it.
    """

    def __init__(self, digest: Digest, retries: list[Retry]) -> None:
        self._digest = digest
        self._arrivals = [retry.attempt.arrived_at for retry in retries]
        numbers: dict[str, int] = {}
        self._callers = [numbers.setdefault(r.attempt.caller, len(numbers)) for r in retries]
        groups: dict[GroupKey, list[int]] = defaultdict(list)
        for i, retry in enumerate(retries):
            groups[retry.number, retry.path].append(i)
        least = 10 * digest.resolution
        self._jitter = [0.0] * len(retries)
        self._rounding = [0.0] * len(retries)
        opens, closes = self._jitter.copy(), self._jitter.copy()
        for key, members in groups.items():
            hinted, share = key[1] == "hint", digest.share(key)
            delays = [retries[i].delay for i in members]
            placed = [_placed(retries[i]) for i in members] if hinted else delays
            low, high = min(placed), max(placed)
            rounding = grid_step(placed, max(1e-6, digest.resolution)) + digest.resolution
            usual = digest.least_jitter(median(delays))
            for i, delay, at in zip(members, delays, placed, strict=True):
                jitter = max(share * (digest.least_jitter(delay) if hinted else usual), least)
                base = self._arrivals[i] - at
                self._jitter[i], self._rounding[i] = jitter, rounding
                opens[i], closes[i] = base + low, base + max(high, low + jitter)
        self._opened = sorted(range(len(retries)), key=opens.__getitem__)
        self._closed = sorted(range(len(retries)), key=closes.__getitem__)
        self._opens = [opens[i] for i in self._opened]
        self._closes = [closes[i] for i in self._closed]
        self.median_jitter = sorted(self._jitter)[len(retries) // 2]
        # Where the window from each arrival ended at a narrower width: the same callers in a wider
        # one are no more of a surprise.
        self._ends = [0] * len(retries)

    def spans(self, width: float) -> Iterator[_Span]:
        """Yield every window of a width, one from each arrival, that chance does not explain.

        Widths are asked for in ascending order; a window that held the same at a narrower one is
        not yielded again.
        """
        arrivals, callers_of = self._arrivals, self._callers
        n = len(arrivals)
        chances = [
            (width + rounding) / jitter if width + rounding < jitter else 1.0
            for rounding, jitter in zip(self._rounding, self._jitter, strict=True)
        ]
        opened = list(accumulate(map(chances.__getitem__, self._opened), initial=0.0))
        closed = list(accumulate(map(chances.__getitem__, self._closed), initial=0.0))
        correction = math.log(len(_WIDTHS)) + math.log(n)
        resolution, least = self._digest.resolution, self._digest.policy.min_callers
        inside = [0] * (max(callers_of) + 1)
        end = callers = 0
        before = -math.inf
        for start in self._crowded(width, least):
            at = arrivals[start]
            end = max(end, start)
            while end < n and arrivals[end] <= at + width:
                caller = callers_of[end]
                callers += not inside[caller]
                inside[caller] += 1
                end += 1
            # Of those at one instant the first begins the window that holds the others' windows.
            if callers >= least and at != before and self._ends[start] != end:
                self._ends[start] = end
                begun = bisect_right(self._opens, at + width + resolution)
                over = bisect_left(self._closes, at - resolution)
                candidates = max(begun - over, callers)
                chance = max(0.0, opened[begun] - closed[over]) / candidates
                log_p = correction + log_binomial_tail(candidates - 1, chance, callers - 1)
                if log_p <= self._digest.log_alpha:
                    yield _Span(start, end, callers, candidates, width, log_p)
            caller = callers_of[start]
            inside[caller] -= 1
            callers -= not inside[caller]
            before = at

    def _crowded(self, width: float, least: int) -> Iterator[int]:
        """Yield the positions of the arrivals that are among so many, each within a width."""
        arrivals = self._arrivals
        gaps = map(sub, arrivals[1:], arrivals)
        begun = 0
        for end in (*(i for i, gap in enumerate(gaps, 1) if gap > width), len(arrivals)):
            if end - begun >= least:
                yield from range(begun, end)
            begun = end


def _placed(retry: Retry) -> float:
    """Return how long after its base a retry came: the hint's end where it waited for that."""
    return retry.excess if retry.path == "hint" else retry.delay


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


def _disjoint(spans: Iterable[_Span]) -> list[_Span]:
    """Return spans that share no retry: the largest first, then the narrowest and earliest."""
    chosen: list[_Span] = []
    bounds: list[tuple[int, int]] = []
    for span in sorted(spans, key=lambda s: (-s.callers, s.width, s.start)):
        place = bisect_left(bounds, (span.start, span.end))
        clear_left = place == 0 or bounds[place - 1][1] <= span.start
        clear_right = place == len(bounds) or bounds[place][0] >= span.end
        if clear_left and clear_right:
            bounds.insert(place, (span.start, span.end))
            chosen.append(span)
    return chosen
