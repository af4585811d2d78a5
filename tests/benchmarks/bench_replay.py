"""Wall time and determinism of the incident's replay.

Run from the checkout: `python -m tests.benchmarks.bench_replay [--runs 20]`.
Each run replays the incident through the real SDK in one process; the traces of all runs with one
seed must be equal byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import statistics

from pytest_ratelimit._demo import broken
from pytest_ratelimit._demo.replay import LIMITS, Replay, replay, replay_in_threads


def digest(run: Replay) -> str:
    """Return a digest of the trace as it would be written to a file."""
    text = io.StringIO()
    run.trace.dump(text)
    return hashlib.sha256(text.getvalue().encode()).hexdigest()[:12]


def main() -> None:
    """Print, for asyncio and for threads, the wall times and the number of different traces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    engines = {
        "asyncio": lambda: replay(broken.run, LIMITS, options.seed),
        "threads": lambda: replay_in_threads(broken.run_in_threads, LIMITS, options.seed),
    }
    for name, run in engines.items():
        runs = [run() for _ in range(options.runs)]
        walls = [one.wall_s for one in runs]
        virtual_s = runs[0].trace.makespan
        print(
            f"{name:8} {len(runs[0].trace.attempts)} attempts in {virtual_s:.1f} virtual s; "
            f"wall first {walls[0]:.2f} s, median {statistics.median(walls):.2f} s "
            f"({virtual_s / statistics.median(walls):,.0f} virtual s per wall s); "
            f"{len({digest(one) for one in runs})} different trace(s) in {options.runs} runs"
        )


if __name__ == "__main__":
    main()
