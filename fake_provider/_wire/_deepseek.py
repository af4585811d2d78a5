"""DeepSeek: chat completions under a limit on concurrent requests alone.

Source: api-docs.deepseek.com (rate limit, error codes), and public reports of 2025 and 2026; read
2026-11-25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_provider._wire._compatible import Compatible, compact
from fake_provider._wire._shapes import BadRequest, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._wire._named import Name
    from fake_provider._wire._shapes import Moment, Refusal, Reply

# By status: type, code, message.
_ERRORS: dict[int, tuple[str, str, str]] = {
    401: (
        "authentication_error",
        "invalid_request_error",
        "Authentication Fails (no such user)",
    ),
    402: ("unknown_error", "invalid_request_error", "Insufficient Balance"),
    429: (
        "rate_limit_error",
        "rate_limit_error",
        "Rate limit reached. You are sending requests too quickly.",
    ),
    500: ("server_error", "server_error", "Our server encounters an issue. Please retry."),
    503: (
        "service_unavailable_error",
        "service_unavailable_error",
        (
            "The server is overloaded due to high traffic. Please retry your request after a brief "
            "wait."
        ),
    ),
}


class DeepSeek(Compatible):
    """The dialect of api.deepseek.com."""

    name = "deepseek"
    hosts = ("api.deepseek.com",)
    env: Mapping[str, str] = {"DEEPSEEK_API_KEY": "sk-fake-provider"}
    models = ("deepseek-chat", "deepseek-reasoner")
    names_wait = False
    states_limits = False
    comment = b": keep-alive\n\n"
    named: Mapping[Name, Failure] = {
        "insufficient-quota": Failure(402),
        "overloaded": Failure(503),
    }

    def keyless(self) -> BadRequest:
        """Return the refusal of a request without a key."""
        return BadRequest(401, "authentication_error", _ERRORS[401][2])

    def refused(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 429, which says nothing of limits."""
        body = self.error_body(429, None, None)
        return self._json(
            429, body, self.waits(refusal.hint, moment.wall_ns), moment.ids, moment.wall_ns
        )

    def too_large(self, moment: Moment, refusal: Refusal) -> Reply:  # noqa: ARG002
        """Return the same 429 as for any refusal: nothing tells that no wait helps."""
        return self._json(429, self.error_body(429, None, None), (), moment.ids, moment.wall_ns)

    def error_body(self, status: int, kind: str | None, message: str | None) -> bytes:
        """Return an error, whose code is often that of another."""
        usual = ("invalid_request_error", "invalid_request_error", f"HTTP status {status}")
        type_, code, wording = _ERRORS.get(status, usual)
        error = {"message": message or wording, "type": kind or type_, "param": None, "code": code}
        return compact({"error": error})
