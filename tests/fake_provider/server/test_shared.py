"""Servers that share a limit through a store, and what their clients are told when it is lost."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack

import pytest

from fake_provider import FakeProvider, ProviderError, Trace
from tests.fake_provider.redis_server import redis_server
from tests.fake_provider.server.serving import (
    COMMAND,
    ROOT,
    ask,
    message,
    request,
    serving,
)


@pytest.fixture
def store(monkeypatch):
    """A store of its own, which is asked again at once after a failure."""
    monkeypatch.setattr("fake_provider._store.PAUSE_S", 0.0)
    with redis_server() as server:
        yield server


def flags(store, *more):
    """Return the flags of a server that shares five requests a minute."""
    return ("--requests-per-minute", "5", "--latency", "0", "--ledger", store.url, *more)


def test_two_servers_share_one_limit(store):
    """What one admits is missing for the other, and each has its own trace."""
    with ExitStack() as running:
        one, other = (running.enter_context(serving(*flags(store))) for _ in range(2))
        statuses = [ask(server.port) for server in (one, other) * 4]
        assert statuses == [200] * 5 + [429] * 3
        traces = [
            Trace.load(server.get("/trace")[1].decode().splitlines()) for server in (one, other)
        ]
    assert [len(trace.attempts) for trace in traces] == [4, 4]
    assert [len(trace.refused) for trace in traces] == [1, 2]


def test_a_server_that_is_started_again_goes_on_with_the_limit(store):
    """The store knows what the killed one has admitted."""
    for _ in range(2):
        with serving(*flags(store)) as served:
            statuses = [ask(served.port) for _ in range(4)]
            served.process.kill()
            served.process.wait()
    assert statuses == [200, 429, 429, 429]


def test_a_store_that_is_lost_refuses_with_a_reason():
    """Clients get a 503 that names the store, the trace says why, and a reset begins anew."""
    with redis_server() as store, serving(*flags(store)) as served:
        assert ask(served.port) == 200
        store.stop()
        status, body = request(served.port, "POST", "/v1/messages", message())
        assert status == 503
        told = f"the ledger at {store.url} is lost"
        assert told in json.loads(body)["error"]["message"]
        status, body = request(served.port, "POST", "/_fake_provider/reset", b"")
        assert status == 503
        assert told in json.loads(body)["error"]
        trace = Trace.load(served.get("/trace")[1].decode().splitlines())
        assert [a.reason for a in trace.attempts] == [None, "ledger-lost"]
        store.start()
        while request(served.port, "POST", "/_fake_provider/reset", b"")[0] == 503:
            pass
        assert ask(served.port) == 200


def test_a_store_that_has_forgotten_admits_nothing_until_a_reset(store):
    """A store that starts anew is empty, and not taken for one that nothing was charged to."""
    settings = {"clock": "real", "door": "server", "latency": 0.0, "ledger": store.url}
    with FakeProvider(requests_per_minute=5, **settings) as provider:
        port = int(provider.base_url.rpartition(":")[2])
        assert ask(port) == 200
        store.stop()
        store.start()
        status, body = request(port, "POST", "/v1/messages", message())
        assert status == 503
        assert b"has started anew" in body
        provider.reset()
        assert ask(port) == 200


def test_a_store_that_is_lost_can_fail_the_run(store):
    """Clients get an error that no SDK retries, and the trace says that the run was stopped."""
    settings = {"clock": "real", "door": "server", "latency": 0.0, "ledger": store.url}
    with FakeProvider(requests_per_minute=5, lost_ledger="stop", **settings) as provider:
        port = int(provider.base_url.rpartition(":")[2])
        store.stop()
        assert ask(port) == 500
    assert store.url in provider.trace.stopped


def test_a_client_in_this_process_is_told_too(store):
    """It raises what no retry loop catches."""
    import anthropic

    with FakeProvider(
        requests_per_minute=1, clock="real", ledger=store.url, lost_ledger="stop"
    ) as provider:
        store.stop()
        client = anthropic.Anthropic()
        with pytest.raises(ProviderError, match="is lost"):
            client.messages.create(
                model="claude-sonnet-5",
                max_tokens=9,
                messages=[{"role": "user", "content": "x"}],
            )
    assert provider.trace.stopped


def test_a_store_that_is_not_there_is_told_at_the_start(store):
    """A provider does not open without its ledger."""
    store.stop()
    provider = FakeProvider(requests_per_minute=1, clock="real", ledger=store.url)
    with pytest.raises(OSError, match=r"the ledger at .* is lost"):
        provider.__enter__()


@pytest.mark.parametrize("verb", [["serve"], ["run"]])
def test_a_command_that_cannot_have_its_ledger_is_one_line_and_status_2(verb, store):
    """There is no traceback, and the store is named."""
    store.stop()
    words = [*verb, "--ledger", store.url, *(["--", "true"] if verb == ["run"] else [])]
    ran = command(*words)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1)
    assert f"the ledger at {store.url} is lost" in ran.stderr


def test_a_run_whose_ledger_is_lost_fails(store):
    """With `--lost-ledger stop` the command's success does not count."""
    client = "import os, signal, urllib.request as u; os.kill(int(os.environ['STORE']), 9);"
    client += "r = u.Request(os.environ['ANTHROPIC_BASE_URL'] + '/v1/messages', b'{\"model\": "
    client += '"m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}\', '
    client += "{'x-api-key': 'k', 'anthropic-version': '2023-06-01'});"
    client += "import contextlib, urllib.error\n"
    client += "with contextlib.suppress(urllib.error.HTTPError): u.urlopen(r)"
    stated = flags(store, "--lost-ledger", "stop")
    ran = command("run", *stated, "--", "python3", "-c", client, STORE=str(store.pid))
    assert ran.returncode == 2
    assert "is lost" in ran.stderr.splitlines()[-1]


def command(*words, **variables):
    """Run the command line in a process of its own."""
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        timeout=60,
        check=False,
    )
