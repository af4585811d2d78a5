"""Starvation (RL303): do some calls wait far longer than chance explains?"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._text import amount, many, names, odds, seconds, were
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from fake_provider._attempt import Attempt
    from fake_provider._trace import Call
    from pytest_ratelimit._checks._digest import Digest

# A starved call that costs so much more than the median one is starved by its size.
_LARGE = 2.0


class _Starved(NamedTuple):
    """A call that others passed.

    Args:
        call: The call.
        passed: How many attempts of others were admitted between its first and last refusal.
        log_p: Logarithm of the probability that one such call is passed so often by chance.
        waited_s: Seconds from its first to its last attempt.
    """

    call: Call
    passed: int
    log_p: float
    waited_s: float


def judge_starvation(digest: Digest) -> Judgement:
    """Return the judgement on RL303.

    Null: whenever a limit admits somebody, each of the N callers of the key is as likely to be
    the one; a call is then passed m times with a probability of (1 - 1/N)^m. Only what was
    admitted between a call's own refusals counts: a long wait of its own choice is no starvation.
    """
    groups: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for attempt in digest.trace.attempts:
        groups[attempt.key, attempt.model_class].append(attempt)
    limited = {attempt.index for attempt in digest.limited}
    waiting = [
        call
        for call in digest.trace.calls
        if len(call.attempts) > 1
        and call.number not in digest.inferred
        and not call.attempts[0].terminal
        and call.attempts[0].index in limited
    ]
    if not waiting:
        return Judgement.unjudged("no call was refused by a limit and tried again")
    by_group: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in waiting:
        by_group[call.attempts[0].key, call.attempts[0].model_class].append(call)
    correction = math.log(len(digest.trace.calls))
    starved = [
        found._replace(log_p=found.log_p + correction)
        for key, calls in by_group.items()
        for found in _passed(digest, calls, groups[key], limited)
        if found.log_p + correction <= digest.log_alpha
    ]
    return Judgement.of(_finding(digest, starved) if starved else None)


def _passed(
    digest: Digest, calls: list[Call], attempts: list[Attempt], limited: AbstractSet[int]
) -> Iterator[_Starved]:
    """Yield how often each call was passed by the other callers of its key.

    Args:
        digest: The trace's digest.
        calls: Calls that were refused by a limit.
        attempts: All attempts on their key and model class.
        limited: Indices of the attempts that a limit refused.
    """
    contenders = len({attempt.caller for attempt in attempts})
    if contenders < digest.policy.min_callers:
        return
    admitted: list[float] = []
    own: dict[str, list[float]] = defaultdict(list)
    for attempt in attempts:
        if attempt.status == 200:
            admitted.append(attempt.arrived_at)
            own[attempt.caller].append(attempt.arrived_at)
    log_other = math.log1p(-1 / contenders)
    for call in calls:
        refusals = [a.arrived_at for a in call.attempts if a.index in limited]
        first, last = refusals[0], refusals[-1]
        mine = own.get(call.caller, [])
        passed = _between(admitted, first, last) - _between(mine, first, last)
        span = call.attempts[-1].arrived_at - call.attempts[0].arrived_at
        yield _Starved(call, passed, passed * log_other, span)


def _between(times: list[float], first: float, last: float) -> int:
    """Return how many sorted times lie after the first instant and before the last."""
    return max(0, bisect_left(times, last) - bisect_right(times, first))


def _finding(digest: Digest, starved: list[_Starved]) -> Finding:
    """Return the warning about the calls that were passed most."""
    worst = min(starved, key=lambda found: found.log_p)
    call = worst.call
    costs = sorted(own.attempts[0].tokens for own in digest.trace.calls)
    usual, mine = costs[len(costs) // 2], call.attempts[0].tokens
    callers = list(dict.fromkeys(found.call.caller for found in starved))
    if mine > _LARGE * usual:
        cause = (
            f"its cost of {many(mine, 'token')} seldom fits while calls of {amount(usual)} take "
            "what is free."
        )
        remedy = (
            f"let calls queue in one line in front of the limit, first come first served, or "
            f"split what costs more than {many(usual, 'token')}."
        )
    else:
        cause = "who has waited longest tries least often: newcomers take what is free."
        remedy = "let calls queue in one line in front of the limit, first come first served."
    return Finding(
        code="RL303",
        severity="warning",
        summary=f"{many(len(starved), 'call')} waited for up to {seconds(worst.waited_s)} while "
        f"{many(worst.passed, 'attempt')} of other callers {were(worst.passed)} admitted",
        evidence=(
            (
                f"Worst: {call.caller}, call {call.number}, refused "
                f"{many(sum(a.refused for a in call.attempts), 'time')}, "
                f"{'served in the end' if call.succeeded else 'never served'}."
            ),
            (
                f"Callers: {names(callers)}; {odds(worst.log_p)} if each caller were as likely to "
                "be next."
            ),
        ),
        cause=cause,
        remedy=remedy,
        p=math.exp(min(0.0, worst.log_p)),
        attempts=tuple(sorted(a.index for found in starved for a in found.call.attempts)),
    )
