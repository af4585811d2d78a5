"""An orchestrator that gathers, and dispatches what failed in rounds.

Scenario: 10 callers, 4 requests / 60 s, no hint.
Verdict: rounds: all that failed again after exactly 20 s: sync FLAG, though each is a new call.  drained: those that failed go one by one, 20 s
  apart: sync ok, storm ok.  spread: each after 0 to 150 s: ok.
"""
import asyncio
import random

import anthropic

PROV = dict(rpm=4, latency=0.3, hint="none")
SCENARIOS = {n: dict(provider=PROV) for n in ("rounds", "drained", "spread")}
VERDICTS = {"rounds": dict(sync="FLAG", layers="ok", retry_after="n/a"),
            "drained": dict(sync="ok", layers="ok", retry_after="n/a", cap="ok"),
            "spread": dict(sync="ok", layers="ok", retry_after="n/a", cap="ok")}


async def ask(client, i):
    try:
        return await client.with_options(max_retries=0).messages.create(
            model="claude-x", max_tokens=8, messages=[{"role": "user", "content": f"q {i}"}])
    except anthropic.RateLimitError:
        return None


async def rounds(client):
    todo = list(range(10))
    for _ in range(8):
        answers = await asyncio.gather(*(ask(client, i) for i in todo))
        todo = [i for i, answer in zip(todo, answers) if answer is None]
        if not todo:
            return
        await asyncio.sleep(20)


async def drained(client):
    answers = await asyncio.gather(*(ask(client, i) for i in range(10)))
    for i, answer in enumerate(answers):
        if answer is None:
            await asyncio.sleep(20)
            await ask(client, i)


async def spread(client):
    async def later(i):
        await asyncio.sleep(random.uniform(0, 150))
        return await ask(client, i)

    todo = list(range(10))
    answers = await asyncio.gather(*(ask(client, i) for i in todo))
    for _ in range(4):
        todo = [i for i, answer in zip(todo, answers) if answer is None]
        answers = await asyncio.gather(*(later(i) for i in todo))
