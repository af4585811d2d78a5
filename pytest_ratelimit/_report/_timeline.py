"""Timeline: who sent what and when, what the limits held, and what was in flight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fake_provider import Attempt, Limit, Trace
from pytest_ratelimit._checks._costs import cost
from pytest_ratelimit._checks._text import many
from pytest_ratelimit._findings import Finding
from pytest_ratelimit._report._svg import (
    CELL,
    COLUMNS,
    LEFT,
    RIGHT,
    area,
    cells,
    figure,
    rule,
    ticks,
)
from pytest_ratelimit._report._svg import label as text

_ROWS = 32
_ROW_PX = 12
_PANEL_PX = 72
_GAP_PX = 26
_TOP_PX = 20
_LIMITS = 3


def timeline(trace: Trace, findings: Sequence[Finding], slug: str) -> str:
    """Return the picture over virtual time, with a mark for each finding.

    Args:
        trace: What to draw; at least one attempt.
        findings: What was found in it.
        slug: What the marks' names begin with.
    """
    start = trace.attempts[0].arrived_at
    span = max(trace.makespan, 1e-6)
    scale = COLUMNS / (span * (1 + 1e-9))
    columns = [int((a.arrived_at - start) * scale) for a in trace.attempts]
    body, bottom = _arrivals(trace, columns)
    for limit in [each for each in trace.limits if each.kind not in ("concurrent", "count_tokens")][
        :_LIMITS
    ]:
        body += _occupancy(trace, limit, start, scale, bottom + _GAP_PX)
        bottom += _GAP_PX + _PANEL_PX
    body += _in_flight(trace, start, scale, bottom + _GAP_PX)
    bottom += _GAP_PX + _PANEL_PX
    for at in ticks(span, 8):
        x = LEFT + at / span * (RIGHT - LEFT)
        body.append(f'<path class="axis" d="M{x:.1f} {_TOP_PX}V{bottom + 4}"/>')
        body.append(text(x, bottom + 17, f"{start + at:,.6g} s", anchor="middle"))
    body += [
        mark
        for number, finding in enumerate(findings)
        if (mark := _mark(finding, f"{slug}-f{number}", columns, bottom))
    ]
    told = "Refused in the upper half of a row, served in the lower, other errors across both."
    return figure(bottom + 24, "Attempts over time", told, body)


def _arrivals(trace: Trace, columns: list[int]) -> tuple[list[str], int]:
    """Return a row for each caller, or for neighbours where there are many, and the bottom."""
    callers = {name: number for number, name in enumerate(trace.callers)}
    shown = min(len(callers), _ROWS)
    row_of = {name: number * shown // len(callers) for name, number in callers.items()}
    first = {name: row * COLUMNS for name, row in row_of.items()}
    served: set[int] = set()
    refused: set[int] = set()
    failed: set[int] = set()
    for attempt, column in zip(trace.attempts, columns, strict=True):
        cell = first[attempt.caller] + column
        if attempt.status == 200:
            well = attempt.reason is None and attempt.cancelled_at is None
            (served if well else failed).add(cell)
        else:
            (refused if attempt.refused else failed).add(cell)
    tops = [_TOP_PX + row * _ROW_PX for row in range(shown)]
    body = [text(LEFT, _TOP_PX - 7, "arrivals per caller", anchor="start")]
    names = list(callers)
    for row, top in enumerate(tops):
        own = [name for name in names if row_of[name] == row]
        name = own[0] if len(own) == 1 else many(len(own), "caller")
        body.append(text(LEFT - 6, top + 9, name if len(name) <= 18 else f"{name[:17]}…"))
        body.append(rule(top + _ROW_PX - 0.5, "row"))
    body.append(cells(failed, COLUMNS, [top + 5.5 for top in tops], "failed", 9))
    body.append(cells(served, COLUMNS, [top + 8.25 for top in tops], "served", 4.5))
    body.append(cells(refused, COLUMNS, [top + 3.25 for top in tops], "refused", 4.5))
    return body, _TOP_PX + shown * _ROW_PX


def _occupancy(trace: Trace, limit: Limit, start: float, scale: float, top: int) -> list[str]:
    """Return how much of a limit was taken, for the key and model class that took most."""
    scopes = Counter(f"{a.model_class}, key {a.key}" for a in trace.attempts)
    scope = scopes.most_common(1)[0][0]
    own: Sequence[Attempt] = trace.attempts
    if len(scopes) > 1:
        own = [a for a in own if f"{a.model_class}, key {a.key}" == scope]
    taken = _bucket if limit.algorithm == "token-bucket" else _window
    values = taken(own, limit, start, scale)
    most = max(limit.capacity, *values) * 1.05
    name = f"taken of {limit.name}" + (
        "" if len(scopes) == 1 else f" by {scope[1]}, key {scope[0]}"
    )
    full = top + _PANEL_PX * (1 - limit.capacity / most)
    return [
        text(LEFT, top - 4, name, anchor="start"),
        text(LEFT - 6, full + 4, f"limit {limit.capacity:,}"),
        area(values, top, _PANEL_PX, most, "taken"),
        rule(full, "limit"),
        rule(top + _PANEL_PX, "base"),
    ]


def _window(attempts: Sequence[Attempt], limit: Limit, start: float, scale: float) -> list[float]:
    """Return the most that the last window held, by column."""
    # Lists of numbers, not of pairs: in a long trace the cycle collector would walk those.
    charged = [a for a in attempts if a.charged > 0]
    times = [a.arrived_at - start for a in charged]
    amounts = [cost(a, limit) * a.charged for a in charged]
    values = [0.0] * (COLUMNS + 1)
    total, oldest, column, number = 0.0, 0, 0, len(times)
    leaves = times[0] + limit.window if times else 0.0
    for at, amount in zip([*times, COLUMNS / scale], [*amounts, 0.0], strict=True):
        here = int(at * scale)
        while column < here:  # columns without an arrival: the window only empties
            column += 1
            while oldest < number and leaves <= column / scale:
                total -= amounts[oldest]
                oldest += 1
                leaves = times[oldest] + limit.window if oldest < number else 0.0
            values[column] = total
        while oldest < number and leaves <= at:
            total -= amounts[oldest]
            oldest += 1
            leaves = times[oldest] + limit.window if oldest < number else 0.0
        total += amount
        if total > values[here]:
            values[here] = total
    return values[:COLUMNS]


def _bucket(attempts: Sequence[Attempt], limit: Limit, start: float, scale: float) -> list[float]:
    """Return the most that a bucket lacked, by column; above its capacity it is overdrawn."""
    values = [0.0] * COLUMNS
    lacking, since, column = 0.0, 0.0, 0
    for attempt in attempts:
        at = attempt.arrived_at - start
        here = min(int(at * scale), COLUMNS - 1)
        while column < here:
            column += 1
            values[column] = max(0.0, lacking - (column / scale - since) * limit.rate)
        lacking = max(0.0, lacking - (at - since) * limit.rate)
        lacking += cost(attempt, limit) * attempt.charged
        floor = -limit.capacity if limit.floor is None else limit.floor
        lacking, since = min(lacking, limit.capacity - floor), at
        values[here] = max(values[here], lacking)
    for later in range(column + 1, COLUMNS):
        values[later] = max(0.0, lacking - (later / scale - since) * limit.rate)
    return values


def _in_flight(trace: Trace, start: float, scale: float, top: int) -> list[str]:
    """Return how many tokens were being served."""
    flights = [a for a in trace.attempts if a.ended_at is None or a.ended_at > a.arrived_at]
    begins = [a.arrived_at - start for a in flights]
    ends = [(trace.ended_at if a.ended_at is None else a.ended_at) - start for a in flights]
    tokens = [a.tokens for a in flights]
    order = sorted(range(len(ends)), key=ends.__getitem__)
    gone = [*(ends[index] for index in order), COLUMNS / scale + 1.0]
    freed = [*(tokens[index] for index in order), 0]
    values: list[float] = [0.0] * (COLUMNS + 1)
    level, ended, column = 0, 0, 0
    for at, asked in zip([*begins, COLUMNS / scale], [*tokens, 0], strict=True):
        while gone[ended] <= at:
            here = int(gone[ended] * scale)
            if here > column:  # what is in flight stays so up to the column in which it ends
                values[column + 1 : here + 1] = [level] * (here - column)
                column = here
            level -= freed[ended]
            ended += 1
        here = int(at * scale)
        if here > column:
            values[column + 1 : here + 1] = [level] * (here - column)
            column = here
        level += asked
        if level > values[here]:
            values[here] = level
    values = values[:COLUMNS]
    peak = max(values)
    return [
        text(LEFT, top - 4, "tokens in flight", anchor="start"),
        text(LEFT - 6, top + 9, f"{peak:,.0f}"),
        area(values, top, _PANEL_PX, max(peak, 1.0), "flight"),
        rule(top + _PANEL_PX, "base"),
    ]


def _mark(finding: Finding, name: str, columns: list[int], bottom: int) -> str:
    """Return the instants that prove a finding; empty where it names none."""
    where = sorted({columns[index] for index in finding.attempts if index < len(columns)})
    if not where:
        return ""
    lines = "".join(f"M{LEFT + column * CELL + 1} {_TOP_PX}V{bottom}" for column in where)
    return (
        f'<g id="{name}" class="mark"><path d="{lines}"/>'
        f"{text(RIGHT, _TOP_PX - 7, f'{finding.code} at these instants')}</g>"
    )
