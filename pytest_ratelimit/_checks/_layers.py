"""Layers (RL112): was one call retried by several layers, one inside the other?"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._stacks import knows_depth
from pytest_ratelimit._checks._text import many, names
from pytest_ratelimit._findings import Finding
from pytest_ratelimit._stats import median

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ratelimit._checks._digest import Digest
    from pytest_ratelimit._checks._stacks import Stack

# Without the SDK's counter: so many calls must show the pattern, each with so many retries.
_MIN_CALLS = 3
_MIN_RETRIES = 4
# Delays that vary fall alike by chance: of three such calls in one run of 200, of eight in none.
_MIN_VARIED = 8
_FALLEN = 0.6
_MOST = 0.9
# After a fall the schedule starts again: its delay is the first one's, within this factor.
_RESTART = 2.0


def judge_layers(digest: Digest, stacks: Sequence[Stack]) -> Judgement:
    """Return the judgement on RL112.

    Args:
        digest: The trace's digest.
        stacks: What `measure_stacks` found.
    """
    if stacks:
        return Judgement.of(_exact_finding(stacks))
    pattern = _pattern(digest)
    if pattern is not None:
        return Judgement.of(_pattern_finding(digest, pattern))
    retries = digest.trace.retries
    if not retries:
        return Judgement.unjudged("nothing was retried: it takes one call that was")
    seen = all(knows_depth(call) for call in digest.trace.calls)
    counted = any(attempt.sdk_retry for attempt in retries)
    if not seen and not counted and len(_long_calls(digest)) < _MIN_CALLS:
        counted = all(attempt.sdk_retry is not None for attempt in retries)
        counter = "the SDK's retry counter stayed at 0" if counted else "no SDK sends its counter"
        return Judgement.unjudged(
            f"{counter}, and without it the pattern takes {_MIN_CALLS} calls with {_MIN_RETRIES} "
            "retries each"
        )
    return Judgement.of()


def _exact_finding(stacks: Sequence[Stack]) -> Finding:
    """Return the finding with the factors of the longest call."""
    worst = stacks[0]
    total = sum(len(stack.attempts) for stack in stacks)
    witness, *more = _witness_lines(worst)
    who = "one loop inside another"
    if worst.is_sdk and not worst.loops[0].is_sdk:
        who = "the SDK inside another retry loop"
    cause, remedy = _explain(worst)
    return Finding(
        code="RL112",
        severity="error",
        summary=f"{many(len(stacks), 'call')} retried by {who}; call {worst.call} made "
        f"{worst.factors}",
        evidence=(
            witness,
            f"{many(len(stacks), 'call')} made {many(total, 'attempt')} this way.",
            *more,
        ),
        cause=f"{cause}: the attempts multiply.",
        remedy=remedy,
        attempts=tuple(sorted(a.index for stack in stacks for a in stack.attempts)),
    )


def _explain(stack: Stack) -> tuple[str, str]:
    """Return which loops retry, and which to keep."""
    kept = f"at most {many(max(stack.code), 'attempt')} instead of {len(stack.attempts):,}."
    if not stack.is_sdk:
        return "two loops retry the same call", f"keep one of the loops: {kept}"
    sdk = next(loop.rounds for loop in stack.loops if loop.is_sdk)
    who = "the code around the SDK retries"
    where = "around it"
    if stack.loops[0].is_sdk:
        who, where = "the transport under the SDK retries", "under it"
    elif len(stack.code) > 1:
        who = "two loops around the SDK retry"
    return (
        f"{who}, and so does the SDK (max_retries={sdk - 1})",
        f"set max_retries=0 on the client, and keep one loop {where}: {kept}",
    )


def _witness_lines(stack: Stack) -> list[str]:
    """Return the lines that say what told the loops apart."""
    counter = (
        f"Call {stack.call} of {stack.caller}: the SDK's retry counter started again "
        f"{stack.restarts:,} x within one call."
    )
    if stack.witness == "depth":
        seen = (
            f"Call {stack.call} of {stack.caller}: {len(stack.loops)} loops were on the stack, one "
            "inside the other, and each sent it again."
        )
        return [seen, counter] if stack.restarts else [seen]
    if stack.witness == "delays":
        middle = stack.code[-1]
        return [counter, f"Before every {middle:,} rounds of the SDK the delays begin anew."]
    return [counter, "Several loops around the SDK count as one here: the delays do not tell."]


def _long_calls(digest: Digest) -> list[list[float]]:
    """Return the delays of the calls with enough retries, none of them decided by a hint."""
    delays: dict[int, list[float]] = defaultdict(list)
    hinted = set()
    for retry in digest.certain:
        delays[retry.attempt.call].append(retry.delay)
        if retry.path == "hint":
            hinted.add(retry.attempt.call)
    return [own for call, own in delays.items() if len(own) >= _MIN_RETRIES and call not in hinted]


def _pattern(digest: Digest) -> list[int] | None:
    """Return the retry numbers before which nearly every call's delay falls back, if any.

    A schedule inside a schedule starts again at the same retries in every call, and nowhere
    else; draws fall anywhere. Callers that make the same draws (RL104) are one piece of evidence
    between them, unless what they draw repeats itself.
    """
    calls = _long_calls(digest)
    if len(calls) < _MIN_CALLS:
        return None
    different = _different(calls, 10 * digest.resolution)
    if len(different) < _MIN_VARIED and not all(_repeats(own, digest) for own in different):
        return None
    calls = different
    shortest = min(len(own) for own in calls)
    fallen, quiet = [], 0
    for i in range(1, shortest):
        share = sum(own[i] < _FALLEN * own[i - 1] for own in calls) / len(calls)
        if share >= _MOST and _restarts(calls, i):
            fallen.append(i + 1)
        elif share <= 1 - _MOST:
            quiet += 1
    return fallen if fallen and len(fallen) + quiet == shortest - 1 else None


def _different(calls: list[list[float]], tolerance: float) -> list[list[float]]:
    """Return the rows of delays that differ, those of each length that were made first."""
    rows = {tuple(round(delay / tolerance) for delay in own): own for own in reversed(calls)}
    return list(rows.values())


def _repeats(own: list[float], digest: Digest) -> bool:
    """Return True if a row of delays begins anew after its first fall: the same delays again."""
    fall = next((i for i in range(1, len(own)) if own[i] < _FALLEN * own[i - 1]), len(own))
    # The outer delay is the one that fell, or the inner round begins with it.
    for begin in (fall, fall + 1):
        pairs = list(zip(own[begin:], own[:fall], strict=False))
        if pairs and all(abs(again - first) <= 10 * digest.resolution for again, first in pairs):
            return True
    return False


def _restarts(calls: list[list[float]], place: int) -> bool:
    """Return True if the delay there is that of the first retry again, in the median call."""
    ratio = median(own[place] / own[0] if own[0] > 0 else 0.0 for own in calls)
    return 1 / _RESTART <= ratio <= _RESTART


def _pattern_finding(digest: Digest, fallen: list[int]) -> Finding:
    """Return the warning that the delays look like a loop in a loop."""
    calls = _long_calls(digest)
    longest = max(len(own) for own in calls) + 1
    inner = fallen[0]
    counted = all(attempt.sdk_retry is not None for attempt in digest.trace.attempts)
    return Finding(
        code="RL112",
        severity="warning",
        summary=f"the delays of {many(len(calls), 'call')} fall back to the start at retry "
        f"{names(fallen)}: a retry loop inside another",
        evidence=(
            f"Calls made up to {longest:,} attempts, in rounds of {inner:,}.",
            "The SDK's own counter stayed at 0: both loops are around it, and this is read from "
            "the delays."
            if counted
            else "No SDK counter says so: this is read from the delays.",
        ),
        cause="two loops retry the same call, and their attempts multiply.",
        remedy=f"keep one of the two loops; {longest:,} attempts become "
        f"{max(2, -(-longest // inner)):,} or {inner:,}.",
        attempts=tuple(sorted(r.attempt.index for r in digest.certain if r.number in fallen)),
    )
