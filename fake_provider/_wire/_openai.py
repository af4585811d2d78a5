"""OpenAI: chat completions, responses, embeddings, and what is managed beside them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from fake_provider._wire._headers import NS_PER_S, Headers, override, retry_after
from fake_provider._wire._openai_ask import asked
from fake_provider._wire._openai_chat import chunks, completion
from fake_provider._wire._openai_embeddings import embeddings
from fake_provider._wire._openai_errors import named_error, refusal_body, too_large_body
from fake_provider._wire._openai_headers import envelope, limit_headers
from fake_provider._wire._openai_managed import JSON, managed_body, unknown_url
from fake_provider._wire._openai_paths import FAMILY, MANAGED, Form, first_part, form_of, is_behind
from fake_provider._wire._openai_responses import error_event, events, response
from fake_provider._wire._prompt import quoted
from fake_provider._wire._shapes import Ask, BadRequest, Chunk, Failure, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._limiters import Level
    from fake_provider._limits import Limit
    from fake_provider._wire._named import Name
    from fake_provider._wire._shapes import (
        Content,
        Hint,
        Ids,
        Moment,
        Refusal,
        Request,
        Shelf,
        Usage,
    )

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
SSE = "text/event-stream; charset=utf-8"


class OpenAI:
    """The dialect of api.openai.com, and the base of those that are compatible with it.

    A compatible dialect states what it serves and overrides what it says in its own way: its
    headers, its refusals, its errors.
    """

    name = "openai"
    hosts: tuple[str, ...] = ("api.openai.com",)
    env: Mapping[str, str] = {
        "OPENAI_API_KEY": "sk-fake-provider",
        "OPENAI_BASE_URL": "https://api.openai.com/v1",
    }
    forms: tuple[Form, ...] = ("chat", "responses", "count_tokens", "embeddings", *MANAGED)
    models: tuple[str, ...] = (
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-5",
        "gpt-5-mini",
        "text-embedding-3-small",
    )
    # What is told of each model.
    told: Mapping[str, Any] = {"owned_by": "system"}
    named: Mapping[Name, Failure] = {
        "acceleration": Failure(429, "slow_down"),
        "insufficient-quota": Failure(429, "insufficient_quota"),
        "overloaded": Failure(503),
        "spend-cap": Failure(429, "organization_spend_limit_exceeded"),
    }

    def owns(self, path: str) -> bool:
        """Return True for a path that runs a model, unless it begins with another's name.

        Models, files and batches have paths that other APIs use as well: they are this dialect's
        behind its own name. Deployments are Azure's.
        """
        if is_behind("openai", path):
            return form_of(path) is not None and "/openai/deployments/" not in path
        form = form_of(path)
        runs_model = form is not None and form not in MANAGED
        return runs_model and first_part(path) not in FAMILY and "/openai/deployments/" not in path

    def api_key(self, request: Request) -> str:
        """Return the key of `Authorization: Bearer`."""
        return request.bearer

    def model_class(self, model: str) -> str:
        """Return the group of models that shares its limits with `model`.

        A dated snapshot belongs to its model; every model has limits of its own.

        Source: developers.openai.com/api/docs/guides/rate-limits, read 2026-11-25.
        """
        return _SNAPSHOT.sub("", model)

    def parse(self, request: Request) -> Ask:
        """Return what a request asks for, or raise BadRequest in the API's words."""
        form = form_of(request.path)
        if form is None or form not in self.forms:
            raise unknown_url(request)
        if form not in MANAGED and request.method != "POST":
            raise unknown_url(request)
        if not self.api_key(request):
            raise self.keyless()
        if form in MANAGED:
            return Ask("manage", "", None, stream=False, characters=0, body={})
        return asked(form, request.body, request.path)

    def keyless(self) -> BadRequest:
        """Return the refusal of a request without a key."""
        return BadRequest(
            401,
            "invalid_request_error",
            "You didn't provide an API key. You need to provide your API key in an "
            "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        )

    def served(self, moment: Moment, content: Content, usage: Usage) -> Reply:
        """Return the answer in the form that was asked for, or its stream."""
        created = moment.wall_ns // NS_PER_S
        limits = self.limit_headers(moment.ask, moment.levels)
        form = _form(moment.ask)
        if moment.ask.endpoint == "embed":
            return self._json(
                200,
                self.embeddings(moment.ask, usage, moment.ids),
                limits,
                moment.ids,
                moment.wall_ns,
            )
        if form == "responses":
            if not moment.ask.stream:
                body = response(moment.ask, content, usage, moment.ids, created)
                return self._json(200, body, limits, moment.ids, moment.wall_ns)
            stream = events(moment.ask, content, usage, moment.ids, created)
        else:
            identity, model = f"chatcmpl-{moment.ids.base58(29)}", quoted(moment.ask.model)
            if not moment.ask.stream:
                body = completion(identity, created, model, content, usage, moment.ids)
                return self._json(200, body, limits, moment.ids, moment.wall_ns)
            options = moment.ask.body.get("stream_options") or {}
            include_usage = options.get("include_usage") is True
            stream = chunks(
                identity, created, model, content, usage, moment.ids, include_usage=include_usage
            )
        return Reply(
            200, (*self.envelope(SSE, moment.ids, moment.wall_ns), *limits), stream, stream=True
        )

    def managed(self, request: Request, shelf: Shelf, ids: Ids, wall_ns: int) -> Reply:
        """Return the models, a file, or what became of a batch."""
        try:
            models = dict.fromkeys(self.models, self.told)
            kind, body = managed_body(request, shelf, ids, wall_ns, models)
        except BadRequest as error:
            return self.error(Failure(error.status, error.kind, error.message), ids, wall_ns)
        return self._json(200, body, (), ids, wall_ns, kind)

    def counted(self, moment: Moment, input_tokens: int) -> Reply:
        """Return a count of input tokens, as the Responses API words it."""
        count = {"object": "response.input_tokens", "input_tokens": input_tokens}
        body = f"{json.dumps(count, indent=2)}\n".encode()
        return self._json(200, body, (), moment.ids, moment.wall_ns)

    def refused(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 429 that names the limit, what is used and asked for, and the wait.

        One of the Responses API has been seen without the limits' headers, which are therefore
        left out where they are not the hint, and two spaces a level. Growth that is too fast has
        a code of its own.
        """
        if refusal.limit.algorithm == "acceleration":
            headers = retry_after(refusal.hint, moment.wall_ns)
            return self.error(
                Failure(429, "slow_down", headers=headers), moment.ids, moment.wall_ns
            )
        level = next(level for level in moment.levels if level.limit == refusal.limit)
        body = refusal_body(moment.ask.model, level, refusal.hint, refusal.requested)
        limits = self.limit_headers(moment.ask, moment.levels, refusal.limit, refusal.hint)
        if _form(moment.ask) == "responses":
            body = f"{json.dumps(json.loads(body), indent=2)}\n".encode()
            limits = limits if refusal.hint.form == "reset" else ()
        return self._json(
            429,
            body,
            (*limits, *retry_after(refusal.hint, moment.wall_ns)),
            moment.ids,
            moment.wall_ns,
        )

    def too_large(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 429 of a request too large: same status and code, another message."""
        body = too_large_body(moment.ask.model, refusal.limit, refusal.requested)
        return self._json(
            429, body, self.limit_headers(moment.ask, moment.levels), moment.ids, moment.wall_ns
        )

    def error(self, failure: Failure, ids: Ids, wall_ns: int) -> Reply:
        """Return any other error; `kind` is an error code, or a type where there is no code."""
        status, kind, message, headers = failure
        reply = self._json(status, self.error_body(status, kind, message), (), ids, wall_ns)
        return reply._replace(headers=override(reply.headers, headers))

    def stream_error(self, ask: Ask, failure: Failure, ids: Ids, sent: int) -> Chunk:  # noqa: ARG002
        """Return the error as an event, after which the stream ends."""
        status, kind, *_ = failure
        error = json.loads(self.error_body(status, kind, None))
        if _form(ask) == "responses":
            return error_event(json.dumps(error["error"], separators=(",", ":")), sent)
        return Chunk(f"data: {json.dumps(error, separators=(',', ':'))}\n\n".encode())

    # ---------------------------------------------------- what a compatible dialect overrides

    def envelope(self, content_type: str, ids: Ids, wall_ns: int) -> Headers:
        """Return the headers that every answer has."""
        return envelope(content_type, ids, wall_ns)

    def limit_headers(
        self,
        ask: Ask,  # noqa: ARG002
        levels: tuple[Level, ...],
        violated: Limit | None = None,
        hint: Hint | None = None,
    ) -> Headers:
        """Return where the limits stand."""
        return limit_headers(levels, violated, hint)

    def embeddings(self, ask: Ask, usage: Usage, ids: Ids) -> bytes:  # noqa: ARG002
        """Return the body of an answer of vectors."""
        return embeddings(ask, usage)

    def error_body(self, status: int, kind: str | None, message: str | None) -> bytes:
        """Return the body of an error that is no refusal by a limit."""
        return named_error(status, kind, message)

    def _json(
        self,
        status: int,
        body: bytes,
        headers: Headers,
        ids: Ids,
        wall_ns: int,
        content_type: str = JSON,
    ) -> Reply:
        """Return a reply of one body."""
        head = self.envelope(content_type, ids, wall_ns)
        length = ("content-length", str(len(body)))
        return Reply(status, (*head, length, *headers), (Chunk(body),))


def _form(ask: Ask) -> Form | None:
    """Return what was asked for, by the path that it was sent to."""
    return form_of(ask.target.partition("?")[0])
