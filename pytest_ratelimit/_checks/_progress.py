"""Progress (RL301): did every call end with success?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_ratelimit._checks._costs import costs
from pytest_ratelimit._checks._demand import drain_s
from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._text import many, names, seconds, were
from pytest_ratelimit._findings import Finding
from pytest_ratelimit._stats import median

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fake_provider._trace import Call
    from pytest_ratelimit._checks._digest import Digest


def judge_losses(digest: Digest) -> Judgement:
    """Return the judgement on RL301.

    A call still being served is not lost, nor is one that was answered elsewhere.
    """
    saved = _saved(digest)
    lost = [
        work[-1]
        for work in digest.works
        if not any(call.succeeded for call in work)
        and work[-1].attempts[-1].ended_at is not None
        and work[-1].number not in saved
    ]
    if not lost:
        return Judgement.of()
    cured = [call for call in lost if not call.attempts[-1].terminal]
    reasons = Counter(_ending(call) for call in lost)
    kinds = names([f"{reason} ({number:,} x)" for reason, number in reasons.most_common()])
    most = max(len(call.attempts) for call in lost)
    unretried = sum(len(call.attempts) == 1 for call in lost)
    return Judgement.of(
        Finding(
            code="RL301",
            severity="warning" if cured else "note",
            summary=f"{len(lost):,} of {many(len(digest.works), 'call')} ended without success",
            evidence=(
                f"The last answer was {kinds}.",
                (
                    f"They made up to {many(most, 'attempt')} each; "
                    f"{unretried:,} of them {were(unretried)} not retried."
                ),
            ),
            cause="the calls gave up before an attempt was served."
            if cured
            else "no wait could have cured these errors.",
            remedy=f"let them keep trying {_longer(digest, cured)}, start fewer at once, or handle "
            "the loss."
            if cured
            else "mend the requests or the account.",
            attempts=tuple(sorted(call.attempts[-1].index for call in lost)),
        )
    )


def _longer(digest: Digest, lost: Sequence[Call]) -> str:
    """Return for how much longer lost calls should have tried: until their limit had taken them."""
    refused = [(limit, c.attempts[-1]) for c in lost if (limit := digest.limit_of(c.attempts[-1]))]
    if not refused:
        return "for longer"
    limit = refused[0][0]
    each = median(costs([attempt for _, attempt in refused], limit))
    # A window has to pass before it has any room at all.
    first_s = 0.0 if limit.refills else limit.window
    return f"for {seconds(first_s + drain_s(limit, len(refused), each, 0.0))} more"


def _saved(digest: Digest) -> set[int]:
    """Return the calls after which their caller asked another key, host or model at once.

    With another model the request is another one, and so is the call.
    """
    saved: set[int] = set()
    last: dict[str, Call] = {}
    for call in digest.trace.calls:
        before = last.get(call.caller)
        last[call.caller] = call
        if before is None or before.succeeded:
            continue
        ended, begun = before.attempts[-1], call.attempts[0]
        at_once = ended.ended_at is not None and (
            0 <= begun.arrived_at - ended.ended_at <= digest.immediate_s
        )
        if at_once and (ended.key, ended.host, ended.model_class) != (
            begun.key,
            begun.host,
            begun.model_class,
        ):
            saved.add(before.number)
    return saved


def _ending(call: Call) -> str:
    """Return how a lost call ended."""
    last = call.attempts[-1]
    if last.cancelled_at is not None:
        return "none, the client gave up waiting"
    return f"{last.status} {last.reason or ''}".strip()
