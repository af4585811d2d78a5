"""Whatever is sent to it, the server goes on serving, keeps to its memory and its files."""

from __future__ import annotations

import gc
import http.client
import json
import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from fake_provider import FakeProvider, Trace
from fake_provider import _protocols as protocols
from fake_provider._app import MOST_BODY
from tests.fake_provider.server.serving import (
    HEADERS,
    KEY,
    answer_to,
    ask,
    dial,
    message,
    request,
    serving,
)

HEAD = (
    b"POST /v1/messages HTTP/1.1\r\nhost: h\r\nx-api-key: k\r\n"
    b"anthropic-version: 2023-06-01\r\ncontent-type: application/json\r\n"
)
MB = 1024 * 1024


@pytest.fixture(params=["httptools", "h11"])
def port(request, monkeypatch):
    """The port of an open provider, on each of uvicorn's parsers."""
    if request.param == "h11":
        monkeypatch.setattr("fake_provider._server.protocol_class", protocols._h11_class)
    with FakeProvider(clock="real", door="server", latency=0.0) as provider:
        yield int(provider.base_url.rpartition(":")[2])
        assert ask(int(provider.base_url.rpartition(":")[2])) == 200


def send(port, data):
    """Send bytes as they are, say that this is all, and return what comes back."""
    with dial(port) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # the server has closed already
            pass
        return answer_to(connection)


