"""Headers of the Messages API: who answered, and where the limits stand.

Source: platform.claude.com/docs/en/api/rate-limits, and two public dumps of 429 answers of
February 2026; both read 2026-11-25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_provider._wire._headers import NS_PER_S, Headers, ceil_div, http_date, rfc3339

if TYPE_CHECKING:
    from fake_provider._limiters import Level
    from fake_provider._limits import Limit
    from fake_provider._wire._shapes import Hint, Ids

ORGANIZATION = "00000000-0000-4000-8000-000000000000"

# In the order in which the API looks at them: what comes after the violated one is not evaluated.
_DIMENSIONS = {
    kind: tuple(f"anthropic-ratelimit-{name}-{part}" for part in ("limit", "remaining", "reset"))
    for kind, name in (
        ("requests", "requests"),
        ("input_tokens", "input-tokens"),
        ("output_tokens", "output-tokens"),
        ("tokens", "tokens"),
    )
}

_EDGE = (
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("x-robots-tag", "none"),
    ("server", "cloudflare"),
    ("cf-cache-status", "DYNAMIC"),
)


def request_id(ids: Ids) -> str:
    """Return a request id: 28 characters, as they have been since 2025."""
    return f"req_011C{ids.base58(20)}"


def envelope(request: str, content_type: str, ids: Ids, wall_ns: int) -> Headers:
    """Return the headers that every answer has."""
    return (
        ("date", http_date(wall_ns // NS_PER_S)),
        ("content-type", content_type),
        ("request-id", request),
        ("anthropic-organization-id", ORGANIZATION),
        *_EDGE,
        ("cf-ray", f"{ids.hex(16)}-ORD"),
    )


def limit_headers(
    levels: tuple[Level, ...],
    wall_ns: int,
    violated: Limit | None = None,
    hint: Hint | None = None,
) -> Headers:
    """Return the limit, remaining and reset headers of every dimension that is limited.

    Tokens remaining are rounded to the nearest 1,000. A reset is when the dimension will be
    full, cut to whole seconds; it is 1970 for what a refusal left unevaluated. Where input and
    output are limited but not their sum, the sum is stated as well.

    Args:
        levels: Every limit's level after the decision.
        wall_ns: POSIX nanoseconds now.
        violated: The limit that refused the request, if one did.
        hint: The wait that the refusal names. `"none"` leaves the resets out; `"reset"` rounds
            that of the violated limit up, for it is then what the client obeys.
    """
    stated = _most_restrictive(levels, violated)
    form = hint.form if hint else "seconds"
    evaluated = True
    rows: dict[str, tuple[int, int, int]] = {}
    for kind in _DIMENSIONS:
        if kind not in stated:
            continue
        level = stated[kind]
        full_ns = wall_ns + level.full_ns if evaluated else 0
        reset_s = full_ns // NS_PER_S
        if violated is not None and violated.kind == kind:
            evaluated = False
            if form == "reset":
                reset_s = ceil_div(full_ns, NS_PER_S)
        remaining = level.remaining if kind == "requests" else _thousands(level.remaining)
        rows[kind] = (level.limit.amount, remaining, reset_s)
    if "tokens" not in rows and "input_tokens" in rows and "output_tokens" in rows:
        given, made = rows["input_tokens"], rows["output_tokens"]
        reset_s = 0 if violated is not None else max(given[2], made[2])
        rows["tokens"] = (given[0] + made[0], given[1] + made[1], reset_s)
    headers: list[tuple[str, str]] = []
    for kind, (amount, remaining, reset_s) in rows.items():
        amount_name, remaining_name, reset_name = _DIMENSIONS[kind]
        headers += ((amount_name, str(amount)), (remaining_name, str(remaining)))
        if form != "none":
            headers.append((reset_name, rfc3339(reset_s)))
    return tuple(headers)


def _most_restrictive(levels: tuple[Level, ...], violated: Limit | None) -> dict[str, Level]:
    """Return the level that each dimension states: the violated one, else that of least room."""
    stated: dict[str, Level] = {}
    for level in sorted(levels, key=lambda level: (level.limit != violated, level.remaining)):
        stated.setdefault(level.limit.kind, level)
    return stated


def _thousands(tokens: int) -> int:
    """Return tokens rounded to the nearest 1,000."""
    return (tokens + 500) // 1_000 * 1_000
