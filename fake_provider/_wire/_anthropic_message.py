"""Message of the Messages API: one answer, in one piece or as server-sent events.

Source: platform.claude.com/docs/en/build-with-claude/streaming, and 620 events in recorded
public cassettes; both read 2026-11-25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_provider._wire._answer import pieces, shares
from fake_provider._wire._prompt import quoted
from fake_provider._wire._shapes import Chunk

if TYPE_CHECKING:
    from fake_provider._wire._shapes import Content, Ids, Usage

MOST_PADDING = 15

_INPUT = '"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,'
_USAGE = (
    "{%s"
    '"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":0},'
    '"output_tokens":%d,"service_tier":"standard","inference_geo":"global"}'
)
_MESSAGE = (
    '{"model":%s,"id":"msg_%s01%s","type":"message","role":"assistant","content":[%s],'
    '"stop_reason":%s,"stop_sequence":null,"usage":%s}'
)
_TEXT = '{"type":"text","text":%s}'
_TOOL_USE = '{"type":"tool_use","id":"toolu_%s01%s","name":%s,"input":%s}'

_START = '{"type":"message_start","message":%s%s}'
_BLOCK_START = '{"type":"content_block_start","index":%d,"content_block":%s%s}'
_DELTA = '{"type":"content_block_delta","index":%d,"delta":%s%s}'
_TEXT_DELTA = '{"type":"text_delta","text":%s}'
_JSON_DELTA = '{"type":"input_json_delta","partial_json":%s}'
_BLOCK_STOP = '{"type":"content_block_stop","index":%d%s}'
_END = (
    '{"type":"message_delta","delta":{"stop_reason":"%s","stop_sequence":null},'
    '"usage":{%s"output_tokens":%d}%s}'
)
_STOP = '{"type":"message_stop"%s}'
_PING = Chunk(b'event: ping\ndata: {"type": "ping"}\n\n')


def message(model: str, content: Content, usage: Usage, ids: Ids, cloud: str = "") -> str:
    """Return a whole message.

    Args:
        model: Model as requested.
        content: What it says and which tools it calls.
        usage: What it reports.
        ids: Source of the message's and the tool calls' ids.
        cloud: What ids begin with on another provider's cloud, such as `"vrtx_"`.
    """
    blocks = [_TEXT % quoted(content.text)] if content.text else []
    blocks += [
        _TOOL_USE % (cloud, ids.base58(22), quoted(call.name), call.arguments)
        for call in content.tool_calls
    ]
    counted = _counted(usage, usage.output_tokens)
    stop = f'"{_stop_reason(content)}"'
    return _MESSAGE % (quoted(model), cloud, ids.base58(22), ",".join(blocks), stop, counted)


def events(
    model: str, content: Content, usage: Usage, ids: Ids, cloud: str = ""
) -> tuple[Chunk, ...]:
    """Return the events of one message, in the order in which the API sends them.

    Every event but the ping has from 0 to 15 spaces before its last brace.

    Args:
        model: Model as requested.
        content: What it says and which tools it calls.
        usage: What the last event reports; the deltas carry its output tokens.
        ids: Source of ids and of the padding.
        cloud: What ids begin with on another provider's cloud, such as `"vrtx_"`.
    """

    def event(name: str, template: str, *values: object, output_tokens: int = 0) -> Chunk:
        data = template % (*values, ids.spaces(MOST_PADDING))
        return Chunk(f"event: {name}\ndata: {data}\n\n".encode(), output_tokens)

    def block(opening: str, delta: str, parts: list[tuple[str, int]]) -> list[Chunk]:
        index = len(blocks)
        start = event("content_block_start", _BLOCK_START, index, opening)
        deltas = [
            event("content_block_delta", _DELTA, index, delta % quoted(part), output_tokens=tokens)
            for part, tokens in parts
        ]
        ping = [] if index else [_PING]
        return [start, *ping, *deltas, event("content_block_stop", _BLOCK_STOP, index)]

    started = _counted(usage, min(1, usage.output_tokens))
    opening = _MESSAGE % (quoted(model), cloud, ids.base58(22), "", "null", started)
    text_tokens, tool_tokens = shares(content, usage.output_tokens)
    blocks: list[list[Chunk]] = []
    start = event("message_start", _START, opening)
    if content.text:
        blocks.append(block(_TEXT % '""', _TEXT_DELTA, pieces(content.text, text_tokens)))
    for call, tokens in zip(content.tool_calls, tool_tokens, strict=True):
        use = _TOOL_USE % (cloud, ids.base58(22), quoted(call.name), "{}")
        parts = [("", 0), (call.arguments, tokens)]
        blocks.append(block(use, _JSON_DELTA, parts))
    counts = (_given(usage), usage.output_tokens)
    return (
        start,
        *(chunk for each in blocks for chunk in each),
        event("message_delta", _END, _stop_reason(content), *counts),
        event("message_stop", _STOP),
    )


def _counted(usage: Usage, output_tokens: int) -> str:
    """Return the usage of a message that has so much output."""
    return _USAGE % (_given(usage), usage.cache_written_tokens, output_tokens)


def _given(usage: Usage) -> str:
    """Return the input tokens: what a cache was asked about is none of the first number."""
    return _INPUT % (usage.new_tokens, usage.cache_written_tokens, usage.cached_tokens)


def _stop_reason(content: Content) -> str:
    """Return why the answer ends."""
    return "tool_use" if content.tool_calls else "end_turn"
