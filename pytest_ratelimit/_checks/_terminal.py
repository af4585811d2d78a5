"""Terminal errors (RL121): was an error retried that no wait can cure?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._schedule import layer_of
from pytest_ratelimit._checks._text import many, names
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from pytest_ratelimit._checks._digest import Digest


def judge_terminal(digest: Digest) -> Judgement:
    """Return the judgement on RL121."""
    terminal = [attempt for attempt in digest.trace.attempts if attempt.terminal]
    if not terminal:
        return Judgement.unjudged(
            "the provider never answered with an error that no wait can cure: script one"
        )
    retried = [retry for retry in digest.retries if retry.before.terminal]
    if not retried:
        return Judgement.of()
    reasons = Counter(f"{r.before.status} {r.before.reason or ''}".strip() for r in retried)
    calls = {retry.attempt.call for retry in retried}
    who = "the SDK" if layer_of(retried) == "sdk" else "the code around the SDK"
    kinds = names([f"{reason} ({number:,} x)" for reason, number in reasons.most_common()])
    tokens = sum(retry.attempt.tokens for retry in retried)
    return Judgement.of(
        Finding(
            code="RL121",
            severity="error",
            summary=f"{many(len(retried), 'retry')} of {many(len(calls), 'call')} after an error "
            "that no wait can cure",
            evidence=(
                f"The error was {kinds}.",
                f"They demanded {many(tokens, 'token')} for nothing.",
            ),
            cause=f"{who} retries by status alone, and does not look at what the error says.",
            remedy="retry only what waiting can cure: look at the error's code before the status.",
            attempts=tuple(retry.attempt.index for retry in retried),
        )
    )
