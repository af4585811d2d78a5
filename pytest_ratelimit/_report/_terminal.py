"""Terminal: the section of pytest's summary."""

from __future__ import annotations

from pytest_ratelimit._report._summary import Summary


def lines(summary: Summary) -> list[str]:
    """Return the lines of the section; none where there is nothing to say.

    Args:
        summary: What was found.
    """
    listed, remarks = summary.listed(), summary.remarks()
    if summary.has_data and not (listed or remarks or summary.notes):
        return []
    text = [summary.headline]
    for verdict, findings in listed:
        text.append(verdict.nodeid)
        text += [f"  {finding.severity:7} {finding.title}" for finding in findings]
    text += [f"note    {remark}" for remark in remarks]
    return [*text, *(f"! {note}" for note in summary.notes)]
