"""Hints (RL103, RL105): did retries wait as long as the provider said?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._checks._demand import Charges
from pytest_ratelimit._checks._digest import binding_hint
from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._schedule import layer_of, uniform
from pytest_ratelimit._checks._text import instant, many, names, seconds, were
from pytest_ratelimit._findings import Finding
from pytest_ratelimit._stats import median

if TYPE_CHECKING:
    from fake_provider._attempt import Attempt
    from fake_provider._limits import Limit
    from fake_provider._trace import Call
    from pytest_ratelimit._checks._digest import Digest, Retry

_SAME_S = 1e-6


class HintEvidence(NamedTuple):
    """What came of the hints.

    Args:
        hinted: Retries and re-queues that followed a binding hint.
        early: Those that came before it.
        refused: Refused attempts that carried a binding hint.
    """

    hinted: list[Retry]
    early: list[Retry]
    refused: int

    @property
    def indices(self) -> frozenset[int]:
        """Indices of the attempts that came too early."""
        return frozenset(retry.attempt.index for retry in self.early)


def measure_hints(digest: Digest) -> HintEvidence:
    """Return the retries and re-queues that followed a hint, and those that came before it."""
    hinted = [retry for retry in digest.retries if retry.hint is not None]
    hinted.extend(retry for retry in digest.requeues if retry.hint is not None)
    hinted.sort(key=lambda retry: retry.attempt.index)
    early = [retry for retry in hinted if retry.path == "early"]
    refused = sum(a.refused and binding_hint(a) is not None for a in digest.trace.attempts)
    return HintEvidence(hinted, early, refused)


def judge_hints(evidence: HintEvidence, drain_s: float) -> Judgement:
    """Return the judgement on RL103; giving up instead of waiting is legal.

    Args:
        evidence: What `measure_hints` found.
        drain_s: Seconds that the limit needs to admit those that came back together, or 0.
    """
    if not evidence.hinted:
        if evidence.refused:
            return Judgement.unjudged(
                f"{many(evidence.refused, 'attempt')} {were(evidence.refused)} refused with a hint "
                "and none was retried: giving up is legal, and it takes a retry to judge"
            )
        return Judgement.unjudged(
            "no retry followed a refusal with a hint: it takes one refusal that says how long "
            "to wait, and a retry after it"
        )
    return Judgement.of(_early_finding(evidence, drain_s) if evidence.early else None)


def _early_finding(evidence: HintEvidence, drain_s: float) -> Finding:
    """Return the finding about all that came too early."""
    early = evidence.early
    worst = max(early, key=lambda retry: -retry.excess)
    again = sum(retry.attempt.refused for retry in early)
    requeued = sum(retry.number == 0 for retry in early)
    hint = worst.hint or 0.0
    lines = [
        (
            f"Worst: {worst.attempt.caller}, call {worst.attempt.call}, told to wait "
            f"{seconds(hint)}, came back after {seconds(worst.delay)}, at "
            f"{instant(worst.attempt.arrived_at)}."
        ),
        f"{again:,} of the {len(early):,} {were(again)} refused again.",
    ]
    if requeued:
        lines.append(f"{many(requeued, 're-queue')} among them: new calls for refused work.")
    cause, remedy = _explain(evidence, drain_s)
    return Finding(
        code="RL103",
        severity="error",
        summary=f"{len(early):,} of {many(len(evidence.hinted), 'retry')} after a hint came "
        f"before it allowed, by up to {seconds(-worst.excess)}",
        evidence=tuple(lines),
        cause=cause,
        remedy=remedy,
        attempts=tuple(retry.attempt.index for retry in early),
    )


def _explain(evidence: HintEvidence, drain_s: float) -> tuple[str, str]:
    """Return the pattern of the early retries, and what to do about it."""
    early = evidence.early
    who = "the SDK" if layer_of(early) == "sdk" else "the code around the SDK"
    hints = [retry.hint or 0.0 for retry in early]
    longest, spread = max(hints), uniform(max(drain_s, max(hints) / 10))
    wait = "wait at least the hint, or give up: sleep float(response.headers['retry-after'])"
    cap = _cap(evidence)
    if cap is not None:
        return (
            f"{who} caps its wait at {seconds(cap)}, and the hints went up to {seconds(longest)}.",
            f"raise the cap to {seconds(longest)} or more, or give up when the hint is above it.",
        )
    shares = [retry.delay / (retry.hint or 1.0) for retry in early]
    if min(shares) >= 0.75 and max(shares) - min(shares) > 1e-3:
        return (
            (
                f"{who} follows the hint with jitter that also goes below it: waits were "
                f"{min(shares):.2f} to {max(shares):.2f} of the hint."
            ),
            f"add the jitter on top: hint + {spread}.",
        )
    delays = sorted({round(retry.delay, 3) for retry in early})
    shown = names([seconds(delay) for delay in delays], shown=4)
    return (
        f"{who} waits on a schedule of its own and ignores the hint: {shown}.",
        f"{wait} + {spread}.",
    )


def _cap(evidence: HintEvidence) -> float | None:
    """Return the wait at which most early retries stop, if shorter hints were obeyed."""
    longest = max(retry.delay for retry in evidence.early)
    at_cap = sum(abs(retry.delay - longest) < _SAME_S for retry in evidence.early)
    obeyed = any(r.path == "hint" and (r.hint or 0.0) <= longest for r in evidence.hinted)
    return longest if obeyed and at_cap > len(evidence.early) / 2 else None


class _Inside(NamedTuple):
    """A call that was over before its cost could have fitted."""

    call: Call
    wait_s: float
    span_s: float
    hinted: bool


def judge_windows(digest: Digest) -> Judgement:
    """Return the judgement on RL105.

    With a hint the wait is what the provider said, and the finding an error; without one it is
    what the limit would have needed, which nothing told the client: a note.
    """
    given_up = [
        call
        for call in digest.trace.calls
        if len(call.attempts) > 1 and call.attempts[-1].refused and not _terminal(call)
    ]
    retried = any(retry.before.refused for retry in digest.retries)
    if not retried:
        return Judgement.unjudged("no refused attempt was retried: it takes one that was")
    ledger = _Ledger(digest)
    inside = [found for call in given_up if (found := _inside(digest, call, ledger))]
    told = [found for found in inside if found.hinted]
    untold = [found for found in inside if not found.hinted]
    return Judgement.of(
        _inside_finding(told) if told else None, _inside_finding(untold) if untold else None
    )


def _terminal(call: Call) -> bool:
    """Return True if an error of this call could not have been cured by waiting."""
    return any(attempt.terminal for attempt in call.attempts)


class _Ledger:
    """The charges of each count of a limit, gathered when they are first asked for."""

    def __init__(self, digest: Digest) -> None:
        self._attempts = digest.trace.attempts
        self._charges: dict[tuple[str | None, ...], Charges] = {}

    def waits_s(self, limit: Limit, refused: Attempt) -> float | None:
        """Return how long a refused attempt would have had to wait."""
        pool = limit.pool(refused.key, refused.model_class)
        key = (*pool, limit.name)
        if key not in self._charges:
            own = [a for a in self._attempts if limit.pool(a.key, a.model_class) == pool]
            self._charges[key] = Charges(limit, own)
        return self._charges[key].waits_s(refused)


def _inside(digest: Digest, call: Call, ledger: _Ledger) -> _Inside | None:
    """Return the call if it gave up before its cost could have fitted."""
    first, last = call.attempts[0], call.attempts[-1]
    if any(a.room is not None and a.room >= 1 for a in call.attempts) or first.ended_at is None:
        return None
    hint = binding_hint(first)
    if hint is not None:
        span = last.arrived_at - first.ended_at
        told = span < hint - digest.hint_tolerance(first)
        return _Inside(call, hint, span, hinted=True) if told else None
    limit = digest.limit_of(first)
    if limit is None:
        return None
    wait = ledger.waits_s(limit, first)
    span = last.arrived_at - first.arrived_at
    if wait is None or span >= wait:
        return None
    return _Inside(call, wait, span, hinted=False)


def _inside_finding(inside: list[_Inside]) -> Finding:
    """Return the finding about calls that gave up too soon to have a chance."""
    worst = max(inside, key=lambda found: found.wait_s - found.span_s)
    attempts = [a for found in inside for a in found.call.attempts]
    made = many(len(worst.call.attempts), "attempt")
    needed = max(found.wait_s for found in inside)
    per_call = median(len(found.call.attempts) for found in inside)
    who = "the hint asked for" if worst.hinted else "its cost needed"
    untold = "" if worst.hinted else " No hint said so."
    return Finding(
        code="RL105",
        severity="error" if worst.hinted else "note",
        summary=f"{many(len(inside), 'call')} made all attempts and gave up before the cost "
        "could have fitted",
        evidence=(
            (
                f"Worst: {worst.call.caller}, call {worst.call.number}, made {made} in "
                f"{seconds(worst.span_s)}, and {who} {seconds(worst.wait_s)}.{untold}"
            ),
            f"{many(len(attempts), 'attempt')} were made for nothing.",
        ),
        cause=f"{math.ceil(per_call):,} attempts with these delays end inside the limit's window.",
        remedy=f"let the delays add up to more than {seconds(needed)}, or wait for the hint.",
        attempts=tuple(sorted(a.index for a in attempts)),
    )
