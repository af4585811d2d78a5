"""Recovery (RL122): did a refusal reach the application although it was meant to be retried?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._text import many, names, seconds, were
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from pytest_ratelimit._checks._digest import Digest


def judge_recovery(digest: Digest) -> Judgement:
    """Return the judgement on RL122; giving up at once is legal unless retries are declared."""
    if not digest.policy.retries_declared:
        return Judgement.unjudged("no retry policy was declared, and giving up at once is legal")
    refused = [call for call in digest.trace.calls if call.attempts[0].refused]
    curable = [call for call in refused if not call.attempts[0].terminal]
    if not curable:
        return Judgement.unjudged("no first attempt was refused with an error that waiting cures")
    inert = [call for call in curable if len(call.attempts) == 1]
    if not inert:
        return Judgement.of()
    callers = list(dict.fromkeys(call.caller for call in inert))
    hints = [call.attempts[0].hint for call in inert]
    told = [hint for hint in hints if hint is not None]
    lines = [f"Callers: {names(callers)}."]
    if told:
        lines.append(f"The provider had named waits of up to {seconds(max(told))}.")
    return Judgement.of(
        Finding(
            code="RL122",
            severity="error",
            summary=f"{len(inert):,} of {many(len(curable), 'call')} refused at first "
            f"{were(len(inert))} never retried, although retries are declared",
            evidence=tuple(lines),
            cause="the retry policy is not where the error is raised: it wraps a generator, or a "
            "function that only returns an awaitable, or looks for another exception.",
            remedy="wrap the code that reads the response: collect the stream inside the function "
            "that is retried.",
            attempts=tuple(call.attempts[0].index for call in inert),
        )
    )
