"""Compatible: chat completions of providers that speak OpenAI's form with less in it.

Source: the types of groq 1.7 and mistralai 3.7, openrouter.ai/docs and api-docs.deepseek.com;
read 2026-11-25.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fake_provider._wire._answer import pieces, shares
from fake_provider._wire._headers import NS_PER_S, Headers, http_date, retry_after
from fake_provider._wire._openai import SSE, OpenAI
from fake_provider._wire._openai_paths import form_of, is_behind
from fake_provider._wire._prompt import quoted
from fake_provider._wire._shapes import Chunk, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fake_provider._limiters import Level
    from fake_provider._limits import Limit
    from fake_provider._wire._openai_paths import Form
    from fake_provider._wire._shapes import Ask, Content, Hint, Ids, Moment, Refusal, Usage

DONE = Chunk(b"data: [DONE]\n\n")

_CHUNK = 'data: {"id":"%s","object":"chat.completion.chunk","created":%d,"model":%s,'
_SAID = '"choices":[{"index":0,"delta":{"content":'
_OPEN = '},"finish_reason":null}]'
_CHOICE = '"choices":[{"index":0,"delta":%s,"finish_reason":%s}]%s}\n\n'


class Compatible(OpenAI):
    """The base of dialects whose chat completions leave out what only OpenAI says.

    Args of the class: `names_wait` is False for a provider that has not been seen to send a
    Retry-After, whose refusals then have none in the usual form of hint, `"seconds"`;
    `states_limits` is False for one whose headers say nothing of limits; `counts_cached` is False
    for one that does not say what it read from a cache; `comment` is a line that opens a stream.
    """

    forms: tuple[Form, ...] = ("chat", "models")
    names_wait = True
    states_limits = True
    counts_cached = True
    comment: bytes = b""

    def owns(self, path: str) -> bool:
        """Return True for a path behind the dialect's name: the rest of it is OpenAI's."""
        return is_behind(self.name, path) and form_of(path) in self.forms

    def served(self, moment: Moment, content: Content, usage: Usage) -> Reply:
        """Return the completion, or its stream."""
        if moment.ask.endpoint != "generate" or form_of(moment.ask.target) == "responses":
            return super().served(moment, content, usage)
        limits = self.limit_headers(moment.ask, moment.levels)
        created = moment.wall_ns // NS_PER_S
        identity, calls = self.completion_id(moment.ids, created), self._calls(content, moment.ids)
        if not moment.ask.stream:
            message: dict[str, Any] = {"role": "assistant", "content": content.text or None}
            if calls:
                message["tool_calls"] = calls
            choice = {"index": 0, "message": message, "finish_reason": _ending(content)}
            body = {
                "id": identity,
                "object": "chat.completion",
                "created": created,
                "model": moment.ask.model,
                "choices": [choice],
                "usage": self._counts(usage),
                **self.beside(moment.ids),
            }
            return self._json(200, compact(body), limits, moment.ids, moment.wall_ns)
        head = _CHUNK % (identity, created, quoted(moment.ask.model))
        rest = "".join(f",{quoted(k)}:{json.dumps(v)}" for k, v in self.beside(moment.ids).items())
        opening = (Chunk(self.comment),) if self.comment else ()
        ending = f'{rest},"usage":{compact(self._counts(usage)).decode()}'
        steps = _steps(content, calls, usage.output_tokens, rest, ending)
        stream = tuple(Chunk((head + choice).encode(), tokens) for choice, tokens in steps)
        headers = (*self.envelope(SSE, moment.ids, moment.wall_ns), *limits)
        return Reply(200, headers, (*opening, *stream, DONE), stream=True)

    def refusal_reply(self, moment: Moment, refusal: Refusal, body: bytes) -> Reply:
        """Return a 429 with this body, the limits' headers and the wait."""
        limits = self.limit_headers(moment.ask, moment.levels, refusal.limit, refusal.hint)
        headers = (*limits, *self.waits(refusal.hint, moment.wall_ns))
        return self._json(429, body, headers, moment.ids, moment.wall_ns)

    def waits(self, hint: Hint, wall_ns: int) -> Headers:
        """Return the header that names the wait, unless this provider sends none."""
        if hint.form == "seconds" and not self.names_wait:
            return ()
        return retry_after(hint, wall_ns)

    def limit_headers(
        self,
        ask: Ask,
        levels: tuple[Level, ...],
        violated: Limit | None = None,
        hint: Hint | None = None,
    ) -> Headers:
        """Return OpenAI's headers of the limits, unless this provider states none."""
        return super().limit_headers(ask, levels, violated, hint) if self.states_limits else ()

    def envelope(self, content_type: str, ids: Ids, wall_ns: int) -> Headers:
        """Return the headers that every answer has."""
        return (
            ("date", http_date(wall_ns // NS_PER_S)),
            ("content-type", content_type),
            ("server", "cloudflare"),
            ("cf-cache-status", "DYNAMIC"),
            ("cf-ray", f"{ids.hex(16)}-ORD"),
            *self.identified(ids),
        )

    def identified(self, ids: Ids) -> Headers:
        """Return the header that identifies the request."""
        return (("x-request-id", ids.hex(32)),)

    def completion_id(self, ids: Ids, created: int) -> str:  # noqa: ARG002
        """Return the id of a completion."""
        return f"chatcmpl-{ids.base58(29)}"

    def tool_call_id(self, ids: Ids) -> str:
        """Return the id of a tool call."""
        return f"call_{ids.base58(24)}"

    def beside(self, ids: Ids) -> dict[str, Any]:  # noqa: ARG002
        """Return fields that stand beside the choices of every answer."""
        return {}

    def _counts(self, usage: Usage) -> dict[str, Any]:
        """Return what an answer reports of its tokens."""
        counts: dict[str, Any] = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
        }
        if usage.cached_tokens and self.counts_cached:
            counts["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
        return counts

    def _calls(self, content: Content, ids: Ids) -> list[dict[str, Any]]:
        """Return the tool calls of an answer."""
        return [
            {
                "id": self.tool_call_id(ids),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in content.tool_calls
        ]


def compact(value: object) -> bytes:
    """Return JSON without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def _steps(
    content: Content, calls: list[dict[str, Any]], output_tokens: int, rest: str, ending: str
) -> Iterator[tuple[str, int]]:
    """Yield the choices of each chunk and its output tokens.

    Args:
        content: What it says.
        calls: Which tools it calls.
        output_tokens: Output tokens of all of it.
        rest: What stands beside the choices of a chunk.
        ending: What stands beside those of the last one, which has the usage.
    """
    yield _CHOICE % ('{"role":"assistant","content":""}', "null", rest), 0
    text_tokens, tool_tokens = shares(content, output_tokens)
    if content.text:
        for piece, tokens in pieces(content.text, text_tokens):
            yield f"{_SAID}{quoted(piece)}{_OPEN}{rest}}}\n\n", tokens
    for index, (call, tokens) in enumerate(zip(calls, tool_tokens, strict=True)):
        delta = json.dumps({"tool_calls": [{"index": index, **call}]}, separators=(",", ":"))
        yield _CHOICE % (delta, "null", rest), tokens
    yield _CHOICE % ('{"content":""}', f'"{_ending(content)}"', ending), 0


def _ending(content: Content) -> str:
    """Return why the answer ends."""
    return "tool_calls" if content.tool_calls else "stop"
