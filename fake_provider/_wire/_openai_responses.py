"""Responses: the answer's body, and its stream of numbered events.

Source: developers.openai.com/api/docs/api-reference (responses, streaming events) and the types
of openai 3.57; read 2026-11-25.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fake_provider._wire._answer import pieces, shares
from fake_provider._wire._prompt import quoted
from fake_provider._wire._shapes import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fake_provider._wire._shapes import Ask, Content, Ids, Usage

# What a response repeats of its request, and what stands there if the request says nothing.
_ECHOED: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
_compact = json.JSONEncoder(separators=(",", ":")).encode

_EVENT = 'event: %s\ndata: {"type":"%s","sequence_number":%d,%s}\n\n'
_TEXT = '"item_id":"%s","output_index":0,"content_index":0,"%s":%s,"logprobs":[]'
_PART = '"item_id":"%s","output_index":0,"content_index":0,"part":%s'
_ARGUMENTS = '"item_id":"%s","output_index":%d,"%s":%s'
_ITEM = '"output_index":%d,"item":%s'

Step = tuple[str, str, int]


def response(ask: Ask, content: Content, usage: Usage, ids: Ids, created: int) -> bytes:
    """Return the body of a plain answer: two spaces a level and a final newline.

    Args:
        ask: What was asked for; the answer repeats much of it.
        content: What it says and which tools it calls.
        usage: What it reports.
        ids: Source of the ids of the response and of its items.
        created: POSIX seconds.
    """
    whole = _begun(ask, ids, created)
    _complete(whole, _items(content, ids), usage)
    return f"{json.dumps(whole, indent=2)}\n".encode()


def events(ask: Ask, content: Content, usage: Usage, ids: Ids, created: int) -> tuple[Chunk, ...]:
    """Return the stream of one answer, whose events are numbered as they come.

    Args:
        ask: What was asked for; the answer repeats much of it.
        content: What it says and which tools it calls.
        usage: What it reports; the deltas carry its output tokens.
        ids: Source of the ids of the response and of its items.
        created: POSIX seconds.
    """
    return tuple(
        Chunk((_EVENT % (kind, kind, number, fields)).encode(), tokens)
        for number, (kind, fields, tokens) in enumerate(_steps(ask, content, usage, ids, created))
    )


def error_event(error: str, sent: int) -> Chunk:
    """Return an error as an event, after which the stream ends.

    The reference shows its fields beside the type; what has been seen on the wire holds them in
    an object of their own, as an answer's body does.

    Args:
        error: The error, a JSON object as text.
        sent: Events that have been sent before.
    """
    return Chunk((_EVENT % ("error", "error", sent, f'"error":{error}')).encode())


def _steps(ask: Ask, content: Content, usage: Usage, ids: Ids, created: int) -> Iterator[Step]:
    """Yield kind, fields and output tokens of every event."""
    whole = _begun(ask, ids, created)
    begun = f'"response":{_compact(whole)}'
    yield "response.created", begun, 0
    yield "response.in_progress", begun, 0
    items = _items(content, ids)
    text_tokens, tool_tokens = shares(content, usage.output_tokens)
    for index, item in enumerate(items):
        if item["type"] == "message":
            yield from _message_steps(item, content.text, text_tokens)
        else:
            tokens = tool_tokens[index - len(items)]
            yield from _call_steps(item, index, tokens)
    _complete(whole, items, usage)
    yield "response.completed", f'"response":{_compact(whole)}', 0


def _message_steps(item: dict[str, Any], text: str, tokens: int) -> Iterator[Step]:
    """Yield the events of the text, which is the first item of what is put out."""
    identity, (part,) = item["id"], item["content"]
    opened = {**item, "status": "in_progress", "content": []}
    yield "response.output_item.added", _ITEM % (0, _compact(opened)), 0
    empty = _compact({**part, "text": ""})
    yield "response.content_part.added", _PART % (identity, empty), 0
    head, _, end = (_TEXT % (identity, "delta", "|")).partition("|")
    for piece, share in _quoted_pieces(text, tokens):
        yield "response.output_text.delta", f"{head}{piece}{end}", share
    yield "response.output_text.done", _TEXT % (identity, "text", quoted(text)), 0
    yield "response.content_part.done", _PART % (identity, _compact(part)), 0
    yield "response.output_item.done", _ITEM % (0, _compact(item)), 0


@lru_cache(maxsize=64)
def _quoted_pieces(text: str, tokens: int) -> list[tuple[str, int]]:
    """Return the pieces of a text as JSON strings, which many answers share, and their tokens."""
    return [(quoted(piece), share) for piece, share in pieces(text, tokens)]


def _call_steps(item: dict[str, Any], index: int, tokens: int) -> Iterator[Step]:
    """Yield the events of one tool call."""
    identity, arguments = item["id"], quoted(item["arguments"])
    opened = {**item, "status": "in_progress", "arguments": ""}
    yield "response.output_item.added", _ITEM % (index, _compact(opened)), 0
    delta = _ARGUMENTS % (identity, index, "delta", arguments)
    yield "response.function_call_arguments.delta", delta, tokens
    done = _ARGUMENTS % (identity, index, "arguments", arguments)
    yield "response.function_call_arguments.done", done, 0
    yield "response.output_item.done", _ITEM % (index, _compact(item)), 0


def _items(content: Content, ids: Ids) -> list[dict[str, Any]]:
    """Return what is put out: the text as a message, and each tool call."""
    items: list[dict[str, Any]] = []
    if content.text or not content.tool_calls:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": content.text}
        items.append(
            {
                "id": f"msg_{ids.hex(50)}",
                "type": "message",
                "status": "completed",
                "content": [part],
                "role": "assistant",
            }
        )
    items += (
        {
            "id": f"fc_{ids.hex(50)}",
            "type": "function_call",
            "status": "completed",
            "arguments": call.arguments,
            "call_id": f"call_{ids.base58(24)}",
            "name": call.name,
        }
        for call in content.tool_calls
    )
    return items


def _begun(ask: Ask, ids: Ids, created: int) -> dict[str, Any]:
    """Return a response of which nothing has been put out yet."""
    given = {name: value for name, value in ask.body.items() if value is not None}
    echoed = {name: given.get(name, default) for name, default in _ECHOED.items()}
    return {
        "id": f"resp_{ids.hex(50)}",
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": ask.model,
        "output": [],
        "service_tier": "default",
        "usage": None,
        **echoed,
    }


def _complete(whole: dict[str, Any], items: list[dict[str, Any]], usage: Usage) -> None:
    """Put the output and its usage into a response."""
    whole["status"], whole["output"] = "completed", items
    whole["usage"] = {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_written_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.total_tokens,
    }
