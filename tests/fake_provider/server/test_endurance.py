"""A server that runs for long: its memory stays as it is, and no line of its trace is lost."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import threading
import time
from collections import Counter

import pytest

from fake_provider import FakeProvider, Trace
from fake_provider import _peers as peers
from fake_provider._calls import Calls
from fake_provider._lineage import Lineage
from fake_provider._peers import Peer, RemoteCalls
from fake_provider._standalone import standalone
from tests.benchmarks.bench_server import ask as flood
from tests.fake_provider.server.serving import HEADERS, ask, message, request, serving
from tests.fake_provider.server.test_robustness import resident

SOAK_S = float(os.environ.get("RATELIMIT_SOAK_S", "300"))


def provider(**more):
    """Return a provider for other processes that answers at once."""
    return FakeProvider(clock="real", door="server", latency=0.0, **more)


def trace_of(port):
    """Return the trace that a server tells."""
    status, body = request(port, "GET", "/_fake_provider/trace")
    assert status == 200
    return Trace.load(body.decode().splitlines())


def port_of(opened):
    """Return the port of an open provider."""
    return int(opened.base_url.rpartition(":")[2])


def test_without_a_file_the_last_attempts_are_kept(monkeypatch):
    """Memory has a bound, and a trace that has lost its beginning says so."""
    monkeypatch.setattr("fake_provider._standalone.KEPT", 3)
    opened = provider()
    with standalone(opened, "127.0.0.1", 0):
        for _ in range(3):
            ask(port_of(opened))
        assert trace_of(port_of(opened)).stopped is None
        for _ in range(2):
            ask(port_of(opened))
        trace = trace_of(port_of(opened))
        assert b'"attempts": 5' in request(port_of(opened), "GET", "/_fake_provider/health")[1]
    assert len(trace.attempts) == 3
    assert trace.stopped == "the last 3 of 5 attempts are kept: serve with --trace"


def test_with_a_file_what_has_ended_is_not_kept(tmp_path):
    """What the server tells is the file and what is under way, each attempt once."""
    opened = provider()
    with standalone(opened, "127.0.0.1", 0, tmp_path / "t.jsonl"):
        port = port_of(opened)
        for _ in range(3):
            ask(port)
        assert len(opened._desk.stages.intake.records) == 0
        assert [a.index for a in trace_of(port).attempts] == [0, 1, 2]
        assert opened._desk.stages.intake.count == 3


def test_what_is_under_way_is_told_beside_the_file(tmp_path):
    """An attempt that has not ended stands behind those that have, without an end."""
    path = tmp_path / "t.jsonl"
    with serving("--latency", "30", "--trace", str(path)) as served:
        waiting = http.client.HTTPConnection("127.0.0.1", served.port)
        waiting.request("POST", "/v1/messages", message(), HEADERS)
        while b"in_flight 1" not in served.get("/metrics")[1]:
            time.sleep(0.01)
        (only,) = trace_of(served.port).attempts
        assert only.ended_at is None
        waiting.close()


def test_failed_calls_and_callers_are_forgotten_in_the_end(monkeypatch):
    """Whoever sends a new body, or a new name, with each request fills no memory."""
    monkeypatch.setattr(peers, "MOST_FAILED", 10)
    monkeypatch.setattr(peers, "MOST_CALLERS", 10)
    calls = RemoteCalls(Calls(Lineage()))
    for number in range(100):
        for name in (None, f"agent {number}"):
            place, _ = calls.place(Peer(), name, f"body {number}", None)
            calls.ended(place.call, failed=True)
    assert len(calls._failed) <= 10
    assert len(calls._named) <= 10
    assert sum(len(caller.open) for caller in calls._named.values()) <= 10
    assert calls._calls._units == {}


@pytest.mark.slow
@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("written", [True, False])
def test_memory_is_flat_over_a_million_requests(written, tmp_path):
    """After the first 150,000 requests the next 850,000 add next to nothing."""
    flags = ("--trace", str(tmp_path / "t.jsonl")) if written else ()
    with serving("--latency", "0", "--requests-per-minute", "30000", *flags) as served:
        asyncio.run(flood(served.port, 150_000, 16, status=None))
        before_mb = resident(served.pid)
        asyncio.run(flood(served.port, 850_000, 16, status=None))
        after_mb = resident(served.pid)
        assert b'"attempts": 1000000' in served.get("/health")[1]
    print(f"{before_mb:.0f} MB after 150,000 requests, {after_mb:.0f} MB after 1,000,000")
    assert after_mb < 1.1 * before_mb + 5


def hammer(port, name, until_s, answered):
    """Ask until the time is over, each time something else, and note what was answered."""
    number = 0
    while time.monotonic() < until_s:
        text = f"{name} asks {number}"
        number += 1
        try:
            status = ask(port, text, caller=name)
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
            continue
        answered[status, name] += 1


@pytest.mark.slow
@pytest.mark.timeout(SOAK_S + 300)
def test_a_soak_with_a_kill_in_its_middle_loses_no_line(tmp_path):
    """Every answer that a client had is in the trace, before and after kill -9; memory is flat."""
    path = tmp_path / "t.jsonl"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = ("--port", str(port), "--latency", "0.01", "--requests-per-minute", "600")
    flags += ("--trace", str(path))
    answered, until_s = Counter(), time.monotonic() + SOAK_S
    clients = [
        threading.Thread(target=hammer, args=(port, f"agent {n}", until_s, answered))
        for n in range(8)
    ]
    sizes = []
    with serving(*flags) as served:
        for client in clients:
            client.start()
        time.sleep(SOAK_S / 2)
        served.process.send_signal(signal.SIGKILL)
        served.process.wait()
    with serving(*flags) as served:
        time.sleep(SOAK_S / 10)
        sizes.append(resident(served.pid))
        for client in clients:
            client.join()
        sizes.append(resident(served.pid))
        assert served.stop() == 0
    trace = Trace.load(path)
    seen = Counter((a.status, a.caller) for a in trace.attempts if a.cancelled_at is None)
    print(f"{answered.total():,} answers, {len(trace.attempts):,} attempts, {sizes} MB")
    assert {status for status, _ in answered} == {200, 429}
    assert all(seen[key] >= count for key, count in answered.items())
    # What a client was never told, since the server was killed, may be there as well.
    assert seen.total() - answered.total() <= len(clients)
    assert [a.index for a in trace.attempts] == list(range(len(trace.attempts)))
    assert sizes[1] < 1.1 * sizes[0] + 5
