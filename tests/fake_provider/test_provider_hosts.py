"""Hosts: which are answered, in whose dialect, which pass, and what the others are told."""

from __future__ import annotations

import asyncio
import http.server
import threading

import anthropic
import httpx
import httpx2
import openai
import pytest
import trio

from fake_provider import FakeProvider, ProviderError, UnansweredRequest

GATEWAY = "llm-gateway.corp"
PROMPT = {"max_tokens": 16, "messages": [{"role": "user", "content": "hello"}]}
HEADERS = {"x-api-key": "test", "anthropic-version": "2023-06-01"}


def claude(client):
    return client.messages.create(model="claude-sonnet-5", **PROMPT)


def gateway(**options):
    return anthropic.Anthropic(api_key="test", base_url=f"https://{GATEWAY}/llm", **options)


def list_models(run, **options):
    """Ask an unknown host for something that is no dialect's, through a client's retries."""
    if run is None:
        return gateway(max_retries=5, **options).models.list()
    client = anthropic.AsyncAnthropic(
        api_key="test", base_url=f"https://{GATEWAY}", max_retries=5, **options
    )

    async def main():
        await client.models.list()

    return run(main)


RUNS = [None, lambda main: asyncio.run(main()), trio.run]


@pytest.mark.parametrize("run", RUNS, ids=["sync", "asyncio", "trio"])
def test_an_unknown_host_gets_through_the_sdk_s_retries_and_says_how_to_allow_it(run):
    """The error is raised once, whatever the SDK's retries, and names both ways out."""
    with FakeProvider() as provider:
        with pytest.raises(UnansweredRequest) as caught:
            list_models(run)
        assert provider.clock.elapsed() == 0.0
        assert provider.trace.attempts == ()
        assert provider.trace.elsewhere == (f"httpx2 to {GATEWAY}",)
    text = str(caught.value)
    assert text.startswith(f"httpx2 sent a request to {GATEWAY}, which the fake provider does not")
    assert f"hosts={{'{GATEWAY}': 'anthropic'}}" in text
    assert f"allow_hosts=['{GATEWAY}']" in text


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_an_unknown_host_is_refused_to_a_plain_client(library):
    """A client without an SDK is told the same, by the name of its library."""
    with FakeProvider() as provider:
        with pytest.raises(UnansweredRequest, match="sent a request to example"):
            library.get("https://example.com/")
        assert provider.trace.elsewhere == (f"{library.__name__} to example.com",)


def test_an_unanswered_request_is_no_exception():
    """A retry loop around `except Exception` must not swallow it."""
    assert not issubclass(UnansweredRequest, Exception)


def test_the_same_host_is_named_once():
    """What was seen elsewhere is a list of places, not of requests."""
    with FakeProvider() as provider:
        for path in ("a", "b"):
            with pytest.raises(UnansweredRequest):
                httpx.get(f"https://example.com/{path}")
        with pytest.raises(UnansweredRequest):
            httpx.get("https://example.org/")
        assert provider.trace.elsewhere == ("httpx to example.com", "httpx to example.org")
        provider.reset()
        assert provider.trace.elsewhere == ()


def test_a_path_tells_the_dialect_of_an_unknown_host():
    """A gateway that keeps the provider's paths is answered without being named."""
    with FakeProvider() as provider:
        assert claude(gateway()).content
        client = openai.OpenAI(api_key="test", base_url=f"https://{GATEWAY}/v1")
        assert client.chat.completions.create(model="gpt-x", messages=PROMPT["messages"]).choices
        assert [(a.host, a.dialect) for a in provider.trace.attempts] == [
            (GATEWAY, "anthropic"),
            (GATEWAY, "openai"),
        ]


def test_a_named_gateway_is_answered_in_its_dialect():
    """`hosts` wins over what the path says, in whatever case the host is written."""
    with FakeProvider(hosts={"LLM-Gateway.Corp": "openai"}) as provider:
        response = httpx.post(f"https://{GATEWAY}/v1/messages", headers=HEADERS, json=PROMPT)
        assert response.status_code == 404
        assert provider.trace.attempts[0].dialect == "openai"


def test_one_dialect_for_all_answers_no_host_that_was_not_answered_before():
    """`dialect` says how, not what: an unknown host with an unknown path stays unknown."""
    with FakeProvider(dialect="anthropic") as provider:
        assert claude(gateway()).content
        with pytest.raises(UnansweredRequest):
            list_models(None)
        assert {a.dialect for a in provider.trace.attempts} == {"anthropic"}


@pytest.mark.parametrize("pattern", ["*.corp", "llm-*.corp", "*"])
def test_a_star_stands_for_any_part_of_a_host(pattern):
    """A family of hosts is answered, or let through, by one entry."""
    with FakeProvider(hosts={pattern: "anthropic"}) as provider:
        assert claude(gateway()).content
        assert provider.trace.attempts[0].host == GATEWAY
    with FakeProvider(allow_hosts=[pattern]) as provider:
        assert provider.transport  # it opens
        assert provider._desk.passes(GATEWAY)
        assert not provider._desk.passes("gateway.example") or pattern == "*"


