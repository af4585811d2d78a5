"""Scan: windows in which more callers arrive than their candidates explain."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from itertools import accumulate
from operator import sub
from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._stats import grid_step, log_binomial_tail, median

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_ratelimit._checks._digest import Digest, GroupKey, Retry

# Widths to look in, as shares of the jitter that the delays should carry.
_WIDTHS = (0.0, 0.001, 0.01, 0.1)


class Span(NamedTuple):
    """A wave as a range of the retries in order of arrival."""

    start: int
    end: int
    callers: int
    candidates: int
    width: float
    log_p: float


def crowded_spans(digest: Digest, retries: list[Retry]) -> list[Span]:
    """Return the disjoint windows that chance does not explain, of every width that is looked in.

    Args:
        digest: The trace's digest.
        retries: The retries to look at, in order of arrival.
    """
    scan = _Scan(digest, retries)
    found: list[Span] = []
    for share in _WIDTHS:
        found.extend(scan.spans(max(digest.resolution, share * scan.median_jitter)))
    return _disjoint(found)


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

    def spans(self, width: float) -> Iterator[Span]:
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
                    yield Span(start, end, callers, candidates, width, log_p)
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


def _disjoint(spans: Iterable[Span]) -> list[Span]:
    """Return spans that share no retry: the largest first, then the narrowest and earliest."""
    chosen: list[Span] = []
    bounds: list[tuple[int, int]] = []
    for span in sorted(spans, key=lambda s: (-s.callers, s.width, s.start)):
        place = bisect_left(bounds, (span.start, span.end))
        clear_left = place == 0 or bounds[place - 1][1] <= span.start
        clear_right = place == len(bounds) or bounds[place][0] >= span.end
        if clear_left and clear_right:
            bounds.insert(place, (span.start, span.end))
            chosen.append(span)
    return chosen
