"""Headers of the OpenAI API: who answered, and where the limits stand.

Source: developers.openai.com/api/docs/guides/rate-limits, and public dumps of 2024 and 2025;
both read 2026-11-25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_provider._limits import DAY_S
from fake_provider._wire._headers import (
    NS_PER_MS,
    NS_PER_S,
    Headers,
    ceil_div,
    go_duration,
    http_date,
)

if TYPE_CHECKING:
    from fake_provider._limiters import Level
    from fake_provider._limits import Limit
    from fake_provider._wire._shapes import Hint, Ids

ORGANIZATION = "org-fakeprovider"
PROJECT = "proj_fakeprovider"

_STATIC = (
    ("access-control-expose-headers", "X-Request-ID"),
    ("openai-organization", ORGANIZATION),
    ("openai-project", PROJECT),
    ("openai-version", "2020-10-01"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("x-content-type-options", "nosniff"),
    ("server", "cloudflare"),
    ("cf-cache-status", "DYNAMIC"),
)


def envelope(content_type: str, ids: Ids, wall_ns: int) -> Headers:
    """Return the headers that every answer has."""
    return (
        ("date", http_date(wall_ns // NS_PER_S)),
        ("content-type", content_type),
        ("x-request-id", f"req_{ids.hex(32)}"),
        *_STATIC,
        ("cf-ray", f"{ids.hex(16)}-ORD"),
    )


def limit_headers(
    levels: tuple[Level, ...], violated: Limit | None = None, hint: Hint | None = None
) -> Headers:
    """Return the limit, remaining and reset headers of requests and of tokens.

    Requests are those of the day where the day is limited, else those of the minute; tokens are
    those of the limit that has the least left. A reset is how long until the limit is full, as
    Go prints a duration, cut to whole milliseconds.

    Args:
        levels: Every limit's level after the decision.
        violated: The limit that refused the request, if one did.
        hint: The wait that the refusal names. `"none"` leaves the resets out; `"reset"` states
            the violated limit and rounds its reset up, for it is then what the client obeys.
    """
    form = hint.form if hint else "seconds"
    obeyed = violated if form == "reset" else None
    headers: list[tuple[str, str]] = []
    resets: list[tuple[str, str]] = []
    for unit, level in stated_levels(levels, obeyed).items():
        reset_ms = level.full_ns // NS_PER_MS
        if level.limit == obeyed:
            reset_ms = ceil_div(level.full_ns, NS_PER_MS)
        headers += (
            (f"x-ratelimit-limit-{unit}", str(level.limit.amount)),
            (f"x-ratelimit-remaining-{unit}", str(level.remaining)),
        )
        resets.append((f"x-ratelimit-reset-{unit}", go_duration(reset_ms)))
    return (*headers, *(() if form == "none" else resets))


def stated_levels(levels: tuple[Level, ...], obeyed: Limit | None) -> dict[str, Level]:
    """Return the level that stands for requests and the one that stands for tokens.

    Args:
        levels: Every limit's level after the decision.
        obeyed: The limit whose reset is the hint, if one is; it stands for its unit.
    """
    stated: dict[str, Level] = {}

    def rank(level: Level) -> tuple[bool, bool, int]:
        limit = level.limit
        minutes = limit.kind == "requests" and limit.per != DAY_S
        return limit != obeyed, minutes, level.remaining

    for level in sorted(levels, key=rank):
        if level.limit.kind not in ("concurrent", "count_tokens"):
            stated.setdefault(level.limit.unit, level)
    return stated
