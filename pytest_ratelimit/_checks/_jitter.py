"""Jitter (RL102): do the delays before the k-th retry vary from call to call?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._schedule import explain, lost_at_cap
from pytest_ratelimit._checks._text import many, odds, seconds
from pytest_ratelimit._findings import Finding
from pytest_ratelimit._stats import (
    Cluster,
    combine,
    grid_step,
    median,
    on_coarse_grid,
    tightest_cluster,
    widest_jitter,
)

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from pytest_ratelimit._checks._digest import Digest, GroupKey, Retry

# The first ones to arrive are still independent draws, and more add cost but no power.
MOST_DELAYS = 3000
# Two draws of whole numbers coincide at least this often.
COARSE_LANDING = 1 / 3


@dataclass(frozen=True, slots=True)
class GroupJitter:
    """How much the delays before one retry vary, on one path.

    Args:
        key: The retry's number in its call, and its path.
        retries: The retries, in order of arrival.
        median_s: Median of their delays, in seconds.
        needed_s: Jitter that such delays must carry at least, in seconds.
        cluster: The cluster of delays that this jitter explains least.
    """

    key: GroupKey
    retries: list[Retry]
    median_s: float
    needed_s: float
    cluster: Cluster

    @property
    def clustered_at(self) -> float:
        """Where the clustered delays lie, in seconds; behind a hint the median delay."""
        return self.median_s if self.key[1] == "hint" else self.cluster.at


@dataclass(frozen=True, slots=True)
class JitterEvidence:
    """What all groups together say.

    Args:
        groups: One for each retry number and path with two callers or more.
        log_p: Logarithm of the probability of them all, given enough jitter.
        missing: Why nothing can be said; empty if something can.
        failed: The groups that fail by themselves.
        rejected: True if the null hypothesis falls.
    """

    groups: tuple[GroupJitter, ...] = ()
    log_p: float = 0.0
    missing: str = ""
    failed: tuple[GroupJitter, ...] = ()
    rejected: bool = False


def measure_jitter(digest: Digest) -> JitterEvidence:
    """Return how surprising the delays would be if each carried enough jitter."""
    if digest.pace:
        return JitterEvidence(
            missing=f"sends are paced, one every {seconds(digest.pace)}: what keeps these callers "
            "apart is the pacing, and jitter cannot be seen behind it"
        )
    landing = COARSE_LANDING if _coarse(digest) else 0.0
    groups = [
        _measure_group(digest, key, retries[:MOST_DELAYS], landing)
        for key, retries in digest.groups.items()
        if _comparable(digest, retries)
    ]
    if combine([_attainable(digest, group) for group in groups]) > digest.log_alpha:
        return JitterEvidence(missing=_missing(digest))
    log_ps = [group.cluster.log_p for group in groups]
    correction = math.log(len(groups))
    return JitterEvidence(
        groups=tuple(groups),
        log_p=combine(log_ps),
        failed=tuple(g for g in groups if g.cluster.log_p + correction <= digest.log_alpha),
        rejected=combine(log_ps) <= digest.log_alpha,
    )


def judge_jitter(
    digest: Digest,
    evidence: JitterEvidence,
    collided: AbstractSet[int],
    drain_s: float,
    *,
    shared: bool,
) -> Judgement:
    """Return the judgement on RL102.

    Args:
        digest: The trace's digest.
        evidence: What `measure_jitter` found.
        collided: Indices of the attempts that came back together and were refused again.
        drain_s: Seconds that the limit needs to admit those that came back together, or 0.
        shared: True if some callers were found to draw the same delays.
    """
    if evidence.missing:
        return Judgement.unjudged(evidence.missing)
    if not evidence.rejected:
        return Judgement.of()
    worst = min(evidence.groups, key=lambda group: group.cluster.log_p)
    failed = evidence.failed or (worst,)
    members = [retry for group in failed for retry in group.retries]
    harm = any(retry.attempt.index in collided for retry in members)
    explanation = explain(digest, worst.key[1], worst.median_s, drain_s, shared=shared)
    at_top = worst.key[1] != "hint" and worst.cluster.at >= max(r.delay for r in worst.retries)
    if explanation.kind == "narrow" and at_top:
        explanation = lost_at_cap(worst.cluster.at, "some delays are cut to")
    lines = [
        _confidence_line(digest, worst, evidence),
        *_other_groups(failed, worst),
        *([] if harm else [_LATENT]),
    ]
    return Judgement.of(
        Finding(
            code="RL102",
            severity="error" if harm else "warning",
            summary=_summary(worst),
            evidence=tuple(lines),
            cause=explanation.cause,
            remedy=explanation.remedy,
            p=math.exp(evidence.log_p),
            attempts=tuple(sorted(retry.attempt.index for retry in members)),
        )
    )


_LATENT = "Latent: in this run these callers did not collide; after a common failure they would."


def _comparable(digest: Digest, retries: list[Retry]) -> bool:
    """Return True if there are two callers to compare, and a delay at all."""
    if len({retry.attempt.caller for retry in retries}) < 2:
        return False
    return median(retry.delay for retry in retries) > 10 * digest.resolution


def _coarse(digest: Digest) -> bool:
    """Return True if the code's own delays are draws of whole numbers."""
    own = [
        [retry.delay for retry in retries]
        for (_, path), retries in digest.groups.items()
        if path != "hint"
    ]
    return bool(own) and on_coarse_grid(own, max(1e-6, digest.resolution))


