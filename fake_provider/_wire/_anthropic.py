"""Anthropic: the Messages API, and its counting of tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fake_provider._wire._anthropic_ask import asked, invalid, read_body
from fake_provider._wire._anthropic_errors import (
    default_message,
    error_body,
    error_event,
    error_type,
    refusal_message,
    refusal_type,
    should_retry,
    too_large_message,
)
from fake_provider._wire._anthropic_headers import envelope, limit_headers, request_id
from fake_provider._wire._anthropic_managed import is_managed, managed_body
from fake_provider._wire._anthropic_message import events, message
from fake_provider._wire._headers import Headers, override, retry_after
from fake_provider._wire._shapes import Ask, BadRequest, Chunk, Failure, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._wire._named import Name
    from fake_provider._wire._shapes import (
        Content,
        Endpoint,
        Ids,
        Moment,
        Refusal,
        Request,
        Shelf,
        Usage,
    )

VERSIONS = ("2023-01-01", "2023-06-01", "2026-10-21")

# Models that share one class with every later version of their family, by prefix.
SHARED = ("claude-fable-5", "claude-opus-4", "claude-sonnet-4")
# Models with a class of their own, by the name without a date.
OWN = {
    "claude-3-5-haiku": "claude-haiku-3-5",
    "claude-haiku-3-5": "claude-haiku-3-5",
    "claude-haiku-4-5": "claude-haiku-4-5",
    "claude-haiku-5-5": "claude-haiku-5-5",
    "claude-opus-5": "claude-opus-5",
    "claude-opus-5-5": "claude-opus-5-5",
    "claude-sonnet-5": "claude-sonnet-5",
    "claude-sonnet-5-5": "claude-sonnet-5-5",
}

_SNAPSHOT = re.compile(r"-(?:\d{8}|latest)$")


class Anthropic:
    """The dialect of api.anthropic.com, versions 2023-06-01 and 2026-10-21."""

    name = "anthropic"
    hosts = ("api.anthropic.com",)
    env: Mapping[str, str] = {
        "ANTHROPIC_API_KEY": "sk-ant-fake-provider",
        "ANTHROPIC_BASE_URL": "https://api.anthropic.com",
    }
    named: Mapping[Name, Failure] = {
        "acceleration": Failure(429, "ramp_limit_exceeded"),
        "insufficient-quota": Failure(400, "credit_balance_too_low"),
        "overloaded": Failure(529),
        "spend-cap": Failure(429, "enforced_spend_limit_reached"),
        "too-large": Failure(413),
    }

    def owns(self, path: str) -> bool:
        """Return True for the paths of the Messages API, whatever precedes them.

        A list of models is a path of other APIs as well: it is this one's behind `/anthropic/`.
        """
        ours = "/v1/messages" in path or path.startswith("/anthropic/")
        return ours and _endpoint(path) is not None

    def api_key(self, request: Request) -> str:
        """Return the key of `X-Api-Key` (SDK 1.x and before) or `Authorization` (2.x)."""
        return request.headers.get("x-api-key") or request.bearer

    def model_class(self, model: str) -> str:
        """Return the group of models that shares its limits with `model`.

        Fable 5.x, Opus 4.x and Sonnet 4.x share one each; others have their own; a snapshot
        belongs to its model, and an unknown model is a class of its own.

        Source: platform.claude.com/docs/en/api/rate-limits as of October 2026, read 2026-11-25.
        """
        for family in SHARED:
            if model == family or model.startswith(f"{family}-"):
                return family
        return OWN.get(_SNAPSHOT.sub("", model), model)

    def parse(self, request: Request) -> Ask:
        """Return what a request asks for, or raise BadRequest in the API's words."""
        endpoint = _endpoint(request.path)
        if endpoint is None or (request.method != "POST" and endpoint != "manage"):
            raise BadRequest(404, "not_found_error", "Not found")
        if not self.api_key(request):
            raise BadRequest(401, "authentication_error", "x-api-key header is required")
        version = request.headers.get("anthropic-version")
        if version is None:
            raise invalid("anthropic-version: header is required")
        if version not in VERSIONS:
            raise invalid(f'anthropic-version: "{version}" is not a valid version')
        if endpoint == "manage":
            return Ask("manage", "", None, stream=False, characters=0, body={})
        return asked(endpoint, read_body(request.body))

    def served(self, moment: Moment, content: Content, usage: Usage) -> Reply:
        """Return the message, or its stream; the limits are as they stood at admission."""
        request = request_id(moment.ids)
        limits = limit_headers(moment.levels, moment.wall_ns)
        if moment.ask.stream:
            content_type = "text/event-stream; charset=utf-8"
            head = envelope(request, content_type, moment.ids, moment.wall_ns)
            return Reply(
                status=200,
                headers=(*head, ("cache-control", "no-cache"), *limits),
                chunks=events(moment.ask.model, content, usage, moment.ids),
                stream=True,
            )
        body = message(moment.ask.model, content, usage, moment.ids).encode()
        return _json_reply(200, body, request, limits, moment.ids, moment.wall_ns)

    def managed(self, request: Request, shelf: Shelf, ids: Ids, wall_ns: int) -> Reply:
        """Return the models, or what became of a batch."""
        try:
            body = managed_body(request, shelf, ids, wall_ns)
        except BadRequest as error:
            return self.error(Failure(error.status, error.kind, error.message), ids, wall_ns)
        return _json_reply(200, body, request_id(ids), (), ids, wall_ns)

    def counted(self, moment: Moment, input_tokens: int) -> Reply:
        """Return the count of input tokens."""
        body = b'{"input_tokens":%d}' % input_tokens
        return _json_reply(200, body, request_id(moment.ids), (), moment.ids, moment.wall_ns)

    def refused(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 429; one of concurrent requests has been seen without the limits' headers."""
        request = request_id(moment.ids)
        message = refusal_message(refusal.limit, moment.ask.model)
        body = error_body(429, refusal_type(refusal.limit), message, request)
        limits = (
            ()
            if refusal.limit.kind == "concurrent"
            else limit_headers(moment.levels, moment.wall_ns, refusal.limit, refusal.hint)
        )
        headers = (*limits, *retry_after(refusal.hint, moment.wall_ns), ("x-should-retry", "true"))
        return _json_reply(429, body, request, headers, moment.ids, moment.wall_ns)

    def too_large(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return a 413: it tells a client that no wait helps, which a 429 would not."""
        request = request_id(moment.ids)
        kind = error_type(413)
        body = error_body(413, kind, too_large_message(refusal.limit, refusal.requested), request)
        headers = (*limit_headers(moment.levels, moment.wall_ns), ("x-should-retry", "false"))
        return _json_reply(413, body, request, headers, moment.ids, moment.wall_ns)

    def error(self, failure: Failure, ids: Ids, wall_ns: int) -> Reply:
        """Return any other error; `kind` is an error type, or the code of a special 429."""
        status, kind, message, headers = failure
        request = request_id(ids)
        kind = kind or error_type(status)
        body = error_body(status, kind, message or default_message(status, kind, wall_ns), request)
        retry = should_retry(status, kind)
        advice: Headers = (("x-should-retry", retry),) if retry else ()
        reply = _json_reply(status, body, request, advice, ids, wall_ns)
        return Reply(status, override(reply.headers, headers), reply.chunks)

    def stream_error(self, ask: Ask, failure: Failure, ids: Ids, sent: int) -> Chunk:  # noqa: ARG002
        """Return the `error` event, after which the connection closes."""
        status, kind, *_ = failure
        return error_event(status, kind, request_id(ids))


def _json_reply(
    status: int, body: bytes, request: str, headers: Headers, ids: Ids, wall_ns: int
) -> Reply:
    """Return a reply of one JSON body."""
    head = envelope(request, "application/json", ids, wall_ns)
    length = ("content-length", str(len(body)))
    return Reply(status, (*head, length, *headers), (Chunk(body),))


def _endpoint(path: str) -> Endpoint | None:
    """Return what a path asks for; a gateway may put a prefix before it."""
    if path.endswith("/v1/messages"):
        return "generate"
    if path.endswith("/v1/messages/count_tokens"):
        return "count_tokens"
    return "manage" if is_managed(path) else None
