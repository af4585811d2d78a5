"""Exponential backoff with a little added: 0.1 s on 2, 4, 8 s; a second on the same; only on the first wait.

Scenario: 12 threads refused together five times, no hint.
Verdict: tenth: 0.1 s on 2 s and more: sync FLAG, jitter FLAG, growth ok.  second: up to 1 s: sync not FLAG, jitter ok.
  first_only: jitter before the first retry only: jitter not ok; sync not FLAG or ok (offsets are kept).
"""
import random
import time
from concurrent.futures import ThreadPoolExecutor

import openai

FIVE = dict(script=lambda nth, n, b, t: (429, {}, None) if nth < 5 else None, latency=0.2)
SCENARIOS = {n: dict(sdk="openai", entry="run", kwargs=dict(kind=n), provider=FIVE) for n in ("tenth", "second", "first_only")}
_ok = dict(growth="ok", cap="ok", layers="ok", terminal="ok", retry_after="n/a")
VERDICTS = {"tenth": dict(_ok, sync="FLAG", jitter="FLAG"), "second": dict(_ok, sync="note", jitter="ok"),
            "first_only": dict(_ok, sync="ok", jitter="note")}


def run(client, kind, workers=12):
    client = client.with_options(max_retries=0)

    def extra(attempt):
        if kind == "tenth":
            return random.uniform(0, 0.1)
        if kind == "second":
            return random.uniform(0, 1.0)
        return random.uniform(0, 2.0) if attempt == 0 else 0.0

    def work(i):
        for attempt in range(6):
            try:
                return client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": f"q {i}"}])
            except openai.RateLimitError:
                time.sleep(2 * 2 ** attempt + extra(attempt))

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
