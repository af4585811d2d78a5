"""Vertex: Claude on Google's Vertex AI.

Source: cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude, the client
AnthropicVertex of anthropic 2.13, and public reports of 2025 and 2026; read 2026-11-25.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fake_provider._wire._anthropic_ask import asked, invalid, read_body
from fake_provider._wire._anthropic_clouds import own_name
from fake_provider._wire._anthropic_errors import (
    default_message,
    error_body,
    error_event,
    error_type,
)
from fake_provider._wire._anthropic_headers import request_id
from fake_provider._wire._anthropic_message import events, message
from fake_provider._wire._google import (
    EXHAUSTED,
    VERTEX_HOSTS,
    envelope,
    error,
    is_elsewhere,
    json_reply,
    pretty,
)
from fake_provider._wire._headers import override, retry_after
from fake_provider._wire._shapes import Ask, BadRequest, Chunk, Failure, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._limits import Limit
    from fake_provider._wire._named import Name
    from fake_provider._wire._shapes import (
        Content,
        Ids,
        Moment,
        Refusal,
        Request,
        Shelf,
        Usage,
    )

IDS = "vrtx_"
COUNT_TOKENS = "count-tokens"
_PATH = re.compile(
    r"/publishers/anthropic/models/(?P<model>[^/:]+):(?P<verb>rawPredict|streamRawPredict)$"
)
_ONE_FOR_ALL = "/locations/global/"
# Errors of the model itself, which are worded as Anthropic words them; the rest are Google's.
_OWN_ERRORS = ("api_error", "invalid_request_error", "overloaded_error", "timeout_error")
_QUOTAS = {
    "requests": "online_prediction_requests_per_base_model",
    "input_tokens": "online_prediction_input_tokens_per_minute_per_base_model",
    "output_tokens": "online_prediction_output_tokens_per_minute_per_base_model",
    "tokens": "online_prediction_tokens_per_minute_per_base_model",
}


class Vertex:
    """The dialect of Claude on the hosts of Vertex AI."""

    name = "vertex"
    hosts = VERTEX_HOSTS
    env: Mapping[str, str] = {
        "ANTHROPIC_VERTEX_BASE_URL": "https://aiplatform.googleapis.com/v1",
    }
    named: Mapping[Name, Failure] = {"overloaded": Failure(529, "overloaded_error")}

    def owns(self, path: str) -> bool:
        """Return True for a verb on one of Anthropic's models."""
        return _PATH.search(path) is not None and not is_elsewhere(path)

    def api_key(self, request: Request) -> str:
        """Return the token of `Authorization: Bearer`."""
        return request.bearer

    def model_class(self, model: str) -> str:
        """Return the base model, which has limits of its own in each region.

        Source: cloud.google.com/vertex-ai/generative-ai/docs/quotas, read 2026-11-25.
        """
        return model.partition("@")[0]

    def parse(self, request: Request) -> Ask:
        """Return what a request asks for, or raise BadRequest in the API's words."""
        found = _PATH.search(request.path)
        if found is None or request.method != "POST":
            raise BadRequest(404, "NOT_FOUND", "Requested entity was not found.")
        if not request.bearer:
            text = "Request is missing required authentication credential."
            raise BadRequest(401, "UNAUTHENTICATED", text)
        body = read_body(request.body)
        if not body.get("anthropic_version"):
            raise invalid("anthropic_version: Field required")
        if found["model"] == COUNT_TOKENS:
            ask = asked("count_tokens", body)
        else:
            ask = asked("generate", body, found["model"])
        streamed = found["verb"] == "streamRawPredict"
        return ask._replace(stream=streamed, target=request.path)

    def served(self, moment: Moment, content: Content, usage: Usage) -> Reply:
        """Return the message, or its stream: Anthropic's, with ids of this cloud."""
        model = own_name(moment.ask.model)
        if moment.ask.stream:
            head = envelope("text/event-stream; charset=utf-8", moment.ids, moment.wall_ns)
            return Reply(200, head, events(model, content, usage, moment.ids, IDS), stream=True)
        body = message(model, content, usage, moment.ids, IDS).encode()
        return _reply(200, body, moment.ids, moment.wall_ns)

    def managed(self, request: Request, shelf: Shelf, ids: Ids, wall_ns: int) -> Reply:  # noqa: ARG002
        """Return that there is no such endpoint: none is answered."""
        return self.error(Failure(404), ids, wall_ns)

    def counted(self, moment: Moment, input_tokens: int) -> Reply:
        """Return the count of input tokens."""
        return _reply(200, b'{"input_tokens":%d}' % input_tokens, moment.ids, moment.wall_ns)

    def refused(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 429, which names the quota and no wait, unless a header is asked for."""
        headers = (
            () if refusal.hint.form == "seconds" else retry_after(refusal.hint, moment.wall_ns)
        )
        told = error(429, self._refusal(moment.ask, refusal.limit))
        return json_reply(429, pretty(told), moment.ids, moment.wall_ns, headers)

    def too_large(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 429 of any refusal: the API does not tell them apart."""
        return json_reply(
            429,
            pretty(error(429, self._refusal(moment.ask, refusal.limit))),
            moment.ids,
            moment.wall_ns,
        )

    def error(self, failure: Failure, ids: Ids, wall_ns: int) -> Reply:
        """Return any other error; `kind` is Anthropic's type, or Google's name of a status."""
        status, kind, message, headers = failure
        named = kind or (error_type(status) if status == 529 else None)
        if named in _OWN_ERRORS:
            text = message or default_message(status, named, wall_ns)
            reply = _reply(status, error_body(status, named, text, request_id(ids)), ids, wall_ns)
        else:
            reply = json_reply(status, pretty(error(status, message, kind)), ids, wall_ns)
        return Reply(status, override(reply.headers, headers), reply.chunks)

    def stream_error(self, ask: Ask, failure: Failure, ids: Ids, sent: int) -> Chunk:  # noqa: ARG002
        """Return Anthropic's `error` event."""
        status, kind, *_ = failure
        return error_event(status, kind, request_id(ids))

    def _refusal(self, ask: Ask, limit: Limit) -> str:
        """Return what a refusal says: the quota, or on the endpoint of all regions nothing."""
        if _ONE_FOR_ALL in ask.target or limit.kind not in _QUOTAS:
            return EXHAUSTED
        return (
            f"Quota exceeded for aiplatform.googleapis.com/{_QUOTAS[limit.kind]} with base model: "
            f"anthropic-{self.model_class(ask.model)}. Please submit a quota increase request. "
            "https://cloud.google.com/vertex-ai/docs/generative-ai/quotas-genai."
        )


def _reply(status: int, body: bytes, ids: Ids, wall_ns: int) -> Reply:
    """Return a reply of the model's own JSON, which is compact."""
    reply = json_reply(status, body, ids, wall_ns)
    return reply._replace(headers=override(reply.headers, (("content-type", "application/json"),)))
