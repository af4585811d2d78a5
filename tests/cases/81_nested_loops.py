"""Two loops around the SDK, whose own retries are off: a decorator in a loop, a decorator in a decorator, and what is none.

Scenario: refused for ever without a hint; one caller (or 6).
Verdict: decorator_in_loop, decorated_twice, six_callers, workflow: layers FLAG, 3 x 4.  loop_then_other_model: another model afterwards:
  layers ok.  two_questions: two calls, each with its loop: layers ok.
"""
import asyncio
import random

import anthropic
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

NEVER = dict(script=lambda nth, n, b, t: (429, {}, None), latency=0.2)
NAMES = ("decorator_in_loop", "decorated_twice", "six_callers", "workflow")
GOOD = ("loop_then_other_model", "two_questions")
SCENARIOS = {n: dict(provider=NEVER) for n in NAMES + GOOD}
VERDICTS = {n: dict(layers="FLAG", terminal="n/a") for n in NAMES} | {n: dict(layers="ok", terminal="n/a", cap="ok") for n in GOOD}


def _policy(tries):
    return retry(stop=stop_after_attempt(tries), wait=wait_random_exponential(multiplier=1, max=20), reraise=True,
                 retry=retry_if_exception_type(anthropic.RateLimitError))


async def _ask(client, text="hi", model="claude-x"):
    return await client.with_options(max_retries=0).messages.create(model=model, max_tokens=8,
                                                                    messages=[{"role": "user", "content": text}])


async def decorator_in_loop(client, i=0):
    ask = _policy(4)(_ask)
    for attempt in range(3):
        try:
            return await ask(client, f"hi {i}")
        except anthropic.RateLimitError:
            await asyncio.sleep(random.uniform(0, 5 * 2 ** attempt))


async def decorated_twice(client):
    @_policy(3)
    @_policy(4)
    async def ask():
        return await _ask(client)

    await ask()


async def six_callers(client):
    await asyncio.gather(*(decorator_in_loop(client, i) for i in range(6)))


async def workflow(client):
    ask = _policy(4)(_ask)

    async def step(state):
        return await ask(client, state)

    async def run_step(function, state, retries=3):
        for attempt in range(retries):
            try:
                return await asyncio.create_task(function(state))
            except anthropic.RateLimitError:
                await asyncio.sleep(random.uniform(1, 4))

    await run_step(step, "plan")


async def loop_then_other_model(client):
    ask = _policy(4)(_ask)
    try:
        return await ask(client)
    except anthropic.RateLimitError:
        return await ask(client, model="claude-y")


async def two_questions(client):
    ask = _policy(4)(_ask)
    for text in ("one", "two"):
        try:
            await ask(client, text)
        except anthropic.RateLimitError:
            pass
