import asyncio
import random

from anthropic import RateLimitError
from pytest_ratelimit._demo import orchestrator, repaired

QUESTION = {"model": "claude-sonnet-5", "max_tokens": 500}


def create(client, prompt):
    return client.messages.create(**QUESTION, messages=[{"role": "user", "content": prompt}])


async def unmodified(client):
    """Nothing around the SDK: it retries twice, and waits exactly what Retry-After says."""

    async def ask(prompt):
        return await create(client, prompt)

    await orchestrator.run(ask)


async def jittered(client):
    """Eight attempts, each after the hint and a random wait that grows."""

    async def ask(prompt):
        tried = 0
        while True:
            try:
                return await create(client, prompt)
            except RateLimitError as refusal:
                tried += 1
                if tried == 8:
                    raise
                hint = float(refusal.response.headers["retry-after"])
                await asyncio.sleep(hint + random.uniform(0, min(60, 2**tried)))

    await orchestrator.run(ask)


async def budgeted(client):
    """The SDK's own retries again, behind one token bucket that all sub-agents share."""
    bucket = repaired.TokenBucket(rate_per_sec=60_000, burst=200_000)

    async def ask(prompt):
        await asyncio.sleep(bucket.book(40_500))
        return await create(client, prompt)

    await orchestrator.run(ask)
