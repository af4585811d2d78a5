"""Command: `pytest-ratelimit check`, a trace's file judged as `assert_well_behaved` does."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from fake_provider import Trace
from pytest_ratelimit._accepted import Accepted
from pytest_ratelimit._asserts import failing
from pytest_ratelimit._checks import Policy
from pytest_ratelimit._checks._text import many
from pytest_ratelimit._commands._files import UsageError, read
from pytest_ratelimit._pairs import pairs
from pytest_ratelimit._tolerance import check, tolerance

if TYPE_CHECKING:
    from pytest_ratelimit._findings import Finding

ABOUT = "judge a trace's file: exit 0 if it is clean, 1 on findings, 2 if it cannot be judged"
_IGNORE_FORM = "--ignore must be CODE: REASON, such as 'RL301: the job sheds load'"
MARKS = {"error": "error  ", "warning": "warning", "note": "note   "}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.add_argument(
        "traces",
        metavar="TRACE",
        nargs="+",
        help="a file of JSON Lines, - for the input; several of servers that share limits are one",
    )
    add_verdict_flags(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_verdict_flags(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is accepted."""
    parser.add_argument("--strict", action="store_true", help="fail on warnings too")
    parser.add_argument(
        "--allow-quiet", action="store_true", help="accept a run in which nothing was refused"
    )
    parser.add_argument("--alpha", type=float, metavar="P", help="rate of false alarms")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="CODE:REASON",
        help="accept a code, such as 'RL301: why'; may be given again",
    )


def main(options: argparse.Namespace) -> int:
    """Judge the trace; return the exit status."""
    try:
        trace = Trace.merged(map(read, options.traces))
    except ValueError as error:
        raise UsageError(str(error)) from None
    found, fails = verdict(trace, options)
    if options.json:
        print(json.dumps(_as_json(trace, found, fails)))
    else:
        print(render(trace, found, fails))
    return 1 if fails else 0


def verdict(trace: Trace, options: argparse.Namespace) -> tuple[list[Finding], list[Finding]]:
    """Return what was found and is not accepted, and what of it fails.

    Raises:
        UsageError: An option is out of its range.
    """
    try:
        accepted = Accepted(alpha=options.alpha, ignore=pairs(options.ignore, _IGNORE_FORM))
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None
    found = check(trace, Policy(alpha=accepted.alpha))
    found = [finding for finding in found if finding.code not in accepted.ignore]
    return found, failing(found, strict=options.strict, allow_quiet=options.allow_quiet)


def render(trace: Trace, found: Sequence[Finding], fails: Sequence[Finding]) -> str:
    """Return the verdict as text: what fails in full, the rest by its title."""
    lines = [str(finding) + "\n" for finding in fails]
    others = [finding for finding in found if finding not in fails]
    lines += [f"{MARKS[finding.severity]} {finding.title}" for finding in others]
    if others:
        lines.append("")
    lines.append(summary(trace))
    if trace.clock == "real" and trace.attempts:
        lines.append(tolerance(trace))
    lines.append(_outcome(found, fails))
    return "\n".join(lines)


def summary(trace: Trace) -> str:
    """Return how much there was to judge, in one line."""
    return (
        f"{many(len(trace.attempts), 'attempt')} of {many(len(trace.calls), 'call')} by "
        f"{many(len(trace.callers), 'caller')} in {trace.makespan:.3f} s: "
        f"{len(trace.refused):,} refused, {many(len(trace.retries), 'retry')}."
    )


def _outcome(found: Sequence[Finding], fails: Sequence[Finding]) -> str:
    """Return the last line: what decided the exit status."""
    if fails:
        codes = ", ".join(dict.fromkeys(finding.code for finding in fails))
        how = " (accept one with --ignore 'CODE: REASON')" if any(f.accept for f in fails) else ""
        return f"failed: {codes}{how}"
    return "passed: nothing that fails was found" if found else "passed: nothing was found"


def _as_json(trace: Trace, found: Sequence[Finding], fails: Sequence[Finding]) -> dict[str, object]:
    """Return the verdict as what JSON can write."""
    return {
        "passed": not fails,
        "failed": list(dict.fromkeys(finding.code for finding in fails)),
        "findings": [asdict(finding) for finding in found],
        "attempts": len(trace.attempts),
        "calls": len(trace.calls),
        "callers": len(trace.callers),
        "refused": len(trace.refused),
        "retries": len(trace.retries),
        "makespan_s": trace.makespan,
        "clock": trace.clock,
        "resolution_s": trace.resolution,
    }
