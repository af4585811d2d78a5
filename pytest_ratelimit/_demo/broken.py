"""The job as it was on the day: every sub-agent retries after exactly one second."""

from __future__ import annotations

from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message
from tenacity import retry, stop_after_attempt, wait_fixed

from pytest_ratelimit._demo import orchestrator

MODEL = "claude-sonnet-5"
MAX_TOKENS = 500


async def run(client: AsyncAnthropic) -> None:
    """Run the job in asyncio.

    Args:
        client: An SDK client without retries of its own.
    """

    @retry(stop=stop_after_attempt(5), wait=wait_fixed(1), reraise=True)
    async def ask(prompt: str) -> Message:
        return await client.messages.create(
            model=MODEL, max_tokens=MAX_TOKENS, messages=[{"role": "user", "content": prompt}]
        )

    await orchestrator.run(ask)


def run_in_threads(client: Anthropic) -> None:
    """Run the job in threads.

    Args:
        client: An SDK client without retries of its own.
    """

    @retry(stop=stop_after_attempt(5), wait=wait_fixed(1), reraise=True)
    def ask(prompt: str) -> Message:
        return client.messages.create(
            model=MODEL, max_tokens=MAX_TOKENS, messages=[{"role": "user", "content": prompt}]
        )

    orchestrator.run_in_threads(ask)
