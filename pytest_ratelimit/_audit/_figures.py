"""Figures: what a trace of a probe tells of the policy behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_ratelimit._checks._digest import Digest
from pytest_ratelimit._checks._policy import Policy
from pytest_ratelimit._checks._stacks import measure_stacks
from pytest_ratelimit._checks._text import many
from pytest_ratelimit._stats import median, widest_jitter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider import Trace

# What is printed is an estimate; the verdicts are judged at the policy's alpha.
CONFIDENCE = 0.95

Obedience = Literal["not retried", "ignored", "in part", "exact", "obeyed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The delays before the k-th retry, over all calls; in seconds.

    Args:
        retry: k, from 1.
        delays: How many were seen.
        median_s: Their median.
        least_s: The shortest.
        most_s: The longest.
        jitter_below_s: What the width of their jitter is below, at `CONFIDENCE`; None for one
            delay. It is at least `most_s - least_s`.
    """

    retry: int
    delays: int
    median_s: float
    least_s: float
    most_s: float
    jitter_below_s: float | None

    @property
    def spread_s(self) -> float:
        """Range of the delays."""
        return self.most_s - self.least_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What came of a hint.

    Args:
        seconds: The wait that every refusal asked for, in seconds.
        obedience: `"exact"` where all waited that long and no longer, `"obeyed"` where they
            waited that long or longer, `"in part"` where some did, `"ignored"` where none did.
        least_s: The shortest wait that followed, in seconds; None if nothing was retried.
        most_s: The longest.
    """

    seconds: float
    obedience: Obedience
    least_s: float | None = None
    most_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Who retries.

    Args:
        sdk: Most attempts that the SDK made in one go; 1 where it does not retry.
        code: Most rounds that the code around the SDK made; 1 where it does not retry.
        factors: The product where both retry, such as `"15 attempts = 5 outer x 3 SDK"`; else
            empty.
    """

    sdk: int
    code: int
    factors: str = ""


def schedule(trace: Trace) -> tuple[Step, ...]:
    """Return the delays before each retry, where no hint decided on them."""
    digest = Digest(trace, Policy())
    delays: dict[int, list[float]] = {}
    for retry in digest.certain:
        delays.setdefault(retry.number, []).append(retry.delay)
    return tuple(
        Step(
            retry=number,
            delays=len(own),
            median_s=median(own),
            least_s=min(own),
            most_s=max(own),
            jitter_below_s=_jitter_below_s(own, digest.resolution),
        )
        for number, own in sorted(delays.items())
    )


def _jitter_below_s(delays: list[float], resolution: float) -> float | None:
    """Return the width of jitter that these delays exclude."""
    if len(delays) < 2:
        return None
    width = max(max(delays) - min(delays), resolution)
    return widest_jitter(width, len(delays), 1 - CONFIDENCE)


def obedience(trace: Trace, hint_s: float) -> Hint:
    """Return what came of a hint that every refusal of a trace carried.

    Args:
        trace: The trace.
        hint_s: The hint, in seconds.
    """
    digest = Digest(trace, Policy())
    retries = [retry for retry in digest.retries if retry.hint is not None]
    if not retries:
        return Hint(seconds=hint_s, obedience="not retried")
    waited = sum(retry.path == "hint" for retry in retries)
    least, most = min(r.delay for r in retries), max(r.delay for r in retries)
    found: Obedience = "in part"
    if not waited:
        found = "ignored"
    elif waited == len(retries):
        on_time = max(retry.excess for retry in retries) <= digest.immediate_s
        found = "exact" if on_time else "obeyed"
    return Hint(seconds=hint_s, obedience=found, least_s=least, most_s=most)


def layers(trace: Trace) -> Layers:
    """Return who retries, by the SDK's own counter where it sends one."""
    stacks = measure_stacks(Digest(trace, Policy()))
    sdk = 1 + max((a.sdk_retry or 0 for a in trace.attempts), default=0)
    rounds = max((sum(not a.sdk_retry for a in c.attempts) for c in trace.calls), default=1)
    return Layers(sdk=sdk, code=rounds, factors=stacks[0].factors if stacks else "")


def longest_wait_s(trace: Trace) -> float:
    """Return the longest delay before a retry, in seconds; 0 if nothing was retried."""
    return max((r.delay for r in Digest(trace, Policy()).retries), default=0.0)


def longest_call_s(trace: Trace) -> float:
    """Return the longest time from a call's first attempt to its last, in seconds."""
    spans = (call.attempts[-1].arrived_at - call.attempts[0].arrived_at for call in trace.calls)
    return max(spans, default=0.0)


def most_attempts(trace: Trace) -> int:
    """Return the most attempts that a call made."""
    return max((len(call.attempts) for call in trace.calls), default=0)


def retried(trace: Trace, errors: Mapping[str, str]) -> dict[str, int]:
    """Return the retries after each error, by its label.

    Args:
        trace: The trace.
        errors: The label of the error that each caller saw, by its name.
    """
    counts = dict.fromkeys(errors.values(), 0)
    for call in trace.calls:
        counts[errors[call.caller]] += len(call.retries)
    return counts


def described(found: Layers) -> str:
    """Return who retries, in words."""
    if found.factors:
        return f"the SDK inside the code around it: {found.factors}"
    if found.sdk > 1:
        return f"the SDK alone, {many(found.sdk, 'attempt')}"
    if found.code > 1:
        return f"the code around the SDK alone, {many(found.code, 'attempt')}"
    return "none: nothing is retried"
