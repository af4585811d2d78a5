"""Bounds (RL111): does a call give up, and before how many attempts or seconds?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._text import many, seconds
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fake_provider._trace import Call
    from pytest_ratelimit._checks._digest import Digest, Retry
    from pytest_ratelimit._checks._stacks import Stack


def judge_bounds(digest: Digest, stacks: Sequence[Stack]) -> Judgement:
    """Return the judgement on RL111.

    The attempts of a call that two layers retried are left to RL112, unless the run had to be
    stopped.

    Args:
        digest: The trace's digest.
        stacks: What `measure_stacks` found.
    """
    policy, trace = digest.policy, digest.trace
    stacked = set() if trace.stopped else {stack.call for stack in stacks}
    calls = [call for call in trace.calls if call.number not in stacked]
    over = [call for call in calls if len(call.attempts) > policy.max_attempts]
    waits = [
        finding
        for finding in (_longest_wait(digest), _longest_total(digest, calls))
        if finding is not None
    ]
    if over:
        return Judgement.of(_attempts_finding(digest, over), *waits)
    gave_up = any(call.attempts[-1].refused for call in trace.calls)
    if not waits and not gave_up:
        most = max((len(call.attempts) for call in trace.calls), default=0)
        return Judgement.unjudged(
            "no call was refused to its end: it takes one that is refused for ever, and this "
            f"run's longest call made {many(most, 'attempt')}"
        )
    return Judgement.of(*waits)


def _attempts_finding(digest: Digest, over: list[Call]) -> Finding:
    """Return the finding about calls with too many attempts."""
    trace, bound = digest.trace, digest.policy.max_attempts
    worst = max(over, key=lambda call: len(call.attempts))
    last = worst.attempts[-1]
    span = last.arrived_at - worst.attempts[0].arrived_at
    lines = [f"Call {worst.number} of {worst.caller} made them in {seconds(span)}."]
    if last.refused:
        lines.append("Its last attempt was refused as well: no end was seen.")
    if trace.stopped:
        lines.append(f"The run was stopped: {trace.stopped}.")
    return Finding(
        code="RL111",
        severity="error",
        summary=f"{many(len(over), 'call')} made more than {bound:,} attempts, up to "
        f"{len(worst.attempts):,}",
        evidence=tuple(lines),
        cause="the retry loop has no bound, or one above what this policy allows.",
        remedy=f"stop=stop_after_attempt({bound}), or raise the bound: max_attempts="
        f"{len(worst.attempts)}.",
        attempts=tuple(sorted(a.index for call in over for a in call.attempts[bound:])),
    )


def _longest_wait(digest: Digest) -> Finding | None:
    """Return the finding about single waits above the declared bound."""
    bound = digest.policy.max_wait_s
    over = [] if bound is None else [r for r in digest.retries if r.delay > bound]
    if bound is None or not over:
        return None
    worst: Retry = max(over, key=lambda retry: retry.delay)
    who = "inside the SDK" if worst.attempt.layer == "sdk" else "in the code around the SDK"
    told = "" if worst.hint is None else f", where the hint asked for {seconds(worst.hint)}"
    return Finding(
        code="RL111",
        severity="error",
        summary=f"{many(len(over), 'retry')} came after a wait above {seconds(bound)}, up to "
        f"{seconds(worst.delay)}",
        evidence=(f"{worst.attempt.caller} waited that long {who}{told}.",),
        cause="nothing bounds a single wait.",
        remedy=f"give up when the wait would exceed {seconds(bound)}.",
        attempts=tuple(retry.attempt.index for retry in over),
    )


def _longest_total(digest: Digest, calls: list[Call]) -> Finding | None:
    """Return the finding about calls that waited longer in all than the declared bound."""
    bound = digest.policy.max_total_wait_s
    if bound is None:
        return None
    spans = {
        call.number: call.attempts[-1].arrived_at - call.attempts[0].arrived_at for call in calls
    }
    over = [call for call in calls if spans[call.number] > bound]
    if not over:
        return None
    worst = max(over, key=lambda call: spans[call.number])
    return Finding(
        code="RL111",
        severity="error",
        summary=f"{many(len(over), 'call')} kept trying for more than {seconds(bound)}, up to "
        f"{seconds(spans[worst.number])}",
        evidence=(
            f"Call {worst.number} of {worst.caller} made {many(len(worst.attempts), 'attempt')}.",
        ),
        cause="nothing bounds the time that a call may take in all.",
        remedy=f"stop=stop_after_delay({bound:g})",
        attempts=tuple(call.attempts[-1].index for call in over),
    )
