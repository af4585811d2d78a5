import asyncio
from collections import Counter

from anthropic import AsyncAnthropic
from fake_provider import FakeProvider
from pytest_ratelimit import check
from pytest_ratelimit._demo import broken, repaired


def replay(job):
    provider = FakeProvider(tokens_per_minute=4_000_000, tokens_per_request=150_000, latency=5.7)

    async def main():
        async with AsyncAnthropic(max_retries=0) as client:
            await job(client)

    with provider:
        asyncio.run(main())
    return provider.trace


for name, job in (("broken", broken.run), ("repaired", repaired.run)):
    trace = replay(job)
    print(f"{name}: {trace.makespan:.1f} s, {trace}")
    hints = Counter(attempt.hint for attempt in trace.refused if not attempt.is_retry)
    for hint, refused in sorted(hints.items()):
        print(f"  {refused} calls told to wait {hint:g} s")
    for finding in check(trace):
        print(f"  {finding.severity:7} {finding.title}")
