"""Seeds (RL104): do some callers draw the same delays, attempt after attempt?"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._checks._jitter import COARSE_LANDING
from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._text import many, names, odds, seconds
from pytest_ratelimit._findings import Finding
from pytest_ratelimit._stats import median, on_coarse_grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_ratelimit._checks._digest import Digest, Retry

# A position: the call's place among the caller's retried calls, and the retry's number in it.
Position = tuple[int, int]
_MOST_CALLERS = 2000
# Pairs are looked for among callers whose first delays are this close, as a share of the jitter.
_NEIGHBOUR = 0.05
_NEIGHBOURS = 50
# A position where so many callers agree has no jitter at all: that is RL102's business.
_AGREED = 0.8


class _Pair(NamedTuple):
    """Two callers whose delays agree."""

    log_p: float
    one: str
    other: str
    positions: int


def judge_seeds(digest: Digest) -> Judgement:
    """Return the judgement on RL104.

    Null: the delays of two callers are independent with enough jitter each, so that they agree
    to within a share v of it with a chance of at most 2v, at every position anew; the bound is
    multiplied by the number of pairs.
    """
    if digest.pace:
        return Judgement.unjudged(f"sends are paced, one every {seconds(digest.pace)}")
    sequences = _sequences(digest)
    common = _varied_positions(digest, sequences)
    least = digest.policy.min_callers
    if len(sequences) < least or not common:
        return Judgement.unjudged(
            f"it takes {least} callers whose delays vary before the same retry, and this run has "
            f"{many(len(sequences), 'caller')} with delays of its own choice"
        )
    pairs = list(_agreeing(digest, sequences, common))
    if not pairs:
        return Judgement.of()
    return Judgement.of(_finding(digest, sequences, pairs))


def _sequences(digest: Digest) -> dict[str, dict[Position, Retry]]:
    """Return each caller's retries that followed its own schedule, by position."""
    sequences: dict[str, dict[Position, Retry]] = defaultdict(dict)
    places: dict[str, dict[int, int]] = defaultdict(dict)
    for retry in digest.certain:
        if retry.path == "hint":
            continue
        calls = places[retry.attempt.caller]
        place = calls.setdefault(retry.attempt.call, len(calls))
        sequences[retry.attempt.caller][place, retry.number] = retry
    return dict(list(sequences.items())[:_MOST_CALLERS])


