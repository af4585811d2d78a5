"""Azure OpenAI: deployments and the v1 API, with Azure's keys, headers and refusals.

Source: learn.microsoft.com (Azure OpenAI quotas, REST reference), and public reports of answers
from 2023 to 2026; read 2026-11-25.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fake_provider._wire._headers import (
    NS_PER_MS,
    NS_PER_S,
    Headers,
    ceil_div,
    http_date,
    retry_after,
    wait_ns,
)
from fake_provider._wire._openai import OpenAI
from fake_provider._wire._openai_ask import asked
from fake_provider._wire._openai_errors import named_error
from fake_provider._wire._openai_headers import stated_levels
from fake_provider._wire._openai_paths import FAMILY, MANAGED, first_part, form_of
from fake_provider._wire._shapes import Ask, BadRequest, Failure, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._limiters import Level
    from fake_provider._limits import Limit
    from fake_provider._wire._named import Name
    from fake_provider._wire._openai_paths import Form
    from fake_provider._wire._shapes import Hint, Ids, Moment, Refusal, Request

REGION = "East US 2"
QUOTA = "To increase your default rate limit, visit: https://aka.ms/oai/quotaincrease."
# What is named as the wait of a request that can never fit: a day.
NEVER_S = 86_400

_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)/")
_OPERATIONS: dict[Form | None, str] = {
    "chat": "ChatCompletions_Create",
    "responses": "Responses_Create",
    "embeddings": "Embeddings_Create",
}
_MESSAGES = {
    "401": (
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to "
        "provide a valid key for an active subscription and use a correct regional API endpoint "
        "for your resource."
    ),
    "404": "Resource not found",
    "429": "Requests to this deployment have exceeded its rate limit. " + QUOTA,
    "503": (
        "System is experiencing high demand and cannot process your request. For improved "
        "capacity reliability, consider switching to Provisioned Throughput."
    ),
}


class Azure(OpenAI):
    """The dialect of Azure OpenAI resources, by deployment or by the v1 API."""

    name = "azure"
    hosts = ("*.openai.azure.com", "*.cognitiveservices.azure.com", "*.services.ai.azure.com")
    env: Mapping[str, str] = {
        "AZURE_OPENAI_API_KEY": "fake-provider",
        "AZURE_OPENAI_ENDPOINT": "https://fake-provider.openai.azure.com",
        "OPENAI_API_VERSION": "2024-10-21",
    }
    named: Mapping[Name, Failure] = {"overloaded": Failure(503)}

    def owns(self, path: str) -> bool:
        """Return True for a path of a deployment, and for any behind the dialect's name."""
        first = first_part(path)
        if first == "azure":
            return form_of(path) is not None
        ours = first == "openai" or first not in FAMILY
        return ours and form_of(path) is not None and _DEPLOYMENT.search(path) is not None

    def api_key(self, request: Request) -> str:
        """Return the key of `api-key`, or the token of `Authorization: Bearer`."""
        return request.headers.get("api-key") or request.bearer

    def parse(self, request: Request) -> Ask:
        """Return what a request asks for, or raise BadRequest in the API's words.

        The model of a deployment is the deployment: it is what has limits.
        """
        form, path = form_of(request.path), request.path
        version = parse_qs(request.query).get("api-version", [""])[0]
        if form is None or (form not in MANAGED and request.method != "POST"):
            raise BadRequest(404, "404", _MESSAGES["404"])
        if not version and "/openai/v1/" not in path:
            raise BadRequest(404, "404", _MESSAGES["404"])
        if not self.api_key(request):
            raise BadRequest(401, "401", _MESSAGES["401"])
        if form in MANAGED:
            return Ask("manage", "", None, stream=False, characters=0, body={})
        found = _DEPLOYMENT.search(path)
        target = f"{path}?{version or 'v1'}"
        ask = asked(form, request.body, path, found and found[1])
        return ask._replace(target=target)

    def refused(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 429, which names the wait in seconds and in milliseconds."""
        wait = wait_ns(refusal.hint)
        waits = retry_after(refusal.hint, moment.wall_ns)
        if waits and refusal.hint.form == "seconds":
            waits += (("retry-after-ms", str(ceil_div(wait, NS_PER_MS))),)
        seconds = 0 if refusal.hint.form == "none" else ceil_div(wait, NS_PER_S)
        body = _body("429", _refusal(moment.ask, refusal.limit, seconds))
        limits = self.limit_headers(moment.ask, moment.levels, refusal.limit, refusal.hint)
        return self._json(429, body, (*limits, *waits), moment.ids, moment.wall_ns)

    def too_large(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 429 of a request that can never fit: its wait is a day, and in vain."""
        body = _body("429", _refusal(moment.ask, refusal.limit, NEVER_S))
        waits = (
            ("retry-after", str(NEVER_S)),
            ("retry-after-ms", str(NEVER_S * NS_PER_S // NS_PER_MS)),
        )
        return self._json(
            429,
            body,
            (*self.limit_headers(moment.ask, moment.levels), *waits),
            moment.ids,
            moment.wall_ns,
        )

    def envelope(self, content_type: str, ids: Ids, wall_ns: int) -> Headers:
        """Return the headers that every answer has."""
        return (
            ("date", http_date(wall_ns // NS_PER_S)),
            ("content-type", content_type),
            ("apim-request-id", _uuid(ids)),
            ("x-request-id", _uuid(ids)),
            ("x-ms-region", REGION),
            ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
            ("x-content-type-options", "nosniff"),
        )

    def limit_headers(
        self,
        ask: Ask,
        levels: tuple[Level, ...],
        violated: Limit | None = None,
        hint: Hint | None = None,
    ) -> Headers:
        """Return the limits and what remains; a refusal has resets, in whole seconds."""
        obeyed = violated if hint and hint.form == "reset" else None
        headers: list[tuple[str, str]] = [("x-ms-deployment-name", ask.model)]
        if violated is not None:
            unit = violated.unit.removesuffix("s").capitalize()
            headers.append(("policy-id", f"DeploymentRatelimit-{unit}"))
        for unit, level in stated_levels(levels, obeyed).items():
            headers += (
                (f"x-ratelimit-limit-{unit}", str(level.limit.amount)),
                (f"x-ratelimit-remaining-{unit}", str(level.remaining)),
            )
            if hint is not None and hint.form != "none":
                reset = ceil_div(level.full_ns, NS_PER_S)
                headers.append((f"x-ratelimit-reset-{unit}", str(reset)))
        return tuple(headers)

    def error_body(self, status: int, kind: str | None, message: str | None) -> bytes:
        """Return an error by Azure's gateway; those of the model behind it are OpenAI's."""
        code = kind or str(status)
        if message and code in ("invalid_request_error", "model_not_found"):
            return named_error(status, kind, message)
        known = _MESSAGES.get(code) or _MESSAGES.get(str(status))
        return _body(code, message or known or f"HTTP status {status}")


def _refusal(ask: Ask, limit: Limit, seconds: int) -> str:
    """Return what a refusal says; no seconds are no wait to name.

    Source: reports of answers since November 2025, read 2026-11-25.
    """
    path, _, version = ask.target.partition("?")
    operation = _OPERATIONS.get(form_of(path), "ChatCompletions_Create")
    kind = "token" if limit.unit == "tokens" else "call"
    again = f" Please retry after {seconds} second{'s' if seconds != 1 else ''}." if seconds else ""
    return (
        f"Your requests to {ask.model} for {ask.model} in {REGION} have exceeded the {kind} rate "
        f"limit for your current AIServices S0 pricing tier. This request was for {operation} "
        f"under Azure OpenAI API version {version or 'v1'}.{again} {QUOTA}"
    )


def _body(code: str, message: str) -> bytes:
    """Return an error as Azure's gateway writes it: compact, the code before the message."""
    error = {"error": {"code": code, "message": message}}
    return json.dumps(error, separators=(",", ":")).encode()


def _uuid(ids: Ids) -> str:
    """Return an identifier as UUIDs are written."""
    text = ids.hex(32)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
