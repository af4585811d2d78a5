"""Sharing (RL204, RL205): do callers on one key share what it allows?"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._checks._demand import in_flight_peak
from pytest_ratelimit._checks._digest import binding_hint
from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._queueing import instants
from pytest_ratelimit._checks._schedule import uniform
from pytest_ratelimit._checks._text import instant, many, names, seconds, were
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from fake_provider._attempt import Attempt
    from fake_provider._limits import Limit
    from pytest_ratelimit._checks._digest import Digest

# What one caller learns the others cannot know at once; what starts within this time of the
# refusal, in seconds, is the first wave, and RL202's business.
_NEWS_S = 0.1


def judge_concurrency(digest: Digest) -> Judgement:
    """Return the judgement on RL204, against the limit and the stated number."""
    stated = digest.policy.max_concurrent_requests
    limits = [limit for limit in digest.trace.limits if limit.kind == "concurrent"]
    if not limits and stated is None:
        return Judgement.unjudged(
            "no limit on concurrent requests was enforced, and no number is stated"
        )
    return Judgement.of(
        None if stated is None else _stated_finding(digest, stated),
        *(_refused_finding(digest, limit) for limit in limits),
    )


def _stated_finding(digest: Digest, most: float) -> Finding | None:
    """Return the finding about more requests in flight than were stated, if there were."""
    trace = digest.trace
    peak = in_flight_peak(trace.attempts, trace.ended_at, lambda _: 1)
    if peak.amount <= most:
        return None
    at = trace.attempts[peak.first].arrived_at
    flying = [
        a
        for a in trace.attempts[: peak.first + 1]
        if a.ended_at is None or a.ended_at > at or a.index == peak.first
    ]
    return Finding(
        code="RL204",
        severity="error",
        summary=f"{many(int(peak.amount), 'request')} in flight, and what is stated "
        f"allows {most:,.0f}",
        evidence=(
            (
                f"At {instant(at)}, of {many(len({a.caller for a in flying}), 'caller')}: "
                f"{names(list(dict.fromkeys(a.caller for a in flying)))}."
            ),
        ),
        cause="requests are sent without waiting for others to end.",
        remedy=_semaphore(most),
        attempts=tuple(a.index for a in flying),
    )


def _refused_finding(digest: Digest, limit: Limit) -> Finding | None:
    """Return the finding about attempts that a limit on concurrency refused, if it did."""
    refused = [a for a in digest.limited if digest.limit_of(a) is limit]
    if not refused:
        return None
    worst = max(instants(refused, digest.resolution), key=len)
    retries = sum(attempt.is_retry for attempt in refused)
    return Finding(
        code="RL204",
        severity="error",
        summary=f"{many(limit.amount + len(worst), 'request')} in flight or asking to be, and "
        f"{limit.name} admits {limit.amount:,}",
        evidence=(
            (
                f"At {instant(worst[0].arrived_at)}, when {len(worst):,} {were(len(worst))} "
                f"refused; {len(refused):,} in the whole run, {retries:,} of them retries."
            ),
        ),
        cause="callers do not know how many requests the others have in flight.",
        remedy=_semaphore(limit.amount),
        attempts=tuple(attempt.index for attempt in refused),
    )


def _semaphore(most: float) -> str:
    """Return the remedy for too many requests in flight."""
    return (
        f"hold a semaphore of {most:,.0f} while a request is served, one for all callers on "
        "the key."
    )


class _Binding(NamedTuple):
    """A refusal whose hint still binds, until an instant in seconds."""

    until: float
    refused: Attempt


class _Uninformed(NamedTuple):
    """A first attempt that was refused while the hint of another caller's refusal bound."""

    attempt: Attempt
    binding: _Binding