def post(body, head=HEAD):
    """Return a whole request with this body."""
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"GET\r\n\r\n",
        b"\x00" * 4096,
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nhost: h\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nhost: h\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nhost: h\r\nno colon\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n-5\r\n{}\r\n",
        HEAD + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
    ],
    ids=["tls", "no path", "zeros", "version", "minus", "length", "colon", "size", "below", "both"],
)
def test_malformed_http_is_a_400_and_no_more(port, data):
    """What is no HTTP is turned down, and the connection is closed."""
    status = send(port, data)[:12]
    assert status in (b"HTTP/1.1 400", b"") or (status, data[-7:]) == (
        b"HTTP/1.1 404",
        b"9.9\r\n\r\n",
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'"text"',
        b"[" * 100_000,
        b'{"model":' * 9_999,
        b"NaN",
    ],
    ids=["empty", "open", "list", "null", "bytes", "text", "deep", "nested", "nan"],
)
def test_malformed_json_is_a_400_of_the_dialect(port, body):
    """What is no JSON object is answered as the provider would."""
    head, _, content = send(port, post(body)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(content)["error"]["type"] == "invalid_request_error"


def test_headers_that_are_sent_back_cannot_break_the_answer(port):
    """A line break in a model's name stays inside its quotes."""
    status, body = request(
        port, "POST", "/v1/messages", message(model="a\r\nx-evil: 1\u2028\ud800")
    )
    assert status in (200, 400, 404, 500)
    assert b"\r\nx-evil" not in body


@pytest.mark.parametrize(("length", "status"), [(MOST_BODY, 400), (MOST_BODY + 1, 413)])
def test_a_body_over_the_limit_is_a_413_of_the_dialect(port, length, status):
    """32 MB are read, one byte more is not, whatever its content."""
    got, body = request(port, "POST", "/v1/messages", b" " * length)
    assert got == status
    wanted = {400: "invalid_request_error", 413: "request_too_large"}[status]
    assert json.loads(body)["error"]["type"] == wanted


def test_a_body_that_states_no_length_is_cut_at_the_limit_too(port):
    """Chunks add up, and no more of them is kept than the limit."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    chunk = b"100000\r\n" + b" " * MB + b"\r\n"
    with dial(port, 60.0) as connection:
        connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(64):
            connection.sendall(chunk)
        connection.sendall(b"0\r\n\r\n")
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 120


@pytest.mark.parametrize(
    "flood",
    [
        b"x-one: " + b"a" * (4 * MB),
        b"".join(b"x-%d: a\r\n" % number for number in range(200_000)),
        b"a" * (4 * MB),
    ],
    ids=["one long header", "many headers", "a name without an end"],
)
def test_a_flood_of_headers_is_cut_off(port, flood):
    """A head of more than 64 kB is refused, and not kept."""
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = send(port, HEAD + flood)
    assert answer.partition(b"\r\n")[0] in (b"HTTP/1.1 400 Bad Request", b"")
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 30


def test_trailers_without_an_end_are_cut_off(port):
    """What may follow a chunked body is bounded as a head is."""
    trailers = b"".join(b"x-%d: a\r\n" % number for number in range(200_000))
    answer = send(port, HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + trailers)
    assert answer.startswith(b"HTTP/1.1 400 ") or answer == b""


def test_a_path_goes_nowhere(port):
    """A path is a name in a dialect: no file is read, and no other host is asked."""
    paths = ("/../../etc/passwd", "/_fake_provider/../../etc/passwd", "//evil.example/v1/x")
    for path in (*paths, "/_fake_provider/trace/../../x", "/%2e%2e/%2e%2e/etc/passwd"):
        assert request(port, "GET", path)[0] == 404
    absolute = b"GET http://evil.example/v1/nothing HTTP/1.1\r\nhost: evil.example\r\n\r\n"
    assert b" 404 " in send(port, absolute).partition(b"\r\n")[0]
    tunnel = send(port, b"CONNECT evil.example:443 HTTP/1.1\r\nhost: h\r\n\r\n")
    assert tunnel[:12] in (b"HTTP/1.1 404", b"HTTP/1.1 400", b"")


def test_pipelined_requests_are_answered_in_order(port):
    """Requests that are sent at once are answered one after the other."""
    with dial(port) as connection:
        connection.sendall(post(message("one")) * 20)
        answer = b""
        while answer.count(b"HTTP/1.1 200 OK") < 20:
            part = connection.recv(65536)
            assert part
            answer += part


def test_slow_clients_do_not_hold_others_up(port):
    """While 200 clients send their requests a byte at a time, others are answered at once."""
    with ExitStack() as open_ones:
        slow = [open_ones.enter_context(dial(port)) for _ in range(200)]
        for byte in (HEAD[:1], HEAD[1:2], HEAD[2:30]):
            for connection in slow:
                connection.sendall(byte)
        waits = []
        for _ in range(20):
            began = time.perf_counter()
            assert ask(port) == 200
            waits.append(time.perf_counter() - began)
    assert sorted(waits)[10] < 0.5


def test_a_client_that_does_not_read_holds_nobody_up():
    """Answers wait in the kernel's and the server's bounded buffers, others are served."""
    with FakeProvider(clock="real", door="server", latency=0.0) as provider:
        port = int(provider.base_url.rpartition(":")[2])
        with dial(port) as connection:
            connection.setblocking(False)
            data = post(message("x", stream=True)) * 50
            for _ in range(200):
                try:
                    connection.send(data)
                except BlockingIOError:
                    break
            assert ask(port) == 200


@pytest.fixture
def impatience(monkeypatch):
    """A server that looks for unfinished requests all the time, and waits for none of them."""
    monkeypatch.setattr("fake_provider._server._PATIENCE_TICK_S", 0.01)
    monkeypatch.setattr(protocols, "MOST_ARRIVAL_S", 0.1)


def test_a_request_that_never_ends_is_cut_off(impatience, port):
    """A head or a body that does not come to its end closes the connection in the end."""
    with dial(port) as head, dial(port) as body:
        head.sendall(HEAD)
        body.sendall(HEAD + b"content-length: 100\r\n\r\n{")
        assert answer_to(head) == b""
        assert answer_to(body) == b""


def test_a_connection_between_requests_is_not_cut_off(impatience, port):
    """Patience is with a request, not with a connection that keeps alive."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    began = time.monotonic()
    while time.monotonic() < began + 0.5:
        connection.request("POST", "/v1/messages", message(), HEADERS)
        response = connection.getresponse()
        response.read()
        assert (response.status, response.will_close) == (200, False)
    connection.close()


def test_only_its_own_file_is_written(tmp_path):
    """After requests of all kinds there is the trace's file, and nothing else is new."""
    path = tmp_path / "t.jsonl"
    with serving("--latency", "0", "--trace", str(path)) as served:
        for target in ("/../../x", f"/v1/messages?trace={tmp_path}/y", "/_fake_provider/trace"):
            request(served.port, "POST", target, message(), {**HEADERS, "x-caller": "../z"})
        opened = {str(each.readlink()) for each in Path(f"/proc/{served.pid}/fd").iterdir()}
        served.stop()
    assert [each.name for each in tmp_path.iterdir()] == ["t.jsonl"]
    files = {name for name in opened if name.startswith("/") and not name.startswith("/dev/")}
    assert files == {str(path)}
    assert KEY not in path.read_text(encoding="utf-8")
    assert Trace.load(path).attempts[0].caller == "../z"


@pytest.mark.parametrize("parser", ["httptools", "h11"])
def test_both_parsers_are_what_they_are_called(parser):
    """The tests above ran on the parser that they name."""
    classes = {"httptools": protocols._httptools_class, "h11": protocols._h11_class}
    assert classes[parser]().__mro__[2].__module__.endswith(f"{parser}_impl")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_idle_connections_leave_it_serving():
    """With 10,000 connections open, half of them with half a request, a request takes no longer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 11_000:
        pytest.skip(f"this process may open {hard:,} files: too few")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with serving("--latency", "0") as served, ExitStack() as open_ones:
            alone = typical_s(served.port)
            for number in range(10_000):
                connection = open_ones.enter_context(dial(served.port, 60.0))
                if number % 2:
                    connection.sendall(HEAD)
            crowded = typical_s(served.port)
            resident_mb = resident(served.pid)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print(f"{alone * 1e3:.2f} ms alone, {crowded * 1e3:.2f} ms in the crowd, {resident_mb:.0f} MB")
    assert crowded < 5 * alone + 0.02
    assert resident_mb < 400


def typical_s(port):
    """The median seconds of 50 requests, each on a connection of its own."""
    waits = []
    for _ in range(50):
        began = time.perf_counter()
        assert ask(port) == 200
        waits.append(time.perf_counter() - began)
    return sorted(waits)[25]


def resident(pid):
    """Megabytes that a process has in memory."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
