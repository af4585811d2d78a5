"""stamina around the SDK: bounded by default, jitter added, cap on top.

Scenario: 8 callers refused for ever, no hint.
Verdict: default (10 attempts, 45 s): from the sixth wait on all are exactly 5.0 s: jitter note, else ok.  endless (attempts=None, timeout=None): cap FLAG.  no_jitter (wait_jitter=0): sync FLAG,
  jitter FLAG, growth ok.  around_sdk: stamina outside max_retries=2: layers FLAG.
"""
import asyncio

import openai
import stamina

NEVER = dict(script=lambda nth, n, b, t: (429, {}, None), latency=0.2)
SCENARIOS = {"default": dict(sdk="openai", provider=NEVER), "endless": dict(sdk="openai", provider=NEVER, give_up_after=900),
             "no_jitter": dict(sdk="openai", provider=NEVER), "around_sdk": dict(sdk="openai", provider=NEVER)}
_ok = dict(sync="ok", jitter="ok", growth="ok", layers="ok", terminal="ok", retry_after="n/a")
VERDICTS = {"default": dict(_ok, jitter="note", cap="ok"), "endless": dict(cap="FLAG", layers="ok"),
            "no_jitter": dict(_ok, sync="FLAG", jitter="FLAG", cap="ok"), "around_sdk": dict(layers="FLAG")}


async def _all(client, **policy):
    @stamina.retry(on=openai.RateLimitError, **policy)
    async def ask(i):
        return await client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": f"q {i}"}])

    await asyncio.gather(*(ask(i) for i in range(8)), return_exceptions=True)


async def default(client):
    await _all(client.with_options(max_retries=0))


async def endless(client):
    await _all(client.with_options(max_retries=0), attempts=None, timeout=None, wait_max=20)


async def no_jitter(client):
    await _all(client.with_options(max_retries=0), attempts=6, wait_jitter=0, wait_initial=0.5, wait_max=60)


async def around_sdk(client):
    await _all(client, attempts=4)
