"""The server door: other processes are answered, judged by one trace, and let go of."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest

from fake_provider import Answer, FakeProvider, Fault
from fake_provider._inbound import address
from fake_provider._server import env_for
from fake_provider._wire import DIALECTS
from tests.fake_provider.server.serving import HEADERS, ask, dial, message, request

REAL = {"clock": "real", "door": "server", "latency": 0.0}
CHILD = """
import json, os, urllib.request
url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
headers = {"x-api-key": os.environ["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01"}
body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
request = urllib.request.Request(url, json.dumps(body).encode(), headers)
print(json.load(urllib.request.urlopen(request))["content"][0]["text"])
"""


@pytest.fixture
def served():
    """An open provider that other processes reach, without limits or service time."""
    with FakeProvider(**REAL) as provider:
        yield provider


def port_of(provider):
    """The port that a provider listens on."""
    return int(provider.base_url.rpartition(":")[2])


def test_a_child_process_is_answered_and_traced(served):
    """A subprocess finds the server by the variables that it inherits."""
    ran = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert ran.stdout == "This is a fixed answer from a fake provider.\n"
    (attempt,) = served.trace.attempts
    assert (attempt.caller, attempt.host, attempt.status) == ("client 1", "127.0.0.1", 200)
    assert served.trace.clock == "real"


def test_variables_are_set_while_it_is_open_and_put_back():
    """The SDKs' variables point at the server, and at nothing of ours afterwards."""
    before = os.environ.get("ANTHROPIC_BASE_URL")
    with FakeProvider(**REAL) as provider:
        assert os.environ["ANTHROPIC_BASE_URL"] == f"{provider.base_url}/anthropic"
        assert provider.base_url.startswith("http://127.0.0.1:")
    assert os.environ.get("ANTHROPIC_BASE_URL") == before
    assert provider.base_url == "https://fake-provider.test"


def test_each_base_url_leads_to_its_dialect():
    """Every variable that names an official base URL names the server and that dialect instead."""
    moved = env_for("http://127.0.0.1:1")
    for dialect in DIALECTS.values():
        for name, value in dialect.env.items():
            if value.startswith("https://"):
                _, path = address(b"", value.partition("//")[2].partition("/")[2].encode())
                wanted = f"http://127.0.0.1:1/{dialect.name}/{path}".rstrip("/")
                assert moved[name] == wanted
            else:
                assert moved[name] == value


def test_it_stops_by_itself(served):
    """After the block nothing listens, and no thread is left."""
    port = port_of(served)
    served.__exit__(None, None, None)
    with pytest.raises(ConnectionRefusedError):
        dial(port)
    assert not [t for t in threading.enumerate() if t.name == "fake-provider server"]
    served.__enter__()


def test_the_server_door_needs_the_real_clock():
    """One error says that other processes have no part in virtual time, and what to write."""
    with pytest.raises(
        ValueError, match=r'door="server" needs clock="real".*got clock=\'virtual\''
    ):
        FakeProvider(door="server")


@pytest.mark.parametrize("sdk", ["anthropic", "openai"])
def test_the_sdk_s_clients_of_this_process_reach_it_too(served, sdk):
    """A client that is built from the variables sends over the loopback."""
    if sdk == "anthropic":
        import anthropic

        messages = [{"role": "user", "content": "hi"}]
        client = anthropic.Anthropic()
        client.messages.create(model="claude-sonnet-5", max_tokens=9, messages=messages)
        with client.messages.stream(model="claude-sonnet-5", max_tokens=9, messages=messages) as s:
            text = "".join(s.text_stream)
        assert text == "This is a fixed answer from a fake provider."
        assert [m.type for m in client.models.list().data][:1] == ["model"]
    else:
        import openai

        client = openai.OpenAI()
        messages = [{"role": "user", "content": "hi"}]
        client.chat.completions.create(model="gpt-5", messages=messages)
        stream = client.chat.completions.create(model="gpt-5", messages=messages, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        assert text == "This is a fixed answer from a fake provider."
    client.close()
    assert [(a.dialect, a.stream) for a in served.trace.attempts] == [(sdk, False), (sdk, True)]


def test_a_refusal_names_its_wait():
    """Limits, hints and headers are those of the in-process door."""
    with FakeProvider(**REAL, requests_per_minute=2) as provider:
        port = port_of(provider)
        assert [ask(port) for _ in range(3)] == [200, 200, 429]
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/v1/messages", message(), HEADERS)
        response = connection.getresponse()
        assert response.status == 429
        assert 1 <= int(response.headers["retry-after"]) <= 60
        response.read()
        connection.close()
    assert provider.trace.attempts[2].reason == "requests_per_minute"


def test_a_script_answers_other_processes_too():
    """Faults and answers are those of the script."""
    with FakeProvider(**REAL) as provider:
        provider.script([Fault(status=529), Answer(text="as told")])
        port = port_of(provider)
        assert ask(port) == 529
        status, body = request(port, "POST", "/v1/messages", message())
        assert (status, json.loads(body)["content"][0]["text"]) == (200, "as told")


@pytest.mark.parametrize("stream", [False, True])
def test_a_cut_answer_is_cut_on_the_wire(stream):
    """A client sees the connection end before the answer does."""
    with FakeProvider(**REAL) as provider:
        provider.script([Fault(kind="cut")])
        with pytest.raises(http.client.IncompleteRead):
            request(port_of(provider), "POST", "/v1/messages", message(stream=stream))
        assert provider.trace.attempts[0].reason == "cut"


def test_a_client_that_leaves_cancels_its_attempt():
    """An attempt whose client hangs up is over at that moment, not when its time has come."""
    with FakeProvider(clock="real", door="server", latency=30.0) as provider:
        connection = http.client.HTTPConnection("127.0.0.1", port_of(provider))
        connection.request("POST", "/v1/messages", message(), HEADERS)
        while not provider.trace.attempts:
            pass
        connection.sock.shutdown(socket.SHUT_RDWR)
        while provider.trace.attempts[0].cancelled_at is None:
            pass
        connection.close()
        (attempt,) = provider.trace.attempts
        assert not attempt.succeeded
        assert attempt.cancelled_at < 10


def test_leaving_the_block_ends_what_is_under_way():
    """A request that is still being served does not keep the block open for long."""
    with FakeProvider(clock="real", door="server", latency=60.0) as provider:
        connection = http.client.HTTPConnection("127.0.0.1", port_of(provider))
        connection.request("POST", "/v1/messages", message(), HEADERS)
        while not provider.trace.attempts:
            pass
    assert provider.trace.attempts[0].cancelled_at is not None
    assert provider.trace.ended_at < 30
    connection.close()


def test_a_stated_caller_is_the_caller(served):
    """X-Caller names the caller over all its connections."""
    for name in ("planner", "writer", "planner"):
        ask(port_of(served), caller=name)
    assert [a.caller for a in served.trace.attempts] == ["planner", "writer", "planner"]


def test_a_path_of_no_dialect_is_a_404_that_says_how(served):
    """What nobody has is answered, noted, and no attempt."""
    status, body = request(port_of(served), "GET", "/v2/nothing")
    assert status == 404
    assert "/anthropic" in json.loads(body)["error"]["message"]
    assert served.trace.attempts == ()
    assert served.trace.elsewhere == ("GET /v2/nothing to 127.0.0.1",)


def test_a_prefix_names_the_dialect(served):
    """A path whose first part is a dialect's name is answered in it, whatever the rest."""
    assert request(port_of(served), "GET", "/anthropic/v1/models")[0] == 200
    status, body = request(port_of(served), "GET", "/openai/v1/nothing")
    assert status == 404
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


def test_a_host_of_the_user_s_is_answered_in_its_dialect():
    """The Host header decides as it does in the process."""
    with FakeProvider(**REAL, hosts={"llm.corp": "openai"}) as provider:
        headers = {"host": "LLM.corp:8080", "authorization": "Bearer k"}
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()
        status, _ = request(port_of(provider), "POST", "/chat/completions", body, headers)
        assert status == 200
        assert provider.trace.attempts[0].host == "llm.corp"


def test_a_function_of_the_user_s_that_raises_is_told_to_the_client(capfd):
    """The client gets an error that it does not retry, and the log says why."""
    with FakeProvider(**REAL, tokens_per_request=lambda body: body["nothing"]) as provider:
        connection = http.client.HTTPConnection("127.0.0.1", port_of(provider))
        connection.request("POST", "/v1/messages", message(), HEADERS)
        response = connection.getresponse()
        assert (response.status, response.headers["x-should-retry"]) == (500, "false")
        assert b"tokens_per_request(body) raised" in response.read()
        connection.close()
    assert "tokens_per_request(body) raised" in capfd.readouterr().err


def test_it_tells_of_itself(served):
    """Health, metrics and the trace are there to read, and a reset begins anew."""
    base = f"{served.base_url}/_fake_provider"
    ask(port_of(served))
    with urllib.request.urlopen(f"{base}/health") as response:
        health = json.load(response)
    assert (health["status"], health["pid"], health["attempts"]) == ("ok", os.getpid(), 1)
    with urllib.request.urlopen(f"{base}/metrics") as response:
        metrics = response.read().decode()
    assert 'fake_provider_answers_total{status="200"} 1\n' in metrics
    assert "fake_provider_requests_in_flight 0\n" in metrics
    with urllib.request.urlopen(f"{base}/trace") as response:
        lines = response.read().decode().splitlines()
    from fake_provider import Trace

    assert Trace.load(lines).attempts == served.trace.attempts
    assert request(port_of(served), "POST", "/_fake_provider/reset", b"")[0] == 200
    assert served.trace.attempts == ()
    ask(port_of(served))
    assert [(a.index, a.call) for a in served.trace.attempts] == [(0, 0)]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/reset", 405), ("POST", "/trace", 405), ("GET", "/none", 404)],
)
def test_what_it_does_not_tell_is_an_error(served, method, path, status):
    """A wrong method or path below the server's own says what there is."""
    got, body = request(port_of(served), method, f"/_fake_provider{path}", b"")
    assert got == status
    assert "/_fake_provider/" in json.loads(body)["error"]


def test_the_query_of_a_request_reaches_the_dialect():
    """Azure's version stands in the query, and so does the form of a stream of Gemini's."""
    chat = {"messages": [{"role": "user", "content": "hello"}]}
    azure = "/azure/openai/deployments/gpt-5/chat/completions"
    gemini = "/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent"
    prompt = {"contents": [{"parts": [{"text": "hello"}]}]}
    with FakeProvider(**REAL) as provider:
        headers = {"api-key": "test", "x-goog-api-key": "test", "content-type": "application/json"}

        def post(path, body):
            url = f"{provider.base_url}{path}"
            asked = urllib.request.Request(url, json.dumps(body).encode(), headers)
            with urllib.request.urlopen(asked) as answer:
                return answer.headers["content-type"], answer.read()

        assert b"chat.completion" in post(f"{azure}?api-version=2024-10-21", chat)[1]
        assert post(f"{gemini}?alt=sse", prompt)[0].startswith("text/event-stream")
        assert post(gemini, prompt)[0].startswith("application/json")


def test_small_answers_leave_at_once():
    """No connection gathers writes: head and body of an answer would wait for each other."""
    with FakeProvider(**REAL) as provider:
        address = provider.base_url.removeprefix("http://")
        with contextlib.closing(http.client.HTTPConnection(address)) as client:
            client.request("POST", "/v1/messages", message(), HEADERS)
            assert client.getresponse().read()
            (accepted,) = provider._serving.server._uvicorn.server_state.connections
            its_socket = accepted.transport.get_extra_info("socket")
            assert its_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
