"""Each worker with a generator of its own: seeded alike, in two groups, by its number, or by the minute.

Scenario: 9 threads refused five times, no hint, full jitter over 2, 4, 8 ...
Verdict: alike and by_minute: sync FLAG, jitter FLAG.  two_groups: jitter FLAG (RL104) or sync FLAG; by_number: ok.
"""
import random
import threading
import time

import anthropic

FIVE = dict(script=lambda nth, n, b, t: (429, {}, None) if nth < 5 else None, latency=0.2)
NAMES = ("alike", "by_minute", "two_groups", "by_number")
SCENARIOS = {n: dict(entry="run", kwargs=dict(kind=n), provider=FIVE) for n in NAMES}
_ok = dict(layers="ok", cap="ok", growth="ok", retry_after="n/a")
VERDICTS = {"alike": dict(sync="FLAG", jitter="FLAG", layers="ok", cap="ok", retry_after="n/a"),
            "by_minute": dict(sync="FLAG", jitter="FLAG", layers="ok", cap="ok", retry_after="n/a"),
            "two_groups": dict(jitter="FLAG", layers="ok", cap="ok", retry_after="n/a"),
            "by_number": dict(_ok, sync="ok", jitter="ok")}


def run(client, kind, workers=9):
    client = client.with_options(max_retries=0)

    def seed(i):
        return {"alike": 0, "by_minute": int(time.time() // 60), "two_groups": i % 2, "by_number": i}[kind]

    def work(i):
        rng = random.Random(seed(i))
        for attempt in range(6):
            try:
                return client.messages.create(model="claude-x", max_tokens=8,
                                              messages=[{"role": "user", "content": f"q {i}"}])
            except anthropic.RateLimitError:
                time.sleep(rng.uniform(0, 2.0 * 2 ** attempt))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(workers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
