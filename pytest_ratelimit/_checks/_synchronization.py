"""Synchronization (RL101): did callers come back together, and could the limiter take them?"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from pytest_ratelimit._checks._costs import costs
from pytest_ratelimit._checks._demand import binding, drain_s
from pytest_ratelimit._checks._digest import modelled
from pytest_ratelimit._checks._herds import failed_together, judge_herds
from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._schedule import Explanation, explain, uniform
from pytest_ratelimit._checks._text import instant, many, near, odds, seconds, were
from pytest_ratelimit._findings import Finding
from pytest_ratelimit._stats import likely_peak, median

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ratelimit._checks._digest import Digest, Retry
    from pytest_ratelimit._checks._waves import Wave, Waves


def judge_synchronization(digest: Digest, waves: Waves, *, shared: bool) -> Judgement:
    """Return the judgement on RL101.

    Args:
        digest: The trace's digest.
        waves: What `measure_waves` found.
        shared: True if some callers were found to draw the same delays.
    """
    if waves.missing:
        return Judgement.unjudged(waves.missing)
    if waves.harmful:
        return Judgement.of(_wave_finding(digest, waves, waves.harmful[0], shared=shared))
    return Judgement.of(
        _wave_finding(digest, waves, waves.waves[0], shared=shared) if waves.waves else None,
        judge_herds(digest),
    )


def wave_drain_s(digest: Digest, wave: Wave | None) -> float:
    """Return the seconds that the limit needs to admit a wave, or 0 if no limit refused it."""
    bound = None if wave is None else binding(digest, wave.retries)
    if wave is None or bound is None:
        return 0.0
    return drain_s(bound.limit, len(wave.retries), bound.each, bound.room)


def herd_drain_s(digest: Digest, waves: Waves) -> float:
    """Return the seconds that the limit needs to admit those that it refused together, or 0.

    Those are the largest wave that did harm; without one, the calls that were first refused
    together.
    """
    if waves.harmful:
        return wave_drain_s(digest, waves.harmful[0])
    return max((_refused_drain_s(digest, herd) for herd in failed_together(digest)), default=0.0)


def _refused_drain_s(digest: Digest, herd: Sequence[Retry]) -> float:
    """Return the seconds that the limit needs to admit the attempts before these retries."""
    limit = digest.limit_of(herd[0].before)
    if limit is None:
        return 0.0
    each = median(costs([retry.before for retry in herd], limit))
    return drain_s(limit, len(herd), each, herd[0].before.room or 0.0)


def _wave_finding(digest: Digest, waves: Waves, wave: Wave, *, shared: bool) -> Finding:
    """Return the finding about the largest wave that did harm, or about the largest."""
    explanation = _explain_wave(digest, wave, shared=shared)
    lines = [
        _moment_line(wave),
        *_waves_line(waves),
        _odds_line(digest, wave),
        *_limit_line(digest, wave),
    ]
    return Finding(
        code="RL101",
        severity="error" if wave.harmful else "note",
        summary=_wave_summary(wave),
        evidence=tuple(lines),
        cause=explanation.cause,
        remedy=explanation.remedy,
        p=math.exp(wave.log_p),
        attempts=tuple(sorted(r.attempt.index for w in waves.waves for r in w.retries)),
    )


def _wave_summary(wave: Wave) -> str:
    """Return the first line."""
    retries = wave.retries
    refused = sum(retry.attempt.refused for retry in retries)
    numbers = Counter(retry.number for retry in retries)
    which = f"retry {retries[0].number}" if len(numbers) == 1 else "a retry"
    if wave.rule == "requeued":
        which = "refused work again"
    arrivals = [retry.attempt.arrived_at for retry in retries]
    if not wave.harmful:
        outcome = "the limit admitted all of them"
    elif refused == len(retries):
        outcome = f"all {refused:,} were refused again"
    else:
        outcome = f"{refused:,} of the {many(len(retries), 'retry')} {were(refused)} refused again"
    return (
        f"{wave.callers:,} of {wave.candidates:,} waiting callers sent {which} "
        f"{near(max(arrivals) - min(arrivals))}, and {outcome}"
    )


def _moment_line(wave: Wave) -> str:
    """Return the line that says when, and how they had failed."""
    failures = [retry.failed_at for retry in wave.retries]
    spread = max(failures) - min(failures)
    return (
        f"At {instant(wave.retries[0].attempt.arrived_at)}, "
        f"{seconds(median(r.delay for r in wave.retries))} after their attempts had failed "
        f"{near(spread)}."
    )


def _waves_line(waves: Waves) -> list[str]:
    """Return the line that counts all waves, if there are several."""
    if len(waves.waves) < 2:
        return []
    starts = [wave.retries[0].attempt.arrived_at for wave in waves.waves]
    inside = sum(len(wave.retries) for wave in waves.waves)
    return [
        (
            f"{len(waves.waves):,} such waves from {instant(min(starts))} to "
            f"{instant(max(starts))} hold {inside:,} of {many(waves.retried, 'retry')}."
        )
    ]


def _odds_line(digest: Digest, wave: Wave) -> str:
    """Return the line that says how likely the wave is without the defect."""
    delay = median(retry.delay for retry in wave.retries)
    if wave.rule == "short":
        return (
            f"A first delay spread over {seconds(digest.policy.min_spread_s)} or more is seldom "
            f"that short; {odds(wave.log_p)}."
        )
    jitter = seconds(digest.least_jitter(delay))
    line = f"Independent jitter of {jitter} or more would do that with {odds(wave.log_p)}"
    if wave.retries[0].path == "hint":
        return f"{line}."
    width = max(wave.width, digest.resolution)
    peak = likely_peak(wave.candidates, width, 2 * delay)
    return (
        f"{line}; with full jitter over 0 to {seconds(2 * delay)}, more than {peak:,} of "
        f"{wave.candidates:,} come that close in fewer than 1 run of 1,000."
    )


def _limit_line(digest: Digest, wave: Wave) -> list[str]:
    """Return the line that says what the limit needs, or that there is none to ask."""
    bound = binding(digest, wave.retries)
    if bound is None:
        if all(modelled(retry.attempt) for retry in wave.retries):
            return ["Harmless in this run: a tighter limit, or more callers, would refuse them."]
        return ["No limit decided on these attempts, so nothing says that one would admit them."]
    limit, each, _ = bound
    each_one = many(round(each), "token" if limit.unit == "tokens" else "request")
    what = f"{many(len(wave.retries), 'attempt')} of {each_one}"
    needed = wave_drain_s(digest, wave)
    if needed > 0:
        return [f"The limit {limit.name} needs {seconds(needed)} to admit {what}."]
    return [
        (
            f"The limit {limit.name} has room for {what} again only when charges leave its "
            f"window of {seconds(limit.window)}."
        )
    ]


def _explain_wave(digest: Digest, wave: Wave, *, shared: bool) -> Explanation:
    """Return why the wave came together, and what to do."""
    delays = [retry.delay for retry in wave.retries]
    path = Counter(retry.path for retry in wave.retries).most_common(1)[0][0]
    drain = wave_drain_s(digest, wave)
    if wave.rule == "requeued":
        return Explanation(
            "fixed",
            "what was refused is dispatched again all at once, as new calls.",
            f"dispatch each piece by itself, after {uniform(max(drain, 2 * median(delays)))}.",
        )
    explanation = explain(digest, path, median(delays), drain, shared=shared)
    if wave.rule != "short":
        return explanation
    return explanation._replace(
        cause=f"delays of at most {seconds(max(delays))} are too short for jitter to keep "
        f"{many(wave.callers, 'caller')} apart."
    )
