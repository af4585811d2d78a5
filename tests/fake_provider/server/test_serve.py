"""The command `serve`: one line when it listens, a trace that survives, an end on a signal."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import time

import pytest

from fake_provider import FakeProvider, Trace
from fake_provider.__main__ import main
from fake_provider._cli._flags import keywords
from tests.fake_provider.server.serving import COMMAND, KEY, ROOT, ask, serving


def test_every_keyword_is_a_flag_or_stated_not_to_be():
    """The flags are the keywords of the marker, with dashes."""
    signature = inspect.signature(FakeProvider).parameters.values()
    known = {p.name for p in signature if p.kind is p.KEYWORD_ONLY}
    assert sorted(known) == sorted(keywords())


def test_it_prints_one_line_and_ends_cleanly(tmp_path):
    """The line has base URL, variables and pid; SIGTERM ends it with status 0, trace whole."""
    path = tmp_path / "t.jsonl"
    with serving("--requests-per-minute", "2", "--latency", "0", "--trace", str(path)) as served:
        assert served.pid == served.process.pid
        assert served.env["ANTHROPIC_BASE_URL"] == f"{served.base_url}/anthropic"
        assert [ask(served.port) for _ in range(3)] == [200, 200, 429]
        live = Trace.load(served.get("/trace")[1].decode().splitlines())
        assert served.stop() == 0
    trace = Trace.load(path)
    assert trace.attempts == live.attempts
    assert (trace.clock, trace.limits.limits[0].amount) == ("real", 2)
    assert trace.ended_at >= trace.attempts[-1].ended_at


def test_an_interrupt_ends_it_cleanly_too():
    """Ctrl-C is a way to stop it, not an error."""
    with serving() as served:
        assert served.stop(signal.SIGINT) == 0
        assert served.process.stderr.read() == ""


def test_what_is_under_way_when_it_stops_is_written(tmp_path):
    """An attempt that is being served when the signal comes is in the trace, cancelled."""
    path = tmp_path / "t.jsonl"
    with serving("--latency", "60", "--trace", str(path)) as served:
        client = subprocess.Popen(
            ["curl", "-s", "-d", "{}", f"{served.base_url}/v1/messages"],
        )
        client.kill()
        client.wait()
        from http.client import HTTPConnection

        from tests.fake_provider.server.serving import HEADERS, message

        connection = HTTPConnection("127.0.0.1", served.port)
        connection.request("POST", "/v1/messages", message(), HEADERS)
        while b"in_flight 1" not in served.get("/metrics")[1]:
            time.sleep(0.01)
        assert served.stop() == 0
        connection.close()
    assert Trace.load(path).attempts[-1].cancelled_at is not None


def test_a_kill_loses_nothing_that_was_answered(tmp_path):
    """After kill -9 the file holds every attempt that a client was answered, and goes on."""
    path = tmp_path / "t.jsonl"
    flags = ("--requests-per-minute", "3", "--latency", "0", "--trace", str(path))
    with serving(*flags) as served:
        for _ in range(5):
            ask(served.port)
        served.process.kill()
        served.process.wait()
    assert [a.status for a in Trace.load(path).attempts] == [200, 200, 200, 429, 429]
    with serving(*flags) as served:
        ask(served.port)
        served.stop()
    trace = Trace.load(path)
    assert [a.index for a in trace.attempts] == list(range(6))
    assert trace.attempts[-1].call > trace.attempts[-2].call
    assert trace.attempts[-1].arrived_at > trace.attempts[-2].arrived_at


def test_a_reset_empties_the_file_too(tmp_path):
    """After a reset the file holds what came since."""
    path = tmp_path / "t.jsonl"
    with serving("--latency", "0", "--trace", str(path)) as served:
        ask(served.port)
        ask(served.port)
        from tests.fake_provider.server.serving import request

        request(served.port, "POST", "/_fake_provider/reset", b"")
        ask(served.port)
        served.stop()
    assert len(Trace.load(path).attempts) == 1


def test_no_key_is_written_anywhere(tmp_path):
    """Neither the trace, nor the log, nor what the server tells of itself holds an API key."""
    path = tmp_path / "t.jsonl"
    with serving("--requests-per-minute", "1", "--trace", str(path), "--latency", "0") as served:
        ask(served.port)
        ask(served.port)
        from tests.fake_provider.server.serving import request

        request(served.port, "POST", f"/v1/unknown?key={KEY}", b"{}", {"x-api-key": KEY})
        told = b"".join(served.get(p)[1] for p in ("/trace", "/metrics", "/health"))
        served.stop()
        log = served.process.stdout.read() + served.process.stderr.read()
    assert KEY.encode() not in told
    assert KEY not in log
    assert KEY.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["serve", "--requests-per-minute", "0"], "requests_per_minute must be"),
        (["serve", "--hosts", "llm.corp"], "hosts must be HOST=DIALECT"),
        (["serve", "--dialect", "latin"], "dialect must be one of"),
        (["serve", "--port", "1", "--host", "203.0.113.7"], "fake-provider serve:"),
        (["serve", "--trace", "/nowhere/t.jsonl"], "/nowhere/t.jsonl"),
    ],
)
def test_what_cannot_be_served_is_one_line_and_status_2(words, says):
    """An error names the keyword, the value and what is allowed; there is no traceback."""
    ran = subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2
    assert says in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_help_lists_the_flags(capsys):
    """Every flag is in the help of serve."""
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    text = capsys.readouterr().out
    for name in ("tokens_per_minute", "hosts", "latency", "trace", "port"):
        assert f"--{name.replace('_', '-')}" in text
    assert json.dumps({}) not in text
