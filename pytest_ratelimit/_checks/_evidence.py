"""Evidence (RL901, RL902, RL903): was there anything to judge?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ratelimit._checks._demand import window_peak
from pytest_ratelimit._checks._digest import cost
from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._text import many, names, were
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._trace import Trace
    from pytest_ratelimit._checks._digest import Digest

# What a policy for refusals consists of; if none of it could be judged, the run says nothing.
_POLICY = ("RL102", "RL103", "RL106", "RL111")


def judge_quiet(digest: Digest) -> Judgement:
    """Return the judgement on RL902."""
    trace = digest.trace
    if trace.refused:
        return Judgement.of()
    made, callers = len(trace.attempts), len(trace.callers)
    return Judgement.of(
        Finding(
            code="RL902",
            severity="note",
            summary=f"nothing was refused: {many(made, 'attempt')} of {many(callers, 'caller')} "
            f"{were(made)} let through, so no retry was tested",
            cause="demand stayed within every limit."
            if len(trace.limits)
            else "no limit was set, and no refusal was scripted.",
            remedy=_tighter(digest),
        )
    )


def _tighter(digest: Digest) -> str:
    """Return a limit that would have refused half of the peak demand."""
    attempts = digest.trace.attempts
    times = [attempt.arrived_at for attempt in attempts]
    for limit in digest.trace.limits:
        if limit.kind in ("concurrent", "count_tokens"):
            continue
        peak = window_peak(times, [cost(a, limit) for a in attempts], limit.window)
        half = max(1, int(peak.amount * limit.per / limit.window / 2))
        return f"to see refusals, set {limit.name}={half:_}: half of what this run asked for."
    tokens = sum(attempt.tokens for attempt in attempts)
    return f"to see refusals, set tokens_per_minute={max(1, tokens // 2):_}."


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
        seen = tuple(dict.fromkeys(trace.elsewhere))
        evidence = (f"Seen elsewhere: {names(seen)}.",)
        cause = "the requests took a way that is not intercepted in this process."
        remedy = (
            'take the server door, door="server", and point the client at provider.base_url; '
            'or name the host: hosts={"llm-gateway.corp": "openai"}.'
        )
    else:
        evidence = ("No request to any host was seen.",)
        cause = "the code under test made no request, or made it in another process."
        remedy = (
            'call the code inside the test; for other processes take door="server" and pass '
            "provider.env to them."
        )
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
