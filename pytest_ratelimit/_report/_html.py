"""HTML: one page that stands alone, with the pictures of each test."""

from __future__ import annotations

import html

from pytest_ratelimit._checks._text import many
from pytest_ratelimit._report._page import STYLE
from pytest_ratelimit._report._pictures import slug_of
from pytest_ratelimit._report._summary import Summary
from pytest_ratelimit._report._verdict import Judged, Verdict


def render(summary: Summary) -> str:
    """Return the summary as one page without any other file, script or address.

    Args:
        summary: What was found.
    """
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<link rel="icon" href="data:,">',
        f"<title>Rate limit</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        '<a class="skip" href="#tests">Skip to the tests</a>',
        f'<header id="top"><h1>Rate limit</h1><p>{_text(summary.headline)}</p>',
        *(f'<p class="note">{_text(note)}</p>' for note in summary.notes),
        "</header>\n<main>",
        _contents(summary),
        *(_test(verdict) for verdict in summary.verdicts),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _contents(summary: Summary) -> str:
    """Return the table of the tests, each a link to its section."""
    if not summary.verdicts:
        return ""
    rows = [
        f'<tr><td><a href="#{slug_of(v.nodeid)}">{_text(v.nodeid)}</a></td>'
        f"<td>{_text(v.outcome)}</td><td>{v.attempts:,}</td><td>{v.refused:,}</td>"
        f"<td>{v.makespan_s:,.1f} s</td><td>{_codes(v)}</td></tr>"
        for v in summary.verdicts
    ]
    heads = ("Test", "Outcome", "Attempts", "Refused", "Makespan", "Findings")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        '<div class="wide" tabindex="0" role="group" aria-label="Tests"><table id="tests">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _codes(verdict: Verdict) -> str:
    """Return the codes found, each once, in the colour of its severity."""
    severities = {f.code: f.severity for f in reversed(verdict.open)}
    codes = sorted(severities)
    return " ".join(f'<span class="{severities[code]}">{code}</span>' for code in codes) or "none"


def _test(verdict: Verdict) -> str:
    """Return the section of one test."""
    slug = slug_of(verdict.nodeid)
    items = [_finding(judged, f"{slug}-f{n}") for n, judged in enumerate(verdict.findings)]
    found = f"<ul>{''.join(items)}</ul>" if items else "<p>Nothing was found.</p>"
    if not verdict.attempts:
        pictures = "<p>There is no attempt to draw.</p>"
    else:
        pictures = f"{_LEGEND}\n{verdict.pictures}"
    stopped = f'<p class="note">{_text(verdict.stopped)}</p>' if verdict.stopped else ""
    return (
        f'<section id="{slug}" aria-labelledby="{slug}-h">'
        f'<h2 id="{slug}-h">{_text(verdict.nodeid)}</h2>\n'
        f"<p>{many(verdict.callers, 'caller')}, {many(verdict.calls, 'call')}, "
        f"{many(verdict.attempts, 'attempt')}, "
        f"{many(verdict.retries, 'retry')}, {verdict.refused:,} refused, "
        f"{verdict.makespan_s:,.3f} s of {_text(verdict.clock)} time.</p>{stopped}\n"
        f'{found}\n{pictures}\n<p><a href="#top">To the top</a></p></section>'
    )


def _finding(judged: Judged, mark: str) -> str:
    """Return one finding: its first line, the rest on a click, and the way to its instants."""
    found = judged.finding
    rest = [f"<p>{_text(line)}</p>" for line in found.evidence]
    labelled = (("Cause", found.cause), ("Remedy", found.remedy))
    rest += [f"<p><b>{name}:</b> {_text(text)}</p>" for name, text in labelled if text]
    if found.accept:
        rest.append(f"<p><b>Accept:</b> <code>{_text(found.accept)}</code></p>")
    severity = found.severity if judged.accepted is None else "accepted"
    why = "" if judged.accepted is None else f" <i>Accepted: {_text(judged.accepted)}.</i>"
    link = ""
    if judged.between_s is not None:
        first, last = judged.between_s
        when = f"t={first:.3f} s" if first == last else f"t={first:.3f} s to {last:.3f} s"
        number = len(found.attempts)
        word = "attempt" if number == 1 else "attempts"
        link = f' <a href="#{mark}">Show {number:,} {word}, {when}</a>'
    return (
        f'<li><span class="{severity}">{severity}</span> <b>{found.code} {found.name}</b>: '
        f"{_text(found.summary)}.{why}{link}"
        f"<details><summary>Evidence and remedy of {found.code}</summary>{''.join(rest)}</details>"
        "</li>"
    )


def _text(text: str) -> str:
    """Return text in which nothing is markup."""
    return html.escape(text)


_LEGEND = (
    '<p class="legend"><span class="key served"></span> served '
    '<span class="key refused"></span> refused <span class="key failed"></span> another error '
    '<span class="key limit"></span> limit</p>'
)
