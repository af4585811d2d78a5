"""Command: `pytest-ratelimit compare`, what a change did, by the traces before and after it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_ratelimit._commands._check import add_verdict_flags, verdict
from pytest_ratelimit._commands._files import read

if TYPE_CHECKING:
    from fake_provider import Trace
    from pytest_ratelimit._findings import Finding

ABOUT = "compare two traces: exit 0 if nothing new fails, 1 if something does, 2 on bad usage"

Figure = tuple[str, str, float, float]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.add_argument("before", metavar="BEFORE", help="the trace before the change")
    parser.add_argument("after", metavar="AFTER", help="the trace after it")
    add_verdict_flags(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(options: argparse.Namespace) -> int:
    """Compare the traces; return the exit status."""
    before, after = read(options.before), read(options.after)
    figures = figures_of(before, after)
    found_before, _ = verdict(before, options)
    found_after, fails = verdict(after, options)
    known = {finding.code for finding in found_before}
    new = [finding for finding in found_after if finding.code not in known]
    now = {finding.code for finding in found_after}
    gone = [finding for finding in found_before if finding.code not in now]
    kept = [finding for finding in found_after if finding.code in known]
    worse = [finding for finding in fails if finding.code not in known]
    if options.json:
        rows = {name: {"before": old, "after": young} for name, _, old, young in figures}
        codes = {"gone": _codes(gone), "kept": _codes(kept), "new": _codes(new)}
        print(json.dumps({"passed": not worse, "figures": rows, "findings": codes}))
    else:
        print("\n".join([*_table(figures), "", *_lists(gone, kept, new)]))
    return 1 if worse else 0


def figures_of(before: Trace, after: Trace) -> list[Figure]:
    """Return name, unit, and the value before and after, of what a change can move."""

    def both(name: str, unit: str, of: Sequence[float]) -> Figure:
        return name, unit, of[0], of[1]

    traces = (before, after)
    return [
        both("makespan", "s", [trace.makespan for trace in traces]),
        both("calls", "", [len(trace.calls) for trace in traces]),
        both("calls lost", "", [_lost(trace) for trace in traces]),
        both("attempts", "", [len(trace.attempts) for trace in traces]),
        both("attempts per call", "", [_per_call(trace) for trace in traces]),
        both("refusals", "", [len(trace.refused) for trace in traces]),
        both("retries", "", [len(trace.retries) for trace in traces]),
        both("tokens demanded", "", [_demanded(trace) for trace in traces]),
        both("x tokens served", "", [trace.amplification for trace in traces]),
    ]


def _lost(trace: Trace) -> int:
    """Return how many calls ended without success."""
    return sum(not call.succeeded for call in trace.calls)


def _per_call(trace: Trace) -> float:
    """Return attempts per call, 0 without any."""
    return len(trace.attempts) / len(trace.calls) if trace.calls else 0.0


def _demanded(trace: Trace) -> int:
    """Return the tokens that all attempts asked for."""
    return sum(attempt.tokens for attempt in trace.attempts)


def _table(figures: Sequence[Figure]) -> list[str]:
    """Return the figures, a row each, with the change in percent."""
    rows = [("", "before", "after", "change")]
    for name, unit, old, young in figures:
        change = f"{(young - old) / old:+.0%}" if old and young != old else ""
        rows.append((name, _number(old, unit), _number(young, unit), change))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    ]


def _number(value: float, unit: str) -> str:
    """Return a figure as people read it."""
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
    return f"{text} {unit}".rstrip()


def _lists(gone: Sequence[Finding], kept: Sequence[Finding], new: Sequence[Finding]) -> list[str]:
    """Return the findings that went, stayed and came, a line each."""
    lines = []
    for word, findings in (("gone", gone), ("kept", kept), ("new", new)):
        lines += [f"{word}  {finding.severity:7} {finding.title}" for finding in findings]
    return lines or ["no finding before or after"]


def _codes(findings: Sequence[Finding]) -> list[str]:
    """Return the codes of findings, once each."""
    return list(dict.fromkeys(finding.code for finding in findings))
