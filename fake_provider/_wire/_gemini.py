"""Gemini: content and embeddings of the Gemini API, and of Gemini on Vertex AI."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from fake_provider._wire._gemini_ask import asked, found_verb
from fake_provider._wire._gemini_errors import refusal_body
from fake_provider._wire._gemini_response import embeddings, response, stream
from fake_provider._wire._google import (
    JSON,
    VERTEX_HOSTS,
    envelope,
    error,
    is_elsewhere,
    json_reply,
    pretty,
)
from fake_provider._wire._headers import Headers, override, retry_after
from fake_provider._wire._openai_paths import is_behind
from fake_provider._wire._shapes import Ask, BadRequest, Chunk, Failure, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

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

SSE = "text/event-stream"
MODELS = {
    "gemini-2.5-flash": ("Gemini 2.5 Flash", 1_048_576, 65_536),
    "gemini-2.5-pro": ("Gemini 2.5 Pro", 1_048_576, 65_536),
    "gemini-embedding-001": ("Gemini Embedding 001", 2_048, 1),
}
_LIST = re.compile(r"/models(?:/(?P<model>[^/:]+))?$")
_VERSION = re.compile(r"-\d{3}$")


class Gemini:
    """The dialect of generativelanguage.googleapis.com, which Vertex AI speaks as well."""

    name = "gemini"
    hosts = ("generativelanguage.googleapis.com", *VERTEX_HOSTS)
    # The SDK reads GEMINI_API_KEY too, and warns where both are set.
    env: Mapping[str, str] = {
        "GOOGLE_API_KEY": "fake-provider",
        "GOOGLE_GEMINI_BASE_URL": "https://generativelanguage.googleapis.com",
    }
    named: Mapping[Name, Failure] = {"overloaded": Failure(503)}

    def owns(self, path: str) -> bool:
        """Return True for a verb of this API on a model, unless it is behind another's name.

        A list of models is a path of other APIs as well: it is this one's behind `/gemini/`.
        """
        if found_verb(path) is not None:
            return not is_elsewhere(path)
        return is_behind(self.name, path) and _LIST.search(path) is not None

    def api_key(self, request: Request) -> str:
        """Return the key of `x-goog-api-key` or of the query, or a token of `Authorization`."""
        key = request.headers.get("x-goog-api-key") or _query(request).get("key", "")
        return key or request.bearer

    def model_class(self, model: str) -> str:
        """Return the group of models that shares its limits with `model`.

        A numbered version belongs to its model; every model has limits of its own.

        Source: ai.google.dev/gemini-api/docs/rate-limits, read 2026-11-25.
        """
        return _VERSION.sub("", model)

    def parse(self, request: Request) -> Ask:
        """Return what a request asks for, or raise BadRequest in the API's words."""
        found = found_verb(request.path)
        listed = request.method == "GET" and _LIST.search(request.path) is not None
        if not listed and (found is None or request.method != "POST"):
            raise BadRequest(404, "NOT_FOUND", "Requested entity was not found.")
        if not self.api_key(request):
            raise BadRequest(
                403,
                "PERMISSION_DENIED",
                "Method doesn't allow unregistered callers (callers without established "
                "identity). Please use API Key or other form of API consumer identity to call "
                "this API.",
            )
        if found is None:
            return Ask("manage", "", None, stream=False, characters=0, body={})
        query = "?alt=sse" if _query(request).get("alt") == "sse" else ""
        return asked(found, request.body, request.path + query)

    def served(self, moment: Moment, content: Content, usage: Usage) -> Reply:
        """Return the content, its stream, or embeddings."""
        if moment.ask.endpoint == "embed":
            body = pretty(embeddings(moment.ask, usage))
            return json_reply(200, body, moment.ids, moment.wall_ns)
        if not moment.ask.stream:
            return json_reply(
                200,
                pretty(response(moment.ask.model, content, usage, moment.ids)),
                moment.ids,
                moment.wall_ns,
            )
        sse = _is_sse(moment.ask)
        disposition: Headers = (("content-disposition", "attachment"),) if sse else ()
        head = envelope(SSE if sse else JSON, moment.ids, moment.wall_ns)
        chunks = stream(moment.ask.model, content, usage, moment.ids, sse=sse)
        return Reply(200, (*head, *disposition), chunks, stream=True)

    def managed(self, request: Request, shelf: Shelf, ids: Ids, wall_ns: int) -> Reply:  # noqa: ARG002
        """Return the models, or one of them."""
        found = _LIST.search(request.path)
        model = found["model"] if found else None
        if model is None:
            return json_reply(
                200, pretty({"models": [_model(each) for each in MODELS]}), ids, wall_ns
            )
        if model not in MODELS:
            text = (
                f"models/{model} is not found for API version v1beta, or is not supported for "
                "generateContent. Call ListModels to see the list of available models and their "
                "supported methods."
            )
            return self.error(Failure(404, "NOT_FOUND", text), ids, wall_ns)
        return json_reply(200, pretty(_model(model)), ids, wall_ns)

    def counted(self, moment: Moment, input_tokens: int) -> Reply:
        """Return the count of input tokens."""
        details = [{"modality": "TEXT", "tokenCount": input_tokens}]
        body = {"totalTokens": input_tokens, "promptTokensDetails": details}
        return json_reply(200, pretty(body), moment.ids, moment.wall_ns)

    def refused(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 429, whose body names the quota and the wait; no header does of itself."""
        body = refusal_body(moment.ask, refusal.limit, refusal.hint)
        headers = (
            () if refusal.hint.form == "seconds" else retry_after(refusal.hint, moment.wall_ns)
        )
        return json_reply(429, _listed(moment.ask, body), moment.ids, moment.wall_ns, headers)

    def too_large(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 429 of any refusal, without a wait: the API does not tell them apart."""
        return json_reply(
            429,
            _listed(moment.ask, refusal_body(moment.ask, refusal.limit, None)),
            moment.ids,
            moment.wall_ns,
        )

    def error(self, failure: Failure, ids: Ids, wall_ns: int) -> Reply:
        """Return any other error; `kind` is the name of a status, such as `"UNAVAILABLE"`."""
        status, kind, message, headers = failure
        reply = json_reply(status, pretty(error(status, message, kind)), ids, wall_ns)
        return Reply(status, override(reply.headers, headers), reply.chunks)

    def stream_error(self, ask: Ask, failure: Failure, ids: Ids, sent: int) -> Chunk:  # noqa: ARG002
        """Return the error in the place of a part of the stream."""
        status, kind, *_ = failure
        told = error(status, kind=kind)
        if _is_sse(ask):
            compact = json.dumps(told, separators=(",", ":"))
            return Chunk(f"data: {compact}\r\n\r\n".encode())
        return Chunk((b",\r\n" if sent else b"[") + pretty(told) + b"]\n")


def _listed(ask: Ask, told: dict[str, Any]) -> bytes:
    """Return an error's body: in a list of one where a list was asked for."""
    body = pretty(told)
    return b"[" + body[:-1] + b"\n]\n" if ask.stream and not _is_sse(ask) else body


def _is_sse(ask: Ask) -> bool:
    """Tell whether a stream is to be server-sent events rather than a JSON list."""
    return ask.target.endswith("?alt=sse") or not ask.target


def _query(request: Request) -> dict[str, str]:
    """Return the query's values, the last of each name."""
    return {name: values[-1] for name, values in parse_qs(request.query).items()}


def _model(name: str) -> dict[str, Any]:
    """Return what is told of a model."""
    title, inputs, outputs = MODELS[name]
    embeds = "embedding" in name
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": title,
        "inputTokenLimit": inputs,
        "outputTokenLimit": outputs,
        "supportedGenerationMethods": (
            ["embedContent"] if embeds else ["generateContent", "countTokens"]
        ),
    }
