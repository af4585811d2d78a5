"""Refused here, asked elsewhere: the next key at once, the next model at once, or the same again at once.

Scenario: 6 callers, every request refused for 20 s, no hint.
Verdict: keys: three keys in turn, then a jittered sleep: growth not hot, sync ok.  models: three models, then a jittered sleep:
  the same.  same_key: three times at once on the same key: growth FLAG (RL107), sync FLAG.
"""
import asyncio
import random

import openai

DOWN = dict(script=lambda nth, n, b, t: (429, {}, None) if t < 20 else None, latency=0.2)
SCENARIOS = {n: dict(sdk="openai", entry="run", kwargs=dict(kind=n), provider=DOWN) for n in ("keys", "models", "same_key")}
VERDICTS = {"keys": dict(sync="ok", growth="ok", layers="ok", terminal="ok", retry_after="n/a"),
            "models": dict(sync="ok", growth="ok", layers="ok", terminal="ok", retry_after="n/a"),
            "same_key": dict(sync="FLAG", growth="FLAG", layers="ok", terminal="ok")}


async def run(client, kind):
    client = client.with_options(max_retries=0)

    async def one(i):
        for attempt in range(3):
            for k in range(3):
                this = client.with_options(api_key=f"key-{k}") if kind == "keys" else client
                model = f"gpt-{k}" if kind == "models" else "gpt-x"
                try:
                    return await this.chat.completions.create(model=model,
                                                              messages=[{"role": "user", "content": f"q {i}"}])
                except openai.RateLimitError:
                    continue
            await asyncio.sleep(random.uniform(0, 10.0 * 2 ** attempt))

    await asyncio.gather(*(one(i) for i in range(6)))
