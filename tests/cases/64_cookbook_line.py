"""The cookbook's line in threads: wait_random_exponential(min=1, max=60), whose first waits are exactly the minimum.

Scenario: 12 threads refused for ever; min=4: the first three waits are exactly 4.0 s on the current version.
Verdict: minimum: sync FLAG, jitter FLAG, cap ok (6).  without: multiplier only: ok.
"""
from concurrent.futures import ThreadPoolExecutor

import openai
from tenacity import retry, stop_after_attempt, wait_random_exponential

NEVER = dict(script=lambda nth, n, b, t: (429, {}, None), latency=0.2)
SCENARIOS = {"minimum": dict(sdk="openai", provider=NEVER), "without": dict(sdk="openai", provider=NEVER)}
VERDICTS = {"minimum": dict(sync="FLAG", jitter="FLAG", cap="ok", layers="ok", terminal="ok", retry_after="n/a"),
            "without": dict(sync="ok", jitter="ok", growth="ok", cap="ok", layers="ok", terminal="ok", retry_after="n/a")}


def _all(client, wait):
    client = client.with_options(max_retries=0)

    @retry(wait=wait, stop=stop_after_attempt(6))
    def complete(**kwargs):
        return client.chat.completions.create(**kwargs)

    def work(i):
        try:
            return complete(model="gpt-x", messages=[{"role": "user", "content": f"row {i}"}])
        except Exception as err:
            return err

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(12)))


def minimum(client):
    _all(client, wait_random_exponential(min=4, max=60))


def without(client):
    _all(client, wait_random_exponential(multiplier=2, max=60))
