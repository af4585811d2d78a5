"""Errors of the OpenAI API: types and codes, their wording, and the bodies.

Source: developers.openai.com/api/docs/guides/error-codes, and public reports and dumps from
2023 to 2026; read 2026-11-25.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fake_provider._limits import DAY_S
from fake_provider._wire._headers import NS_PER_MS, NS_PER_S, ceil_div, go_duration, wait_ns
from fake_provider._wire._openai_headers import ORGANIZATION

if TYPE_CHECKING:
    from fake_provider._limiters import Level
    from fake_provider._limits import Limit
    from fake_provider._wire._shapes import Hint

LEARN_MORE = "Visit https://platform.openai.com/account/rate-limits to learn more."
QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, read the docs: "
    "https://platform.openai.com/docs/guides/error-codes/api-errors."
)

_BODY = """\
{
    "error": {
        "message": %s,
        "type": %s,
        "param": null,
        "code": %s
    }
}
"""

_KINDS = {
    401: "invalid_api_key",
    429: "rate_limit_exceeded",
    503: "server_is_overloaded",
}
# By error code (or type, where there is no code): type, code, message.
_ERRORS: dict[str, tuple[str, str | None, str | None]] = {
    "invalid_request_error": ("invalid_request_error", None, None),
    "invalid_api_key": (
        "invalid_request_error",
        "invalid_api_key",
        (
            "Incorrect API key provided. You can find your API key at "
            "https://platform.openai.com/account/api-keys."
        ),
    ),
    "rate_limit_exceeded": ("requests", "rate_limit_exceeded", "Rate limit reached for requests"),
    "slow_down": (
        "rate_limit_error",
        "slow_down",
        (
            "Your request rate has risen too fast. Reduce it to what it was, keep it there for at "
            "least 15 minutes, and then raise it gradually."
        ),
    ),
    "model_not_found": ("invalid_request_error", "model_not_found", None),
    "server_error": (
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    "server_is_overloaded": (
        "service_unavailable_error",
        "server_is_overloaded",
        "Our servers are currently overloaded. Please try again later.",
    ),
}
# Codes of 429 answers that no wait cures.
_QUOTA_CODES = (
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "project_spend_limit_exceeded",
)
_ERRORS |= {code: ("insufficient_quota", code, QUOTA) for code in _QUOTA_CODES}


def error_body(message: str, kind: str, code: str | None) -> bytes:
    """Return an error as the API writes it: four spaces a level and a final newline."""
    return (_BODY % (json.dumps(message), json.dumps(kind), json.dumps(code))).encode()


def named_error(status: int, kind: str | None, message: str | None) -> bytes:
    """Return the body of an error known by its code or type, or by its status alone.

    Args:
        status: HTTP status.
        kind: Error code, or error type where there is no code; the status's own if None.
        message: What is wrong; the provider's usual wording if None.
    """
    family = "server_error" if status >= 500 else "invalid_request_error"
    if kind is None:
        kind = _KINDS.get(status, family)
    type_, code, wording = _ERRORS.get(kind, (family, kind, None))
    return error_body(message or wording or f"HTTP status {status}", type_, code)


def refusal_body(model: str, level: Level, hint: Hint, requested: int) -> bytes:
    """Return what a refusal says: the limit, what is used and asked for, and the wait.

    Args:
        model: Model as requested.
        level: The level of the violated limit.
        hint: The wait to name; the form `"none"` leaves it out here too.
        requested: The cost against that limit, in its unit.
    """
    wait = wait_ns(hint)
    again = ""
    if hint.form != "none" and wait > 0:
        again = f" Please try again in {go_duration(ceil_div(wait, NS_PER_MS))}."
    message = (
        f"Rate limit reached for {model} in organization {ORGANIZATION} on "
        f"{_dimension(level.limit)}: Limit {level.limit.amount}, Used {used(level)}, "
        f"Requested {requested}.{again} {LEARN_MORE}"
    )
    return error_body(message, level.limit.unit, "rate_limit_exceeded")


def too_large_body(model: str, limit: Limit, requested: int) -> bytes:
    """Return what a request that can never be admitted is told."""
    message = (
        f"Request too large for {model} in organization {ORGANIZATION} on "
        f"{_dimension(limit)}: Limit {limit.capacity}, Requested {requested}. The input or output "
        f"tokens must be reduced in order to run successfully. {LEARN_MORE}"
    )
    return error_body(message, limit.unit, "rate_limit_exceeded")


def _dimension(limit: Limit) -> str:
    """Return a limit's name in the provider's words, such as `tokens per min (TPM)`."""
    if limit.kind == "concurrent":
        return "concurrent requests"
    span, letter = ("day", "D") if limit.per == DAY_S else ("min", "M")
    return f"{limit.unit} per {span} ({limit.unit[0].upper()}P{letter})"


def used(level: Level) -> int:
    """Return the units of a level in use, above the limit where refusals overdrew a bucket."""
    limit = level.limit
    debt = 0
    if limit.refills and level.remaining == 0:
        debt = round(level.full_ns * limit.rate / NS_PER_S) - limit.capacity
    return limit.amount - level.remaining + max(0, debt)
