"""Thread pools and job queues: workers that wait alike, and jobs that come back by a countdown.

Scenario: 10 threads, one call each, every attempt refused without a hint (fixed, spread); 8 jobs
  of a queue, each refused once with a hint of 30 s, put back with a countdown (countdown_*).
Verdict: fixed: all ten wake at once: sync and jitter FLAG, growth FLAG.  spread: full jitter, ok.
  countdown_short: put back after 10 s, which is before the hint: retry_after FLAG, whoever takes the
  job.  countdown_long: after 30 s plus up to 20 s: ok.
"""
import queue
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic

NEVER = dict(script=lambda nth, n, b, t: (429, {}, None), latency=0.2)
ONCE = dict(script=lambda nth, n, b, t: (429, {"retry-after": "30"}, None) if nth == 0 else None, latency=0.2)
SCENARIOS = {
    "fixed": dict(entry="pool", kwargs=dict(wait="fixed"), provider=NEVER),
    "spread": dict(entry="pool", kwargs=dict(wait="spread"), provider=NEVER),
    "countdown_short": dict(entry="jobs", kwargs=dict(countdown=10.0, extra=0.0), provider=ONCE),
    "countdown_long": dict(entry="jobs", kwargs=dict(countdown=30.0, extra=20.0), provider=ONCE),
}
VERDICTS = {
    "fixed": dict(sync="FLAG", jitter="FLAG", growth="FLAG", cap="ok", layers="ok", retry_after="n/a"),
    "spread": dict(sync="ok", jitter="ok", growth="ok", cap="ok", layers="ok", retry_after="n/a"),
    "countdown_short": dict(retry_after="FLAG", terminal="n/a"),
    "countdown_long": dict(retry_after="ok", sync="ok", layers="ok", cap="n/a"),
}


def ask(client, text):
    return client.messages.create(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": text}])


def pool(client, wait):
    client = client.with_options(max_retries=0)

    def work(i):
        for attempt in range(5):
            try:
                return ask(client, f"row {i}")
            except anthropic.RateLimitError:
                time.sleep(3.0 if wait == "fixed" else random.uniform(0, 2.0 * 2 ** attempt))

    with ThreadPoolExecutor(10) as threads:
        list(threads.map(work, range(10)))


def jobs(client, countdown, extra):
    client = client.with_options(max_retries=0)
    todo = queue.Queue()
    for i in range(8):
        todo.put((0.0, f"job {i}"))
    began = time.monotonic()

    def worker():
        while True:
            try:
                due, text = todo.get(timeout=90)
            except queue.Empty:
                return
            pause = due - (time.monotonic() - began)
            if pause > 0:
                time.sleep(pause)
            try:
                ask(client, text)
            except anthropic.RateLimitError:
                todo.put((time.monotonic() - began + countdown + random.uniform(0, extra), text))

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
