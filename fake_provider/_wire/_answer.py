"""Answer: the text that every served request is given, and how a stream cuts it."""

from __future__ import annotations

from itertools import pairwise

# Plain ASCII without quotes or backslashes: the templates put it into JSON as it is.
TEXT = "This is a fixed answer from a fake provider."

# Few enough that a stream costs little to render, enough that it can be cut in the middle.
MOST_PIECES = 8


def _cut(text: str, pieces: int) -> tuple[str, ...]:
    """Return `text` in so many runs of whole words, as even as they come."""
    words = text.split(" ")
    bounds = [len(words) * index // pieces for index in range(pieces + 1)]
    runs = [" ".join(words[low:high]) for low, high in pairwise(bounds)]
    return (runs[0], *(f" {run}" for run in runs[1:]))


_CUTS = {pieces: _cut(TEXT, pieces) for pieces in range(1, MOST_PIECES + 1)}


def pieces(output_tokens: int) -> list[tuple[str, int]]:
    """Return the answer's text as a stream delivers it.

    Args:
        output_tokens: Output tokens of the answer, 0 or more.

    Returns:
        Pairs of text and output tokens, at most 8 and at least one; the texts join to `TEXT`
        and the tokens add up to `output_tokens`.
    """
    cut = _CUTS[max(1, min(MOST_PIECES, output_tokens))]
    bounds = [output_tokens * index // len(cut) for index in range(len(cut) + 1)]
    return [(text, high - low) for text, (low, high) in zip(cut, pairwise(bounds), strict=True)]
