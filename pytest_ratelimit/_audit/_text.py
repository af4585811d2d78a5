"""Text: an audit as a report, and several as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_ratelimit._audit._figures import CONFIDENCE, described
from pytest_ratelimit._checks._text import many, seconds

if TYPE_CHECKING:
    from pytest_ratelimit._audit._audit import Audit, Verdict
    from pytest_ratelimit._audit._figures import Hint, Step

_STEPS = 8
_NO_JITTER_S = 1e-4
_HEADS = ("", "attempts", "waits", "jitter", "hint", "layers", "terminal", "findings")


def report(audit: Audit) -> str:
    """Return the whole text about one subject.

    Args:
        audit: What was found out.
    """
    subject = audit.subject
    lines = [
        f"{subject.name} ({subject.how}; {many(audit.callers, 'caller')}, virtual time)",
        "",
        *_labelled("attempts", [_attempts(audit)]),
        *_labelled("waits", [_waits(audit)]),
        *_labelled("schedule", _schedule(audit.schedule)),
        *_labelled("hint", [_hint(hint) for hint in audit.hints]),
        *_labelled("layers", [described(audit.layers)]),
        *_labelled("terminal", [_terminal(audit)]),
        "",
        *_verdicts(audit),
    ]
    return "\n".join(lines)


def table(audits: Sequence[Audit]) -> str:
    """Return several subjects as a table, and the first line of what was found of each.

    Args:
        audits: What was found out, one for each subject.
    """
    rows = [_HEADS, *(_row(audit) for audit in audits)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    for audit in audits:
        titles = [f"  {_title(verdict)}" for verdict in audit.defects]
        lines += ["", f"{audit.subject.name}:", *(titles or ["  nothing found"])]
    return "\n".join(lines)


def _labelled(label: str, lines: Sequence[str]) -> Iterator[str]:
    """Yield lines with a label before the first."""
    for number, line in enumerate(lines):
        yield f"  {label if not number else '':9} {line}".rstrip()


def _attempts(audit: Audit) -> str:
    """Return how often a call that is refused for ever is tried."""
    if audit.endless:
        return f"{audit.attempts:,} of a call, and no end was seen"
    return f"{audit.attempts:,} of a call at most, then it gives up"


def _waits(audit: Audit) -> str:
    """Return how long a call that is refused for ever waits."""
    if not audit.schedule:
        return "none"
    return (
        f"up to {seconds(audit.longest_wait_s)} before a retry, "
        f"{seconds(audit.longest_call_s)} in all"
    )


def _schedule(steps: Sequence[Step]) -> list[str]:
    """Return the delays before each retry as a table."""
    if not steps:
        return ["no retry was seen"]
    shown = steps if len(steps) <= _STEPS else [*steps[: _STEPS - 1], steps[-1]]
    lines = [f"{'retry':>5} {'median':>9} {'least':>9} {'most':>9}  jitter ({CONFIDENCE:.0%} sure)"]
    for step in shown:
        if step is steps[-1] and len(steps) > _STEPS:
            lines.append("  ...")
        figures = (step.median_s, step.least_s, step.most_s)
        cells = " ".join(f"{seconds(value):>9}" for value in figures)
        lines.append(f"{step.retry:>5} {cells}  {_jitter(step)}")
    return lines


def _jitter(step: Step) -> str:
    """Return how wide the jitter is before a retry."""
    if step.jitter_below_s is None:
        return "unknown: one delay"
    if step.spread_s <= _NO_JITTER_S:
        return f"none, below {seconds(step.jitter_below_s)}"
    return f"{seconds(step.spread_s)} to {seconds(step.jitter_below_s)} wide"


def _hint(hint: Hint) -> str:
    """Return what came of a hint."""
    told = f"told {seconds(hint.seconds)}: "
    if hint.least_s is None or hint.most_s is None:
        return told + "not retried"
    if hint.obedience == "exact":
        return told + "obeyed, exact: all come back at that instant"
    ends = dict.fromkeys((seconds(hint.least_s), seconds(hint.most_s)))
    words = {"obeyed": "obeyed, with jitter on top", "in part": "obeyed in part"}
    return f"{told}{words.get(hint.obedience, hint.obedience)}, waits of {' to '.join(ends)}"


def _terminal(audit: Audit) -> str:
    """Return which errors that no wait can cure are retried."""
    kept = [label for label, number in audit.terminal.items() if number]
    left = [label for label, number in audit.terminal.items() if not number]
    parts = ([f"retried: {', '.join(kept)}"] if kept else []) + (
        [f"not retried: {', '.join(left)}"] if left else []
    )
    return "; ".join(parts)


def _verdicts(audit: Audit) -> Iterator[str]:
    """Yield what was found, and what could not be judged."""
    if not audit.verdicts:
        yield "  Nothing was found."
    for verdict in audit.verdicts:
        yield f"  {_title(verdict)}"
        finding = verdict.finding
        for label, text in (("Cause", finding.cause), ("Remedy", finding.remedy)):
            if text:
                yield f"          {label}: {text}"
    for code, missing in audit.unjudged.items():
        yield f"  {code} was not judged: {missing}."


def _title(verdict: Verdict) -> str:
    """Return the first line of a finding, with its severity and its situation."""
    finding = verdict.finding
    return f"{finding.severity:7} {finding.title} ({verdict.situation})"


def _row(audit: Audit) -> tuple[str, ...]:
    """Return a subject's row of the table."""
    steps = audit.schedule
    waits, jitter = "none", "-"
    if steps:
        last = max(steps, key=lambda step: step.median_s)
        waits = " to ".join(dict.fromkeys((seconds(steps[0].median_s), seconds(last.median_s))))
        jittered = sum(step.spread_s > _NO_JITTER_S for step in steps if step.delays > 1)
        compared = sum(step.delays > 1 for step in steps)
        jitter = {0: "none", compared: "all"}.get(jittered, f"{jittered} of {compared}")
    found = audit.layers
    names = [name for name, made in (("code", found.code), ("SDK", found.sdk)) if made > 1]
    return (
        audit.subject.name,
        "no end" if audit.endless else f"{audit.attempts:,}",
        waits,
        jitter,
        audit.hints[0].obedience,
        " x ".join(names) or "none",
        "retried" if any(audit.terminal.values()) else "left",
        " ".join(audit.codes) or "none",
    )
