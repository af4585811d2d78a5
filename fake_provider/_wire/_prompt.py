"""Prompt: a request's body, decoded, and how much text it carries."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

# Keys whose values frame the prompt or are not text: names of roles, ids, images, audio, files.
FRAMING = frozenset(
    {
        "cache_control",
        "call_id",
        "file",
        "fileData",
        "file_data",
        "id",
        "image_url",
        "inlineData",
        "inline_data",
        "input_audio",
        "role",
        "source",
        "thoughtSignature",
        "toolUseId",
        "tool_call_id",
        "tool_use_id",
        "type",
    }
)


def decoded(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body holds.

    Raises:
        ValueError: The body is not JSON, or not an object; the message says which.
    """
    try:
        # Bytes would have their encoding guessed first.
        value = json.loads(body.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    return value


def characters(*parts: object) -> int:
    """Return the characters of text in these parts of a decoded body, however deep.

    Images, audio and files count as nothing: their price is not in their characters.
    """
    total = 0
    pending = list(parts)
    while pending:
        part = pending.pop()
        if isinstance(part, str):
            total += len(part)
        elif isinstance(part, list):
            pending.extend(part)
        elif isinstance(part, dict):
            pending.extend(value for key, value in part.items() if key not in FRAMING)
    return total


@lru_cache(maxsize=256)
def quoted(text: str) -> str:
    """Return a text that recurs, such as a model's name, as JSON writes it."""
    return json.dumps(text)
