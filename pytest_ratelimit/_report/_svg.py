"""SVG: shapes on a plane of whole pixels, written by hand and small."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

# Units of the view box: the plot lies between the margins.
WIDTH = 960
LEFT = 120
RIGHT = 950
# Pixels of one column: what arrives within it is drawn as one mark.
CELL = 2
COLUMNS = (RIGHT - LEFT) // CELL


def figure(height: int, title: str, text: str, body: Iterable[str]) -> str:
    """Return one picture with its caption and its description for screen readers.

    Args:
        height: Height of the view box, in pixels.
        title: The caption.
        text: What is drawn, and how.
        body: Its elements.
    """
    label = html.escape(f"{title}. {text}")
    return (
        f"<figure><figcaption><b>{html.escape(title)}.</b> {html.escape(text)}</figcaption>"
        f'<div class="wide" tabindex="0" role="group" aria-label="{html.escape(title)}">'
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">'
        f"{''.join(body)}</svg></div></figure>"
    )


def label(x: float, y: float, text: str, *, anchor: str = "end") -> str:
    """Return a text whose base line ends, begins or is centred at a point.

    Args:
        x: Pixels from the left.
        y: Pixels from the top.
        text: The text.
        anchor: `"end"`, `"start"` or `"middle"`.
    """
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{html.escape(text)}</text>'


def cells(filled: set[int], columns: int, rows: Sequence[float], kind: str, thick: float) -> str:
    """Return a path that fills cells of a grid, neighbours in a row in one stroke.

    Args:
        filled: Row times `columns` plus column, of each cell to fill.
        columns: Columns of the grid.
        rows: Middle of each row, in pixels from the top.
        kind: Class of the path.
        thick: Height of a cell, in pixels.
    """
    strokes = []
    begun = last = -2
    for cell in [*sorted(filled), -2]:
        if cell == last + 1 and cell % columns:
            last = cell
            continue
        if begun >= 0:
            row, column = divmod(begun, columns)
            strokes.append(f"M{LEFT + column * CELL} {rows[row]:g}h{(last - begun + 1) * CELL}")
        begun = last = cell
    return f'<path class="{kind}" stroke-width="{thick:g}" d="{"".join(strokes)}"/>'


def area(values: Sequence[float], top: float, height: float, most: float, kind: str) -> str:
    """Return the area under a value for each column.

    Args:
        values: One for each column, 0 to `most`.
        top: Pixels from the top to where `most` is drawn.
        height: Pixels from there to the base line.
        most: The largest value that fits.
        kind: Class of the path.
    """
    base = top + height
    steps = [f"M{LEFT} {base:g}"]
    level, run = -1.0, 0
    for value in values:
        y = round(base - height * min(value, most) / most, 1)
        if y == level:
            run += CELL
            continue
        if run:
            steps.append(f"h{run}")
        steps.append(f"V{y:g}")
        level, run = y, CELL
    steps.append(f"h{run}V{base:g}z")
    return f'<path class="{kind}" d="{"".join(steps)}"/>'


def rule(y: float, kind: str) -> str:
    """Return a horizontal line across the plot.

    Args:
        y: Pixels from the top.
        kind: Class of the path.
    """
    return f'<path class="{kind}" d="M{LEFT} {y:g}H{RIGHT}"/>'


def ticks(most: float, count: int = 6) -> list[float]:
    """Return round numbers from 0 up to `most`, about so many.

    Args:
        most: The largest, above 0.
        count: How many there should be.
    """
    raw = most / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    return [step * n for n in range(int(most / step + 1e-9) + 1)]
