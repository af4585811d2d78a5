"""Replay the job on the incident's limiter, in virtual time, and judge what reached the provider.

The limiter and the service times are those that reproduce every figure of the incident's public
report within 3 %: a token bucket of 4,000,000 tokens a minute that holds 200,000, charges refused
attempts in full down to -200,000, and serves a call in 5.7 s on average. What a call costs is
stated (40,500 tokens) instead of carried as 160 kB of prompt.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from anthropic import Anthropic, AsyncAnthropic

from fake_provider import FakeProvider, Limits, ServiceTime, Trace
from pytest_ratelimit._checks import Policy
from pytest_ratelimit._demo import broken, repaired
from pytest_ratelimit._findings import Finding
from pytest_ratelimit._progress import following
from pytest_ratelimit._tolerance import check

TOKENS_PER_CALL = 40_500
LIMITS = Limits(
    tokens_per_minute=4_000_000,
    algorithm="token-bucket",
    burst=200_000,
    floor=-200_000,
    charge_rejected=1.0,
)
SERVICE_TIME = ServiceTime(mean=5.7, cv=0.10)
# Arrivals within this many seconds of the first belong to the first wave.
FIRST_WAVE_S = 0.5

Job = Callable[[AsyncAnthropic], Coroutine[Any, Any, None]]
ThreadedJob = Callable[[Anthropic], None]


@dataclass(frozen=True, slots=True)
class Replay:
    """One run of the job.

    Args:
        trace: What reached the provider.
        findings: What the checks found.
        wall_s: Seconds of real time that it took.
    """

    trace: Trace
    findings: tuple[Finding, ...]
    wall_s: float

    def summary(self) -> dict[str, object]:
        """Return the figures of the run: seconds, counts, ratios, codes."""
        attempts = self.trace.attempts
        first = [a for a in attempts if a.arrived_at - attempts[0].arrived_at < FIRST_WAVE_S]
        return {
            "makespan_s": round(self.trace.makespan, 3),
            "attempts": len(attempts),
            "refused": len(self.trace.refused),
            "retries": len(self.trace.retries),
            "first_wave_refused": sum(a.refused and not a.is_retry for a in first),
            "amplification": round(self.trace.amplification, 2),
            "findings": self._codes("error"),
            "notes": self._codes("warning", "note"),
            "wall_s": round(self.wall_s, 3),
        }

    def _codes(self, *severities: str) -> list[str]:
        """Return the codes found at these severities, each once."""
        return sorted({f.code for f in self.findings if f.severity in severities})


def provider(limits: Limits, seed: int) -> FakeProvider:
    """Return the provider of the incident, not yet open.

    Args:
        limits: What it enforces.
        seed: Seed of the service times and of the job's own random numbers.
    """
    return FakeProvider(
        limits,
        tokens_per_request=TOKENS_PER_CALL,
        output_tokens=broken.MAX_TOKENS,
        latency=SERVICE_TIME,
        seed=seed,
    )


def replay(job: Job, limits: Limits, seed: int = 0, **sdk: Any) -> Replay:
    """Run the job in asyncio on the real SDK and judge it.

    Args:
        job: The application code under test.
        limits: What the provider enforces.
        seed: Seed of the run.
        **sdk: Further arguments of the SDK client; `max_retries=0` unless stated.
    """

    async def main() -> None:
        async with AsyncAnthropic(**{"max_retries": 0, **sdk}) as client:
            await job(client)

    return _measured(limits, seed, lambda: asyncio.run(main()))


def replay_in_threads(job: ThreadedJob, limits: Limits, seed: int = 0, **sdk: Any) -> Replay:
    """Run the job in threads on the real SDK and judge it.

    Args:
        job: The application code under test.
        limits: What the provider enforces.
        seed: Seed of the run.
        **sdk: Further arguments of the SDK client; `max_retries=0` unless stated.
    """

    def main() -> None:
        with Anthropic(**{"max_retries": 0, **sdk}) as client:
            job(client)

    return _measured(limits, seed, main)


def replay_all(seed: int = 0, *, threads: bool = False) -> dict[str, Replay]:
    """Run the job without a limit, broken and repaired.

    Args:
        seed: Seed of the runs.
        threads: True runs them in threads, False in asyncio.

    Returns:
        The runs by name: `unlimited`, `incident`, `repaired`.
    """

    def run(job: Job, threaded: ThreadedJob, limits: Limits) -> Replay:
        if threads:
            return replay_in_threads(threaded, limits, seed)
        return replay(job, limits, seed)

    jobs = {
        "unlimited": (broken.run, broken.run_in_threads, Limits()),
        "incident": (broken.run, broken.run_in_threads, LIMITS),
        "repaired": (repaired.run, repaired.run_in_threads, LIMITS),
    }
    steps = [(f"replaying {name}", (name, job)) for name, job in jobs.items()]
    return {name: run(*job) for name, job in following(steps)}


def _measured(limits: Limits, seed: int, run: Callable[[], None]) -> Replay:
    """Run the job under the provider, judge it, and say how long that took in real time."""
    started_s = time.perf_counter()
    with provider(limits, seed) as fake:
        run()
        trace = fake.trace
    wall_s = time.perf_counter() - started_s
    return Replay(trace, tuple(check(trace, Policy())), wall_s)