def test_an_exact_host_comes_before_a_pattern():
    """Whatever the order in which they are given."""
    hosts = {"*.corp": "openai", GATEWAY: "anthropic"}
    with FakeProvider(hosts=hosts) as provider:
        assert claude(gateway()).content
        assert provider.trace.attempts[0].dialect == "anthropic"


@pytest.mark.parametrize(
    "host", ["https://gateway.corp", "gateway.corp:8080", "gateway.corp/v1", "", "a b", "gate way"]
)
@pytest.mark.parametrize("keyword", ["hosts", "allow_hosts"])
def test_what_no_host_can_equal_is_an_error(keyword, host):
    """A URL, a port or a path would never match: the message says what is wanted."""
    value = {host: "anthropic"} if keyword == "hosts" else [host]
    with pytest.raises(ValueError, match=f"^{keyword} must be a host name without scheme"):
        FakeProvider(**{keyword: value})


def test_the_first_part_of_a_path_may_name_the_dialect():
    """One origin serves every dialect, also those that share a path."""
    with FakeProvider() as provider:
        client = openai.OpenAI(api_key="test", base_url=f"{provider.base_url}/openai/v1")
        client.chat.completions.create(model="gpt-x", messages=PROMPT["messages"])
        assert provider.trace.attempts[0].dialect == "openai"


@pytest.mark.parametrize("opened", [False, True], ids=["never opened", "closed"])
def test_a_transport_answers_while_its_provider_is_open(opened):
    """Outside the block there is no clock and no trace: the error says so."""
    provider = FakeProvider()
    if opened:
        with provider:
            pass
    client = httpx2.Client(transport=provider.transport)
    with pytest.raises(ProviderError, match="while it was not open"):
        client.post("https://api.anthropic.com/v1/messages", headers=HEADERS, json=PROMPT)


@pytest.fixture
def server():
    """A server on this machine that says `here`, by its address."""

    class Here(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(200)
            self.send_header("content-length", "4")
            self.end_headers()
            self.wfile.write(b"here")

        def log_message(self, *_args):
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Here) as listening:
        worker = threading.Thread(target=listening.serve_forever, args=(0.01,))
        worker.start()
        yield f"127.0.0.1:{listening.server_port}"
        listening.shutdown()
        worker.join()


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("path", ["/", "/v1/messages"])
def test_this_machine_passes(server, library, path):
    """A server of the user's own on this machine is reached, and is no attempt."""
    with FakeProvider() as provider:
        response = library.post(f"http://{server}{path}", json=PROMPT, timeout=None)
        assert response.text == "here"
        assert provider.trace.attempts == ()
        assert provider.trace.elsewhere == ()


def test_an_allowed_host_is_left_to_the_network(monkeypatch):
    """`allow_hosts` comes before every answer: the request goes where it would have gone."""
    seen = []

    def resolve(host, *_args, **_kwargs):
        seen.append(host)
        raise OSError("there is no network here")

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    with FakeProvider(allow_hosts=[GATEWAY.upper(), "api.anthropic.com"]) as provider:
        for client in (gateway(max_retries=0), anthropic.Anthropic(api_key="k", max_retries=0)):
            with pytest.raises(anthropic.APIConnectionError):
                claude(client)
        assert provider.trace.attempts == ()
    assert {str(host) for host in seen} == {GATEWAY, "api.anthropic.com"}


@pytest.mark.parametrize(
    ("content", "headers", "status", "kind"),
    [
        (b"{", HEADERS, 400, "invalid_request_error"),
        (b"[]", HEADERS, 400, "invalid_request_error"),
        (b"\xff\xfe", HEADERS, 400, "invalid_request_error"),
        (b"[" * 100_000, HEADERS, 400, "invalid_request_error"),
        (b"{}", HEADERS, 400, "invalid_request_error"),
        (b'{"model": 5, "max_tokens": 1, "messages": []}', HEADERS, 400, "invalid_request_error"),
        (b"{}", {"x-api-key": "test"}, 400, "invalid_request_error"),
        (b"{}", {}, 401, "authentication_error"),
    ],
)
def test_a_malformed_request_is_a_terminal_attempt(content, headers, status, kind):
    """The answer has the dialect's shape; the trace has an attempt that no wait can cure."""
    with FakeProvider(tokens_per_minute=10) as provider:
        response = httpx.post(
            "https://api.anthropic.com/v1/messages", content=content, headers=headers
        )
        (attempt,) = provider.trace.attempts
    assert response.status_code == attempt.status == status
    assert response.json()["type"] == "error"
    assert response.json()["error"]["type"] == attempt.reason == kind
    assert attempt.terminal
    assert not attempt.refused
    assert (attempt.charged, attempt.room, attempt.hint) == (0.0, None, None)
    assert attempt.ended_at == 0.0


def test_a_malformed_request_is_a_client_error_in_the_sdk():
    """The real SDK reads the answer as its own BadRequestError, and does not retry it."""
    client = anthropic.Anthropic(api_key="test", max_retries=3)
    with FakeProvider() as provider:
        with pytest.raises(anthropic.BadRequestError, match="messages: at least one message"):
            client.messages.create(model="claude-sonnet-5", max_tokens=16, messages=[])
        assert len(provider.trace.attempts) == 1
