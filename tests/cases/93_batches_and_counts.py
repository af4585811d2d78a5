"""Requests that are no attempts: batch polling every 10 s, token counts before each call.

Verdict: nothing at all.
"""
import asyncio

FREE = dict(latency=0.2)
SCENARIOS = {"batch": dict(provider=FREE), "count": dict(provider=FREE), "openai_batch": dict(sdk="openai", provider=FREE)}
_none = dict(sync="n/a", jitter="n/a", growth="n/a", cap="n/a", layers="n/a", retry_after="n/a", terminal="n/a", storm="ok")
VERDICTS = {n: _none for n in SCENARIOS}


async def batch(client):
    made = await client.messages.batches.create(requests=[{"custom_id": "a", "params": {
        "model": "claude-x", "max_tokens": 8, "messages": [{"role": "user", "content": "hi"}]}}])
    for _ in range(20):
        state = await client.messages.batches.retrieve(made.id)
        if state.processing_status == "ended":
            break
        await asyncio.sleep(10)


async def count(client):
    for i in range(5):
        messages = [{"role": "user", "content": f"q {i}"}]
        await client.messages.count_tokens(model="claude-x", messages=messages)
        await client.messages.create(model="claude-x", max_tokens=8, messages=messages)


async def openai_batch(client):
    made = await client.batches.create(input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h")
    for _ in range(20):
        state = await client.batches.retrieve(made.id)
        if state.status == "completed":
            break
        await asyncio.sleep(10)
