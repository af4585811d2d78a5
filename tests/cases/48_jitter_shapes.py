"""Jitter of every shape, and what only looks like jitter.

Scenario: 10 callers rejected together five times, no hint, then served.
Verdict: full, equal, decorrelated, gauss, per_name (each caller its own offset): sync and jitter ok.  same_seed, from_clock:
  sync and jitter FLAG.  reseeded (random.seed(0) before each draw): FLAG.  flat_range (0.5 to 1.5 s for ever): growth
  FLAG, the rest ok.  whole_seconds (randint 1..30): ok.
"""
import asyncio
import random
import time

import anthropic

FIVE = dict(script=lambda nth, n, b, t: (429, {}, None) if nth < 5 else None, latency=0.2)
NAMES = ("full", "equal", "decorrelated", "gauss", "per_name", "same_seed", "from_clock", "reseeded", "flat_range",
         "whole_seconds")
SCENARIOS = {name: dict(entry="run", kwargs=dict(shape=name), provider=FIVE) for name in NAMES}
_ok = dict(sync="ok", jitter="ok", growth="ok", layers="ok", retry_after="n/a")
VERDICTS = {name: _ok for name in ("full", "equal", "decorrelated", "gauss", "per_name", "whole_seconds")}
VERDICTS |= {name: dict(_ok, sync="FLAG", jitter="FLAG") for name in ("same_seed", "from_clock", "reseeded")}
VERDICTS["reseeded"] = dict(sync="FLAG", jitter="FLAG", layers="ok")
VERDICTS["flat_range"] = dict(_ok, growth="FLAG")
VERDICTS["whole_seconds"] = dict(sync="ok", jitter="ok", layers="ok")


def _delay(shape, attempt, i, rng, state):
    top = 2.0 * 2 ** attempt
    if shape == "equal":
        return top / 2 + random.uniform(0, top / 2)
    if shape == "decorrelated":
        state["last"] = min(60.0, random.uniform(1.0, 3 * state.get("last", 1.0)))
        return state["last"]
    if shape == "gauss":
        return max(0.1, random.gauss(top, top / 4))
    if shape == "per_name":
        return top * (1 + (hash(f"worker {i}") % 1000) / 1000)
    if shape == "same_seed":
        return rng.uniform(0, top)
    if shape == "from_clock":
        return top * (1 + time.time() % 1)
    if shape == "reseeded":
        random.seed(0)
        return random.uniform(0, top)
    if shape == "flat_range":
        return random.uniform(0.5, 1.5)
    if shape == "whole_seconds":
        return random.randint(1, 30) * (attempt + 1)
    return random.uniform(0, top)


async def run(client, shape, callers=10):
    client = client.with_options(max_retries=0)

    async def one(i):
        rng, state = random.Random(42), {}
        for attempt in range(6):
            try:
                return await client.messages.create(model="claude-x", max_tokens=8,
                                                    messages=[{"role": "user", "content": f"q {i}"}])
            except anthropic.RateLimitError:
                await asyncio.sleep(_delay(shape, attempt, i, rng, state))

    await asyncio.gather(*(one(i) for i in range(callers)))
