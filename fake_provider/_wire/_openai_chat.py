"""Chat completions: the answer's body, and its stream of chunks.

Source: the types of openai 3.57, and recorded public cassettes of 2024 and 2025; both read
2026-11-25.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from fake_provider._wire._answer import pieces, shares
from fake_provider._wire._prompt import quoted
from fake_provider._wire._shapes import Chunk

if TYPE_CHECKING:
    from fake_provider._wire._shapes import Content, Ids, Usage

FINGERPRINT = "fp_fa4e5e12f0"

_COMPLETION = """\
{
  "id": "%s",
  "object": "chat.completion",
  "created": %d,
  "model": %s,
  "choices": [
    {
      "index": 0,
      "message": {
        "role": "assistant",
        "content": %s,%s
        "refusal": null,
        "annotations": []
      },
      "logprobs": null,
      "finish_reason": "%s"
    }
  ],
  "usage": {
    "prompt_tokens": %d,
    "completion_tokens": %d,
    "total_tokens": %d,
    "prompt_tokens_details": {
      "cached_tokens": %s,
      "audio_tokens": 0
    },
    "completion_tokens_details": {
      "reasoning_tokens": 0,
      "audio_tokens": 0,
      "accepted_prediction_tokens": 0,
      "rejected_prediction_tokens": 0
    }
  },
  "service_tier": "default",
  "system_fingerprint": "%s"
}
"""
_TOOL_CALL = '{"id":"call_%s","type":"function","function":{"name":%s,"arguments":%s}}'
_TOOL_DELTA = (
    '{"tool_calls":[{"index":%d,"id":"call_%s","type":"function",'
    '"function":{"name":%s,"arguments":""}}]}'
)
_ARGUMENTS_DELTA = '{"tool_calls":[{"index":%d,"function":{"arguments":%s}}]}'
_CHUNK = (
    'data: {"id":"%s","object":"chat.completion.chunk","created":%d,"model":%s,'
    '"service_tier":"default","system_fingerprint":"%s","choices":['
)
_CHOICE = '{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}'
_FIRST = '{"role":"assistant","content":"","refusal":null}'
_USAGE = (
    ',"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
    '"prompt_tokens_details":{"cached_tokens":%s,"audio_tokens":0},'
    '"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
    '"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
)
_DONE = Chunk(b"data: [DONE]\n\n")


def completion(
    completion_id: str, created: int, model: str, content: Content, usage: Usage, ids: Ids
) -> bytes:
    """Return the body of a plain answer: two spaces a level and a final newline.

    Args:
        completion_id: Id of the completion.
        created: POSIX seconds.
        model: Model as requested, as a JSON string.
        content: What it says and which tools it calls.
        usage: What it reports.
        ids: Source of the tool calls' ids.
    """
    calls = [
        _TOOL_CALL % (ids.base58(24), quoted(call.name), quoted(call.arguments))
        for call in content.tool_calls
    ]
    text = quoted(content.text) if content.text else "null"
    tool_calls = f'\n        "tool_calls": [{",".join(calls)}],' if calls else ""
    ending = _finish_reason(content)
    head = (completion_id, created, model, text, tool_calls, ending)
    return (_COMPLETION % (*head, *_counts(usage), FINGERPRINT)).encode()


def chunks(
    completion_id: str,
    created: int,
    model: str,
    content: Content,
    usage: Usage,
    ids: Ids,
    *,
    include_usage: bool,
) -> tuple[Chunk, ...]:
    """Return the stream of one answer: role, text, tools, end, usage if asked for, `[DONE]`.

    Args:
        completion_id: Id of the completion.
        created: POSIX seconds.
        model: Model as requested, as a JSON string.
        content: What it says and which tools it calls.
        usage: What it reports; the chunks of text and tools carry its output tokens.
        ids: Source of the tool calls' ids.
        include_usage: True if the request's `stream_options` ask for the usage.
    """
    no_usage = ',"usage":null' if include_usage else ""
    text_tokens, tool_tokens = shares(content, usage.output_tokens)
    # Choices and their output tokens; what frames them is the same for all.
    steps = [(_CHOICE % (_FIRST, "null"), 0)]
    if content.text:
        steps += _said(content.text, text_tokens)
    for index, (call, tokens) in enumerate(zip(content.tool_calls, tool_tokens, strict=True)):
        called = _TOOL_DELTA % (index, ids.base58(24), quoted(call.name))
        arguments = _ARGUMENTS_DELTA % (index, quoted(call.arguments))
        steps += ((_CHOICE % (called, "null"), 0), (_CHOICE % (arguments, "null"), tokens))
    steps.append((_CHOICE % ("{}", f'"{_finish_reason(content)}"'), 0))
    head = _CHUNK % (completion_id, created, model, FINGERPRINT)
    end = f"]{no_usage}}}\n\n"
    made = [Chunk(f"{head}{choice}{end}".encode(), tokens) for choice, tokens in steps]
    if include_usage:
        made.append(Chunk(f"{head}]{_USAGE % _counts(usage)}}}\n\n".encode()))
    return (*made, _DONE)


@lru_cache(maxsize=64)
def _said(text: str, output_tokens: int) -> list[tuple[str, int]]:
    """Return the choices that carry a text, which many answers share, and their tokens."""
    return [
        (_CHOICE % (f'{{"content":{quoted(piece)}}}', "null"), tokens)
        for piece, tokens in pieces(text, output_tokens)
    ]


def _finish_reason(content: Content) -> str:
    """Return why the answer ends."""
    return "tool_calls" if content.tool_calls else "stop"


def _counts(usage: Usage) -> tuple[int, int, int, str]:
    """Return prompt, completion, total and cached tokens, with those written if there are some."""
    cached = str(usage.cached_tokens)
    if usage.cache_written_tokens:
        cached += f',"cache_write_tokens":{usage.cache_written_tokens}'
    return usage.input_tokens, usage.output_tokens, usage.total_tokens, cached
