"""Goodput (RL302, RL305): how long did the job take, against the least that its limit allows?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._checks._costs import costs
from pytest_ratelimit._checks._ideal import covered_s, end_of, measure_ideal
from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._queueing import paced_gap
from pytest_ratelimit._checks._text import amount, many, seconds, were
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from fake_provider._limits import Limit
    from fake_provider._trace import Trace
    from pytest_ratelimit._checks._digest import Digest
    from pytest_ratelimit._checks._ideal import Ideal

# A small part of a limit, and the share of sends that begin as another ends: those are relays.
_SMALL_PART = 0.25
_RELAYED = 0.1


class _Finish(NamedTuple):
    """When a job finished, and how long it may have taken.

    Args:
        taken_s: Seconds that it took.
        bound_s: Seconds that it may take.
        rule: How the bound came about, in words.
    """

    taken_s: float
    bound_s: float
    rule: str


def judge_goodput(digest: Digest) -> Judgement:
    """Return the judgement on RL302.

    Unless a bound is stated, only the time counts in which work was waiting or being served, and
    only where limits alone refused: nothing says how long a script would have refused.
    """
    policy, trace = digest.policy, digest.trace
    ideal = measure_ideal(trace)
    stated = []
    if policy.max_makespan_s is not None:
        rule = "This bound is stated."
        stated.append(_Finish(trace.makespan, policy.max_makespan_s, rule))
    if policy.max_times_ideal is not None and ideal is not None:
        rule = f"{policy.max_times_ideal:g} x the ideal is stated as the bound."
        bound_s = policy.max_times_ideal * ideal.seconds
        stated.append(_Finish(trace.makespan, bound_s, rule))
    if policy.max_times_ideal is not None and ideal is None:
        return Judgement.unjudged("nothing was served: there is no ideal to compare with")
    if stated:
        over = [finish for finish in stated if finish.taken_s > finish.bound_s]
        return Judgement.of(*(_late_finding(digest, finish, ideal) for finish in over))
    if ideal is None:
        return Judgement.unjudged("nothing was served: there is no ideal to compare with")
    if len(digest.limited) < len(trace.refused):
        return Judgement.unjudged(
            "a script refused some attempts, and nothing says how fast the job could have been"
        )
    charging = any(attempt.charged for attempt in trace.refused)
    factor = policy.makespan_factor_charged if charging else policy.makespan_factor
    rule = f"Above {factor:g} x the ideal plus {seconds(policy.makespan_slack_s)} it is a collapse."
    bound_s = factor * ideal.seconds + policy.makespan_slack_s
    finish = _Finish(_waiting_s(digest), bound_s, rule)
    if finish.taken_s > finish.bound_s:
        return Judgement.of(_late_finding(digest, finish, ideal))
    return Judgement.of(_waste_finding(digest, ideal))


def _waiting_s(digest: Digest) -> float:
    """Return the seconds in which some work had been asked for and was not yet done."""
    ended_at = digest.trace.ended_at
    return covered_s(
        (work[0].attempts[0].arrived_at, end_of(work[-1].attempts[-1], ended_at))
        for work in digest.works
        if not any(attempt.terminal for call in work for attempt in call.attempts)
    )


def _late_finding(digest: Digest, finish: _Finish, ideal: Ideal | None) -> Finding:
    """Return the finding about a job that took too long."""
    trace = digest.trace
    refused = len(trace.refused)
    against = ""
    if ideal is not None and ideal.seconds > 0:
        against = f", {finish.taken_s / ideal.seconds:.1f} x the ideal of {seconds(ideal.seconds)}"
    return Finding(
        code="RL302",
        severity="error",
        summary=f"the job took {seconds(finish.taken_s)}{against}",
        evidence=(
            *([] if ideal is None else [_ideal_line(ideal)]),
            (
                f"{finish.rule} {refused:,} of {many(len(trace.attempts), 'attempt')} "
                f"{were(refused)} refused."
            ),
        ),
        cause=_late_cause(trace),
        remedy=_late_remedy(trace, ideal),
        attempts=tuple(a.index for a in trace.attempts if not a.succeeded)
        or tuple(a.index for a in trace.attempts),
    )


def _ideal_line(ideal: Ideal) -> str:
    """Return the line that says what the ideal consists of."""
    chain = f"The longest chain of one caller's calls was served in {seconds(ideal.chain_s)}"
    if ideal.limit is None:
        return f"{chain}; no limit was enforced."
    return (
        f"{chain}; {ideal.limit.name} needs {seconds(ideal.limit_s)} for the "
        f"{many(ideal.tokens, 'token')} served."
    )


def _late_cause(trace: Trace) -> str:
    """Return what kept the job."""
    if not trace.refused:
        return "nothing was refused: the callers waited for themselves."
    if any(attempt.charged for attempt in trace.refused):
        return "refused attempts are charged as well, so that retries keep the limit full."
    return "callers waited for longer than the limit asked for, or lost what it had admitted."


def _late_remedy(trace: Trace, ideal: Ideal | None) -> str:
    """Return what would have ended the job in time."""
    limit = None if ideal is None else ideal.limit
    if ideal is None or limit is None:
        return "start the calls earlier, side by side, or wait less between them."
    if limit.kind == "concurrent":
        requests = many(limit.amount, "request")
        return f"keep {requests} in flight: the job then takes about {_about(ideal)}"
    if not trace.refused:
        return f"let the callers use more of {limit.name}: {_rate(limit)} are allowed."
    return (
        f"share one bucket of {amount(0.9 * limit.rate)} {limit.unit} a second and "
        f"{amount(_burst(limit))} at once between all callers: the job then takes about "
        f"{_about(ideal)}"
    )


def _about(ideal: Ideal) -> str:
    """Return the time that a good client takes."""
    return f"{seconds(1.2 * ideal.seconds)}."


def _burst(limit: Limit) -> float:
    """Return the burst of a bucket that keeps a limit: a window holds its refill as well."""
    return limit.capacity if limit.refills else limit.capacity / 2


def _rate(limit: Limit) -> str:
    """Return the limit's rate in words."""
    return f"{amount(limit.amount)} {limit.unit} per {seconds(limit.per)}"


