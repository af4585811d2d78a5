"""Refusals of the Gemini API, and of Gemini on Vertex AI: quotas and their wording.

Source: ai.google.dev/gemini-api/docs/rate-limits, cloud.google.com/vertex-ai/generative-ai/docs/
error-code-429, and public reports of 2025 and 2026; read 2026-11-25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_provider._limits import DAY_S
from fake_provider._wire._google import EXHAUSTED, error
from fake_provider._wire._headers import NS_PER_S, precise_duration, wait_ns

if TYPE_CHECKING:
    from fake_provider._limits import Limit
    from fake_provider._wire._shapes import Ask, Hint

SERVICE = "generativelanguage.googleapis.com"
RATE_LIMITS = "https://ai.google.dev/gemini-api/docs/rate-limits"
MINUTE_S = 60

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


def refusal_body(ask: Ask, limit: Limit, hint: Hint | None) -> dict[str, Any]:
    """Return what a refusal says: the quota that is used up, and how long to wait.

    The wait in `RetryInfo` is that of the message, cut to whole seconds. A quota of a day names
    one as short as that of a minute: here the rest of the minute.

    Args:
        ask: What was asked for.
        limit: The violated limit.
        hint: The wait to name in the form `"seconds"`; other forms, and None, leave it out.
    """
    if "/projects/" in ask.target:
        return error(429, EXHAUSTED)
    if limit.kind not in _QUOTAS:
        return error(429)
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
    return error(429, message, details=details)
