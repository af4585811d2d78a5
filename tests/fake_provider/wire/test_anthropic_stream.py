"""Anthropic: the stream, event by event."""

from __future__ import annotations

import json
import re
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from fake_provider._limits import Limits
from fake_provider._wire._answer import PLAIN, TEXT
from fake_provider._wire._anthropic import Anthropic
from fake_provider._wire._shapes import Ask, Ids, Moment, Usage
from tests.fake_provider.wire.wiring import NOW, full

many = settings(max_examples=200, deadline=None, derandomize=True, database=None)

DIALECT = Anthropic()
STREAM = Ask("generate", "claude-opus-4-6", 100, True, 5, {})
LIMITS = Limits(input_tokens_per_minute=30_000)


def parted(chunk):
    """An event taken apart: its name, its JSON, and the spaces before the last brace."""
    match = re.fullmatch(r"event: (\w+)\ndata: (.*?)( *)\}\n\n", chunk.data.decode())
    return match[1], f"{match[2]}}}", len(match[3])


def test_the_whole_stream_is_pinned() -> None:
    """Names, order and JSON of every event of one answer of two tokens."""
    reply = DIALECT.served(Moment(STREAM, full(LIMITS), Ids(0), NOW), PLAIN, Usage(17, 2))
    message_id = json.loads(parted(reply.chunks[0])[1])["message"]["id"]
    assert [parted(chunk)[:2] for chunk in reply.chunks] == [
        (
            "message_start",
            (
                '{"type":"message_start","message":{"model":"claude-opus-4-6",'
                f'"id":"{message_id}","type":"message","role":"assistant","content":[],'
                '"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":17,'
                '"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":'
                '{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,'
                '"service_tier":"standard","inference_geo":"global"}}}'
            ),
        ),
        (
            "content_block_start",
            '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        ),
        ("ping", '{"type": "ping"}'),
        (
            "content_block_delta",
            (
                '{"type":"content_block_delta","index":0,'
                '"delta":{"type":"text_delta","text":"This is a fixed"}}'
            ),
        ),
        (
            "content_block_delta",
            (
                '{"type":"content_block_delta","index":0,'
                '"delta":{"type":"text_delta","text":" answer from a fake provider."}}'
            ),
        ),
        ("content_block_stop", '{"type":"content_block_stop","index":0}'),
        (
            "message_delta",
            (
                '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
                '"usage":{"input_tokens":17,"cache_creation_input_tokens":0,'
                '"cache_read_input_tokens":0,"output_tokens":2}}'
            ),
        ),
        ("message_stop", '{"type":"message_stop"}'),
    ]
    assert [chunk.output_tokens for chunk in reply.chunks] == [0, 0, 0, 1, 1, 0, 0, 0]


def test_a_stream_says_so_and_has_no_length() -> None:
    """A stream is text/event-stream with the limits' headers, without content-length."""
    reply = DIALECT.served(Moment(STREAM, full(LIMITS), Ids(0), NOW), PLAIN, Usage(17, 2))
    headers = dict(reply.headers)
    assert reply.stream
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    assert "content-length" not in headers
    assert headers["anthropic-ratelimit-input-tokens-remaining"] == "30000"


@many
@given(st.integers(0, 10_000), st.integers(0, 2**32))
def test_every_stream_carries_its_tokens_and_the_whole_text(output_tokens, seed) -> None:
    """Deltas add up to the usage, their texts to the plain answer, at most eight of them."""
    reply = DIALECT.served(Moment(STREAM, (), Ids(seed), NOW), PLAIN, Usage(17, output_tokens))
    events = [(name, json.loads(data)) for name, data, _ in map(parted, reply.chunks)]
    deltas = [data["delta"]["text"] for name, data in events if name == "content_block_delta"]
    assert "".join(deltas) == TEXT
    assert 1 <= len(deltas) <= 8
    assert sum(chunk.output_tokens for chunk in reply.chunks) == output_tokens
    assert events[-2][1]["usage"]["output_tokens"] == output_tokens


def test_events_are_padded_evenly_and_the_ping_never() -> None:
    """0 to 15 spaces before the last brace, each as often as the others (chi-square, 15 df)."""
    ids = Ids(7)
    pads = Counter()
    for _ in range(200):
        for chunk in DIALECT.served(Moment(STREAM, (), ids, NOW), PLAIN, Usage(17, 12)).chunks:
            name, _, spaces = parted(chunk)
            if name == "ping":
                assert chunk.data == b'event: ping\ndata: {"type": "ping"}\n\n'
            else:
                pads[spaces] += 1
    expected = pads.total() / 16
    assert set(pads) == set(range(16))
    assert sum((count - expected) ** 2 / expected for count in pads.values()) < 37.7