def _waste_finding(digest: Digest, ideal: Ideal) -> Finding | None:
    """Return the finding about charges that bought nothing, if they outgrew what was served."""
    wasted = [a for a in digest.trace.attempts if not a.succeeded and a.charged and not a.terminal]
    tokens = sum(attempt.tokens * attempt.charged for attempt in wasted)
    sized = [limit for limit in digest.trace.limits if limit.kind == "tokens"]
    least = max((limit.capacity for limit in sized), default=0)
    if tokens <= max(least, digest.policy.waste_factor * ideal.tokens):
        return None
    charged = round(tokens)
    return Finding(
        code="RL302",
        severity="error",
        summary=f"{many(charged, 'token')} {were(charged)} charged for nothing, "
        f"{tokens / ideal.tokens:.1f} x the {amount(ideal.tokens)} served",
        evidence=(
            (
                f"{many(len(wasted), 'attempt')} {were(len(wasted))} charged without an answer; "
                f"above {digest.policy.waste_factor:g} x what is served it is a collapse."
            ),
        ),
        cause="attempts are charged that cannot succeed: they are refused, or given up on.",
        remedy="share a retry budget between the callers, and take each attempt's cost from one "
        "shared budget before it is sent.",
        attempts=tuple(attempt.index for attempt in wasted),
    )


def judge_throttle(digest: Digest) -> Judgement:
    """Return the judgement on RL305: a note, or a warning where the time to finish is stated.

    What shows that a job was throttled, and did not merely think or poll, is that its callers'
    sends are paced: one gap between most of them, whoever sends.
    """
    policy, trace = digest.policy, digest.trace
    if trace.refused:
        return Judgement.of()
    ideal = measure_ideal(trace)
    if ideal is None or ideal.limit is None or ideal.limit.kind == "concurrent":
        return Judgement.unjudged("no limit on requests or tokens was enforced, or nothing served")
    gap = paced_gap(trace.attempts, digest.resolution)
    if not gap or _relayed(digest):
        return Judgement.unjudged("no pace can be seen in the sends: nothing says they were held")
    used = _used(trace, ideal.limit)
    bound_s = policy.makespan_factor * ideal.seconds + policy.makespan_slack_s
    if used > _SMALL_PART or trace.makespan <= bound_s:
        return Judgement.of()
    stated = policy.max_times_ideal is not None or policy.max_makespan_s is not None
    limit = ideal.limit
    return Judgement.of(
        Finding(
            code="RL305",
            severity="warning" if stated else "note",
            summary=f"{100 * used:.2g} % of {limit.name} was used, nothing was refused, and the "
            f"job took {seconds(trace.makespan)}, {trace.makespan / ideal.seconds:.1f} x the ideal",
            evidence=(
                (
                    f"Sends are paced, one every {seconds(gap)}, over "
                    f"{many(len(trace.callers), 'caller')}."
                ),
                _ideal_line(ideal),
            ),
            cause="the limiter on the client's side is set far below the provider's limit.",
            remedy=f"raise its rate to {amount(0.9 * limit.rate)} {limit.unit} a second."
            if limit.rate >= 10
            else f"raise its rate to {0.9 * limit.rate * limit.per:.3g} {limit.unit} per "
            f"{seconds(limit.per)}.",
            attempts=tuple(attempt.index for attempt in trace.attempts),
        )
    )


def _used(trace: Trace, limit: Limit) -> float:
    """Return the share of a limit that was used over the whole run, by all keys together."""
    allowed = limit.capacity + limit.rate * trace.makespan
    return sum(costs(trace.attempts, limit)) / allowed


def _relayed(digest: Digest) -> bool:
    """Return True if sends begin as others end: one caller's work needs another's."""
    attempts = digest.trace.attempts
    ends = sorted(end_of(attempt) for attempt in attempts)
    starts = [attempt.arrived_at for attempt in attempts]
    met = place = 0
    for start in starts:
        while place < len(ends) and ends[place] < start - digest.resolution:
            place += 1
        met += place < len(ends) and ends[place] <= start + digest.resolution
    return met > _RELAYED * len(starts)
