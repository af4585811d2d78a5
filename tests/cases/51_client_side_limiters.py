"""Limiters on the client's side: a shared bucket, one bucket for each worker, and retries behind them.

Scenario: 10 callers of 3 calls each, 1,000 tokens a call; 60,000 tokens a minute as a bucket (at once: a minute's worth), or a
  window of 12,000 a minute.
Verdict: shared: one call every 1.1 s: nothing refused, nothing found.  each_its_own: every worker has the whole budget for
  itself: refused, retried with full jitter on top of the hint: sync ok, retry_after ok, budget at most a note.
"""
import asyncio
import random

import anthropic

SCENARIOS = {"shared": dict(provider=dict(tpm=60000, bucket=True, tokens=1000, latency=0.3)),
             "each_its_own": dict(provider=dict(tpm=12000, tokens=1000, latency=0.3))}
VERDICTS = {"shared": dict(sync="n/a", jitter="n/a", budget="ok", cold_start="ok", storm="ok"),
            "each_its_own": dict(sync="ok", retry_after="ok", layers="ok", budget="note", cold_start="note")}


class Pace:
    def __init__(self, gap):
        self.gap, self.next_at = gap, 0.0

    async def turn(self):
        now = asyncio.get_running_loop().time()
        at = max(now, self.next_at)
        self.next_at = at + self.gap
        await asyncio.sleep(at - now)


async def _all(client, pace_of):
    client = client.with_options(max_retries=0)

    async def one(i):
        pace = pace_of(i)
        for k in range(3):
            for attempt in range(8):
                await pace.turn()
                try:
                    await client.messages.create(model="claude-x", max_tokens=8,
                                                 messages=[{"role": "user", "content": f"q {i}/{k}"}])
                    break
                except anthropic.RateLimitError as refusal:
                    hint = float(refusal.response.headers["retry-after"])
                    await asyncio.sleep(hint + random.uniform(0, 60.0 * 2 ** attempt))

    await asyncio.gather(*(one(i) for i in range(10)))


async def shared(client):
    pace = Pace(1.1)
    await _all(client, lambda i: pace)


async def each_its_own(client):
    await _all(client, lambda i: Pace(1.1))
