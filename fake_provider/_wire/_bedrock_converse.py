"""Converse: the answer of Bedrock that is the same for every model, whole or as frames.

Source: docs.aws.amazon.com/bedrock (Converse, ConverseStream), and the service model of botocore
1.44; read 2026-11-25.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fake_provider._wire._answer import pieces, shares
from fake_provider._wire._eventstream import event
from fake_provider._wire._shapes import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fake_provider._wire._shapes import Content, Ids, ToolCall, Usage

# What an answer states of its service time, which is not known yet when it is written.
LATENCY_MS = 500


def converse_body(content: Content, usage: Usage, ids: Ids) -> bytes:
    """Return a whole answer.

    Args:
        content: What it says and which tools it calls.
        usage: What it reports.
        ids: Source of the tool calls' ids.
    """
    blocks: list[dict[str, Any]] = [{"text": content.text}] if content.text else []
    blocks += [
        {"toolUse": {**_tool(call, ids), "input": json.loads(call.arguments)}}
        for call in content.tool_calls
    ]
    answer = {
        "metrics": {"latencyMs": LATENCY_MS},
        "output": {"message": {"content": blocks, "role": "assistant"}},
        "stopReason": _stop_reason(content),
        "usage": _counts(usage),
    }
    return json.dumps(answer, separators=(",", ":")).encode()


def converse_frames(content: Content, usage: Usage, ids: Ids) -> tuple[Chunk, ...]:
    """Return the frames of one answer, in the order in which the API sends them.

    Args:
        content: What it says and which tools it calls.
        usage: What the last frame reports; the deltas carry its output tokens.
        ids: Source of the tool calls' ids.
    """
    return tuple(
        Chunk(event(kind, payload), tokens)
        for kind, payload, tokens in _events(content, usage, ids)
    )


def _events(content: Content, usage: Usage, ids: Ids) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Yield the kind of each event, its payload and its output tokens."""
    text_tokens, tool_tokens = shares(content, usage.output_tokens)
    index = 0
    yield "messageStart", {"role": "assistant"}, 0
    if content.text:
        for piece, tokens in pieces(content.text, text_tokens):
            delta = {"contentBlockIndex": index, "delta": {"text": piece}}
            yield "contentBlockDelta", delta, tokens
        yield "contentBlockStop", {"contentBlockIndex": index}, 0
        index += 1
    for call, tokens in zip(content.tool_calls, tool_tokens, strict=True):
        at = {"contentBlockIndex": index}
        yield "contentBlockStart", {**at, "start": {"toolUse": _tool(call, ids)}}, 0
        yield "contentBlockDelta", {**at, "delta": {"toolUse": {"input": call.arguments}}}, tokens
        yield "contentBlockStop", at, 0
        index += 1
    yield "messageStop", {"stopReason": _stop_reason(content)}, 0
    yield "metadata", {"usage": _counts(usage), "metrics": {"latencyMs": LATENCY_MS}}, 0


def _tool(call: ToolCall, ids: Ids) -> dict[str, str]:
    """Return the name and a new id of a tool call."""
    return {"name": call.name, "toolUseId": f"tooluse_{ids.base58(22)}"}


def _counts(usage: Usage) -> dict[str, int]:
    """Return what an answer reports of its tokens."""
    return {
        "inputTokens": usage.new_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.total_tokens,
        "cacheReadInputTokens": usage.cached_tokens,
        "cacheWriteInputTokens": usage.cache_written_tokens,
    }


def _stop_reason(content: Content) -> str:
    """Return why the answer ends."""
    return "tool_use" if content.tool_calls else "end_turn"
