"""Locust puts a workload on servers, in one process or in several, and its traces are judged."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

from fake_provider import Limits, Trace
from tests.fake_provider.redis_server import redis_server
from tests.fake_provider.server.serving import ROOT, serving

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("locust") is None, reason="Locust is not installed"
)
EXAMPLE = ROOT / "tests" / "examples" / "load" / "locustfile.py"
LIMITS = ("--tokens-per-minute", "1200000", "--window", "1", "--latency", "0.01")


def locust(folder, servers, *words):
    """Start Locust on the example, which needs no file of the checkout's root."""
    variables = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BASE_URLS": ",".join(server.base_url for server in servers),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", str(EXAMPLE), *words],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_port():
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def check(*paths, flags=()):
    """Judge traces, and return the status with what was said."""
    return subprocess.run(
        [sys.executable, "-m", "pytest_ratelimit", "check", *flags, *map(str, paths)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )


def calls_of(trace):
    """What each call of a trace came to: caller, attempts, how they ended."""
    return sorted(
        (call.caller, len(call.attempts), call.attempts[-1].status) for call in trace.calls
    )


def test_users_make_the_calls_of_a_workload(tmp_path):
    """What users say that they sent is what the server saw, with hints, and is judged."""
    with serving(*LIMITS, "--trace", str(tmp_path / "server.jsonl")) as served:
        words = ("--headless", "-u", "12", "-r", "100", "-t", "90")
        run = locust(tmp_path, [served], *words, "--provider-trace", "sent.jsonl")
        said = run.communicate(timeout=100)[0]
        served.stop()
    seen, sent = (Trace.load(tmp_path / f"{name}.jsonl") for name in ("server", "sent"))
    assert len({a.caller for a in seen.attempts}) == 12, said
    assert len(sent.calls) == 36
    assert seen.refused
    assert calls_of(sent) == calls_of(seen)
    assert {a.input_tokens + a.output_tokens for a in seen.attempts} == {2_000}
    assert {a.hint for a in sent.refused} == {a.hint for a in seen.refused}
    assert sent.limits == seen.limits == Limits(tokens_per_minute=1_200_000, window=1)
    assert "refused with 429, wait 1 s" in said
    judged = check(tmp_path / "sent.jsonl")
    assert f"{len(sent.attempts)} attempts of 36 calls by 12 callers" in judged.stdout
    assert "RL103" not in judged.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_master_with_two_workers_and_two_servers_share_a_limit(tmp_path):
    """No second holds more than the limit over both servers; one trace is made of each side."""
    with redis_server() as store, ExitStack() as running:
        servers = [
            running.enter_context(
                serving(*LIMITS, "--ledger", store.url, "--trace", str(tmp_path / f"{n}.jsonl"))
            )
            for n in range(2)
        ]
        words = ("--headless", "-u", "40", "-r", "100", "-t", "90", "--expect-workers", "2")
        port = str(free_port())
        words += ("--provider-trace", "sent.jsonl", "--master-bind-port", port)
        master = locust(tmp_path, servers, "--master", *words)
        workers = [locust(tmp_path, servers, "--worker", "--master-port", port) for _ in range(2)]
        said = master.communicate(timeout=200)[0]
        for worker in workers:
            worker.communicate(timeout=30)
        for server in servers:
            server.stop()
    sides = [Trace.load(tmp_path / f"{number}.jsonl") for number in range(2)]
    assert all(side.attempts for side in sides)
    whole = Trace.merged(sides)
    assert len(whole.callers) == 40, said
    assert calls_of(Trace.load(tmp_path / "sent.jsonl")) == calls_of(whole)
    assert len(whole.calls) == 120
    assert whole.refused
    # Arrivals are those of the servers' clocks, a little before the store's instants.
    served = [a for a in whole.attempts if a.status == 200]
    for first in served:
        inside = [a for a in served if 0 <= a.arrived_at - first.arrived_at < 0.95]
        assert sum(a.tokens for a in inside) <= 20_000
    judged = check(tmp_path / "0.jsonl", tmp_path / "1.jsonl")
    assert "of 120 calls by 40 callers" in judged.stdout
    assert "RL103" not in judged.stdout
