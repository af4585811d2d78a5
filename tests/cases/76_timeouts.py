"""Answers slower than the client's patience: paid again and again, but no rate-limit fault of its own.

Scenario: 6 callers, answers take 8 s; the SDK's timeout is 3 s and it retries twice; or wait_for in a loop.
Verdict: sdk_timeout: layers ok, cap ok, terminal ok, sync at most a note.  patient: nothing at all.
"""
import asyncio

SLOW = dict(latency=8.0)
SCENARIOS = {"patient": dict(provider=SLOW), "sdk_timeout": dict(provider=SLOW)}
_none = dict(sync="n/a", jitter="n/a", growth="n/a", cap="n/a", layers="n/a", terminal="n/a", storm="ok")
VERDICTS = {"patient": _none, "sdk_timeout": dict(layers="ok", cap="ok", terminal="ok", retry_after="n/a", growth="ok")}


def ask(client, i):
    return client.messages.create(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": f"q {i}"}])


async def patient(client):
    await asyncio.gather(*(ask(client, i) for i in range(6)))


async def sdk_timeout(client):
    client = client.with_options(timeout=3.0)
    await asyncio.gather(*(ask(client, i) for i in range(6)), return_exceptions=True)
