"""Collector: gathers the verdicts of a run from its reports, prints them and writes the files."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pytest_ratelimit._baseline import Baseline
from pytest_ratelimit._gate import CARRIED
from pytest_ratelimit._options import Options
from pytest_ratelimit._report import Summary, Verdict
from pytest_ratelimit._report._terminal import lines

# How a test's report is marked whose process died while it ran (pytest-xdist).
_CRASHED = "???"
_SHOWN = 5
_FORMS = {".html": "_html", ".htm": "_html", ".json": "_json", ".md": "_markdown"}


class Collector:
    """Hooks that gather; registered in the process that prints, and not in its workers.

    Args:
        options: What to write.
        baseline: What was accepted.
    """

    def __init__(self, options: Options, baseline: Baseline) -> None:
        self._options = options
        self._baseline = baseline
        self._verdicts: dict[str, Verdict] = {}
        self._crashed: list[str] = []
        self._notes: list[str] = []
        self._ran = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the verdict off a report; the last run of a test counts."""
        self._ran = self._ran or report.when in ("call", _CRASHED)
        text = getattr(report, CARRIED, None)
        if report.when == _CRASHED:
            self._crashed.append(report.nodeid)
        elif report.when == "call" and text is not None:
            verdict = Verdict.load(text)
            self._verdicts[report.nodeid] = _ended(verdict, report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the files."""
        self._notes += [
            f"A worker crashed while it ran {nodeid}: that test was not judged."
            for nodeid in sorted(self._crashed)
        ]
        if exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR):
            self._notes.append("The run was cut short: tests that did not end were not judged.")
        if session.config.option.collectonly:
            return
        try:
            self._write_baseline()
            summary = self._summary()
            for path in self._options.reports:
                _write(path, summary)
        except OSError as error:
            self._notes.append(f"Not written: {error}")
            session.exitstatus = session.exitstatus or pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the section, where there is something to say."""
        text = lines(self._summary()) if self._ran or self._notes else []
        if text:
            terminalreporter.section("ratelimit")
            for line in text:
                terminalreporter.line(line)

    def _summary(self) -> Summary:
        """Return what has been gathered."""
        return Summary.of(
            self._verdicts.values(),
            gate=self._options.gate,
            strict=self._options.strict,
            notes=tuple(self._notes),
        )

    def _write_baseline(self) -> None:
        """Write the baseline, or say what it holds without need."""
        verdicts = [self._verdicts[name] for name in sorted(self._verdicts)]
        path = self._options.baseline
        if self._options.write_baseline and path is not None:
            if self._notes:
                self._notes.append(f"The baseline {path} was not written.")
                return
            written = self._baseline.replaced_by(verdicts)
            written.dump(path)
            self._notes.append(f"The baseline {path} accepts {len(written):,} findings.")
            return
        repaired = self._baseline.repaired(verdicts)
        if repaired:
            more = f" and {len(repaired) - _SHOWN:,} more" if len(repaired) > _SHOWN else ""
            self._notes.append(
                f"Repaired, so take it off the baseline: {', '.join(repaired[:_SHOWN])}{more}."
            )


def _ended(verdict: Verdict, report: pytest.TestReport) -> Verdict:
    """Return the verdict with the test's outcome, in pytest's words."""
    outcome: str = report.outcome
    if hasattr(report, "wasxfail"):
        outcome = "xfailed" if report.skipped else "xpassed"
    return replace(verdict, outcome=outcome)


def _write(path: Path, summary: Summary) -> None:
    """Write a report in the form that its name asks for."""
    render = import_module(f"pytest_ratelimit._report.{_FORMS[path.suffix.lower()]}").render
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(summary), encoding="utf-8")
