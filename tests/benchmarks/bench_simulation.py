"""Requests per CPU second of a simulation, against the same job on the real SDK.

Run from the checkout: `python -m tests.benchmarks.bench_simulation [--callers 100000]`.
Both run the incident, in turn, in one process; figures are medians over rounds. Then so many
callers make ten calls each against a limit that takes them an hour, and the memory is measured.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable

from fake_provider import Limits, Refused, Workload
from pytest_ratelimit._demo import broken
from pytest_ratelimit._demo.replay import LIMITS, replay
from tests.pytest_ratelimit.incident import simulated

RATIO = 100.0


def replayed(seed: int) -> int:
    """Replay the incident on the SDK, and return how many requests it made."""
    return len(replay(broken.run, LIMITS, seed).trace.attempts)


def rate(run: Callable[[int], int], seed: int) -> float:
    """Requests per CPU second of one run, which returns how many it made."""
    began = time.process_time()
    requests = run(seed)
    return requests / (time.process_time() - began)


def full_jitter(refused: Refused) -> float | None:
    """Wait at random below a ceiling that doubles up to a quarter of an hour."""
    if refused.attempt >= 20:
        return None
    return refused.random.uniform(0.0, min(900.0, 2.0**refused.attempt))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--callers", type=int, default=100_000)
    options = parser.parse_args()
    rates: dict[str, list[float]] = {"sdk": [], "simulation": []}
    for seed in range(options.rounds):
        rates["sdk"].append(rate(replayed, seed))
        rates["simulation"].append(rate(lambda seed: len(simulated(seed)), seed))
    sdk, own = (statistics.median(rates[name]) for name in ("sdk", "simulation"))
    print(
        f"incident: SDK {sdk:,.0f} requests/CPU s, simulation {own:,.0f}: "
        f"x{own / sdk:.0f} (>= {RATIO:.0f})"
    )
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    calls = 10
    job = Workload(
        callers=options.callers,
        calls=calls,
        limits=Limits(requests_per_minute=max(1, options.callers * calls // 60)),
    )
    began = time.process_time()
    run = job.simulate(full_jitter)
    took = time.process_time() - began
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    print(
        f"{options.callers:,} callers, {options.callers * calls:,} calls: {len(run):,} requests, "
        f"{run.refused:,} refused, {run.makespan / 60:.0f} virtual minutes in {took:.1f} CPU s "
        f"({len(run) / took:,.0f}/s), {grown_mb:.0f} MB"
    )


if __name__ == "__main__":
    main()