def judge_sharing(digest: Digest, unguided: AbstractSet[int], drain_s: float) -> Judgement:
    """Return the judgement on RL205.

    Only a first attempt that was refused as well counts: one that fitted did no harm.

    Args:
        digest: The trace's digest.
        unguided: Indices of refused retries that had neither waited for the hint nor for long
            enough to spread.
        drain_s: Seconds that the limit needs to admit those that came back together, or 0.
    """
    hinted = [a for a in digest.limited if binding_hint(a) is not None]
    if not hinted:
        return Judgement.unjudged(
            "no limit refused an attempt with a hint: without one nobody knows for how long a "
            "refusal binds"
        )
    groups: dict[tuple[str | None, ...], list[Attempt]] = defaultdict(list)
    for attempt in hinted:
        limit = digest.limit_of(attempt)
        if limit is not None:
            pool = limit.pool(attempt.key, attempt.model_class)
            groups[*pool, attempt.reason].append(attempt)
    uninformed = [found for own in groups.values() for found in _uninformed(digest, own)]
    if not uninformed:
        return Judgement.of()
    again = bool(unguided & {attempt.index for attempt in hinted})
    severe = again or digest.policy.states_budget
    return Judgement.of(_sharing_finding(uninformed, drain_s, severe=severe))


def _uninformed(digest: Digest, refused: list[Attempt]) -> Iterator[_Uninformed]:
    """Yield the first attempts among some refusals that came while another caller's one bound."""
    known = 0
    # The latest binding of any caller, and the latest of any other: one of them is a sibling's.
    latest: list[_Binding] = []
    for attempt in refused:
        while known < len(refused) and _told_at(refused[known]) + _NEWS_S < attempt.arrived_at:
            news = refused[known]
            until = _told_at(news) + (news.hint or 0.0) - digest.hint_tolerance(news)
            latest = _two_latest(latest, _Binding(until, news))
            known += 1
        if attempt.is_retry:
            continue
        siblings = (b for b in latest if b.refused.caller != attempt.caller)
        binding = next(siblings, None)
        if binding and attempt.arrived_at < binding.until:
            yield _Uninformed(attempt, binding)


def _told_at(refused: Attempt) -> float:
    """Return when the refusal had left the provider."""
    return refused.arrived_at if refused.ended_at is None else refused.ended_at


def _two_latest(latest: list[_Binding], new: _Binding) -> list[_Binding]:
    """Return which of three bindings last longest, of two callers, the longest first."""
    caller = new.refused.caller
    kept = [binding for binding in latest if binding.refused.caller != caller]
    own = [binding for binding in latest if binding.refused.caller == caller]
    if own and own[0].until > new.until:
        return latest
    place = sum(binding.until > new.until for binding in kept)
    return [*kept[:place], new, *kept[place:]][:2]


def _sharing_finding(uninformed: list[_Uninformed], drain_s: float, *, severe: bool) -> Finding:
    """Return the finding about siblings that did not know of a refusal."""
    worst = max(uninformed, key=lambda found: found.binding.until - found.attempt.arrived_at)
    attempt, (until, refused) = worst
    callers = list(dict.fromkeys(found.attempt.caller for found in uninformed))
    spread = uniform(max(drain_s, (refused.hint or 0.0) / 10))
    return Finding(
        code="RL205",
        severity="error" if severe else "warning",
        summary=f"{many(len(uninformed), 'call')} begun, and refused, while a refusal of the "
        f"same key still bound, by up to {seconds(until - attempt.arrived_at)}",
        evidence=(
            (
                f"Worst: {refused.caller} was told at {instant(_told_at(refused))} to wait "
                f"{seconds(refused.hint or 0.0)}; {attempt.caller} began call {attempt.call} at "
                f"{instant(attempt.arrived_at)}."
            ),
            f"Callers: {names(callers)}.",
        ),
        cause="what one caller learns of the limit the others on its key do not know.",
        remedy="share the hint: let every caller on the key wait until the latest instant that "
        f"any of them was told, plus {spread} each; or take each call's cost from one shared "
        "budget.",
        attempts=tuple(sorted(found.attempt.index for found in uninformed)),
    )
