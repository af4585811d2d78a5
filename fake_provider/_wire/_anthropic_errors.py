"""Errors of the Messages API: types by status, their wording, and the bodies.

Source: platform.claude.com/docs/en/api/errors and /rate-limits, and public reports and dumps of
2025 and 2026; read 2026-11-25.
"""

from __future__ import annotations

import json
from time import gmtime
from typing import TYPE_CHECKING

from fake_provider._limits import DAY_S
from fake_provider._wire._anthropic_headers import ORGANIZATION
from fake_provider._wire._headers import NS_PER_S
from fake_provider._wire._shapes import Chunk

if TYPE_CHECKING:
    from fake_provider._limits import Limit

# The link was this one in the dumps whose content-length of 593 bytes the tests reproduce, and
# until early 2026; with the newer claude.com/contact-sales that body would have 586.
SALES = "https://www.anthropic.com/contact-sales"

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_MESSAGES = {
    "api_error": "Internal server error",
    "authentication_error": "invalid x-api-key",
    "overloaded_error": "Overloaded",
    "rate_limit_error": "Error",
    "request_too_large": "Request exceeds the maximum size",
    "credit_balance_too_low": (
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing "
        "to upgrade or purchase credits."
    ),
    "ramp_limit_exceeded": (
        "This request would exceed your organization's maximum usage increase rate for input "
        "tokens per minute. Please scale up your input tokens usage more gradually to stay within "
        "the acceleration limit."
    ),
}
_ACCELERATION = "ramp_limit_exceeded"
_SPEND_CAP = "enforced_spend_limit_reached"
# Codes that travel in `details` of a rate_limit_error.
_CODES = (_ACCELERATION, _SPEND_CAP)
# What is told apart by its message alone: the type that it has.
_UNCODED = {"credit_balance_too_low": "invalid_request_error"}
_DIMENSIONS = {
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "tokens": "tokens",
}
# Made once: json.dumps would make one for every refusal.
_COMPACT = json.JSONEncoder(separators=(",", ":"))


def error_type(status: int) -> str:
    """Return the usual error type of a status, known or not."""
    return _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


def default_message(status: int, kind: str, wall_ns: int) -> str:
    """Return the provider's usual wording for an error type or code."""
    if kind == _SPEND_CAP:
        year, month = gmtime(wall_ns // NS_PER_S)[:2]
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        return (
            "You have reached your API usage limits: your organization has crossed its monthly "
            "API usage threshold, set based on your organization's API tier. You will regain "
            f"access on {year:04}-{month:02}-01 at 00:00 UTC."
        )
    return _MESSAGES.get(kind, f"HTTP status {status}")


def should_retry(status: int, kind: str) -> str | None:
    """Return the value of `x-should-retry`; None where the status speaks for itself."""
    if kind in (_SPEND_CAP, "credit_balance_too_low", "request_too_large"):
        return "false"
    return "true" if status == 429 or status >= 500 else None


def rate(limit: Limit) -> str:
    """Return a limit in the provider's words, such as `30,000 input tokens per minute`."""
    unit = _DIMENSIONS.get(limit.kind, "requests")
    return f"{limit.amount:,} {unit} per {'day' if limit.per == DAY_S else 'minute'}"


def refusal_type(limit: Limit) -> str:
    """Return the error type of a refusal, or the code of one that has a code."""
    return _ACCELERATION if limit.algorithm == "acceleration" else "rate_limit_error"


def refusal_message(limit: Limit, model: str) -> str:
    """Return what a refusal says about the limit that caused it."""
    if limit.algorithm == "acceleration":
        # Seen of input tokens alone.
        unit = _DIMENSIONS.get(limit.kind, "requests")
        return _MESSAGES[_ACCELERATION].replace("input tokens", unit)
    if limit.kind == "concurrent":
        return (
            "Number of concurrent connections has exceeded your rate limit. Please try again "
            f"later or contact sales at {SALES} to discuss your options for a rate limit increase."
        )
    return (
        f"This request would exceed your organization's rate limit of {rate(limit)} "
        f"(org: {ORGANIZATION}, model: {model}). For details, refer to: "
        "https://docs.claude.com/en/api/rate-limits. You can see the response headers for current "
        "usage. Please reduce the prompt length or the maximum tokens requested, or try again "
        f"later. You may also contact sales at {SALES} to discuss your options for a rate limit "
        "increase."
    )


def too_large_message(limit: Limit, requested: int) -> str:
    """Return what a request that can never be admitted is told."""
    unit = _DIMENSIONS.get(limit.kind, "requests")
    return (
        f"This request needs {requested:,} {unit}, more than your organization's rate limit of "
        f"{rate(limit)} admits at once ({limit.capacity:,}). No wait can admit it: reduce the "
        "prompt length or the maximum tokens requested."
    )


def error_body(status: int, kind: str, message: str, request: str) -> bytes:
    """Return an error as the API writes it: compact JSON without a final newline.

    Server errors carry `"details":null` before the type since 2026; the others do not.

    Args:
        status: HTTP status.
        kind: Error type, or the code of one that has a type of its own.
        message: What is wrong.
        request: Id of the request.
    """
    error: dict[str, object] = {"type": _UNCODED.get(kind, kind), "message": message}
    if kind in _CODES:
        error = {"details": {"error_code": kind}, **error, "type": "rate_limit_error"}
    elif status >= 500:
        error = {"details": None, **error}
    body = {"type": "error", "error": error, "request_id": request}
    return _COMPACT.encode(body).encode()


def error_event(status: int, kind: str | None, request: str) -> Chunk:
    """Return the `error` event of a stream, after which the connection closes.

    Args:
        status: The status that the error would have had.
        kind: Error type, or the code of one that has a type of its own; the usual one if None.
        request: Id of the request.
    """
    kind = kind or error_type(status)
    body = error_body(status, kind, default_message(status, kind, 0), request)
    return Chunk(b"event: error\ndata: %s\n\n" % body)
