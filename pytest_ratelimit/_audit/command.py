"""Command: `pytest-ratelimit audit`, what the retry policy of a callable is."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ratelimit._progress import following

if TYPE_CHECKING:
    from pytest_ratelimit._audit import Audit

CLEAN, FOUND, USAGE = 0, 1, 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.add_argument(
        "names",
        nargs="+",
        metavar="package.module:callable",
        help="a function of one SDK client or of nothing, a tenacity policy or a part of one, an "
        "SDK client or its class",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--sdk", choices=("anthropic", "openai"), help="whose client it takes")
    parser.add_argument(
        "--callers", type=int, default=12, metavar="N", help="callers at once, at least 2 (12)"
    )
    parser.add_argument("--outage", action="store_true", help="also answer 529 for 30 s (RL304)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the runs (0)")


def main(options: argparse.Namespace) -> int:
    """Audit what is named; return 0 if nothing was found, 1 if something was, 2 for a slip."""
    from pytest_ratelimit._audit import SubjectError

    # As `python -m` does: what is audited is mostly in the folder that one works in.
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        # What the callable prints is not the report.
        with contextlib.redirect_stdout(sys.stderr):
            audits = _audits(options)
    except (SubjectError, ValueError, ModuleNotFoundError) as error:
        print(f"pytest-ratelimit audit: {error}", file=sys.stderr)
        return USAGE
    print(_rendered(audits, as_json=options.json))
    return FOUND if any(audit.defects for audit in audits) else CLEAN


def _audits(options: argparse.Namespace) -> list[Audit]:
    """Return an audit of each name; all are looked up before the first is run."""
    from pytest_ratelimit._audit import audit, load

    subjects = [load(name, options.sdk) for name in options.names]
    steps = [(f"auditing {subject.name}", subject) for subject in subjects]
    return [
        audit(subject, callers=options.callers, outage=options.outage, seed=options.seed)
        for subject in following(steps)
    ]


def _rendered(audits: Sequence[Audit], *, as_json: bool) -> str:
    """Return what is printed."""
    from pytest_ratelimit._audit._text import report, table

    if as_json:
        return json.dumps({"audits": [_as_json(audit) for audit in audits]}, indent=2)
    return report(audits[0]) if len(audits) == 1 else table(audits)


def _as_json(audit: Audit) -> dict[str, Any]:
    """Return an audit as JSON; times in seconds."""
    from dataclasses import asdict

    return {
        "name": audit.subject.name,
        "how": audit.subject.how,
        "sdk": audit.subject.sdk,
        "callers": audit.callers,
        "attempts": audit.attempts,
        "endless": audit.endless,
        "longest_wait_s": audit.longest_wait_s,
        "longest_call_s": audit.longest_call_s,
        "schedule": [asdict(step) for step in audit.schedule],
        "hints": [asdict(hint) for hint in audit.hints],
        "layers": asdict(audit.layers),
        "terminal": dict(audit.terminal),
        "findings": [
            {
                "situation": verdict.situation,
                "code": verdict.finding.code,
                "name": verdict.finding.name,
                "severity": verdict.finding.severity,
                "summary": verdict.finding.summary,
                "evidence": list(verdict.finding.evidence),
                "cause": verdict.finding.cause,
                "remedy": verdict.finding.remedy,
                "p": verdict.finding.p,
            }
            for verdict in audit.verdicts
        ],
        "unjudged": dict(audit.unjudged),
    }
