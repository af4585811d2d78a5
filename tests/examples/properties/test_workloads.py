import random
import time

from anthropic import RateLimitError
from hypothesis import given, settings
from pytest_ratelimit import assert_all_calls_succeed, assert_no
from pytest_ratelimit.strategies import workloads


def ask(client):
    for _ in range(40):
        try:
            return client.with_options(max_retries=0).messages.create(
                model="claude-sonnet-5",
                max_tokens=500,
                messages=[{"role": "user", "content": "What changed?"}],
            )
        except RateLimitError as refusal:
            time.sleep(float(refusal.response.headers["retry-after"]) + random.uniform(0, 300))
    raise TimeoutError("refused forty times")


@settings(max_examples=10, deadline=None, derandomize=True)
@given(workload=workloads())
def test_no_herd_whatever_the_workload(workload):
    trace = workload.drive(ask)
    assert_all_calls_succeed(trace)
    assert_no(trace, "RL101", "RL102", "RL103")
