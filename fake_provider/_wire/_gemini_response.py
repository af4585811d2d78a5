"""Response of the Gemini API: one answer, in one piece or as a stream, and embeddings.

Source: ai.google.dev/api/generate-content and /embeddings, the types of google-genai 3.6, and
recorded public cassettes of 2025 and 2026; read 2026-11-25.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fake_provider._wire._answer import pieces, shares
from fake_provider._wire._gemini_ask import contents, field, instances
from fake_provider._wire._openai_embeddings import vector
from fake_provider._wire._shapes import Chunk, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fake_provider._wire._shapes import Ask, Content, Ids

DIMENSIONS = 3_072
_DIMENSIONS = {
    "text-embedding-004": 768,
    "text-embedding-005": 768,
    "text-multilingual-embedding-002": 768,
}


def response(model: str, content: Content, usage: Usage, ids: Ids) -> dict[str, Any]:
    """Return a whole answer.

    Args:
        model: Model as requested.
        content: What it says and which tools it calls.
        usage: What it reports.
        ids: Source of the answer's id.
    """
    parts = [{"text": content.text}] if content.text else []
    parts += [_function_call(call.name, call.arguments) for call in content.tool_calls]
    return _piece(model, ids.base58(22), parts, usage, last=True)


def stream(model: str, content: Content, usage: Usage, ids: Ids, *, sse: bool) -> tuple[Chunk, ...]:
    """Return the parts of one answer: server-sent events, or the elements of a JSON list.

    Args:
        model: Model as requested.
        content: What it says and which tools it calls.
        usage: What the last part reports; each part reports the tokens so far.
        ids: Source of the answer's id.
        sse: True for server-sent events.
    """
    identity, said = ids.base58(22), 0
    chunks = []
    steps = list(_steps(content, usage))
    for index, (part, tokens) in enumerate(steps):
        said += tokens
        last = index == len(steps) - 1
        so_far = usage._replace(output_tokens=said)
        piece = _piece(model, identity, [part], so_far, last=last)
        data = json.dumps(piece, separators=(",", ":"))
        if sse:
            text = f"data: {data}\r\n\r\n"
        else:
            text = (",\r\n" if index else "[") + data + ("\r\n]\r\n" if last else "")
        chunks.append(Chunk(text.encode(), tokens))
    return tuple(chunks)


def embeddings(ask: Ask, usage: Usage) -> dict[str, Any]:
    """Return the vector of a content, or those of a list of them."""
    if "instances" in ask.body:
        return _predictions(ask, usage)
    vectors = []
    for each in contents(ask.body):
        config = each.get("embedContentConfig") or {}
        stated = field({**config, **each}, "outputDimensionality", "output_dimensionality")
        dimensions = stated or _DIMENSIONS.get(ask.model, DIMENSIONS)
        values = vector(json.dumps(each["content"], sort_keys=True), dimensions)
        vectors.append({"values": values.tolist()})
    return {"embeddings": vectors} if "requests" in ask.body else {"embedding": vectors[0]}


def _predictions(ask: Ask, usage: Usage) -> dict[str, Any]:
    """Return the vectors of texts in the form of Vertex AI, which counts the tokens of each."""
    texts = [each["content"] for each in instances(ask.body)]
    stated = (ask.body.get("parameters") or {}).get("outputDimensionality")
    dimensions = stated or _DIMENSIONS.get(ask.model, DIMENSIONS)
    each, rest = divmod(usage.input_tokens, len(texts))
    rows = [
        {
            "embeddings": {
                "values": vector(text, dimensions).tolist(),
                "statistics": {"token_count": each + (index < rest), "truncated": False},
            }
        }
        for index, text in enumerate(texts)
    ]
    return {"predictions": rows, "metadata": {"billableCharacterCount": sum(map(len, texts))}}


def _steps(content: Content, usage: Usage) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the parts of a stream, each with its output tokens."""
    text_tokens, tool_tokens = shares(content, usage.output_tokens)
    if content.text:
        for piece, tokens in pieces(content.text, text_tokens):
            yield {"text": piece}, tokens
    for call, tokens in zip(content.tool_calls, tool_tokens, strict=True):
        yield _function_call(call.name, call.arguments), tokens


def _function_call(name: str, arguments: str) -> dict[str, Any]:
    """Return the call of a tool."""
    return {"functionCall": {"name": name, "args": json.loads(arguments)}}


def _piece(
    model: str, identity: str, parts: list[dict[str, Any]], usage: Usage, *, last: bool
) -> dict[str, Any]:
    """Return an answer, or a part of one, with what it has used so far."""
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}}
    if last:
        candidate["finishReason"] = "STOP"
    candidate["index"] = 0
    details = [{"modality": "TEXT", "tokenCount": usage.input_tokens}]
    counts: dict[str, Any] = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": usage.output_tokens,
        "totalTokenCount": usage.total_tokens,
        "promptTokensDetails": details,
    }
    if usage.cached_tokens:
        counts["cachedContentTokenCount"] = usage.cached_tokens
        counts["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": usage.cached_tokens}]
    return {
        "candidates": [candidate],
        "usageMetadata": counts,
        "modelVersion": model,
        "responseId": identity,
    }
