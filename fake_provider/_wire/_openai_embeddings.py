"""Embeddings: vectors that depend on nothing but the text that they stand for.

Source: developers.openai.com/api/docs/guides/embeddings and the types of openai 3.57; read
2026-11-25.
"""

from __future__ import annotations

import json
import math
from array import array
from base64 import b64encode
from functools import lru_cache
from hashlib import shake_256
from typing import TYPE_CHECKING, Any

from fake_provider._wire._openai_ask import inputs

if TYPE_CHECKING:
    from fake_provider._wire._shapes import Ask, Usage

DIMENSIONS = 1_536
_DIMENSIONS = {"text-embedding-3-large": 3_072, "mistral-embed": 1_024}
_LARGEST = 1 << 15


def embeddings(ask: Ask, usage: Usage) -> bytes:
    """Return the body of an answer: a vector of each input, two spaces a level.

    Args:
        ask: What was asked for.
        usage: What it reports.
    """
    body = ask.body
    dimensions = body.get("dimensions") or _DIMENSIONS.get(ask.model, DIMENSIONS)
    encoding = body.get("encoding_format")
    rows: list[dict[str, Any]] = []
    for index, given in enumerate(inputs(body)):
        floats = vector(given if isinstance(given, str) else json.dumps(given), dimensions)
        embedding = b64encode(floats).decode() if encoding == "base64" else floats.tolist()
        rows.append({"object": "embedding", "index": index, "embedding": embedding})
    counts = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
    answer = {"object": "list", "data": rows, "model": ask.model, "usage": counts}
    return f"{json.dumps(answer, indent=2)}\n".encode()


@lru_cache(maxsize=256)
def vector(text: str, dimensions: int) -> array[float]:
    """Return the vector of a text: of length 1, equal for equal texts, in 32-bit floats.

    Args:
        text: The text.
        dimensions: Numbers in the vector, at least 1; fewer are the first of more, rescaled.
    """
    noise = array("h", shake_256(text.encode(errors="surrogatepass")).digest(2 * dimensions))
    length = math.sqrt(sum(number * number for number in noise)) or _LARGEST
    return array("f", [number / length for number in noise])
