"""Invoke: Anthropic's messages as Bedrock carries them, whole or in frames.

Source: docs.aws.amazon.com/bedrock (InvokeModel, InvokeModelWithResponseStream), the client
AnthropicBedrock of anthropic 2.13, and botocore 1.44; read 2026-11-25.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING

from fake_provider._wire._anthropic_clouds import own_name
from fake_provider._wire._anthropic_message import events, message
from fake_provider._wire._bedrock_converse import LATENCY_MS
from fake_provider._wire._eventstream import event
from fake_provider._wire._shapes import Chunk

if TYPE_CHECKING:
    from fake_provider._wire._headers import Headers
    from fake_provider._wire._shapes import Content, Ids, Usage

IDS = "bdrk_"


def invoke_body(model: str, content: Content, usage: Usage, ids: Ids) -> bytes:
    """Return a whole message, with ids of this cloud."""
    return message(own_name(model), content, usage, ids, IDS).encode()


def invoke_headers(usage: Usage) -> Headers:
    """Return the headers that count what a message used."""
    return (
        ("x-amzn-bedrock-invocation-latency", str(LATENCY_MS)),
        ("x-amzn-bedrock-cache-write-input-token-count", str(usage.cache_written_tokens)),
        ("x-amzn-bedrock-cache-read-input-token-count", str(usage.cached_tokens)),
        ("x-amzn-bedrock-output-token-count", str(usage.output_tokens)),
        ("x-amzn-bedrock-input-token-count", str(usage.new_tokens)),
    )


def invoke_frames(model: str, content: Content, usage: Usage, ids: Ids) -> tuple[Chunk, ...]:
    """Return the events of a message, each in a frame; the last one has the metrics as well."""
    chunks = []
    for each in events(own_name(model), content, usage, ids, IDS):
        told = json.loads(each.data.partition(b"data: ")[2])
        if told["type"] == "ping":
            continue
        if told["type"] == "message_stop":
            told["amazon-bedrock-invocationMetrics"] = {
                "inputTokenCount": usage.new_tokens,
                "outputTokenCount": usage.output_tokens,
                "invocationLatency": LATENCY_MS,
                "firstByteLatency": LATENCY_MS,
                "cacheReadInputTokenCount": usage.cached_tokens,
                "cacheWriteInputTokenCount": usage.cache_written_tokens,
            }
        encoded = b64encode(json.dumps(told, separators=(",", ":")).encode()).decode()
        chunks.append(Chunk(event("chunk", {"bytes": encoded}), each.output_tokens))
    return tuple(chunks)
