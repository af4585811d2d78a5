"""Chat completions: the answer's body, and its stream of chunks.

Source: the types of openai 3.57, and recorded public cassettes of 2024 and 2025; both read
2026-11-25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_provider._wire._answer import TEXT, pieces
from fake_provider._wire._shapes import Chunk

if TYPE_CHECKING:
    from fake_provider._wire._shapes import Usage

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
        "content": "%s",
        "refusal": null,
        "annotations": []
      },
      "logprobs": null,
      "finish_reason": "stop"
    }
  ],
  "usage": {
    "prompt_tokens": %d,
    "completion_tokens": %d,
    "total_tokens": %d,
    "prompt_tokens_details": {
      "cached_tokens": 0,
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
_CHUNK = (
    'data: {"id":"%s","object":"chat.completion.chunk","created":%d,"model":%s,'
    '"service_tier":"default","system_fingerprint":"%s","choices":[%s]%s}\n\n'
)
_CHOICE = '{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}'
_FIRST = '{"role":"assistant","content":"","refusal":null}'
_USAGE = (
    ',"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
    '"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
    '"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
    '"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
)
_DONE = Chunk(b"data: [DONE]\n\n")


def completion(completion_id: str, created: int, model: str, usage: Usage) -> bytes:
    """Return the body of a plain answer: two spaces a level and a final newline.

    Args:
        completion_id: Id of the completion.
        created: POSIX seconds.
        model: Model as requested, as a JSON string.
        usage: What it reports.
    """
    return (
        _COMPLETION % (completion_id, created, model, TEXT, *_counts(usage), FINGERPRINT)
    ).encode()


def chunks(
    completion_id: str, created: int, model: str, usage: Usage, *, include_usage: bool
) -> tuple[Chunk, ...]:
    """Return the stream of one answer: role, text, end, usage if it was asked for, `[DONE]`.

    Args:
        completion_id: Id of the completion.
        created: POSIX seconds.
        model: Model as requested, as a JSON string.
        usage: What it reports; the chunks of text carry its output tokens.
        include_usage: True if the request's `stream_options` ask for the usage.
    """
    no_usage = ',"usage":null' if include_usage else ""

    def chunk(choice: str, usage_field: str, output_tokens: int = 0) -> Chunk:
        data = _CHUNK % (completion_id, created, model, FINGERPRINT, choice, usage_field)
        return Chunk(data.encode(), output_tokens)

    text = [
        chunk(_CHOICE % (f'{{"content":"{piece}"}}', "null"), no_usage, tokens)
        for piece, tokens in pieces(usage.output_tokens)
    ]
    counts = [chunk("", _USAGE % _counts(usage))] if include_usage else []
    return (
        chunk(_CHOICE % (_FIRST, "null"), no_usage),
        *text,
        chunk(_CHOICE % ("{}", '"stop"'), no_usage),
        *counts,
        _DONE,
    )


def _counts(usage: Usage) -> tuple[int, int, int]:
    """Return prompt, completion and total tokens."""
    total = usage.input_tokens + usage.output_tokens
    return usage.input_tokens, usage.output_tokens, total
