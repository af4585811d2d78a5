"""Policy: the thresholds that the checks judge by."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fake_provider._trace import Trace

VIRTUAL_ALPHA = 1e-5
REAL_ALPHA = 1e-3

_AT_LEAST_ZERO = frozenset({"retry_reserve", "makespan_slack_s"})
_FRACTIONS = frozenset({"alpha", "min_fraction", "recovery_share"})
_AT_LEAST_TWO = frozenset({"min_callers", "max_attempts"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Thresholds of the checks, and the budget that the application states, if any.

    Args:
        alpha: Rate of false alarms that a statistical check may have, above 0 and below 1;
            None for 1e-5 in virtual time and 1e-3 on the real clock.
        min_fraction: Least jitter as a fraction of the delay, above 0 and below 1. Source: every
            jitter in use passes with margin, from the SDKs' 25 % to gRPC's +-20 % (A6).
        min_spread_s: Least jitter that is enough whatever the delay, in seconds, above 0.
        min_callers: Callers that make a cluster, at least 2.
        max_attempts: Most attempts that a call may make, at least 2.
        attempts_per_call: Attempts per call above which retries are a storm, above 0.
        max_wait_s: Longest single wait before a retry, in seconds; None for no bound.
        max_total_wait_s: Longest time that a call may wait in all, in seconds; None for no bound.
        growth_factor: Factor by which the backoff is expected to grow per retry, above 0.
        growth_cap_s: Delay at which the backoff may stop growing, in seconds; None if unknown.
        retry_ratio: Stated retry budget, in retries per call begun in `budget_per_s`; None if
            none is stated.
        retry_reserve: Retries that the stated retry budget allows on top, 0 or more.
        budget_tokens: Stated token budget per `budget_per_s`; None if none is stated.
        budget_per_s: Seconds over which the stated budgets hold, above 0.
        budget_in_flight: Stated budget of tokens in flight; None if none is stated.
        max_concurrent_requests: Stated most requests in flight; None if none is stated.
        makespan_factor: Times the least time possible above which a job has collapsed, above 0.
            Source: healthy clients stay below 3.4 in 99 % of simulated jobs (2026-11-25).
        makespan_factor_charged: The same where refused attempts are charged; there it is 5.6.
        makespan_slack_s: Seconds that a job may take on top: one long backoff, 0 or more.
        waste_factor: Tokens charged without an answer per token served above which a job has
            collapsed, above 0.
        max_makespan_s: Stated longest time for the job, in seconds; None if none is stated.
        max_times_ideal: Stated longest time for the job as a multiple of the least possible;
            None if none is stated.
        recovery_s: Seconds after an outage in which goodput must be back, above 0.
        recovery_share: Share of the goodput before an outage that counts as back, above 0 and
            below 1.
        burst_declared: True if the test starts its calls together on purpose.
        retries_declared: True if the code under test is meant to retry refusals.

    Raises:
        ValueError: A threshold is out of its range; the message names it and what is allowed.
    """

    alpha: float | None = None
    min_fraction: float = 0.10
    min_spread_s: float = 0.5
    min_callers: int = 3
    max_attempts: int = 10
    attempts_per_call: float = 3.0
    max_wait_s: float | None = None
    max_total_wait_s: float | None = None
    growth_factor: float = 2.0
    growth_cap_s: float | None = None
    retry_ratio: float | None = None
    retry_reserve: float = 0.0
    budget_tokens: float | None = None
    budget_per_s: float = 60.0
    budget_in_flight: float | None = None
    max_concurrent_requests: float | None = None
    makespan_factor: float = 4.0
    makespan_factor_charged: float = 6.0
    makespan_slack_s: float = 60.0
    waste_factor: float = 5.0
    max_makespan_s: float | None = None
    max_times_ideal: float | None = None
    recovery_s: float = 60.0
    recovery_share: float = 0.5
    burst_declared: bool = False
    retries_declared: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not isinstance(value, bool):
                _validate(field.name, value)

    @property
    def states_budget(self) -> bool:
        """True if the application stated a token budget."""
        return self.budget_tokens is not None or self.budget_in_flight is not None

    def alpha_for(self, trace: Trace) -> float:
        """Return the rate of false alarms for a trace: stricter where time has no noise.

        Args:
            trace: The trace to judge.
        """
        if self.alpha is not None:
            return self.alpha
        return VIRTUAL_ALPHA if trace.clock == "virtual" else REAL_ALPHA


def _validate(name: str, value: float) -> None:
    """Raise the one error that names the threshold, its value and its range."""
    if name in _FRACTIONS:
        allowed, fine = "above 0 and below 1", 0 < value < 1
    elif name in _AT_LEAST_TWO:
        allowed, fine = "at least 2", value >= 2
    elif name in _AT_LEAST_ZERO:
        allowed, fine = "at least 0", value >= 0
    else:
        allowed, fine = "above 0", value > 0
    if not fine or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, {allowed}, got {value!r}")
