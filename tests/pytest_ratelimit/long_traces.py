"""A long trace, made without a provider: callers that retry with full jitter, some in vain."""

from __future__ import annotations

import random

from fake_provider import Attempt, Limits, Trace

COMMON = {
    "sdk_retry": None,
    "attribution": "exact",
    "key": "0" * 8,
    "host": "api.anthropic.com",
    "dialect": "anthropic",
    "model": "claude-sonnet-5",
    "model_class": "claude-sonnet",
    "output_tokens": 50,
    "max_tokens": 500,
    "hint_form": None,
    "hint": None,
    "terminal": False,
    "stream": False,
    "output_at": None,
    "cancelled_at": None,
}


def long_trace(size, callers=200, seed=0):
    """Return a trace of `size` attempts, half of them refused."""
    rng = random.Random(seed)
    rows = []
    call = 0
    per_caller = size // callers
    for caller in range(callers):
        now = rng.random()
        made = 0
        while made < per_caller:
            for position in range(1, rng.choice((1, 1, 2, 3, 4, 9)) + 1):
                if made == per_caller:
                    break
                refused = position % 3 > 0 and rng.random() < 0.6
                ends = now if refused else now + rng.uniform(0.5, 4.0)
                rows.append((now, ends, caller, call, position, refused))
                now = ends + rng.uniform(0, min(60.0, 2.0**position))
                made += 1
            call += 1
    rows.sort()
    numbers = {}
    attempts = tuple(
        Attempt(
            index=index,
            caller=f"agent {caller}",
            call=numbers.setdefault(call, len(numbers)),
            unit=str(call),
            attempt=position,
            layer="first" if position == 1 else "code",
            input_tokens=1_000 + 37 * (call % 100),
            arrived_at=now,
            ended_at=ends,
            status=429 if refused else 200,
            reason="tokens_per_minute" if refused else None,
            room=0.0 if refused else 1.0,
            charged=0.0 if refused else 1.0,
            **COMMON,
        )
        for index, (now, ends, caller, call, position, refused) in enumerate(rows)
    )
    ended_at = max(attempt.ended_at for attempt in attempts)
    return Trace(attempts=attempts, limits=Limits(tokens_per_minute=3_000_000), ended_at=ended_at)
