"""Groq: OpenAI's forms under another path, with refusals and errors of its own.

Source: console.groq.com/docs/rate-limits and /errors, and public reports of 2024 to 2026; read
2026-11-25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_provider._limits import DAY_S
from fake_provider._wire._compatible import Compatible, compact
from fake_provider._wire._headers import NS_PER_MS, Headers, ceil_div, go_duration, wait_ns
from fake_provider._wire._openai_errors import used
from fake_provider._wire._openai_headers import limit_headers
from fake_provider._wire._shapes import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._limiters import Level
    from fake_provider._limits import Limit
    from fake_provider._wire._named import Name
    from fake_provider._wire._openai_paths import Form
    from fake_provider._wire._shapes import Ask, Hint, Ids, Moment, Refusal, Reply

ORGANIZATION = "org_01fakeprovider"
UPGRADE = "Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing"

# By error code, or by type where there is no code: type, code, message.
_ERRORS: dict[str, tuple[str, str | None, str]] = {
    "invalid_api_key": ("invalid_request_error", "invalid_api_key", "Invalid API Key"),
    "rate_limit_exceeded": ("requests", "rate_limit_exceeded", "Rate limit reached"),
    "capacity_exceeded": ("capacity_exceeded", "capacity_exceeded", "Flex tier capacity exceeded"),
    "internal_server_error": (
        "internal_server_error",
        None,
        (
            "The model is currently over capacity. Please try again and back off exponentially. "
            "Visit https://groqstatus.com to see if there is an active incident."
        ),
    ),
}
_KINDS = {401: "invalid_api_key", 429: "rate_limit_exceeded", 498: "capacity_exceeded"}


class Groq(Compatible):
    """The dialect of api.groq.com."""

    name = "groq"
    hosts = ("api.groq.com",)
    env: Mapping[str, str] = {
        "GROQ_API_KEY": "gsk-fake-provider",
        "GROQ_BASE_URL": "https://api.groq.com",
    }
    forms: tuple[Form, ...] = ("chat", "responses", "models")
    models = ("llama-3.3-70b-versatile", "openai/gpt-oss-120b", "openai/gpt-oss-20b")
    named: Mapping[Name, Failure] = {"overloaded": Failure(503)}

    def refused(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 429 that names the limit, what is used and asked for, and the wait."""
        level = next(level for level in moment.levels if level.limit == refusal.limit)
        wait, again = wait_ns(refusal.hint), ""
        if refusal.hint.form != "none" and wait > 0:
            again = f" Please try again in {go_duration(ceil_div(wait, NS_PER_MS))}."
        message = (
            f"Rate limit reached for {_whose(moment.ask, refusal.limit)}: "
            f"Limit {refusal.limit.amount}, Used {used(level)}, "
            f"Requested {refusal.requested}.{again} {UPGRADE}"
        )
        body = _body(message, refusal.limit.unit, "rate_limit_exceeded")
        return self.refusal_reply(moment, refusal, body)

    def too_large(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 413, with the code of a refusal and the advice not to retry."""
        message = (
            f"Request too large for {_whose(moment.ask, refusal.limit)}: "
            f"Limit {refusal.limit.capacity}, Requested {refusal.requested}, "
            f"please reduce your message size and try again. {UPGRADE}"
        )
        body = _body(message, refusal.limit.unit, "rate_limit_exceeded")
        limits = self.limit_headers(moment.ask, moment.levels)
        return self._json(
            413, body, (*limits, ("x-should-retry", "false")), moment.ids, moment.wall_ns
        )

    def limit_headers(
        self,
        ask: Ask,  # noqa: ARG002
        levels: tuple[Level, ...],
        violated: Limit | None = None,
        hint: Hint | None = None,
    ) -> Headers:
        """Return requests of the day and tokens of the minute, where there are both."""
        minutes = [each for each in levels if each.limit.unit == "tokens" and not _daily(each)]
        stated = tuple(
            each
            for each in levels
            if not (minutes and each.limit.unit == "tokens" and _daily(each))
            or each.limit == violated
        )
        return limit_headers(stated, violated, hint)

    def identified(self, ids: Ids) -> Headers:
        """Return the id of the request and where it was answered."""
        return (("x-groq-region", "us-east-1"), ("x-request-id", f"req_{ids.hex(26)}"))

    def beside(self, ids: Ids) -> dict[str, Any]:
        """Return Groq's own field."""
        return {"system_fingerprint": "fp_fakeprovider", "x_groq": {"id": f"req_{ids.hex(26)}"}}

    def error_body(self, status: int, kind: str | None, message: str | None) -> bytes:
        """Return an error as Groq writes it: without `param`, and without a code it has not."""
        family = "internal_server_error" if status >= 500 else "invalid_request_error"
        kind = kind or _KINDS.get(status, family)
        type_, code, wording = _ERRORS.get(kind, (kind, None, f"HTTP status {status}"))
        return _body(message or wording, type_, code)


def _daily(level: Level) -> bool:
    """Tell whether a level is that of a limit per day."""
    return level.limit.per == DAY_S


def _whose(ask: Ask, limit: Limit) -> str:
    """Return whose limit it is, and which."""
    span, letter = ("day", "D") if limit.per == DAY_S else ("minute", "M")
    dimension = f"{limit.unit} per {span} ({limit.unit[0].upper()}P{letter})"
    return (
        f"model `{ask.model}` in organization `{ORGANIZATION}` service tier `on_demand` on "
        f"{dimension}"
    )


def _body(message: str, type_: str, code: str | None) -> bytes:
    """Return an error, compact."""
    error = {"message": message, "type": type_}
    if code is not None:
        error["code"] = code
    return compact({"error": error})
