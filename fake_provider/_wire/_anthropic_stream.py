"""Stream of the Messages API: the server-sent events of one answer.

Source: platform.claude.com/docs/en/build-with-claude/streaming, and 620 events in recorded
public cassettes; both read 2026-11-25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_provider._wire._answer import pieces
from fake_provider._wire._shapes import Chunk

if TYPE_CHECKING:
    from fake_provider._wire._shapes import Ids, Usage

MOST_PADDING = 15

_START = (
    '{"type":"message_start","message":{"model":%s,"id":"%s","type":"message",'
    '"role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":%s}%s}'
)
_BLOCK_START = (
    '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}%s}'
)
_DELTA = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}%s}'
_BLOCK_STOP = '{"type":"content_block_stop","index":0%s}'
_END = (
    '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    '"usage":{"input_tokens":%d,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
    '"output_tokens":%d}%s}'
)
_STOP = '{"type":"message_stop"%s}'
_PING = Chunk(b'event: ping\ndata: {"type": "ping"}\n\n')


def events(model: str, message_id: str, started: str, usage: Usage, ids: Ids) -> tuple[Chunk, ...]:
    """Return the events of one answer, in the order in which the API sends them.

    Every event but the ping has from 0 to 15 spaces before its last brace.

    Args:
        model: Model as requested, as a JSON string.
        message_id: Id of the message.
        started: The usage object of the first event.
        usage: What the last event reports; the deltas carry its output tokens.
        ids: Source of the padding.
    """

    def padding() -> str:
        return ids.spaces(MOST_PADDING)

    deltas = [
        _event("content_block_delta", _DELTA % (text, padding()), tokens)
        for text, tokens in pieces(usage.output_tokens)
    ]
    end = _END % (usage.input_tokens, usage.output_tokens, padding())
    return (
        _event("message_start", _START % (model, message_id, started, padding())),
        _event("content_block_start", _BLOCK_START % padding()),
        _PING,
        *deltas,
        _event("content_block_stop", _BLOCK_STOP % padding()),
        _event("message_delta", end),
        _event("message_stop", _STOP % padding()),
    )


def _event(name: str, data: str, output_tokens: int = 0) -> Chunk:
    """Return one event, framed."""
    return Chunk(f"event: {name}\ndata: {data}\n\n".encode(), output_tokens)
