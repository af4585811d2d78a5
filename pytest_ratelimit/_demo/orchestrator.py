"""An orchestrator that splits a document between twelve sub-agents, in asyncio or in threads."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from anthropic import RateLimitError

# Questions that each sub-agent asks about its chunk, one after the other: 52 in all.
QUESTIONS = (5, 4, 4) * 4
# Failed sub-agents are dispatched again, together, after this pause (give or take 5 %).
PAUSE_S = 60.0


def question(agent: int, number: int) -> str:
    """Return the prompt of a sub-agent's n-th question."""
    return f"chunk {agent}, question {number}: summarise what changed and why"


def pause() -> float:
    """Return seconds until failed sub-agents are dispatched again."""
    return PAUSE_S * random.uniform(0.95, 1.05)


async def run(ask: Callable[[str], Awaitable[object]]) -> None:
    """Run the job in asyncio; a sub-agent that fails resumes at the question that failed.

    Args:
        ask: Sends one prompt to the model and retries as it sees fit.
    """
    answered = [0] * len(QUESTIONS)
    failed: list[int] = []

    async def sub_agent(agent: int) -> None:
        try:
            while answered[agent] < QUESTIONS[agent]:
                await ask(question(agent, answered[agent]))
                answered[agent] += 1
        except RateLimitError:
            failed.append(agent)

    await asyncio.gather(*map(sub_agent, range(len(QUESTIONS))))
    while failed:
        await asyncio.sleep(pause())
        queue, failed[:] = failed[:], []
        await asyncio.gather(*map(sub_agent, queue))


def run_in_threads(ask: Callable[[str], object]) -> None:
    """Run the job in a thread pool; a sub-agent that fails resumes at the question that failed.

    Args:
        ask: Sends one prompt to the model and retries as it sees fit.
    """
    answered = [0] * len(QUESTIONS)
    failed: list[int] = []

    def sub_agent(agent: int) -> None:
        try:
            while answered[agent] < QUESTIONS[agent]:
                ask(question(agent, answered[agent]))
                answered[agent] += 1
        except RateLimitError:
            failed.append(agent)

    with ThreadPoolExecutor(len(QUESTIONS)) as pool:
        list(pool.map(sub_agent, range(len(QUESTIONS))))
        while failed:
            time.sleep(pause())
            queue, failed[:] = failed[:], []
            list(pool.map(sub_agent, queue))
