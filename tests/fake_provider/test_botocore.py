"""The door of botocore: its sessions, whenever they were made, and botocore as it was."""

from __future__ import annotations

import http.server
import io
import subprocess
import sys
import threading

import pytest
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from urllib3.exceptions import ProtocolError
from urllib3.exceptions import ReadTimeoutError as BodyTimeoutError

from fake_provider._guard import guard
from fake_provider._intercept import intercept
from fake_provider._wire._shapes import Chunk
from tests.fake_provider.stub_provider import MESSAGE, Refused, StubProvider, plain, stream

ONE, TWO = Chunk(b"one"), Chunk(b"two")
URL = "https://gateway.test/model/m%3A0/converse?x=1"


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Every test here leaves the session's method as it was."""
    before = vars(URLLib3Session)["send"]
    yield
    assert vars(URLLib3Session)["send"] is before


def prepared(url=URL, data=b"hello", streamed=False, headers=()):
    """A request as botocore sends it."""
    request = AWSRequest("POST", url, dict(headers), data, stream_output=streamed)
    return request.prepare()


def send(url=URL, session=None, **options):
    """Send a request by a session of its own."""
    return (session or URLLib3Session()).send(prepared(url, **options))


def test_a_session_made_before_is_answered(log):
    """Status, headers and body arrive in botocore's own response, after the provider's wait."""
    session = URLLib3Session()
    with intercept(StubProvider(plain(status=429), log=log)):
        response = send(session=session)
    assert type(response).__module__ == "botocore.awsrequest"
    assert (response.status_code, response.content) == (429, MESSAGE)
    assert response.headers["Content-Type"] == "application/json"
    assert log == ["sleep 0.5", "end"]


@pytest.mark.parametrize(
    ("data", "body"),
    [(b"bytes", b"bytes"), ("text", b"text"), (io.BytesIO(b"file"), b"file"), (None, b"")],
)
def test_a_request_is_handed_over_in_the_provider_s_terms(data, body):
    """Header names are lower case, the path is decoded, the query is apart, the body is read."""
    provider = StubProvider(plain(), first_s=0.0)
    with intercept(provider):
        send("https://GateWay.test:8443/model/m%3A0/converse?x=1", data=data, headers={"X-A": "1"})
    (request,) = provider.requests
    assert (request.method, request.host, request.path) == (
        "POST",
        "gateway.test",
        "/model/m:0/converse",
    )
    assert (request.query, request.headers["x-a"], request.body) == ("x=1", "1", body)


def test_a_stream_is_read_chunk_by_chunk(log):
    """The status line and each chunk arrive after their own waits, the last one with the end."""
    with intercept(StubProvider(stream((ONE, TWO)), each_s=0.25, log=log)):
        response = send(streamed=True)
        log.append(f"status {response.status_code}")
        log.extend(part.decode() for part in response.raw.stream())
    assert log == ["sleep 0.5", "status 200", "sleep 0.25", "one", "sleep 0.25", "end", "two"]


def test_a_stream_is_read_by_bytes():
    """A read of fewer bytes than a chunk has leaves the rest for the next one."""
    with intercept(StubProvider(stream((ONE, TWO)), first_s=0.0)):
        raw = send(streamed=True).raw
        assert [raw.read(2), raw.read(2), raw.read()] == [b"on", b"e", b"two"]


def test_a_stream_closed_early_is_cancelled(log):
    """A client that closes before the last chunk has given up."""
    with intercept(StubProvider(stream((ONE, TWO)), log=log)):
        response = send(streamed=True)
        assert response.raw.read(9) == b"one"
        response.raw.close()
    assert log == ["sleep 0.5", "cancel"]


@pytest.mark.parametrize("timeout", [(60, 7.5), 7.5])
def test_a_read_timeout_is_botocore_s_own(timeout, log):
    """A session waits exactly as long as its read timeout."""
    session = URLLib3Session(timeout=timeout)
    with (
        intercept(StubProvider(plain(), first_s=30.0, log=log)),
        pytest.raises(ReadTimeoutError, match=r"gateway\.test"),
    ):
        send(session=session)
    assert log == ["sleep 7.5", "cancel"]


def test_a_read_timeout_within_a_stream_is_urllib3_s(log):
    """Inside a body it is what botocore's own readers expect there."""
    provider = StubProvider(stream(), steps=[(5.0, None), (5.0, ONE), (9.0, TWO)], log=log)
    with intercept(provider):
        response = send(session=URLLib3Session(timeout=6.0), streamed=True)
        assert response.raw.read(9) == b"one"
        with pytest.raises(BodyTimeoutError):
            response.raw.read(9)
    assert log == ["sleep 5", "sleep 5", "sleep 6", "cancel"]


def test_a_cut_before_the_answer_is_a_closed_connection(log):
    """botocore's own error, which it retries."""
    provider = StubProvider(plain(), steps=[(0.5, None), ConnectionResetError()], log=log)
    with intercept(provider), pytest.raises(ConnectionClosedError, match=r"gateway\.test"):
        send()


def test_a_cut_within_a_stream_is_a_broken_connection(log):
    """The chunks that had left arrive, then the body breaks."""
    steps = [(0.5, None), (0.0, ONE), ConnectionResetError()]
    with intercept(StubProvider(stream(), steps=steps, log=log)):
        response = send(streamed=True)
        assert response.raw.read(9) == b"one"
        with pytest.raises(ProtocolError):
            response.raw.read(9)


def test_a_refusal_of_the_guard_names_the_library():
    """A known host that is not answered is out of reach, and botocore does not swallow that."""
    provider = StubProvider(hosts=())
    with intercept(provider), guard(provider), pytest.raises(Refused):
        send("https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse")
    assert provider.log == ["refuse botocore bedrock-runtime.us-east-1.amazonaws.com"]


def test_a_server_on_this_machine_is_reached():
    """What no provider answers takes the network as ever."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "4")
            self.end_headers()
            self.wfile.write(b"real")

        def log_message(self, *_args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        session = URLLib3Session()
        with intercept(StubProvider()):
            url = f"http://127.0.0.1:{server.server_port}/x"
            assert send(url, session, headers={"Content-Length": "5"}).content == b"real"
        session.close()
        server.shutdown()
        thread.join(10)


def test_a_library_imported_inside_is_answered():
    """A process that imports boto3 only once the provider is open."""
    code = """
from fake_provider import FakeProvider
with FakeProvider() as provider:
    import boto3
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "s"}
    client = boto3.client("bedrock-runtime", region_name="us-east-1", **keys)
    turn = {"role": "user", "content": [{"text": "hello"}]}
    client.converse(modelId="amazon.nova-pro-v1:0", messages=[turn])
    assert len(provider.trace.attempts) == 1
from botocore.httpsession import URLLib3Session
assert URLLib3Session.send.__module__ == "botocore.httpsession"
assert not hasattr(URLLib3Session.send, "__wrapped__")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