def _measure_group(
    digest: Digest, key: GroupKey, retries: list[Retry], landing: float
) -> GroupJitter:
    """Return the measure of one group; behind a hint both delay and excess must vary."""
    delays = [retry.delay for retry in retries]
    share = digest.share(key)
    middle = median(delays)
    needed = digest.least_jitter(middle) * share
    if key[1] != "hint":
        return GroupJitter(key, retries, middle, needed, _cluster(digest, delays, needed, landing))
    # Hints differ from call to call, and so does the jitter that each delay must carry: the mean
    # of the chances to fall into a window is that of the harmonic mean of their widths.
    own = [max(1e-12, digest.least_jitter(delay) * share) for delay in delays]
    needed = len(own) / sum(1 / jitter for jitter in own)
    excesses = [retry.excess for retry in retries]
    tried = [_cluster(digest, values, needed, landing) for values in (delays, excesses)]
    better = min(tried, key=lambda cluster: cluster.log_p)
    corrected = better._replace(log_p=min(0.0, better.log_p + math.log(len(tried))))
    return GroupJitter(key, retries, middle, needed, corrected)


def _cluster(digest: Digest, values: list[float], jitter: float, landing: float) -> Cluster:
    """Return the least explained cluster of some values."""
    rounding = digest.resolution + grid_step(values, max(1e-6, digest.resolution))
    return tightest_cluster(values, jitter, rounding=rounding, landing=landing)


def _attainable(digest: Digest, group: GroupJitter) -> float:
    """Return the log p that a group of this size would have reached with equal delays."""
    n = len(group.retries)
    chance = digest.resolution / group.needed_s
    return math.log(n) + (n - 1) * math.log(chance) if chance < 1 else 0.0


def _missing(digest: Digest) -> str:
    """Return what it would take to judge, and what there was."""
    sizes = [
        (len(retries), len({retry.attempt.caller for retry in retries}))
        for retries in digest.groups.values()
    ]
    most, callers = max(sizes, default=(0, 0))
    delay = median(r.delay for r in digest.certain) if digest.certain else 1.0
    needed = _delays_needed(digest, delay)
    return (
        f"it takes {many(needed, 'delay')} before the same retry, from two callers or more, and "
        f"this run has {many(most, 'delay')} from {many(callers, 'caller')}"
    )


def _delays_needed(digest: Digest, delay: float) -> int:
    """Return how many equal delays would reach alpha."""
    jitter = digest.least_jitter(delay)
    if digest.resolution >= jitter:
        return MOST_DELAYS
    chance = math.log(digest.resolution / jitter)
    return next(
        (n for n in range(2, 100) if math.log(n) + (n - 1) * chance <= digest.log_alpha), 100
    )


def _summary(group: GroupJitter) -> str:
    """Return the first line."""
    number, path = group.key
    size = group.cluster.size
    callers = len({retry.attempt.caller for retry in group.retries})
    after = "the hint" if path == "hint" else "the refusal"
    return (
        f"the delay before retry {number} hardly varies: {size:,} of "
        f"{many(len(group.retries), 'delay')} after {after} are {_how_close(group)} at "
        f"{seconds(group.clustered_at)} ({many(callers, 'caller')})"
    )


def _how_close(group: GroupJitter) -> str:
    """Return how close the clustered delays are."""
    width = group.cluster.width
    return "identical" if width < 5e-7 else f"within {seconds(width)} of each other"


def _confidence_line(digest: Digest, group: GroupJitter, evidence: JitterEvidence) -> str:
    """Return the line that says how much jitter there can be, and how much there must be."""
    width = max(group.cluster.width, digest.resolution)
    upper = widest_jitter(width, group.cluster.size, digest.alpha)
    policy = digest.policy
    return (
        f"The jitter is below {seconds(upper)} with {100 * (1 - digest.alpha):.7g} % confidence; "
        f"{seconds(group.needed_s)} is the least that counts ({100 * policy.min_fraction:g} % of "
        f"the delay, at most {seconds(policy.min_spread_s)}); {odds(evidence.log_p)}."
    )


def _other_groups(failed: tuple[GroupJitter, ...], worst: GroupJitter) -> list[str]:
    """Return the line that names the other retries whose delays do not vary, if any."""
    others = [group for group in sorted(failed, key=lambda g: g.key) if group is not worst]
    return [
        f"Retry {group.key[0]}: {group.cluster.size:,} of {len(group.retries):,} delays "
        f"{_how_close(group)} at {seconds(group.clustered_at)}."
        for group in others[:5]
    ]
