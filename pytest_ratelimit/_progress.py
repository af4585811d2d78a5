"""Progress: one line on a terminal that says what is going on; nothing where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def following(steps: Sequence[tuple[str, T]]) -> Iterator[T]:
    """Yield what is to be done, each step while the line names it; the line goes at the end.

    Args:
        steps: What the line says of each step, and the step.
    """
    shows = sys.stderr.isatty()
    try:
        for number, (text, step) in enumerate(steps, start=1):
            if shows:
                _show(f"{text} ({number} of {len(steps)})")
            yield step
    finally:
        if shows:
            _show("")


def _show(text: str) -> None:
    """Put a text in place of the line that stands there."""
    sys.stderr.write(f"\r\x1b[K{text}")
    sys.stderr.flush()
