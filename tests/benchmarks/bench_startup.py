"""CPU that the plugin adds to the start of pytest.

Run from the checkout: `python -m tests.benchmarks.bench_startup [--rounds 15]`.
Runs of one empty test with and without the plugin alternate; no other plugin is loaded. Figures
are medians of the CPU time of the child processes.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

WAYS = {"without": [], "with": ["-p", "pytest_ratelimit.plugin"]}


def cpu_s(folder: Path, options: list[str]) -> float:
    """Return the CPU seconds of one run of pytest."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": ""},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the medians and their difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    figures: dict[str, list[float]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_empty.py").write_text("def test_nothing():\n    pass\n")
        for options in WAYS.values():
            cpu_s(folder, options)  # compiles and fills the disk's cache
        for _ in range(rounds):
            for way, options in WAYS.items():
                figures[way].append(cpu_s(folder, options))
    medians = {way: statistics.median(values) * 1000 for way, values in figures.items()}
    for way, median in medians.items():
        print(f"{way:8} {median:7.1f} ms")
    print(f"the plugin adds {medians['with'] - medians['without']:.1f} ms")


if __name__ == "__main__":
    main()
