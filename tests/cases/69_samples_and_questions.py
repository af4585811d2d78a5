"""Equal bodies that are no retries, and different bodies that are.

Scenario: samples: 8 equal prompts, one after the other in one task, no refusal.  wide_samples: 8 at once, 4 a minute, jittered
  retries.  questions: one caller asks 15 questions; each is refused and skipped.  nonce: one question with a new id in
  each attempt, through a helper, 0.5 s apart, 20 times, refused for ever.
Verdict: samples, wide_samples: ok.  questions: no retry at all: growth n/a, cap n/a.  nonce: nothing tells it from 20 questions that
  are asked slowly, so nobody is accused: cap n/a, growth n/a.
"""
import asyncio
import random
import uuid

import openai

FREE, FOUR = dict(latency=0.3), dict(rpm=4, latency=0.3, hint="none")
NEVER = dict(script=lambda nth, n, b, t: (429, {}, None), latency=0.1)
SCENARIOS = {"samples": dict(sdk="openai", provider=FREE), "wide_samples": dict(sdk="openai", provider=FOUR),
             "questions": dict(sdk="openai", provider=NEVER), "nonce": dict(sdk="openai", provider=NEVER)}
_none = dict(sync="n/a", jitter="n/a", growth="n/a", cap="n/a", layers="n/a", retry_after="n/a", storm="ok")
VERDICTS = {"samples": _none, "wide_samples": dict(sync="ok", jitter="ok", layers="ok", cap="ok", storm="ok"),
            "questions": dict(_none), "nonce": dict(cap="n/a", growth="n/a", layers="ok")}


async def ask(client, text):
    return await client.with_options(max_retries=0).chat.completions.create(
        model="gpt-x", messages=[{"role": "user", "content": text}])


async def samples(client):
    for _ in range(8):
        await ask(client, "write a haiku")


async def wide_samples(client):
    async def one():
        for attempt in range(8):
            try:
                return await ask(client, "write a haiku")
            except openai.RateLimitError:
                await asyncio.sleep(random.uniform(0, 30.0 * 2 ** attempt))

    await asyncio.gather(*(one() for _ in range(8)))


async def questions(client):
    for i in range(15):
        try:
            await ask(client, f"question {i}")
        except openai.RateLimitError:
            continue


async def nonce(client):
    for _ in range(20):
        try:
            return await ask(client, f"what is the answer? [{uuid.uuid4()}]")
        except openai.RateLimitError:
            await asyncio.sleep(0.5)
