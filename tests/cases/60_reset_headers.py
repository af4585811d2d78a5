"""Only an absolute reset header: sleeping until it exactly, with a spread, or not reading it.

Scenario: 10 callers that start over 9 s, 4 requests / 60 s sliding, ISO reset headers and no Retry-After.
Verdict: until_reset: all wait until one instant: sync FLAG, jitter FLAG, retry_after ok.  spread: up to 60 s more: ok.
  unread: own schedule of 1, 2, 4 s with full jitter, retried before the reset: retry_after FLAG.
"""
import asyncio
import random
from datetime import datetime, timezone

import anthropic

PROV = dict(rpm=4, latency=0.3, hint="reset")
SCENARIOS = {n: dict(entry="run", kwargs=dict(kind=n), provider=PROV) for n in ("until_reset", "spread", "unread")}
VERDICTS = {"until_reset": dict(sync="FLAG", jitter="FLAG", retry_after="ok", growth="n/a", layers="ok", cap="ok"),
            "spread": dict(sync="ok", jitter="ok", retry_after="ok", growth="n/a", layers="ok", cap="ok"),
            "unread": dict(retry_after="FLAG", layers="ok", sync="ok", cap="ok")}


async def run(client, kind):
    client = client.with_options(max_retries=0)

    async def one(i):
        await asyncio.sleep(i)
        for attempt in range(8):
            try:
                return await client.messages.create(model="claude-x", max_tokens=8,
                                                    messages=[{"role": "user", "content": f"q {i}"}])
            except anthropic.RateLimitError as err:
                if kind == "unread":
                    await asyncio.sleep(random.uniform(0, 2 ** attempt))
                    continue
                reset = datetime.fromisoformat(
                    err.response.headers["anthropic-ratelimit-requests-reset"].replace("Z", "+00:00"))
                wait = max(0.0, (reset - datetime.now(timezone.utc)).total_seconds())
                await asyncio.sleep(wait + (random.uniform(0, 60) if kind == "spread" else 0))

    await asyncio.gather(*(one(i) for i in range(10)))
