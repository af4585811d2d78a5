"""Terminal errors: what no wait can cure, by status, by code, and by what the answer says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fake_provider._wire._shapes import Reply

_STATUSES = frozenset({400, 401, 402, 403, 404, 405, 410, 413, 422})
# A 429 with one of these codes is a bill, not a queue (OpenAI and Anthropic, read 2026-11-25;
# the hard limit and the inactive account are older codes, known from reports).
TERMINAL_CODES = frozenset(
    {
        "billing_error",
        "billing_hard_limit_reached",
        "billing_not_active",
        "contract_spend_limit_reached",
        "credit_balance_exhausted",
        "enforced_spend_limit_reached",
        "insufficient_quota",
        "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "project_spend_limit_exceeded",
    }
)
_DAILY = re.compile(rb"per[ _-]?day|\bdaily\b|\b[rt]pd\b", re.IGNORECASE)
_TRY_AGAIN = re.compile(rb"try again in ((?:[\d.]+(?:ms|[dhms]))+)")
_PART = re.compile(rb"([\d.]+)(ms|[dhms])")
_UNIT_S = {b"ms": 1e-3, b"s": 1.0, b"m": 60.0, b"h": 3600.0, b"d": 86400.0}
# Nobody waits for longer in a call, in seconds.
_LONGEST_S = 3600.0


def is_terminal(reply: Reply, hint_s: float | None) -> bool:
    """Tell whether no wait can cure an error, as far as its answer tells.

    What `x-should-retry` says counts more than the status. A quota of the whole day is
    terminal unless the answer says that some of it comes back within the hour, as a leaking
    bucket's does, or that the wait is long: a short Retry-After beside it is a trap.

    Args:
        reply: The answer.
        hint_s: Seconds that it told the client to wait, None without a hint.
    """
    if reply.status == 200:
        return False
    if reply.status == 429 and _is_spent_for_the_day(reply.content, hint_s or 0.0):
        return True
    advice = dict(reply.headers).get("x-should-retry")
    if advice == "true":
        return False
    return reply.status in _STATUSES or (advice == "false" and not (hint_s and hint_s > 0))


def _is_spent_for_the_day(body: bytes, hint_s: float) -> bool:
    """Tell whether a refusal names a quota of the day, and no wait that would be true of it."""
    if not _DAILY.search(body) or hint_s > _LONGEST_S:
        return False
    stated = _TRY_AGAIN.search(body)
    if stated is None:
        return True
    parts = _PART.findall(stated[1])
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts) > _LONGEST_S
