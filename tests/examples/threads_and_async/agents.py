import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
from anthropic import Anthropic, AsyncAnthropic, RateLimitError

QUESTION = {
    "model": "claude-sonnet-5",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "What changed?"}],
}


def wait_for(refusal):
    """Seconds to wait: the provider's hint, and up to a quarter more."""
    return float(refusal.response.headers["retry-after"]) * random.uniform(1, 1.25)


def ask(client):
    for _ in range(4):
        try:
            return client.messages.create(**QUESTION)
        except RateLimitError as refusal:
            time.sleep(wait_for(refusal))
    raise TimeoutError("refused four times")


async def ask_async(client, sleep=asyncio.sleep):
    for _ in range(4):
        try:
            return await client.messages.create(**QUESTION)
        except RateLimitError as refusal:
            await sleep(wait_for(refusal))
    raise TimeoutError("refused four times")


def run_in_threads(agents):
    with Anthropic(max_retries=0) as client, ThreadPoolExecutor(agents) as pool:
        return list(pool.map(ask, [client] * agents))


async def run_in_asyncio(agents):
    async with AsyncAnthropic(max_retries=0) as client:
        return await asyncio.gather(*(ask_async(client) for _ in range(agents)))


async def run_in_anyio(agents):
    async with AsyncAnthropic(max_retries=0) as client, anyio.create_task_group() as group:
        for _ in range(agents):
            group.start_soon(ask_async, client, anyio.sleep)
