"""Verdict: what the checks said of one test, in a form that passes between processes."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from fake_provider import Trace
from pytest_ratelimit._findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A finding, when it happened, and why it is accepted here.

    Args:
        finding: The finding.
        between_s: When the first and the last of the attempts that prove it arrived, in seconds;
            None where it names none.
        accepted: The reason; None where it is not accepted.
    """

    finding: Finding
    between_s: tuple[float, float] | None = None
    accepted: str | None = None

    @classmethod
    def of(cls, finding: Finding, trace: Trace, accepted: str | None = None) -> Judged:
        """Return a finding of a trace.

        Args:
            finding: The finding.
            trace: The trace in which it was found.
            accepted: The reason; None where it is not accepted.
        """
        times = [trace.attempts[index].arrived_at for index in finding.attempts]
        between = (round(min(times), 6), round(max(times), 6)) if times else None
        return cls(finding=finding, between_s=between, accepted=accepted)

    def row(self) -> dict[str, Any]:
        """Return the finding as the values of its JSON object."""
        found = self.finding
        return {
            "code": found.code,
            "name": found.name,
            "severity": found.severity,
            "summary": found.summary,
            "evidence": list(found.evidence),
            "cause": found.cause,
            "remedy": found.remedy,
            "accept": found.accept,
            "p": found.p,
            "attempts": list(found.attempts),
            "between_s": None if self.between_s is None else list(self.between_s),
            "accepted": self.accepted,
        }

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> Judged:
        """Return the finding that `row()` wrote."""
        made = {f.name for f in fields(Finding) if f.init}
        values = {name: value for name, value in row.items() if name in made}
        for name in ("evidence", "attempts"):
            values[name] = tuple(values[name])
        first_last = row["between_s"]
        between = None if first_last is None else (first_last[0], first_last[1])
        return cls(finding=Finding(**values), between_s=between, accepted=row["accepted"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the checks said of one test.

    Args:
        nodeid: The test, as pytest names it.
        outcome: How it ended, such as `"passed"`; empty while that is open.
        calls: Calls in its trace.
        callers: Callers in its trace.
        attempts: Attempts in its trace.
        retries: Attempts after a call's first.
        refused: Attempts that were refused.
        makespan_s: Seconds from the first arrival to the last answer.
        clock: `"virtual"` or `"real"`.
        stopped: Why the run was cut short, or None.
        findings: What was found, worst first.
        pictures: SVG of its trace; empty where no report shows it.
    """

    nodeid: str
    outcome: str = ""
    calls: int = 0
    callers: int = 0
    attempts: int = 0
    retries: int = 0
    refused: int = 0
    makespan_s: float = 0.0
    clock: str = "virtual"
    stopped: str | None = None
    findings: tuple[Judged, ...] = ()
    pictures: str = ""

    @classmethod
    def of(
        cls, nodeid: str, trace: Trace, findings: tuple[Judged, ...], pictures: str = ""
    ) -> Verdict:
        """Return the verdict on a trace.

        Args:
            nodeid: The test.
            trace: Its trace.
            findings: What was found in it.
            pictures: SVG of it.
        """
        return cls(
            nodeid=nodeid,
            calls=len(trace.calls),
            callers=len(trace.callers),
            attempts=len(trace.attempts),
            retries=len(trace.retries),
            refused=len(trace.refused),
            makespan_s=round(trace.makespan, 6),
            clock=trace.clock,
            stopped=trace.stopped,
            findings=findings,
            pictures=pictures,
        )

    @property
    def open(self) -> tuple[Finding, ...]:
        """What was found and is not accepted."""
        return tuple(judged.finding for judged in self.findings if judged.accepted is None)

    def failing(self, *, strict: bool) -> tuple[Finding, ...]:
        """Return what a gate fails for.

        Args:
            strict: True fails on warnings too.
        """
        severities = ("error", "warning") if strict else ("error",)
        return tuple(finding for finding in self.open if finding.severity in severities)

    def row(self) -> dict[str, Any]:
        """Return the verdict as the values of its JSON object, without pictures."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "pictures"}
        return {**own, "findings": [judged.row() for judged in self.findings]}

    def dump(self) -> str:
        """Return the verdict as text, for the way from a worker to its controller."""
        return json.dumps({**self.row(), "pictures": self.pictures})

    @classmethod
    def load(cls, text: str) -> Verdict:
        """Return the verdict that `dump()` wrote."""
        values = json.loads(text)
        findings = tuple(Judged.of_row(row) for row in values.pop("findings"))
        return cls(**values, findings=findings)
