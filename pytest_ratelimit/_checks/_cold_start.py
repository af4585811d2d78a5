"""Cold start (RL202): do the callers start with more than the limit admits at once?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ratelimit._checks._budgets import Overrun, windowed
from pytest_ratelimit._checks._costs import costs
from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._text import amount, instant, many, seconds, were
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from fake_provider._attempt import Attempt
    from fake_provider._limits import Limit
    from pytest_ratelimit._checks._digest import Digest

# Calls that start within this time of each other, in seconds, are one wave.
_WAVE_S = 1.0


def judge_cold_start(digest: Digest, unguided: AbstractSet[int]) -> Judgement:
    """Return the judgement on RL202; a burst that the test declares is on purpose.

    Args:
        digest: The trace's digest.
        unguided: As for `judge_overrun`.
    """
    limits = windowed(digest)
    if not limits:
        return Judgement.unjudged("no limit was enforced")
    if digest.policy.burst_declared:
        return Judgement.of()
    worst = max(_cold_waves(digest, limits), key=lambda o: o.demand / o.allowed, default=None)
    if worst is None:
        return Judgement.of()
    again = bool(unguided & {a.index for a in digest.trace.refused})
    limit, attempts = worst.limit, worst.attempts
    what = f" of {many(round(worst.demand), 'token')}" if limit.unit == "tokens" else ""
    each = worst.demand / len(attempts)
    refused = sum(attempt.refused for attempt in attempts)
    fits = max(1, int(worst.allowed // each)) if each else len(attempts)
    return Judgement.of(
        Finding(
            code="RL202",
            severity="error" if again or digest.policy.states_budget else "warning",
            summary=f"{many(len(attempts), 'call')}{what} started together, and {limit.name} "
            f"admits {amount(worst.allowed)}",
            evidence=(
                (
                    f"They arrived within {seconds(_WAVE_S)} from "
                    f"{instant(attempts[0].arrived_at)} on; "
                    f"{refused:,} of them {were(refused)} refused."
                ),
            ),
            cause="all callers start at once, each as if it were alone.",
            remedy=f"start {fits:,} at a time, or take each call's cost from one shared budget "
            "before it is sent.",
            attempts=tuple(attempt.index for attempt in attempts),
        )
    )


def _cold_waves(digest: Digest, limits: list[Limit]) -> Iterator[Overrun]:
    """Yield the first waves, at the start and after idle times, that exceed a limit."""
    for limit in limits:
        for attempts in digest.demands(limit):
            for wave in _first_waves(attempts, limit.window):
                demand = float(sum(costs(wave, limit)))
                refill = limit.rate * (wave[-1].arrived_at - wave[0].arrived_at)
                bucket = limit.refills
                allowed = limit.capacity + (refill if bucket else 0.0)
                # One caller's calls in a row are no burst: each starts when the last has ended.
                if demand > allowed and len({attempt.caller for attempt in wave}) > 1:
                    yield Overrun(limit, demand, allowed, wave)


def _first_waves(attempts: list[Attempt], idle_s: float) -> Iterator[list[Attempt]]:
    """Yield the first attempts of calls within a second of the start or of an idle time."""
    wave: list[Attempt] = []
    before = float("-inf")
    for attempt in attempts:
        if attempt.arrived_at - before >= idle_s:
            if wave:
                yield wave
            wave = [] if attempt.is_retry else [attempt]
        elif wave and not attempt.is_retry and attempt.arrived_at - wave[0].arrived_at <= _WAVE_S:
            wave.append(attempt)
        before = attempt.arrived_at
    if wave:
        yield wave
