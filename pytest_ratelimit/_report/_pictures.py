"""Pictures: a trace as SVG that stays readable, and small, however long it is."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence

from fake_provider import Trace
from pytest_ratelimit._findings import Finding
from pytest_ratelimit._report._svg import CELL, LEFT, RIGHT, cells, figure, label, rule, ticks
from pytest_ratelimit._report._timeline import timeline

_BANDS = 10
_BAND_PX = (RIGHT - LEFT) // _BANDS
_HEIGHT_PX = 180
_STEP_PX = 3


def slug_of(nodeid: str) -> str:
    """Return a short name of a test for links within a page."""
    return f"t{zlib.crc32(nodeid.encode()):08x}"


def draw(trace: Trace, findings: Sequence[Finding], nodeid: str) -> str:
    """Return the pictures of a trace.

    Args:
        trace: What to draw; at least one attempt.
        findings: What was found in it, in the order of the page.
        nodeid: The test, for links to the instants that prove a finding.
    """
    pictures = [timeline(trace, findings, slug_of(nodeid))]
    if trace.retries:
        pictures.append(_delays(trace))
    pictures.append(_attempts_per_call(trace))
    return "\n".join(pictures)


def _delays(trace: Trace) -> str:
    """Return the delay before the k-th retry: callers side by side in a band for each k."""
    rows = _HEIGHT_PX // _STEP_PX
    columns = (RIGHT - LEFT) // CELL
    per_band = columns // _BANDS
    inner = (per_band - 4) / len(trace.callers)
    place = {name: 2 + int(n * inner) for n, name in enumerate(trace.callers)}
    # Lists of numbers, not of pairs: in a long trace the cycle collector would walk those.
    delays: list[float] = []
    spots: list[int] = []
    for call in trace.calls:
        if len(call.attempts) == 1:
            continue
        before = call.attempts[0]
        spot = place[before.caller]
        last = spot + (_BANDS - 1) * per_band
        for attempt in call.attempts[1:]:
            ended = before.ended_at
            delay = attempt.arrived_at - (before.arrived_at if ended is None else ended)
            delays.append(max(0.0, delay))
            spots.append(spot)
            spot = spot + per_band if spot < last else last
            before = attempt
    most = max(delays) * 1.05 or 1.0
    scale = rows / most
    filled = {
        (rows - 1 - int(delay * scale)) * columns + spot
        for delay, spot in zip(delays, spots, strict=True)
    }
    middles = [12 + (row + 0.5) * _STEP_PX for row in range(rows)]
    base = 12 + _HEIGHT_PX
    body = [
        f"{rule(base - at / most * _HEIGHT_PX, 'row')}"
        f"{label(LEFT - 6, base - at / most * _HEIGHT_PX + 4, f'{at:,.6g} s')}"
        for at in ticks(most, 5)
    ]
    shown = max(spots) // per_band + 1
    for band in range(shown):
        middle = LEFT + (band + 0.5) * per_band * CELL
        name = f"retry {band + 1}" + (" and later" if band == _BANDS - 1 else "")
        body.append(label(middle, base + 15, name, anchor="middle"))
        x = LEFT + (band + 1) * per_band * CELL
        body.append(f'<path class="axis" d="M{x} 12V{base}"/>')
    body.append(cells(filled, columns, middles, "delay", _STEP_PX))
    told = "Callers stand side by side in each band: a level line is a delay without jitter."
    return figure(base + 24, "Delay before the k-th retry", told, body)


def _attempts_per_call(trace: Trace) -> str:
    """Return how many calls made how many attempts, by whether they ended well."""
    well: Counter[int] = Counter()
    lost: Counter[int] = Counter()
    for call in trace.calls:
        (well if call.succeeded else lost)[min(len(call.attempts), _BANDS)] += 1
    most = max((well + lost).values())
    base, height = 120, 96
    body = [rule(base, "base")]
    for made in range(1, _BANDS + 1):
        x, top = LEFT + (made - 1) * _BAND_PX, float(base)
        for kind, count in (("served", well[made]), ("refused", lost[made])):
            part = count / most * height
            top -= part
            if count:
                body.append(
                    f'<rect class="{kind}" x="{x + 8}" y="{top:.1f}" '
                    f'width="{_BAND_PX - 16}" height="{part:.1f}"/>'
                )
        if well[made] + lost[made]:
            middle = x + _BAND_PX / 2
            body.append(label(middle, top - 4, f"{well[made] + lost[made]:,}", anchor="middle"))
        name = f"{made} or more" if made == _BANDS else str(made)
        body.append(label(x + _BAND_PX / 2, base + 15, name, anchor="middle"))
    told = "Calls by the number of their attempts; the upper part ended without success."
    return figure(base + 24, "Attempts per call", told, body)
