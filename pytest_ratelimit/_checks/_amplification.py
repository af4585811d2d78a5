"""Amplification (RL113, RL114): how much more was asked for than the application wanted?"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._text import amount, instant, many, seconds, were
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from fake_provider._trace import Call
    from pytest_ratelimit._checks._digest import Digest

# More than one retry for five calls is a storm if most of them are refused again.
# Source: Finagle's default retry budget (twitter.github.io/finagle, read 2026-11-25).
_RETRY_RATIO = 0.2


def judge_storm(digest: Digest) -> Judgement:
    """Return the judgement on RL113; calls with a terminal error are left to RL121."""
    calls = [
        call
        for call in digest.trace.calls
        if call.number not in digest.inferred
        and not any(attempt.terminal for attempt in call.attempts)
    ]
    if not calls:
        return Judgement.unjudged("no call is left whose retries are known and could have helped")
    return Judgement.of(_storm_finding(digest, calls), _budget_finding(digest, calls))


def _storm_finding(digest: Digest, calls: list[Call]) -> Finding | None:
    """Return the finding about attempts per call, if there are too many."""
    retries = [retry for call in calls for retry in call.retries]
    again = sum(retry.refused for retry in retries)
    per_call = 1 + len(retries) / len(calls)
    bound = digest.policy.attempts_per_call
    futile = len(retries) > _RETRY_RATIO * len(calls) and again > len(retries) / 2
    if per_call <= bound and not futile:
        return None
    worst = max(calls, key=lambda call: len(call.attempts))
    allowed = max(1, round(_RETRY_RATIO * len(calls)))
    return Finding(
        code="RL113",
        severity="error" if per_call > bound else "warning",
        summary=f"{per_call:.2f} attempts per call: {many(len(retries), 'retry')} for "
        f"{many(len(calls), 'call')}, and {again:,} of them {were(again)} refused again",
        evidence=(
            (
                f"Above {bound:g} attempts per call it is an error; above {_RETRY_RATIO:g} "
                "retries per call, most of them refused again, a warning."
            ),
            f"Call {worst.number} of {worst.caller} made {many(len(worst.attempts), 'attempt')}.",
        ),
        cause="each call retries by itself, and nothing bounds what they ask for together.",
        remedy=f"share a retry budget of {100 * _RETRY_RATIO:g} % between the callers: about "
        f"{many(allowed, 'retry')} for these {many(len(calls), 'call')}."
        if len({call.caller for call in calls}) > 1
        else f"stop=stop_after_attempt({int(bound)})",
        attempts=tuple(sorted(retry.index for retry in retries)),
    )


class _Overdraft(NamedTuple):
    """Retries that a budget did not allow."""

    attempts: tuple[int, ...]
    first_at: float
    deepest: float


def _budget_finding(digest: Digest, calls: list[Call]) -> Finding | None:
    """Return the finding about the stated retry budget, if it was overdrawn."""
    policy = digest.policy
    if policy.retry_ratio is None:
        return None
    overdraft = _replay_budget(digest, {call.number for call in calls})
    if not overdraft.attempts:
        return None
    retries = sum(len(call.retries) for call in calls)
    return Finding(
        code="RL113",
        severity="error",
        summary=f"{len(overdraft.attempts):,} of {many(retries, 'retry')} over the stated budget "
        f"of {policy.retry_ratio:g} retries per call",
        evidence=(
            (
                f"First at {instant(overdraft.first_at)}; overdrawn by up to "
                f"{overdraft.deepest:.1f} retries in {policy.budget_per_s:g} s."
            ),
        ),
        cause="retries are sent whether or not the budget allows them.",
        remedy=f"withdraw from the budget before each retry, and give up when it is empty; or "
        f"state retry_ratio={retries / len(calls):.2g}.",
        attempts=overdraft.attempts,
    )


def _replay_budget(digest: Digest, calls: set[int]) -> _Overdraft:
    """Return the retries that would have overdrawn the budget.

    Each call begun deposits `retry_ratio`, each retry takes 1, and either expires after
    `budget_per_s`.
    """
    policy = digest.policy
    entries: deque[tuple[float, float]] = deque()
    balance, deepest = policy.retry_reserve, 0.0
    over = []
    for attempt in digest.trace.attempts:
        if attempt.call not in calls:
            continue
        while entries and entries[0][0] <= attempt.arrived_at - policy.budget_per_s:
            balance -= entries.popleft()[1]
        entry = -1.0 if attempt.is_retry else policy.retry_ratio or 0.0
        entries.append((attempt.arrived_at, entry))
        balance += entry
        if attempt.is_retry and balance < -1e-9:
            over.append(attempt)
            deepest = max(deepest, -balance)
    first_at = over[0].arrived_at if over else 0.0
    return _Overdraft(tuple(a.index for a in over), first_at, deepest)


def judge_work(digest: Digest) -> Judgement:
    """Return the judgement on RL114: re-queued work; plain retries are RL113's business."""
    works = digest.works
    requeued = [work for work in works if len(work) > 1]
    if not requeued:
        return Judgement.of()
    asked = sum(work[0].attempts[0].tokens for work in works)
    retried = sum(a.tokens for work in works for call in work for a in call.retries)
    again = sum(call.attempts[0].tokens for work in requeued for call in work[1:])
    served = sum(a.tokens for a in digest.trace.attempts if a.succeeded)
    demanded = asked + retried + again
    ratio = demanded / asked if asked else 1.0
    requeues = [call for work in requeued for call in work[1:]]
    longest = max(
        work[-1].attempts[-1].arrived_at - work[0].attempts[0].arrived_at for work in requeued
    )
    error = ratio > digest.policy.attempts_per_call
    per_served = (
        f"{demanded / served:.1f} x the {amount(served)} served" if served else "none served"
    )
    return Judgement.of(
        Finding(
            code="RL114",
            severity="error" if error else "warning",
            summary=f"{many(demanded, 'token')} demanded for {amount(asked)} asked for: "
            f"{ratio:.1f} x",
            evidence=(
                (
                    f"{many(retried, 'token')} more by retries, {amount(again)} by "
                    f"{many(len(requeues), 're-queue')} of {many(len(requeued), 'unit')}; "
                    f"{per_served}."
                ),
                (
                    f"The unit asked for most often was asked for in "
                    f"{many(max(len(work) for work in requeued), 'call')}."
                ),
            ),
            cause="refused work is dispatched again as new calls, each with retries of its own.",
            remedy="keep refused work in its call until it is served, with delays that add up to "
            f"{seconds(longest)} or more, instead of dispatching it again as a new call; hold all "
            "attempts for one unit to one bound: it was "
            f"{max(sum(len(c.attempts) for c in w) for w in requeued):,} in this run.",
            attempts=tuple(sorted(a.index for call in requeues for a in call.attempts)),
        )
    )
