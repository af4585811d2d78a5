import threading
import time
from concurrent.futures import ThreadPoolExecutor

from anthropic import Anthropic


class TokenBucket:
    def __init__(self, tokens_per_second, burst):
        self.rate, self.burst, self.level = tokens_per_second, burst, burst
        self.read_at = time.monotonic()
        self.lock = threading.Lock()

    def book(self, tokens):
        with self.lock:
            now = time.monotonic()
            self.level = min(self.burst, self.level + (now - self.read_at) * self.rate) - tokens
            self.read_at = now
            return max(0.0, -self.level / self.rate)


def ask(client, bucket, prompt):
    time.sleep(bucket.book(400_000))
    return client.messages.create(
        model="claude-sonnet-5",
        max_tokens=500,
        messages=[{"role": "user", "content": prompt}],
    )


def agent(number, bucket):
    with Anthropic(max_retries=0) as client:
        return [ask(client, bucket, f"chunk {number}, question {n}") for n in range(4)]


def run_pipeline(agents):
    bucket = TokenBucket(tokens_per_second=2_000_000 / 60, burst=2_000_000)
    with ThreadPoolExecutor(agents) as pool:
        return list(pool.map(agent, range(agents), [bucket] * agents))
