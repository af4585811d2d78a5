"""Answer: the text that a served request is given unless scripted, and how a stream cuts text."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from fake_provider._wire._shapes import Content

# Few enough that a stream costs little to render, enough that it can be cut in the middle; a
# scripted text is longer, and agents read it as it comes.
MOST_PIECES = 8
MOST_SCRIPTED_PIECES = 50

TEXT = "This is a fixed answer from a fake provider."
PLAIN = Content(TEXT)


@lru_cache(maxsize=64)
def _cut(text: str, pieces: int) -> tuple[str, ...]:
    """Return `text` in so many runs of whole words, as even as they come."""
    words = text.split(" ")
    bounds = [len(words) * index // pieces for index in range(pieces + 1)]
    runs = [" ".join(words[low:high]) for low, high in pairwise(bounds)]
    return (runs[0], *(f" {run}" for run in runs[1:]))


def pieces(text: str, output_tokens: int) -> list[tuple[str, int]]:
    """Return a text as a stream delivers it.

    Args:
        text: The text of the answer.
        output_tokens: Output tokens of the answer, 0 or more.

    Returns:
        Pairs of text and output tokens: at most 8, for a scripted text 50, and no more than words
        and tokens, but at least one; the texts join to `text` and the tokens add up.
    """
    most = MOST_PIECES if text == TEXT else min(MOST_SCRIPTED_PIECES, text.count(" ") + 1)
    cut = _cut(text, max(1, min(most, output_tokens)))
    bounds = [output_tokens * index // len(cut) for index in range(len(cut) + 1)]
    return [(run, high - low) for run, (low, high) in zip(cut, pairwise(bounds), strict=True)]


def shares(content: Content, output_tokens: int) -> tuple[int, list[int]]:
    """Return how a stream spreads an answer's output tokens over what it is made of.

    Args:
        content: The text and the tool calls.
        output_tokens: Output tokens of the answer, 0 or more.

    Returns:
        The tokens of the text, 0 without one, and those of each tool call.
    """
    calls = len(content.tool_calls)
    blocks = calls + bool(content.text)
    each = output_tokens // blocks if blocks else 0
    rest = output_tokens - each * calls
    if content.text or not calls:
        return rest, [each] * calls
    return 0, [each + rest, *[each] * (calls - 1)]
