"""Digest: the retries of a trace, sorted out once for all checks."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_ratelimit._checks._queueing import handed_over, held_up, paced_gap, released

if TYPE_CHECKING:
    from fake_provider._attempt import Attempt
    from fake_provider._limits import Limit
    from fake_provider._trace import Call, Trace
    from pytest_ratelimit._checks._policy import Policy

Path = Literal["own", "early", "hint"]

REAL_RESOLUTION_S = 5e-3
REAL_HINT_TOLERANCE_S = 0.02
WHOLE_SECOND_S = 1.0
IMMEDIATE_VIRTUAL_S = 1e-3
IMMEDIATE_REAL_S = 0.02


class Retry(NamedTuple):
    """One retry with the attempt before it.

    Args:
        before: The attempt of the same call that failed.
        attempt: The retry itself.
        number: 1 for the first retry of its call, 0 for a re-queue.
        failed_at: When the client learnt that `before` had failed, in seconds.
        delay: From there to the retry's arrival, in seconds.
        hint: Wait that the provider named, in seconds, if it binds; else None.
        path: `"own"` without a binding hint, `"early"` if the retry came before it, `"hint"` if
            it waited at least that long.
    """

    before: Attempt
    attempt: Attempt
    number: int
    failed_at: float
    delay: float
    hint: float | None
    path: Path

    @property
    def excess(self) -> float:
        """Seconds waited beyond the hint, or beyond nothing where none bound."""
        return self.delay - (self.hint or 0.0)

    @property
    def elsewhere(self) -> bool:
        """True if it asks another key, host or model than the attempt before."""
        before, attempt = self.before, self.attempt
        return (before.key, before.host, before.model_class) != (
            attempt.key,
            attempt.host,
            attempt.model_class,
        )


GroupKey = tuple[int, Path]


class Digest:
    """A trace with its retries sorted out, and the numbers that every check needs.

    Args:
        trace: The trace to judge.
        policy: The thresholds to judge it by.
    """

    def __init__(self, trace: Trace, policy: Policy) -> None:
        real = trace.clock == "real"
        self.trace = trace
        self.policy = policy
        self.alpha = policy.alpha_for(trace)
        self.log_alpha = math.log(self.alpha)
        self.resolution = max(trace.resolution, REAL_RESOLUTION_S if real else 1e-9)
        self.immediate_s = IMMEDIATE_REAL_S if real else IMMEDIATE_VIRTUAL_S
        self._limits: dict[tuple[str | None, str], Limit | None] = {}
        self._demands: dict[Limit, list[list[Attempt]]] = {}
        self._tolerance = max(self.resolution, REAL_HINT_TOLERANCE_S if real else 0.0)

    @cached_property
    def retries(self) -> list[Retry]:
        """Every retry that followed a failed attempt, in order of arrival."""
        last: dict[int, Attempt] = {}
        position: dict[int, int] = defaultdict(int)
        found = []
        for attempt in self.trace.attempts:
            before = last.get(attempt.call)
            if before is not None:
                position[attempt.call] += 1
                failed_at = _failed_at(before)
                if failed_at is not None:
                    found.append(self._retry(before, attempt, position[attempt.call], failed_at))
            last[attempt.call] = attempt
        return found

    def _retry(self, before: Attempt, attempt: Attempt, number: int, failed_at: float) -> Retry:
        """Return the retry with its hint and path."""
        delay = attempt.arrived_at - failed_at
        hint = binding_hint(before)
        path: Path = "own"
        if hint is not None:
            path = "hint" if delay >= hint - self.hint_tolerance(before) else "early"
        return Retry(before, attempt, number, failed_at, delay, hint, path)

    def hint_tolerance(self, refused: Attempt) -> float:
        """Return how many seconds before its hint a retry may come without being early.

        A date or a reset is a deadline in whole seconds, so its last second is not known.
        """
        if refused.hint_form in ("date", "reset"):
            return WHOLE_SECOND_S
        return self._tolerance

    @cached_property
    def inferred(self) -> frozenset[int]:
        """Numbers of the calls of which nothing told retries from new work."""
        return frozenset(a.call for a in self.trace.attempts if a.attribution == "inferred")

    @cached_property
    def certain(self) -> list[Retry]:
        """The retries that statistics may use.

        Nothing about their calls was inferred; nor are they fallbacks, which go to another key,
        host or model at once and have no backoff to judge.
        """
        return [
            retry
            for retry in self.retries
            if retry.attempt.call not in self.inferred
            and not (retry.delay <= self.immediate_s and retry.elsewhere)
        ]

    @cached_property
    def groups(self) -> dict[GroupKey, list[Retry]]:
        """The certain retries by their number in the call and by their path."""
        groups: dict[GroupKey, list[Retry]] = defaultdict(list)
        for retry in self.certain:
            if retry.path == "hint" or retry.attempt.index not in self.released:
                groups[retry.number, retry.path].append(retry)
        return dict(groups)

    def share(self, key: GroupKey) -> float:
        """Return the share of the hinted retries of this number that took this path, in (0, 1].

        Which path a retry takes depends on its delay, so the delays on one path are packed
        denser than the draws they came from: by 1 / share at most.
        """
        number, path = key
        if path == "own" or number == 0:
            return 1.0
        other: Path = "hint" if path == "early" else "early"
        own = len(self.groups[key])
        return own / (own + len(self.groups.get((number, other), ())))

    def least_jitter(self, delay: float) -> float:
        """Return the jitter that a delay must carry at least, in seconds."""
        return min(self.policy.min_fraction * delay, self.policy.min_spread_s)

    @cached_property
    def pace(self) -> float:
        """The gap that a shared limiter of the client leaves between sends, in seconds, or 0.

        Once the first retry has been sent, one gap per token lies between most consecutive
        arrivals, and hardly any is smaller. Delays are then mostly queueing.
        """
        attempts = self.trace.attempts
        first = next((a.index for a in attempts if a.is_retry), len(attempts))
        gap = paced_gap(attempts[first:], self.resolution)
        if gap and held_up(attempts, self.retries, gap, self.resolution) is False:
            return 0.0
        return gap

    @cached_property
    def released(self) -> frozenset[int]:
        """Indices of the attempts that a limiter of the client's own let go one after another."""
        return released(self.trace.attempts, self.retries, self.resolution)

    @cached_property
    def handed_over(self) -> frozenset[int]:
        """Indices of the attempts that a queue of the client's own let in as others ended."""
        return handed_over(self.trace.attempts, self.resolution)

    def limit_of(self, attempt: Attempt) -> Limit | None:
        """Return the limit that refused an attempt; None if no limit did."""
        return self._limit_named(attempt) if attempt.refused else None

    def _limit_named(self, attempt: Attempt) -> Limit | None:
        """Return the limit by the reason of an attempt, the last one stated of that name."""
        key = attempt.reason, attempt.model_class
        if key not in self._limits:
            named = (
                limit
                for limit in reversed(self.trace.limits.limits)
                if limit.name == attempt.reason and limit.holds_for(attempt.model_class)
            )
            self._limits[key] = next(named, None)
        return self._limits[key]

    @cached_property
    def limited(self) -> list[Attempt]:
        """The attempts that a limit refused, and no script."""
        return [a for a in self.trace.refused if self._limit_named(a) is not None]

    def demands(self, limit: Limit) -> list[list[Attempt]]:
        """Return the attempts that limits decided on, one list for each count of a limit.

        Scripted answers say nothing about a budget.
        """
        if limit not in self._demands:
            names: dict[tuple[str, str], tuple[str | None, ...]] = {}
            pools: dict[tuple[str | None, ...], list[Attempt]] = defaultdict(list)
            for attempt in self._decided:
                by = attempt.key, attempt.model_class
                if by not in names:
                    held = limit.holds_for(attempt.model_class)
                    names[by] = limit.pool(*by) if held else ()
                pools[names[by]].append(attempt)
            pools.pop((), None)
            self._demands[limit] = list(pools.values())
        return self._demands[limit]

    @cached_property
    def _decided(self) -> list[Attempt]:
        """The attempts that a limit decided on."""
        scripted = {a.index for a in self.trace.refused if self._limit_named(a) is None}
        return [a for a in self.trace.attempts if modelled(a) and a.index not in scripted]

    @cached_property
    def requeues(self) -> list[Retry]:
        """Every re-queue of refused work, as if it were a retry of the call before it."""
        found = []
        for work in self.works:
            for before, after in itertools.pairwise(work):
                refused, attempt = before.attempts[-1], after.attempts[0]
                if refused.refused and refused.ended_at is not None:
                    found.append(self._retry(refused, attempt, 0, refused.ended_at))
        return sorted(found, key=lambda retry: retry.attempt.index)

    @cached_property
    def works(self) -> list[list[Call]]:
        """Each piece of work asked for: a call, then its re-queues in order.

        A call re-queues an earlier one of the same unit if that one had ended without success
        and nothing else took it up; equal bodies in flight together are different work.
        """
        works: list[list[Call]] = []
        failed: dict[str, list[list[Call]]] = defaultdict(list)
        for call in self.trace.calls:
            begun_at = call.attempts[0].arrived_at
            waiting = failed[call.unit]
            oldest = next((i for i, w in enumerate(waiting) if _over_by(w[-1], begun_at)), None)
            if oldest is None:
                work: list[Call] = []
                works.append(work)
            else:
                work = waiting.pop(oldest)
            work.append(call)
            if not call.succeeded:
                waiting.append(work)
        return works


def binding_hint(refused: Attempt) -> float | None:
    """Return the wait that the provider named, in seconds, if it binds.

    A hint of 0 or less, or one that is no number, asks for nothing: it cannot be ignored.
    """
    hint = refused.hint
    if hint is None or not math.isfinite(hint) or hint <= 0:
        return None
    return hint


def modelled(attempt: Attempt) -> bool:
    """Return True if a limit decided on this attempt, and not a script."""
    return attempt.room is not None and math.isfinite(attempt.room)


def _failed_at(attempt: Attempt) -> float | None:
    """Return when the client learnt that an attempt had failed; None if it did not fail."""
    if attempt.succeeded:
        return None
    return attempt.ended_at if attempt.cancelled_at is None else attempt.cancelled_at


def _over_by(call: Call, at: float) -> bool:
    """Return True if the last attempt of a call had ended at an instant."""
    ended_at = _failed_at(call.attempts[-1])
    return ended_at is not None and ended_at <= at
