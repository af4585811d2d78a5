import asyncio

from anthropic import AsyncAnthropic
from fake_provider import FakeProvider
from pytest_ratelimit import check

QUESTION = {
    "model": "claude-sonnet-5",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "What changed?"}],
}


async def cell():
    with FakeProvider(requests_per_minute=3) as provider:
        async with AsyncAnthropic(max_retries=1) as client:
            await asyncio.gather(*(client.messages.create(**QUESTION) for _ in range(6)))
    print(f"{provider.clock.elapsed():.1f} s, {len(provider.trace.refused)} refused")
    for finding in check(provider.trace):
        print(finding.severity, finding.title)


asyncio.run(cell())
