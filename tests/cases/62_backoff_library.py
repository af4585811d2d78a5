"""The backoff library: no bound by default, jitter by default, and a header that full jitter shrinks.

Scenario: 8 callers; refused for ever without a hint (endless, bounded, plain) or four times with a hint of 20 s (runtime*).
Verdict: endless: cap FLAG, jitter ok.  bounded: ok.  plain (jitter=None): sync FLAG, jitter FLAG, growth ok.  runtime: full
  jitter over the header: retry_after FLAG.  runtime_exact: jitter=None: sync FLAG, jitter FLAG, retry_after ok.
"""
import asyncio

import anthropic
import backoff

NEVER = dict(script=lambda nth, n, b, t: (429, {}, None), latency=0.2)
FOUR = dict(script=lambda nth, n, b, t: (429, {"retry-after": "20"}, None) if nth < 4 else None, latency=0.2)
SCENARIOS = {"endless": dict(provider=NEVER, give_up_after=1500), "bounded": dict(provider=NEVER),
             "plain": dict(provider=NEVER), "runtime": dict(provider=FOUR), "runtime_exact": dict(provider=FOUR)}
_ok = dict(sync="ok", jitter="ok", growth="ok", layers="ok", terminal="n/a")
VERDICTS = {"endless": dict(_ok, cap="FLAG"), "bounded": dict(_ok, cap="ok"),
            "plain": dict(_ok, sync="FLAG", jitter="FLAG"),
            "runtime": dict(retry_after="FLAG", layers="ok"),
            "runtime_exact": dict(retry_after="ok", sync="FLAG", jitter="FLAG", layers="ok")}


async def _all(client, decorator):
    client = client.with_options(max_retries=0)

    @decorator
    async def ask(i):
        return await client.messages.create(model="claude-x", max_tokens=8,
                                            messages=[{"role": "user", "content": f"q {i}"}])

    await asyncio.gather(*(ask(i) for i in range(8)), return_exceptions=True)


async def endless(client):
    await _all(client, backoff.on_exception(backoff.expo, anthropic.RateLimitError, max_value=60))


async def bounded(client):
    await _all(client, backoff.on_exception(backoff.expo, anthropic.RateLimitError, max_tries=6))


async def plain(client):
    await _all(client, backoff.on_exception(backoff.expo, anthropic.RateLimitError, max_tries=6, jitter=None))


def _header(err):
    return float(err.response.headers["retry-after"])


async def runtime(client):
    await _all(client, backoff.on_exception(backoff.runtime, anthropic.RateLimitError, value=_header, max_tries=6))


async def runtime_exact(client):
    await _all(client, backoff.on_exception(backoff.runtime, anthropic.RateLimitError, value=_header, max_tries=6,
                                            jitter=None))
