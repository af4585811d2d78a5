"""Evidence (RL901, RL902, RL903): was there anything to judge?"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from fake_provider._limits import Limits
from pytest_ratelimit._checks._costs import costs
from pytest_ratelimit._checks._demand import window_peak
from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._text import many, names, were
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fake_provider._trace import Trace
    from pytest_ratelimit._checks._digest import Digest

# What a policy for refusals consists of; if none of it could be judged, the run says nothing.
_POLICY = ("RL102", "RL103", "RL106", "RL111")
# Limits for which a figure that would have refused says nothing of retries.
_NOT_PROPOSED = ("concurrent", "count_tokens")
# Libraries whose requests are answered in this process.
_INTERCEPTED = ("aiohttp", "botocore", "httpx", "httpx2")
_BY_FILE = 'write its attempts to a file, and judge that: check(Trace.load("trace.jsonl")).'


def judge_quiet(digest: Digest) -> Judgement:
    """Return the judgement on RL902."""
    trace = digest.trace
    if trace.refused:
        return Judgement.of()
    failed = Counter(attempt.status for attempt in trace.attempts if attempt.status != 200)
    served = len(trace.attempts) - failed.total()
    who = f"{many(len(trace.attempts), 'attempt')} of {many(len(trace.callers), 'caller')}"
    summary = f"nothing was refused: {who} {were(served)} let through, so no retry was tested"
    if failed:
        kinds = names([f"{status} ({number:,} x)" for status, number in failed.most_common()])
        summary = (
            f"nothing was refused for now: {served:,} of {who} {were(served)} let through, the "
            f"rest ended with {kinds}, and no retry of a refusal was tested"
        )
    return Judgement.of(
        Finding(
            code="RL902",
            severity="note",
            summary=summary,
            cause=_quiet_cause(digest, served),
            remedy=_tighter(digest),
        )
    )


def _quiet_cause(digest: Digest, served: int) -> str:
    """Return why nothing was refused."""
    if not len(digest.trace.limits):
        return "no limit was set, and no refusal was scripted."
    if not served:
        return "no attempt was one that a limit could have admitted later."
    return "demand stayed within every limit."


def _tighter(digest: Digest) -> str:
    """Return a limit that admits every attempt by itself, and would have refused others."""
    served = [attempt for attempt in digest.trace.attempts if attempt.status == 200]
    times = [attempt.arrived_at for attempt in served]
    limits = [each for each in digest.trace.limits if each.kind not in _NOT_PROPOSED]
    for limit in limits or Limits(tokens_per_minute=1):
        amounts = costs(served, limit)
        peak = window_peak(times, amounts, limit.window)
        each = max(amounts, default=0)
        # A limit below the largest request refuses it for ever, and tests no retry.
        lower = max(each, int(peak.amount / 2))
        if each < peak.amount:
            per_minute = math.ceil(lower * limit.per / limit.window)
            share = "half of what this run asked for" if lower > each else "room for one of them"
            return f"to see refusals, set {limit.name}={per_minute:_}: {share}."
    return "to see refusals, start more calls together: one by itself meets no limit."


def too_few_refused(trace: Trace, refused: int, needed: int) -> Finding:
    """Return the finding RL902 that fewer callers were refused than the test asks for.

    Args:
        trace: The trace.
        refused: Callers that were refused.
        needed: Callers that should have been.
    """
    attempts, callers = len(trace.attempts), len(trace.callers)
    return Finding(
        code="RL902",
        severity="error",
        summary=f"{refused:,} of the {many(needed, 'caller')} needed {were(refused)} refused",
        evidence=(f"{many(callers, 'caller')} made {many(attempts, 'attempt')}.",),
        cause="the limit was not met by enough callers to show how a fleet behaves.",
        remedy="lower the limit, or start more callers together.",
    )


def judge_silence(digest: Digest) -> Judgement:
    """Return the judgement on RL903."""
    trace = digest.trace
    if trace.attempts:
        return Judgement.of()
    if trace.elsewhere:
        seen = list(dict.fromkeys(trace.elsewhere))
        evidence = (f"Seen elsewhere: {names(seen)}.",)
        cause, remedy = _another_way(seen)
    else:
        evidence = ("No request to any host was seen.",)
        cause = "the code under test made no request, or made it in another process."
        remedy = f"call the code inside the test; for another process {_BY_FILE}"
    return Judgement.of(
        Finding(
            code="RL903",
            severity="error",
            summary="nothing reached the provider, so nothing was judged",
            evidence=evidence,
            cause=cause,
            remedy=remedy,
        )
    )


def _another_way(seen: Sequence[str]) -> tuple[str, str]:
    """Return why requests like these are not seen, and how they are."""
    library, _, host = seen[0].partition(" to ")
    if library in _INTERCEPTED:
        cause = "the requests went to a host that is not answered."
        return cause, f'name the host: hosts={{"{host}": "openai"}}.'
    cause = "the requests took a way that is not intercepted in this process."
    return cause, (
        f"leave the SDK its own client, or make it one of {', '.join(_INTERCEPTED)}: {library} is "
        f"not intercepted. Where that cannot be, {_BY_FILE}"
    )


def judge_evidence(digest: Digest, judged: Mapping[str, Judgement]) -> Judgement:
    """Return the judgement on RL901: a note if attempts were refused and no policy was seen.

    Args:
        digest: The trace's digest.
        judged: The judgements on the other codes.
    """
    refused = len(digest.trace.refused)
    if not refused or any(judged[code].judged for code in _POLICY):
        return Judgement.of()
    return Judgement.of(
        Finding(
            code="RL901",
            severity="note",
            summary=f"{many(refused, 'attempt')} refused, and too little came of it to judge "
            "any retry policy",
            evidence=tuple(f"{code}: {judged[code].missing}." for code in _POLICY),
            cause="the run did not put the code under test in the situation that is judged.",
            remedy="lower the limit, raise the number of callers, or script refusals.",
            attempts=tuple(attempt.index for attempt in digest.trace.refused),
        )
    )
