"""Errors of the Gemini API and of Vertex AI: statuses, quotas, their wording, and the bodies.

Source: ai.google.dev/gemini-api/docs/rate-limits, cloud.google.com/vertex-ai/generative-ai/docs/
error-code-429, and public reports of 2025 and 2026; read 2026-11-25.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fake_provider._limits import DAY_S
from fake_provider._wire._headers import NS_PER_S, precise_duration, wait_ns

if TYPE_CHECKING:
    from fake_provider._limits import Limit
    from fake_provider._wire._shapes import Ask, Hint

SERVICE = "generativelanguage.googleapis.com"
RATE_LIMITS = "https://ai.google.dev/gemini-api/docs/rate-limits"
EXHAUSTED = (
    "Resource exhausted. Please try again later. Please refer to "
    "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details."
)
MINUTE_S = 60

# By status: its name, and the usual message.
_STATUSES = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: (
        "UNAUTHENTICATED",
        (
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login "
            "cookie or other valid authentication credential."
        ),
    ),
    403: ("PERMISSION_DENIED", "The caller does not have permission"),
    404: ("NOT_FOUND", "Requested entity was not found."),
    429: ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    499: ("CANCELLED", "The operation was cancelled."),
    500: (
        "INTERNAL",
        (
            "An internal error has occurred. Please retry or report in "
            "https://developers.generativeai.google/guide/troubleshooting"
        ),
    ),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
}
# By kind of limit: the metric, and the quota's name before and after its span.
_QUOTAS = {
    "requests": (
        "generate_content_free_tier_requests",
        "GenerateRequestsPer",
        "PerProjectPerModel",
    ),
    "input_tokens": (
        "generate_content_free_tier_input_token_count",
        "GenerateContentInputTokensPerModelPer",
        "",
    ),
    # Not seen: the API limits no output, and no sum of both.
    "output_tokens": (
        "generate_content_free_tier_output_token_count",
        "GenerateContentOutputTokensPerModelPer",
        "",
    ),
}
_QUOTAS["tokens"] = _QUOTAS["input_tokens"]


def named_error(status: int, kind: str | None, message: str | None) -> bytes:
    """Return the body of an error known by the name of its status, or by its status alone.

    Args:
        status: HTTP status.
        kind: Name of the status, such as `"UNAVAILABLE"`; the usual one if None.
        message: What is wrong; the provider's usual wording if None.
    """
    usual, wording = _STATUSES.get(status, ("UNKNOWN", f"HTTP status {status}"))
    return error_body(_error(status, message or wording, kind or usual))


def error_body(error: dict[str, Any]) -> bytes:
    """Return an error as the API writes it: two spaces a level and a final newline."""
    return f"{json.dumps(error, indent=2)}\n".encode()


def refusal_body(ask: Ask, limit: Limit, hint: Hint | None) -> dict[str, Any]:
    """Return what a refusal says: the quota that is used up, and how long to wait.

    The wait in `RetryInfo` is that of the message, cut to whole seconds. A quota of a day names
    a short one as well, which no longer wait is needed to see fail: here the rest of the minute.

    Args:
        ask: What was asked for.
        limit: The violated limit.
        hint: The wait to name in the form `"seconds"`; other forms, and None, leave it out.
    """
    code = 429
    if "/projects/" in ask.target:
        return _error(code, EXHAUSTED, _STATUSES[code][0])
    if limit.kind not in _QUOTAS:
        return _error(code, _STATUSES[code][1], _STATUSES[code][0])
    metric, before, after = _QUOTAS[limit.kind]
    metric, daily = f"{SERVICE}/{metric}", limit.per == DAY_S
    message = (
        "You exceeded your current quota, please check your plan and billing details. For more "
        f"information on this error, head to: {RATE_LIMITS}. To monitor your current usage, head "
        f"to: https://ai.dev/rate-limit. \n* Quota exceeded for metric: {metric}, limit: "
        f"{limit.amount}, model: {ask.model}"
    )
    violation = {
        "quotaMetric": metric,
        "quotaId": f"{before}{'Day' if daily else 'Minute'}{after}-FreeTier",
        "quotaDimensions": {"location": "global", "model": ask.model},
        "quotaValue": str(limit.amount),
    }
    help_link = {"description": "Learn more about Gemini API quotas", "url": RATE_LIMITS}
    details: list[dict[str, Any]] = [
        {"@type": "type.googleapis.com/google.rpc.Help", "links": [help_link]},
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]},
    ]
    if hint is not None and hint.form == "seconds":
        wait = wait_ns(hint) % (MINUTE_S * NS_PER_S) if daily else wait_ns(hint)
        message += f"\nPlease retry in {precise_duration(wait)}."
        retry = {
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": f"{wait // NS_PER_S}s",
        }
        details.append(retry)
    return _error(code, message, _STATUSES[code][0], details)


def _error(
    code: int, message: str, status: str, details: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return an error in Google's form."""
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    return {"error": {**error, **({"details": details} if details else {})}}
