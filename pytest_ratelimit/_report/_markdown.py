"""Markdown: the report that a CI run shows as its summary."""

from __future__ import annotations

import html

from pytest_ratelimit._findings import Finding
from pytest_ratelimit._report._summary import Summary

# A step's summary on GitHub may be 1 MiB; what is told in full stays far below.
_IN_FULL = 100
_MARKS = str.maketrans({mark: f"&#{ord(mark)};" for mark in "\\`*_[]|~#@"})


def render(summary: Summary) -> str:
    """Return the summary as Markdown that GitHub and GitLab show alike.

    Args:
        summary: What was found.
    """
    lines = ["## Rate limit", "", f"**{_text(summary.headline)}**", ""]
    lines += [f"> {_text(note)}\n" for note in summary.notes]
    listed = [(v.nodeid, f) for v, findings in summary.listed() for f in findings]
    if listed:
        lines += ["| | Test | Finding |", "|---|---|---|"]
        lines += [
            f"| {f.severity} | <code>{_text(name)}</code> | **{f.code}** {f.name}: "
            f"{_text(f.summary)} |"
            for name, f in listed
        ]
        lines.append("")
    for name, finding in listed[:_IN_FULL]:
        lines += _details(name, finding)
    if len(listed) > _IN_FULL:
        lines += [f"The first {_IN_FULL} of {len(listed):,} findings are told in full.", ""]
    lines += [f"- {_text(remark)}" for remark in summary.remarks()]
    return "\n".join(lines).rstrip() + "\n"


def _details(name: str, finding: Finding) -> list[str]:
    """Return a block that opens on a click: evidence, cause, remedy."""
    lines = [
        "<details>",
        f"<summary><b>{finding.code}</b> {finding.name} in <code>{_text(name)}</code></summary>",
        "",
        *(f"- {_text(line)}" for line in finding.evidence),
    ]
    for label, text in (("Cause", finding.cause), ("Remedy", finding.remedy)):
        lines += [f"- **{label}:** {_text(text)}"] if text else []
    if finding.accept:
        lines.append(f"- **Accept:** <code>{_text(finding.accept)}</code>")
    return [*lines, "", "</details>", ""]


def _text(text: str) -> str:
    """Return text in which nothing is markup, on one line."""
    return html.escape(" ".join(text.split()), quote=False).translate(_MARKS)
