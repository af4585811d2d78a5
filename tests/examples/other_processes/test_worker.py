import subprocess
import sys

import pytest
from pytest_ratelimit import assert_all_calls_succeed, assert_retry_after_respected


@pytest.mark.ratelimit(
    requests_per_minute=120, window=1, hint="ms", latency=0.01, door="server", clock="real"
)  # 2 requests in any second
def test_the_worker_waits(fake_provider):
    subprocess.run([sys.executable, "worker.py"], check=True)
    assert len(fake_provider.trace.refused) >= 1
    assert_all_calls_succeed(fake_provider.trace)
    assert_retry_after_respected(fake_provider.trace)
