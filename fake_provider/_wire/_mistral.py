"""Mistral: chat completions and embeddings, whose refusals say no more than that they are.

Source: docs.mistral.ai, the types of mistralai 3.7, and public reports of 2025 and 2026; read
2026-11-25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_provider._limits import DAY_S
from fake_provider._wire._compatible import Compatible, compact
from fake_provider._wire._openai_headers import stated_levels
from fake_provider._wire._shapes import BadRequest, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._limiters import Level
    from fake_provider._limits import Limit
    from fake_provider._wire._headers import Headers
    from fake_provider._wire._named import Name
    from fake_provider._wire._openai_paths import Form
    from fake_provider._wire._shapes import Ask, Hint, Ids, Moment, Refusal, Reply, Usage

# By type: code, message.
_ERRORS: dict[str, tuple[str | None, str]] = {
    "rate_limited": ("1300", "Rate limit exceeded"),
    "service_tier_capacity_exceeded": (
        "3505",
        "Service tier capacity exceeded for this model.",
    ),
    "internal_server_error": ("3000", "Internal server error"),
    "service_unavailable": ("3000", "Service unavailable."),
}
_KINDS = {429: "rate_limited", 503: "service_unavailable"}
_NAMES = {"requests": "req", "tokens": "tokens"}


class Mistral(Compatible):
    """The dialect of api.mistral.ai."""

    name = "mistral"
    hosts = ("api.mistral.ai", "api.eu.mistral.ai", "api.us.mistral.ai")
    # Its SDK reads no variable for the base URL.
    env: Mapping[str, str] = {"MISTRAL_API_KEY": "fake-provider"}
    forms: tuple[Form, ...] = ("chat", "embeddings", "models")
    models = ("mistral-embed", "mistral-large-latest", "mistral-small-latest")
    told: Mapping[str, Any] = {
        "owned_by": "mistralai",
        "type": "base",
        "capabilities": {"completion_chat": True, "function_calling": True},
    }
    names_wait = False
    counts_cached = False
    named: Mapping[Name, Failure] = {"overloaded": Failure(429, "service_tier_capacity_exceeded")}

    def keyless(self) -> BadRequest:
        """Return the refusal of a request without a key."""
        return BadRequest(401, "unauthorized", "Unauthorized")

    def refused(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 429, which names neither the limit nor the wait."""
        body = self.error_body(429, None, None)
        return self.refusal_reply(moment, refusal, body)

    def too_large(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the same 429 as for any refusal: nothing tells that no wait helps."""
        limits = self.limit_headers(moment.ask, moment.levels, refusal.limit)
        return self._json(429, self.error_body(429, None, None), limits, moment.ids, moment.wall_ns)

    def limit_headers(
        self,
        ask: Ask,  # noqa: ARG002
        levels: tuple[Level, ...],
        violated: Limit | None = None,  # noqa: ARG002
        hint: Hint | None = None,  # noqa: ARG002
    ) -> Headers:
        """Return the limits of the minute and what remains of them; there are no resets."""
        minutes = tuple(level for level in levels if level.limit.per != DAY_S)
        headers: list[tuple[str, str]] = []
        for unit, level in stated_levels(minutes, None).items():
            headers += (
                (f"x-ratelimit-limit-{_NAMES[unit]}-minute", str(level.limit.amount)),
                (f"x-ratelimit-remaining-{_NAMES[unit]}-minute", str(level.remaining)),
            )
        return tuple(headers)

    def identified(self, ids: Ids) -> Headers:
        """Return the id by which Mistral finds a request again."""
        return (("mistral-correlation-id", ids.hex(32)),)

    def completion_id(self, ids: Ids, created: int) -> str:  # noqa: ARG002
        """Return the id of a completion."""
        return ids.hex(32)

    def tool_call_id(self, ids: Ids) -> str:
        """Return the id of a tool call, which has nine characters."""
        return ids.base58(9)

    def embeddings(self, ask: Ask, usage: Usage, ids: Ids) -> bytes:
        """Return vectors, under an id that OpenAI's have not."""
        return (
            super()
            .embeddings(ask, usage, ids)
            .replace(b"{\n", b'{\n  "id": "%s",\n' % ids.hex(32).encode(), 1)
        )

    def error_body(self, status: int, kind: str | None, message: str | None) -> bytes:
        """Return an error as Mistral writes it: flat, with the status inside."""
        if status == 401:
            return compact({"detail": message or "Unauthorized"})
        family = "internal_server_error" if status >= 500 else "invalid_request_error"
        kind = kind or _KINDS.get(status, family)
        code, wording = _ERRORS.get(kind, (None, f"HTTP status {status}"))
        return compact(
            {
                "object": "error",
                "message": message or wording,
                "type": kind,
                "param": None,
                "code": code,
                "raw_status_code": status,
            }
        )
