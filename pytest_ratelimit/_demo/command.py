"""Command: `pytest-ratelimit demo`, the incident replayed and judged."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fake_provider import Trace
    from pytest_ratelimit._demo.replay import Replay

WIDTH = 64
EXTRA = "pip install 'pytest-ratelimit[demo]'"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the runs")
    parser.add_argument("--threads", action="store_true", help="threads instead of asyncio")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--trace", metavar="FILE", help="write the broken run's trace to FILE")


def main(options: argparse.Namespace) -> int:
    """Run the demo; return its exit status: 0, or 2 where the extra is missing."""
    try:
        from pytest_ratelimit._demo.replay import replay_all
    except ModuleNotFoundError as error:
        print(f"pytest-ratelimit demo needs {error.name}, which is not installed: {EXTRA}")
        return 2
    runs = replay_all(options.seed, threads=options.threads)
    if options.trace:
        runs["incident"].trace.dump(options.trace)
    if options.json:
        print(json.dumps({name: run.summary() for name, run in runs.items()}))
    else:
        print(render(runs, options.seed, threads=options.threads))
    return 0


def render(runs: Mapping[str, Replay], seed: int, *, threads: bool) -> str:
    """Return the table, the timelines and what the checks said first.

    Args:
        runs: The runs by name.
        seed: Their seed.
        threads: True if they ran in threads.
    """
    engine = "threads" if threads else "asyncio"
    lines = [
        f"12 sub-agents, 52 calls of 40,500 tokens, real anthropic SDK ({engine}, seed {seed}).",
        "Limit: a token bucket of 4,000,000 tokens a minute, 200,000 at once, refusals charged.",
        "Time is virtual; what a call costs is stated, not carried as 160 kB of prompt.",
        "",
        *_table({name: run.summary() for name, run in runs.items()}),
    ]
    for name in ("incident", "repaired"):
        lines += ["", *timeline(name, runs[name].trace)]
    lines += ["", "What the checks say of the incident:"]
    lines += [
        f"  {finding.severity:7} {str(finding).partition(chr(10))[0]}"
        for finding in runs["incident"].findings
        if finding.severity == "error"
    ]
    return "\n".join(lines)


def _table(rows: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return the figures, a row per run."""
    heads = ("", "makespan", "attempts", "429s", "x work", "first wave refused", "errors", "wall")
    cells = [heads]
    for name, row in rows.items():
        findings = row["findings"]
        codes = " ".join(findings) if isinstance(findings, list) else ""
        cells.append(
            (
                name,
                f"{row['makespan_s']:.1f} s",
                f"{row['attempts']}",
                f"{row['refused']}",
                f"{row['amplification']:.1f}",
                f"{row['first_wave_refused']} of 12",
                codes or "none",
                f"{row['wall_s']:.2f} s",
            )
        )
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    return [
        "  ".join(
            cell.ljust(width) if column in (0, 6) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def timeline(name: str, trace: Trace, width: int = WIDTH) -> list[str]:
    """Return a picture in text of when attempts arrived: a row for served, one for refused.

    Args:
        name: What to call the run.
        trace: The run.
        width: Columns of the picture.
    """
    span = max(trace.makespan, 1e-9)
    start = trace.attempts[0].arrived_at if trace.attempts else 0.0
    served, refused = [0] * width, [0] * width
    for attempt in trace.attempts:
        column = min(width - 1, int((attempt.arrived_at - start) / span * width))
        (refused if attempt.refused else served)[column] += 1
    peak = max([*served, *refused, 1])
    return [
        f"{name}: arrivals over {span:.0f} s, {span / width:.1f} s and at most {peak} a column",
        f"  served   |{_bars(served, peak)}|",
        f"  refused  |{_bars(refused, peak)}|",
    ]


def _bars(counts: list[int], peak: int) -> str:
    """Return a bar for each count; anything above nought shows."""
    marks = " .:-=+*#%@"
    top = len(marks) - 1
    return "".join(marks[-(-count * top // peak)] for count in counts)
