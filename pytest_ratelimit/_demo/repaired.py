"""The job repaired: one token bucket for all sub-agents, and jitter on every retry."""

from __future__ import annotations

import asyncio
import threading
import time

from anthropic import Anthropic, AsyncAnthropic, RateLimitError
from anthropic.types import Message, MessageParam
from tenacity import (
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from pytest_ratelimit._demo import orchestrator
from pytest_ratelimit._demo.broken import MAX_TOKENS, MODEL

RATE_PER_SEC = 60_000
BURST = 200_000


class TokenBucket:
    """Tokens that all sub-agents share; who books first goes first.

    Args:
        rate_per_sec: Tokens that flow in per second.
        burst: Tokens that it holds when full.
    """

    def __init__(self, rate_per_sec: float = RATE_PER_SEC, burst: float = BURST) -> None:
        self._rate_per_sec = rate_per_sec
        self._burst = burst
        self._level = burst
        self._read_at = time.monotonic()
        self._lock = threading.Lock()

    def book(self, tokens: int) -> float:
        """Take `tokens` out, below zero if need be, and return the seconds until they are there."""
        with self._lock:
            now = time.monotonic()
            grown = self._level + (now - self._read_at) * self._rate_per_sec
            self._level = min(self._burst, grown) - tokens
            self._read_at = now
            return max(0.0, -self._level / self._rate_per_sec)


async def run(client: AsyncAnthropic) -> None:
    """Run the job in asyncio.

    Args:
        client: An SDK client without retries of its own.
    """
    bucket = TokenBucket()

    @retry(
        stop=stop_after_attempt(5),
        wait=wait_random_exponential(multiplier=2, max=60),
        retry=retry_if_exception_type(RateLimitError),
        reraise=True,
    )
    async def ask(prompt: str) -> Message:
        messages: list[MessageParam] = [{"role": "user", "content": prompt}]
        count = await client.messages.count_tokens(model=MODEL, messages=messages)
        await asyncio.sleep(bucket.book(count.input_tokens + MAX_TOKENS))
        return await client.messages.create(model=MODEL, max_tokens=MAX_TOKENS, messages=messages)

    await orchestrator.run(ask)


def run_in_threads(client: Anthropic) -> None:
    """Run the job in threads.

    Args:
        client: An SDK client without retries of its own.
    """
    bucket = TokenBucket()

    @retry(
        stop=stop_after_attempt(5),
        wait=wait_random_exponential(multiplier=2, max=60),
        retry=retry_if_exception_type(RateLimitError),
        reraise=True,
    )
    def ask(prompt: str) -> Message:
        messages: list[MessageParam] = [{"role": "user", "content": prompt}]
        count = client.messages.count_tokens(model=MODEL, messages=messages)
        time.sleep(bucket.book(count.input_tokens + MAX_TOKENS))
        return client.messages.create(model=MODEL, max_tokens=MAX_TOKENS, messages=messages)

    orchestrator.run_in_threads(ask)
