"""A shared gate in threads: one refusal closes it for all; it opens for all at once, or for one after another.

Scenario: 10 threads, 3 requests / 20 s, Retry-After in seconds.
Verdict: opens_for_all: sync FLAG, retry_after ok.  one_by_one: 7 s apart after the pause: sync ok, retry_after ok.
"""
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic

PROV = dict(rpm=3, window=20.0, latency=0.2)
SCENARIOS = {n: dict(entry="run", kwargs=dict(apart=a), provider=PROV) for n, a in (("opens_for_all", 0.0), ("one_by_one", 7.0))}
VERDICTS = {"opens_for_all": dict(sync="FLAG", retry_after="ok", layers="ok", cap="ok", growth="n/a"),
            "one_by_one": dict(sync="ok", retry_after="ok", layers="ok", cap="ok", growth="n/a")}


def run(client, apart, workers=10):
    client, lock = client.with_options(max_retries=0), threading.Lock()
    opens_at = 0.0

    def work(i):
        nonlocal opens_at
        at = 0.0
        for _ in range(9):
            pause = at - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            try:
                return client.messages.create(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": f"q {i}"}])
            except anthropic.RateLimitError as err:
                with lock:
                    until = time.monotonic() + float(err.response.headers["retry-after"])
                    if apart:
                        at = opens_at = max(until, opens_at + apart)
                    else:
                        at = opens_at = max(until, opens_at)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
