"""Measure how often the statistical checks accuse, and print the tables of the page about them.

Run from the checkout: `python -m tests.error_rates`; it takes some minutes. Seeds are fixed, so
that a second run prints the same numbers. Intervals are exact (Clopper and Pearson), at 95 %.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from fake_provider._trace import Trace
from pytest_ratelimit._checks import Policy, judge
from pytest_ratelimit._stats import log_binomial_tail
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import REPLAY, SMALL, TEN_SECONDS, cold_start, probe
from tests.pytest_ratelimit.test_calibration import (
    FAULTY,
    HEALTHY,
    LAX,
    STATISTICAL,
    rejected,
)

RUNS = 400
CALLERS = (3, 8, 12, 30)


def interval(found: int, runs: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact confidence interval of a share.

    Args:
        found: How many runs showed it.
        runs: How many there were.
        level: Confidence, above 0 and below 1.
    """
    tail = math.log((1 - level) / 2)

    def lowest(count: int) -> float:
        """Return the share at which so many or more are as unlikely as the tail."""
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            unlikely = log_binomial_tail(runs, middle, count) < tail
            low, high = (middle, high) if unlikely else (low, middle)
        return low

    lower = lowest(found) if found else 0.0
    upper = 1 - lowest(runs - found) if found < runs else 1.0
    return lower, upper


def row(what: str, found: int, runs: int) -> str:
    """Return one row of a table."""
    low, high = interval(found, runs)
    return f"| {what} | {runs:,} | {found:,} | {low:.2g} to {high:.2g} |"


def verdicts(traces: Iterable[Trace], policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield each statistical code with what became of it: found, ok, or not judged."""
    for trace in traces:
        judged = judge(trace, policy)
        for code in STATISTICAL:
            own = judged[code]
            accused = any(finding.severity != "note" for finding in own.findings)
            yield code, "found" if accused else "ok" if own.judged else "not judged"


def healthy_probes() -> Iterator[Trace]:
    """Yield the runs of healthy policies that are refused five times."""
    for delay in HEALTHY.values():
        for callers in CALLERS:
            for seed in range(RUNS):
                yield probe(delay, seed=seed, callers=callers)


def healthy_jobs() -> Iterator[Trace]:
    """Yield the jobs of healthy policies against three limits, with three kinds of start."""
    for limit in (SMALL, TEN_SECONDS, REPLAY):
        for over in (0.0, 2.0, 30.0):
            for delay in HEALTHY.values():
                for seed in range(100):
                    yield cold_start(delay, seed=seed, limit=limit, over=over)


def print_false_alarms() -> None:
    """Print the table of healthy policies, check by check."""
    print("| Check | Runs, alpha | Accused | 95 % interval | Not judged |\n|---|---|---|---|---|")
    probes = len(HEALTHY) * len(CALLERS) * RUNS
    for alpha, policy in (("1e-3", LAX), ("1e-5", Policy())):
        counts = Counter(verdicts(healthy_probes(), policy))
        for code in STATISTICAL:
            found = counts[code, "found"]
            low, high = interval(found, probes)
            quiet = counts[code, "not judged"] / probes
            print(
                f"| {code} | {probes:,}, {alpha} | {found:,} | {low:.2g} to {high:.2g} "
                f"| {100 * quiet:.0f} % |",
                flush=True,
            )


def main() -> None:
    """Print every table."""
    print_false_alarms()
    print("\n| What | Runs | Found | 95 % interval |\n|---|---|---|---|")
    for n in (3, 8, 12):
        what = f"jitter exactly at the threshold, {n} callers, alpha 1e-3"
        print(row(what, round(20_000 * rejected(n, 20_000)), 20_000), flush=True)
    errors = jobs = 0
    for trace in healthy_jobs():
        judged = judge(trace)
        errors += any(judged[code].verdict == "FLAG" for code in STATISTICAL)
        jobs += 1
    print(
        row("healthy policies against three limits, alpha 1e-5: errors", errors, jobs), flush=True
    )
    for name, (delay, seeds) in FAULTY.items():
        traces = (probe(delay, seed=seed, seeds=seeds) for seed in range(RUNS))
        found = sum(
            any(judge(trace)[code].findings for code in ("RL102", "RL104")) for trace in traces
        )
        print(row(f"{name}, 8 callers, alpha 1e-5", found, RUNS), flush=True)
    for callers, alpha, policy in ((12, "1e-3", LAX), (14, "1e-5", Policy())):
        traces = (probe(delays.share(0.05), seed=seed, callers=callers) for seed in range(RUNS))
        found = sum(bool(judge(trace, policy)["RL102"].findings) for trace in traces)
        print(row(f"5 % of the delay, {callers} callers, alpha {alpha}", found, RUNS), flush=True)


if __name__ == "__main__":
    main()
