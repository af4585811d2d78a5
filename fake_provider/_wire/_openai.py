"""OpenAI: chat completions."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from fake_provider._wire._headers import NS_PER_S, Headers, override, retry_after
from fake_provider._wire._openai_chat import chunks, completion
from fake_provider._wire._openai_errors import named_error, refusal_body, too_large_body
from fake_provider._wire._openai_headers import envelope, limit_headers
from fake_provider._wire._prompt import characters, decoded, quoted
from fake_provider._wire._shapes import Ask, BadRequest, Chunk, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._limiters import Level
    from fake_provider._limits import Limit
    from fake_provider._wire._shapes import Content, Hint, Ids, Request, Shelf, Usage

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_CHAT = "/chat/completions"


class OpenAI:
    """The dialect of api.openai.com."""

    name = "openai"
    hosts = ("api.openai.com",)
    env: Mapping[str, str] = {
        "OPENAI_API_KEY": "sk-fake-provider",
        "OPENAI_BASE_URL": "https://api.openai.com/v1",
    }

    def owns(self, path: str) -> bool:
        """Return True for the path of chat completions, whatever precedes it."""
        return path.endswith(_CHAT)

    def api_key(self, headers: Mapping[str, str]) -> str:
        """Return the key of `Authorization: Bearer`."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def model_class(self, model: str) -> str:
        """Return the group of models that shares its limits with `model`.

        A dated snapshot belongs to its model; every model has limits of its own.

        Source: developers.openai.com/api/docs/guides/rate-limits, read 2026-11-25.
        """
        return _SNAPSHOT.sub("", model)

    def parse(self, request: Request) -> Ask:
        """Return what a request asks for, or raise BadRequest in the API's words."""
        if not self.owns(request.path) or request.method != "POST":
            raise BadRequest(
                404, "invalid_request_error", f"Invalid URL ({request.method} {request.path})"
            )
        if not self.api_key(request.headers):
            raise BadRequest(
                401,
                "invalid_request_error",
                "You didn't provide an API key. You need to provide your API key in an "
                "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            )
        try:
            body = decoded(request.body)
        except ValueError as error:
            raise _invalid(f"We could not parse the JSON body of your request: {error}") from None
        model = body.get("model")
        if not model:
            raise _invalid("you must provide a model parameter")
        if not isinstance(model, str):
            raise _wrong_type("model", "a string")
        _check_messages(body)
        stream = body.get("stream") or False
        if not isinstance(stream, bool):
            raise _wrong_type("stream", "a boolean")
        _check_stream_options(body)
        prompt = characters(body["messages"], body.get("tools"))
        return Ask("generate", model, _max_tokens(body), stream, prompt, body)

    def served(
        self,
        ask: Ask,
        content: Content,
        usage: Usage,
        levels: tuple[Level, ...],
        ids: Ids,
        wall_ns: int,
    ) -> Reply:
        """Return the completion, or its stream."""
        identity = f"chatcmpl-{ids.base58(29)}"
        created = wall_ns // NS_PER_S
        model = quoted(ask.model)
        limits = limit_headers(levels)
        if not ask.stream:
            body = completion(identity, created, model, content, usage, ids)
            return _json_reply(200, body, limits, ids, wall_ns)
        options = ask.body.get("stream_options") or {}
        include_usage = options.get("include_usage") is True
        return Reply(
            status=200,
            headers=(*envelope("text/event-stream; charset=utf-8", ids, wall_ns), *limits),
            chunks=chunks(
                identity, created, model, content, usage, ids, include_usage=include_usage
            ),
            stream=True,
        )

    def managed(self, request: Request, shelf: Shelf, ids: Ids, wall_ns: int) -> Reply:  # noqa: ARG002
        """Return that there is no such endpoint: none is answered yet."""
        return self.error(404, None, f"Invalid URL ({request.method} {request.path})", ids, wall_ns)

    def counted(self, ask: Ask, input_tokens: int, ids: Ids, wall_ns: int) -> Reply:  # noqa: ARG002
        """Return a count of input tokens, as the Responses API words it."""
        count = {"object": "response.input_tokens", "input_tokens": input_tokens}
        body = f"{json.dumps(count, indent=2)}\n".encode()
        return _json_reply(200, body, (), ids, wall_ns)

    def refused(
        self,
        ask: Ask,
        violated: Limit,
        levels: tuple[Level, ...],
        hint: Hint,
        ids: Ids,
        wall_ns: int,
        *,
        requested: int,
    ) -> Reply:
        """Return the 429 that names the limit, what is used and asked for, and the wait."""
        level = next(level for level in levels if level.limit == violated)
        body = refusal_body(ask.model, level, hint, requested)
        headers = (*limit_headers(levels, violated, hint), *retry_after(hint, wall_ns))
        return _json_reply(429, body, headers, ids, wall_ns)

    def too_large(
        self,
        ask: Ask,
        violated: Limit,
        levels: tuple[Level, ...],
        ids: Ids,
        wall_ns: int,
        *,
        requested: int,
    ) -> Reply:
        """Return the 429 of a request too large: same status and code, another message."""
        body = too_large_body(ask.model, violated, requested)
        return _json_reply(429, body, limit_headers(levels), ids, wall_ns)

    def error(
        self,
        status: int,
        kind: str | None,
        message: str | None,
        ids: Ids,
        wall_ns: int,
        headers: Headers = (),
    ) -> Reply:
        """Return any other error; `kind` is an error code, or a type where there is no code."""
        reply = _json_reply(status, named_error(status, kind, message), (), ids, wall_ns)
        return Reply(status, override(reply.headers, headers), reply.chunks)

    def stream_error(self, status: int, kind: str | None, ids: Ids) -> Chunk:  # noqa: ARG002
        """Return the error as an event, after which the stream ends."""
        compact = json.dumps(json.loads(named_error(status, kind, None)), separators=(",", ":"))
        return Chunk(f"data: {compact}\n\n".encode())


def _json_reply(status: int, body: bytes, headers: Headers, ids: Ids, wall_ns: int) -> Reply:
    """Return a reply of one JSON body."""
    head = envelope("application/json", ids, wall_ns)
    length = ("content-length", str(len(body)))
    return Reply(status, (*head, length, *headers), (Chunk(body),))


def _invalid(message: str) -> BadRequest:
    """Return the refusal of a malformed request."""
    return BadRequest(400, "invalid_request_error", message)


def _wrong_type(name: str, expected: str) -> BadRequest:
    """Return the refusal of a field of the wrong type."""
    return _invalid(f"Invalid type for '{name}': expected {expected}.")


def _check_messages(body: Mapping[str, Any]) -> None:
    """Raise unless the body has messages, each an object with a role."""
    messages = body.get("messages")
    if messages is None:
        raise _invalid("Missing required parameter: 'messages'.")
    if not isinstance(messages, list):
        raise _wrong_type("messages", "an array of objects")
    if not messages:
        raise _invalid("Invalid 'messages': empty array. Expected at least 1 message.")
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise _wrong_type(f"messages[{index}]", "an object")
        if "role" not in message:
            raise _invalid(f"Missing required parameter: 'messages[{index}].role'.")


def _check_stream_options(body: Mapping[str, Any]) -> None:
    """Raise unless the stream's options, if there are any, are an object."""
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise _wrong_type("stream_options", "an object")


def _max_tokens(body: Mapping[str, Any]) -> int | None:
    """Return the output tokens that the request allows; the older name counts if it is alone."""
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong_type(name, "an integer")
        if value < 1:
            raise _invalid(f"Invalid value for '{name}': must be at least 1.")
        return value
    return None
