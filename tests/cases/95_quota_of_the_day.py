"""Daily quotas with a short hint, and what reads them.

Scenario: 429 with "requests per day" and retry-after 7, for ever; one caller.
Verdict: obeyed: the SDK waits 7 s and asks again, twice: terminal FLAG, retry_after ok.  read: looks at the message: terminal ok.
"""
import openai

DAY = (429, {"retry-after": "7"}, {"error": {"message": "Rate limit reached for gpt-x on requests per day (RPD): Limit 200, Used 200, Requested 1.",
                                             "type": "requests", "param": None, "code": "rate_limit_exceeded"}})
PROV = dict(script=lambda nth, n, b, t: DAY, latency=0.1)
SCENARIOS = {"obeyed": dict(sdk="openai", provider=PROV), "read": dict(sdk="openai", provider=PROV)}
VERDICTS = {"obeyed": dict(terminal="FLAG", retry_after="ok", layers="ok"), "read": dict(terminal="ok", cap="n/a", layers="n/a")}


def ask(client):
    return client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}])


async def obeyed(client):
    await ask(client)


async def read(client):
    try:
        return await ask(client.with_options(max_retries=0))
    except openai.RateLimitError as err:
        if "per day" in err.message:
            return None
        raise
