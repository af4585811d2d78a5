"""Prompt: a request's body, decoded, and how much text it carries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
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


# Top-level fields that hold a prompt in the forms of OpenAI's API.
_PROMPTS = ("input", "instructions", "messages", "tools")


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
    return sum(map(len, _texts(parts)))


def prompt(body: Mapping[str, Any]) -> tuple[list[str], int]:
    """Return the texts of a body in a form of OpenAI's API, and the tokens it gives as numbers.

    Only the input of an embedding may be tokens rather than text.
    """
    given = body.get("input")
    tokens = 0
    if isinstance(given, list):
        each = given if given and isinstance(given[0], list) else [given]
        tokens = sum(type(one) is int for row in each if isinstance(row, list) for one in row)
    return _texts(tuple(body[name] for name in _PROMPTS if name in body)), tokens


def _texts(parts: Iterable[object]) -> list[str]:
    """Return the texts in parts of a decoded body, however deep, in no order."""
    texts = []
    pending = list(parts)
    while pending:
        part = pending.pop()
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, list):
            pending.extend(part)
        elif isinstance(part, dict):
            pending.extend(value for key, value in part.items() if key not in FRAMING)
    return texts


@lru_cache(maxsize=256)
def quoted(text: str) -> str:
    """Return a text that recurs, such as a model's name, as JSON writes it."""
    return json.dumps(text)
