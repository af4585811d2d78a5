"""What clients make of the hint: milliseconds for seconds, a cap, a share of it, a date as a number.

Scenario: 3 callers, each refused three times with a hint of 20 s (as seconds, ms or date), then served.
Verdict: as_ms, capped, share, own_schedule, date_as_number: retry_after FLAG.  obeyed, plus_jitter, obeyed_date,
  doubled, gives_up: ok (giving up is legal: n/a).
"""
import asyncio
import random
from email.utils import parsedate_to_datetime

import anthropic


def _thrice(headers):
    return dict(script=lambda nth, n, b, t: (429, headers(t), None) if nth < 3 else None, latency=0.1)


def _date(t):
    from email.utils import format_datetime
    from datetime import datetime, timedelta, timezone
    at = datetime(2027, 1, 15, 8, tzinfo=timezone.utc) + timedelta(seconds=int(t) + 20)
    return {"retry-after": format_datetime(at, usegmt=True)}


SECONDS, DATE = _thrice(lambda t: {"retry-after": "20"}), _thrice(_date)
MS = _thrice(lambda t: {"retry-after-ms": "20000"})
SCENARIOS = {name: dict(entry="run", kwargs=dict(reading=name), provider=provider)
             for name, provider in dict(as_ms=SECONDS, capped=SECONDS, share=SECONDS, own_schedule=SECONDS,
                                        date_as_number=DATE, obeyed=SECONDS, plus_jitter=SECONDS, obeyed_date=DATE,
                                        doubled=SECONDS, gives_up=SECONDS, obeyed_ms=MS).items()}
VERDICTS = {name: dict(retry_after="FLAG", layers="ok", terminal="ok")
            for name in ("as_ms", "capped", "share", "own_schedule", "date_as_number")}
VERDICTS |= {name: dict(retry_after="ok", layers="ok", growth="n/a")
             for name in ("obeyed", "plus_jitter", "obeyed_date", "doubled", "obeyed_ms")}
VERDICTS["gives_up"] = dict(retry_after="n/a", layers="ok")


def _wait(reading, headers, attempt, now):
    text = headers.get("retry-after", "")
    if reading == "as_ms":
        return int(text) / 1000
    if reading == "capped":
        return min(10.0, float(text))
    if reading == "share":
        return float(text) * random.uniform(0.8, 1.0)
    if reading == "own_schedule":
        return random.uniform(0, 2 ** attempt)
    if reading == "date_as_number":
        try:
            return float(text)
        except ValueError:
            return 1.0 + random.random()
    if reading == "obeyed_date":
        return max(0.0, (parsedate_to_datetime(text).timestamp() - now) + random.uniform(0.0, 5.0))
    if reading == "obeyed_ms":
        return float(headers["retry-after-ms"]) / 1000 + random.uniform(0, 5)
    if reading == "doubled":
        return 2 * float(text) + random.uniform(0, 5)
    return float(text) + (random.uniform(0, 10) if reading == "plus_jitter" else 0.0)


async def run(client, reading):
    import time
    client = client.with_options(max_retries=0)

    async def one(i):
        await asyncio.sleep(7.0 * i)
        for attempt in range(4):
            try:
                return await client.messages.create(model="claude-x", max_tokens=8,
                                                    messages=[{"role": "user", "content": f"q {i}"}])
            except anthropic.RateLimitError as refusal:
                if reading == "gives_up":
                    raise
                await asyncio.sleep(_wait(reading, refusal.response.headers, attempt, time.time()))

    await asyncio.gather(*(one(i) for i in range(3)), return_exceptions=True)
