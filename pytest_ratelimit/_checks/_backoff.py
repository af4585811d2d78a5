"""Backoff (RL106, RL107): do delays grow from retry to retry, and are there any?"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._schedule import full_jitter
from pytest_ratelimit._checks._text import many, odds, seconds, were
from pytest_ratelimit._findings import Finding
from pytest_ratelimit._stats import log_binomial_tail, median

if TYPE_CHECKING:
    from pytest_ratelimit._checks._digest import Digest, Retry

# The longest later delay may be this many times the longest first one and still be called flat.
_FLAT = {4: 2.0, 3: 1.5, 2: 1.25}
# So many equal delays in one call, or three in each of two calls, need no statistics.
_EQUAL_IN_ONE = 6
_EQUAL_IN_TWO = 3
_EQUAL = 1e-6
# Hints are ignored altogether where so many of the retries after one came before it allowed.
_IGNORED = 0.9
# Full jitter over a tenth of a second is the hottest backoff that is still one.
_HOTTEST_S = 0.1


class _Flat(NamedTuple):
    """Delays that do not grow."""

    calls: int
    retries: int
    ratio: float
    log_p: float | None
    members: list[Retry]


def judge_growth(digest: Digest, drain_s: float, *, jittered: bool) -> Judgement:
    """Return the judgement on RL106.

    Null: the k-th delay is a share, drawn independently, of a ceiling that grows by
    `growth_factor` a retry; then the longest k-th delay of n calls is seldom so short.

    Args:
        digest: The trace's digest.
        drain_s: Seconds that the limit needs to admit those that came back together, or 0.
        jittered: False if the delays were found not to vary: draws are then not independent, and
            only delays that are visibly equal count. So it is where a limiter of the client's
            own let some of the retries go.
    """
    if digest.pace:
        return Judgement.unjudged(f"sends are paced, one every {seconds(digest.pace)}")
    calls = _own_schedules(digest)
    if all(len(own) < 2 for own in calls):
        return Judgement.unjudged(
            "no call was retried twice on a schedule of its own: it takes two retries in "
            "several calls, or six in one"
        )
    flat = _equal(digest, calls)
    if flat is not None:
        return Judgement.of(_flat_finding(digest, flat, drain_s))
    flat, attainable = _flat(digest, calls)
    if not attainable:
        return Judgement.unjudged(_growth_missing(digest, calls))
    # Behind a line of the client's own the first delay may be the longest by the line alone.
    independent = jittered and not digest.released
    return Judgement.of(
        _flat_finding(digest, flat, drain_s) if flat is not None and independent else None
    )


def _own_schedules(digest: Digest) -> list[list[Retry]]:
    """Return each call's first retries for as long as no hint may have decided on their delays.

    Retries that came before a hint are the shorter ones of their schedule, and would look flat;
    only where (almost) all of them did is the schedule the code's own.
    """
    hinted = [retry for retry in digest.certain if retry.path != "own"]
    ignored = sum(r.path == "early" for r in hinted) >= _IGNORED * len(hinted)
    by_call: dict[int, list[Retry]] = defaultdict(list)
    stopped: set[int] = set()
    for retry in digest.certain:
        call = retry.attempt.call
        decided = retry.path != "own" and not ignored
        decided |= retry.attempt.index in digest.released
        if decided or retry.number != len(by_call[call]) + 1:
            stopped.add(call)
        if call not in stopped:
            by_call[call].append(retry)
    return [own for own in by_call.values() if own]


def _equal(digest: Digest, calls: list[list[Retry]]) -> _Flat | None:
    """Return the calls whose delays are visibly equal, if there are enough."""
    equal = [own for own in calls if len(own) >= _EQUAL_IN_TWO and _all_equal(digest, own)]
    enough = len(equal) >= 2 or any(len(own) >= _EQUAL_IN_ONE for own in equal)
    # A minority of equal schedules may be what is left of one that grows to a cap at once.
    if not enough or len(equal) < sum(len(own) >= _EQUAL_IN_TWO for own in calls) / 2:
        return None
    retries = min(len(own) for own in equal)
    return _Flat(len(equal), retries, 1.0, None, [r for own in equal for r in own])


def _all_equal(digest: Digest, own: list[Retry]) -> bool:
    """Return True if the delays of one call are equal, and not at the declared cap."""
    delays = [retry.delay for retry in own]
    cap = digest.policy.growth_cap_s
    if max(delays) <= 10 * digest.resolution or (cap is not None and min(delays) >= 0.9 * cap):
        return False
    return max(delays) - min(delays) <= _EQUAL * max(delays) + digest.resolution


def _flat(digest: Digest, calls: list[list[Retry]]) -> tuple[_Flat | None, bool]:
    """Return delays that grow less than chance allows, and whether a flat one would show."""
    factor, cap = digest.policy.growth_factor, digest.policy.growth_cap_s
    attainable = False
    for retries, flat in _FLAT.items():
        long = [own for own in calls if len(own) >= retries]
        first = max((own[0].delay for own in long), default=0.0)
        if first <= 10 * digest.resolution or (cap is not None and first >= 0.9 * cap):
            continue
        # Whatever came later counts too: a schedule may grow slowly at first.
        later = max(retry.delay for own in long for retry in own[1:])
        growth = (retries - 1) * math.log(factor)
        correction = math.log(len(_FLAT))
        attainable |= correction - len(long) * growth <= digest.log_alpha
        log_p = correction + len(long) * min(0.0, math.log(max(later, 1e-12) / first) - growth)
        if log_p <= digest.log_alpha and later / first <= flat:
            members = [retry for own in long for retry in own[:retries]]
            return _Flat(len(long), retries, later / first, log_p, members), True
    return None, attainable


def _growth_missing(digest: Digest, calls: list[list[Retry]]) -> str:
    """Return how many calls it takes, and how many there were."""
    retries = min(max(_FLAT), max(len(own) for own in calls))
    growth = (retries - 1) * math.log(digest.policy.growth_factor)
    needed = (math.log(len(_FLAT)) - digest.log_alpha) / growth
    have = sum(len(own) >= retries for own in calls)
    return (
        f"it takes {many(math.ceil(needed), 'call')} with {many(retries, 'retry')} each, two with "
        f"three equal delays, or one with six, and this run has {many(have, 'call')}"
    )


def _flat_finding(digest: Digest, flat: _Flat, drain_s: float) -> Finding:
    """Return the finding that the delays do not grow."""
    factor = digest.policy.growth_factor
    delay = median(retry.delay for retry in flat.members)
    again = sum(retry.attempt.refused for retry in flat.members)
    chance = "" if flat.log_p is None else f"; {odds(flat.log_p)}"
    return Finding(
        code="RL106",
        severity="error",
        summary=f"the backoff does not grow: over {many(flat.retries, 'retry')} of "
        f"{many(flat.calls, 'call')} the longest delay is {flat.ratio:.2f} x the longest first one",
        evidence=(
            (
                f"Growing by {factor:g} a retry would give {factor ** (flat.retries - 1):g} x; the "
                f"median delay is {seconds(delay)}{chance}."
            ),
            f"{again:,} of the {many(len(flat.members), 'retry')} {were(again)} refused again.",
        ),
        cause="the delay does not depend on how often the call was refused.",
        remedy=full_jitter(max(drain_s, math.ceil(delay))),
        p=None if flat.log_p is None else math.exp(flat.log_p),
        attempts=tuple(sorted(retry.attempt.index for retry in flat.members)),
    )


def judge_delays(digest: Digest, drain_s: float) -> Judgement:
    """Return the judgement on RL107.

    Null: delays are spread at least as wide as 0 to 0.1 s, so that few are next to nothing. A
    retry on another key, host or model is a fallback, and may come at once; so may one that was
    told to wait 0 s.

    Args:
        digest: The trace's digest.
        drain_s: Seconds that the limit needs to admit those that came back together, or 0.
    """
    immediate_s = digest.immediate_s
    own = [r for r in digest.certain if r.path != "hint" and r.before.refused and _in_place(r)]
    if not own:
        return Judgement.unjudged(
            "no refused attempt was retried on the same key and model without a hint to wait for"
        )
    hot = [retry for retry in own if retry.delay <= immediate_s]
    log_p = log_binomial_tail(len(own), immediate_s / _HOTTEST_S, len(hot))
    if not hot or log_p > digest.log_alpha:
        attainable = log_binomial_tail(len(own), immediate_s / _HOTTEST_S, len(own))
        if attainable > digest.log_alpha:
            return Judgement.unjudged(
                f"it takes more than {many(len(own), 'retry')} to tell a hot one from chance"
            )
        return Judgement.of()
    again = sum(retry.attempt.refused for retry in hot)
    calls = Counter(retry.attempt.call for retry in hot)
    return Judgement.of(
        Finding(
            code="RL107",
            severity="error" if again else "warning",
            summary=f"{len(hot):,} of {many(len(own), 'retry')} came within "
            f"{seconds(immediate_s)} of the refusal",
            evidence=(
                (
                    f"{again:,} of them {were(again)} refused again; "
                    f"{many(len(calls), 'call')} did so, up to {many(max(calls.values()), 'time')}."
                ),
                f"Delays spread over {seconds(_HOTTEST_S)} would do that with {odds(log_p)}.",
            ),
            cause="the code tries again without waiting, on the same key and model.",
            remedy=full_jitter(drain_s),
            p=math.exp(log_p),
            attempts=tuple(retry.attempt.index for retry in hot),
        )
    )


def _in_place(retry: Retry) -> bool:
    """Return True if a retry asks the same model with the same key, and was not told 0 s."""
    before = retry.before
    return not retry.elsewhere and (before.hint is None or before.hint > 0)
