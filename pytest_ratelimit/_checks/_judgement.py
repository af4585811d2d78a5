"""Judgement: what one check concluded, or what it would have needed to conclude anything."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_ratelimit._findings import CODES, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one check concluded about a trace.

    Args:
        findings: What it found.
        judged: False if the trace held too little evidence to find anything.
        missing: What it would have needed, and what there was; empty if judged.
    """

    findings: tuple[Finding, ...] = ()
    judged: bool = True
    missing: str = ""

    @classmethod
    def of(cls, *findings: Finding | None) -> Judgement:
        """Return the judgement that holds these findings; a None among them is no finding."""
        return cls(findings=tuple(finding for finding in findings if finding is not None))

    @classmethod
    def unjudged(cls, missing: str) -> Judgement:
        """Return the judgement that there was too little evidence."""
        return cls(judged=False, missing=missing)

    @property
    def verdict(self) -> str:
        """One word: `"FLAG"` for an error, `"note"` for less, `"ok"`, or `"n/a"` if not judged."""
        if any(finding.severity == "error" for finding in self.findings):
            return "FLAG"
        if self.findings:
            return "note"
        return "ok" if self.judged else "n/a"


def inconclusive(code: str, judgement: Judgement) -> Finding:
    """Return the finding RL901 that `code` could not be judged.

    Args:
        code: The code that was asked for.
        judgement: Its judgement, which is not judged.

    Returns:
        An error: a test that asks for a verdict and gets none must not pass.
    """
    return Finding(
        code="RL901",
        severity="error",
        summary=f"too little evidence to judge {code} {CODES[code].name}",
        evidence=(f"{judgement.missing}.",),
        cause="the run did not put the code under test in the situation that the check is about.",
        remedy="lower the limit, raise the number of callers, or script refusals.",
    )