def _varied_positions(
    digest: Digest, sequences: dict[str, dict[Position, Retry]]
) -> dict[Position, float]:
    """Return the positions at which delays vary, each with the least jitter there in seconds."""
    delays: dict[Position, list[float]] = defaultdict(list)
    by_number: dict[int, list[float]] = defaultdict(list)
    for sequence in sequences.values():
        for position, retry in sequence.items():
            delays[position].append(retry.delay)
            by_number[position[1]].append(retry.delay)
    least = 10 * digest.resolution
    jitter = {n: max(digest.least_jitter(median(own)), least) for n, own in by_number.items()}
    varied = {}
    for position, own in delays.items():
        middle = sorted(own)[len(own) // 2]
        agreed = sum(abs(delay - middle) <= digest.resolution for delay in own)
        if len(own) > 1 and agreed < _AGREED * len(own):
            varied[position] = jitter[position[1]]
    return varied


def _agreeing(
    digest: Digest, sequences: dict[str, dict[Position, Retry]], jitter: dict[Position, float]
) -> Iterator[_Pair]:
    """Yield pairs of callers that agree more than chance explains, and that connect new sets."""
    sets = _Sets()
    own = [[r.delay for r in sequence.values()] for sequence in sequences.values()]
    landing = COARSE_LANDING if on_coarse_grid(own, max(1e-6, digest.resolution)) else 0.0
    log_pairs = math.log(len(sequences) * (len(sequences) - 1) / 2)
    starts: dict[Position, list[tuple[float, str]]] = defaultdict(list)
    for caller, sequence in sequences.items():
        position = min((p for p in sequence if p in jitter), default=None)
        if position is not None:
            starts[position].append((sequence[position].delay, caller))
    for position, callers in starts.items():
        reach = _NEIGHBOUR * jitter[position]
        for one, other in _neighbours(sorted(callers), reach):
            if sets.root(one) == sets.root(other):
                continue
            pair = _compare(digest, one, other, sequences, jitter, landing)
            if pair is not None and pair.log_p + log_pairs <= digest.log_alpha:
                sets.join(one, other)
                yield pair._replace(log_p=pair.log_p + log_pairs)


def _neighbours(callers: list[tuple[float, str]], reach: float) -> Iterator[tuple[str, str]]:
    """Yield the pairs of callers whose first delays lie within reach of each other."""
    for i, (delay, one) in enumerate(callers):
        for later, other in callers[i + 1 : i + _NEIGHBOURS]:
            if later - delay >= reach:
                break
            yield one, other


def _compare(
    digest: Digest,
    one: str,
    other: str,
    sequences: dict[str, dict[Position, Retry]],
    jitter: dict[Position, float],
    landing: float,
) -> _Pair | None:
    """Return how unlikely two callers' agreement is, or None if they do not agree."""
    mine, theirs = sequences[one], sequences[other]
    apart, shared = 0.0, 0
    for position, retry in mine.items():
        other_retry, needed = theirs.get(position), jitter.get(position)
        if other_retry is None or needed is None:
            continue
        shared += 1
        apart = max(apart, (abs(retry.delay - other_retry.delay) + digest.resolution) / needed)
        if 2 * apart >= 1:
            return None
    chance = max(2 * apart, landing)
    if chance >= 1:
        return None
    return _Pair(shared * math.log(chance), one, other, shared)


def _finding(
    digest: Digest, sequences: dict[str, dict[Position, Retry]], pairs: list[_Pair]
) -> Finding:
    """Return the finding about all sets of callers that agree."""
    best = min(pairs, key=lambda pair: pair.log_p)
    order = {caller: place for place, caller in enumerate(digest.trace.callers)}
    sets = _connected(pairs, order)
    members = [r for callers in sets for c in callers for r in sequences[c].values()]
    harm = any(_met_again(digest, callers, sequences) for callers in sets)
    lines = [f"Callers {names(callers)} draw the same delays." for callers in sets[:5]]
    sample = [seconds(sequences[best.one][p].delay) for p in sorted(sequences[best.one])]
    lines.append(
        f"{best.one} and {best.other} agree before {many(best.positions, 'retry')} "
        f"({names(sample)}); {odds(best.log_p)} under independent jitter."
    )
    if not harm:
        lines.append("Latent: in this run none of them were refused together again.")
    callers = sum(len(own) for own in sets)
    return Finding(
        code="RL104",
        severity="error" if harm else "warning",
        summary=f"{callers:,} of {many(len(sequences), 'caller')} share their delays with "
        f"another, in {many(len(sets), 'set')}",
        evidence=tuple(lines),
        cause="equal random numbers in several workers: the same seed, a generator made before "
        "the fork, or jitter taken from the clock.",
        remedy="draw from a generator of each worker's own: random.Random() made after the "
        "fork, never seeded alike and not from the clock.",
        p=math.exp(best.log_p),
        attempts=tuple(sorted(retry.attempt.index for retry in members)),
    )


class _Sets:
    """Sets of callers, joined pair by pair."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, caller: str) -> str:
        """Return the caller that stands for the set of this one."""
        parent = self._parent
        while parent.setdefault(caller, caller) != caller:
            parent[caller] = caller = parent[parent[caller]]
        return caller

    def join(self, one: str, other: str) -> None:
        """Make the sets of two callers one."""
        self._parent[self.root(other)] = self.root(one)


def _connected(pairs: list[_Pair], order: dict[str, int]) -> list[list[str]]:
    """Return the sets of callers that agreeing pairs connect, the largest first."""
    sets = _Sets()
    for pair in pairs:
        sets.join(pair.one, pair.other)
    members: dict[str, list[str]] = defaultdict(list)
    for caller in dict.fromkeys(caller for pair in pairs for caller in (pair.one, pair.other)):
        members[sets.root(caller)].append(caller)
    ordered = [sorted(own, key=order.__getitem__) for own in members.values()]
    return sorted(ordered, key=lambda own: (-len(own), order[own[0]]))


def _met_again(
    digest: Digest, callers: list[str], sequences: dict[str, dict[Position, Retry]]
) -> bool:
    """Return True if two of these callers came back at one instant and one was refused again."""
    retries = sorted(
        (retry for caller in callers for retry in sequences[caller].values()),
        key=lambda retry: retry.attempt.index,
    )
    return any(
        later.attempt.arrived_at - sooner.attempt.arrived_at <= 10 * digest.resolution
        and later.attempt.caller != sooner.attempt.caller
        and (later.attempt.refused or sooner.attempt.refused)
        for sooner, later in itertools.pairwise(retries)
    )
