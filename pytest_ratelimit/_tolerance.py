"""Tolerance: what verdicts on real time are good to, and when there is none.

On the real clock every instant carries the lateness of whoever noted it; the trace's resolution
says how much that was. Findings on timing say so. Where a server was so late that it shaped what
it measured, they are no findings.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from pytest_ratelimit._checks import Judgement, Policy, judge
from pytest_ratelimit._checks._digest import REAL_HINT_TOLERANCE_S, REAL_RESOLUTION_S
from pytest_ratelimit._findings import CODES, SEVERITIES, Finding

if TYPE_CHECKING:
    from fake_provider import Trace

# Half of the shortest wait that SDKs back off by (0.5 s; anthropic 2.13 and openai 3.57, read
# 2026-11-25): a server that is later than this cannot tell their delays apart.
SATURATED_S = 0.25
# What instants decide, and what a server that answers late brings about: clients time out, repeat
# work, and take longer. The other codes count attempts, and stand.
TIMED = frozenset(
    {"RL101", "RL102", "RL103", "RL104", "RL105", "RL106", "RL107", "RL113", "RL114", "RL124"}
    | {"RL201", "RL202", "RL204", "RL205", "RL301", "RL302", "RL303", "RL304", "RL305"}
)
_DEFAULT = Policy()


def judged(trace: Trace, policy: Policy = _DEFAULT) -> dict[str, Judgement]:
    """Judge a trace by every check, no more firmly than its clock allows.

    Args:
        trace: The trace.
        policy: The thresholds to judge it by.

    Returns:
        A judgement for each code that there is a check for.
    """
    found = judge(trace, policy)
    if trace.clock != "real" or not trace.attempts:
        return found
    if trace.resolution >= SATURATED_S:
        return _without_timing(trace, found)
    line = tolerance(trace)
    return {code: _with(each, line) if code in TIMED else each for code, each in found.items()}


def check(trace: Trace, policy: Policy = _DEFAULT) -> list[Finding]:
    """Judge a trace by every check, and return what they found.

    Args:
        trace: The trace.
        policy: The thresholds to judge it by.

    Returns:
        The findings: errors, then warnings, then notes, each by code.
    """
    found = [f for judgement in judged(trace, policy).values() for f in judgement.findings]
    return sorted(found, key=lambda f: (SEVERITIES.index(f.severity), f.code))


def tolerance(trace: Trace) -> str:
    """Return what the instants of a trace of the real clock are good to, as a sentence."""
    resolution_s = max(trace.resolution, REAL_RESOLUTION_S)
    hint_s = max(resolution_s, REAL_HINT_TOLERANCE_S)
    return (
        f"Times are real: good to {resolution_s * 1e3:.3g} ms, "
        f"and hints are held to within {hint_s * 1e3:.3g} ms."
    )


def _with(judgement: Judgement, line: str) -> Judgement:
    """Return a judgement whose findings say one thing more."""
    findings = tuple(_saying(finding, line) for finding in judgement.findings)
    return replace(judgement, findings=findings)


def _saying(finding: Finding, line: str) -> Finding:
    """Return a finding with one more line of evidence."""
    own = {f.name: getattr(finding, f.name) for f in fields(finding) if f.init}
    return Finding(**{**own, "evidence": (*finding.evidence, line)})


def _without_timing(trace: Trace, found: dict[str, Judgement]) -> dict[str, Judgement]:
    """Return the judgements of a trace whose server was too late to measure anything."""
    late = f"the server was late by up to {trace.resolution:.3g} s"
    unjudged = Judgement.unjudged(f"{late}; a verdict on timing needs less than {SATURATED_S} s")
    hidden = [code for code in found if code in TIMED and found[code].findings]
    kept = {code: unjudged if code in TIMED else each for code, each in found.items()}
    if not trace.refused and not hidden:
        return kept
    names = ", ".join(f"{code} {CODES[code].name}" for code in hidden)
    kept["RL901"] = Judgement.of(
        Finding(
            code="RL901",
            severity="error",
            summary=f"{late}, so nothing that rests on timing was judged",
            evidence=(f"In doubt, not found: {names}." if hidden else "Nothing else was seen.",),
            cause="the machine or the server had more to do than it could, and what clients did "
            "may be an answer to that.",
            remedy="send less at once, give the server a core of its own, or run it in virtual "
            "time.",
        )
    )
    return kept
