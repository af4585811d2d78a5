"""The transport door, through real SDKs and through plain clients of both families."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from fake_provider._transport import ProviderTransport
from fake_provider._wire._shapes import Chunk
from tests.fake_provider import clients
from tests.fake_provider.clients import KINDS, LIBRARIES, SDKS, WAYS
from tests.fake_provider.stub_provider import MESSAGE, Refused, StubProvider, plain, stream

ONE, TWO = Chunk(b"one"), Chunk(b"two")

both_kinds = pytest.mark.parametrize("kind", KINDS)
both_libraries = pytest.mark.parametrize("name", LIBRARIES)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sdk", SDKS)
def test_sdk_is_answered(sdk: str, way: str) -> None:
    """An SDK whose HTTP client has the transport gets the reply in all four ways."""
    provider = StubProvider(first_s=0.0)
    http_client = clients.sdk_http_client(sdk, way, ProviderTransport(provider))
    client = clients.sdk_client(sdk, way, http_client=http_client)
    assert clients.sdk_text(sdk, way, client) == "one two"
    assert provider.log == ["end"]


@both_kinds
@both_libraries
def test_answer_is_of_the_requests_family(name: str, kind: str) -> None:
    """One transport object serves both kinds of client of either library, in its own classes."""
    library = clients.load(name)
    transport = ProviderTransport(StubProvider(plain(), first_s=0.0))
    response = clients.fetch(library, kind, transport=transport)
    assert isinstance(response, library.Response)
    assert (response.status_code, response.content) == (200, MESSAGE)
    assert response.headers["content-length"] == str(len(MESSAGE))


@both_libraries
def test_request_is_handed_over_in_the_providers_terms(name: str) -> None:
    """Host and header names are lower case, the path is decoded, the query is cut off."""
    library = clients.load(name)
    provider = StubProvider(plain(), first_s=0.0)
    with library.Client(transport=ProviderTransport(provider)) as client:
        client.post(
            "https://GateWay.test:8443/v1/models/a%3Ab?key=1",
            headers=[("X-Caller", "one"), ("X-Tag", "a"), ("X-Tag", "b")],
            content=iter([b"in ", b"pieces"]),
        )
    (request,) = provider.requests
    assert (request.method, request.host, request.path) == (
        "POST",
        "gateway.test",
        "/v1/models/a:b",
    )
    assert request.headers["x-caller"] == "one"
    assert request.headers["x-tag"] == "a, b"
    assert request.body == b"in pieces"


def test_request_of_another_library_is_an_error() -> None:
    """A request of neither library is named in the error."""
    with pytest.raises(TypeError, match="must be one of httpx or httpx2, got a <class"):
        ProviderTransport(StubProvider(hosts=())).handle_request(_FakeRequest())


class _FakeRequest:
    class url:  # noqa: N801
        raw_host, raw_path = b"gateway.test", b"/"


def test_neither_library_is_imported() -> None:
    """The door's module loads no client library, no respx and no async library."""
    code = (
        "import sys, fake_provider._transport, fake_provider._intercept, fake_provider._guard\n"
        "slow = {'httpx', 'httpx2', 'httpcore', 'httpcore2', 'respx', 'anyio', 'trio', 'asyncio'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@both_libraries
def test_only_the_requests_family_is_imported(name: str) -> None:
    """Answering a request of one library does not load the other."""
    clients.load(name)
    (other,) = set(LIBRARIES) - {name}
    code = (
        f"import sys, {name}\n"
        "from tests.fake_provider.stub_provider import StubProvider\n"
        "from fake_provider._transport import ProviderTransport\n"
        f"provider = StubProvider(first_s=0.0)\n"
        f"client = {name}.Client(transport=ProviderTransport(provider))\n"
        f"print(client.get('https://gateway.test/').status_code, {other!r} in sys.modules)"
    )
    path = ["-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"]
    done = subprocess.run([sys.executable, *path], capture_output=True, text=True, check=True)
    assert done.stdout == "200 False\n"


@both_kinds
@both_libraries
def test_plain_reply_waits_once(name: str, kind: str, log: list[str]) -> None:
    """A reply in one piece is complete after the wait, and its exchange has ended."""
    provider = StubProvider(plain(), log=log)
    response = clients.fetch(clients.load(name), kind, transport=ProviderTransport(provider))
    assert response.content == MESSAGE
    assert log == ["sleep 0.5", "end"]


@both_kinds
@both_libraries
def test_stream_is_sent_chunk_by_chunk(name: str, kind: str, log: list[str]) -> None:
    """The status line and each chunk leave after their own waits, the last one with the end."""
    provider = StubProvider(stream((ONE, TWO)), each_s=0.25, log=log)
    clients.parts(clients.load(name), kind, log, transport=ProviderTransport(provider))
    assert log == ["sleep 0.5", "status 200", "sleep 0.25", "one", "sleep 0.25", "end", "two"]


@both_kinds
@both_libraries
def test_client_may_stop_at_the_last_chunk(name: str, kind: str, log: list[str]) -> None:
    """A client that closes after the last chunk, as SDKs do, has not given up."""
    provider = StubProvider(stream((ONE, TWO)), log=log)
    transport = ProviderTransport(provider)
    clients.parts(clients.load(name), kind, log, most=2, transport=transport)
    assert log == ["sleep 0.5", "status 200", "one", "end", "two"]


@both_kinds
@both_libraries
def test_stream_closed_early_is_cancelled(name: str, kind: str, log: list[str]) -> None:
    """A client that closes before the last chunk has given up."""
    provider = StubProvider(stream((ONE, TWO)), log=log)
    transport = ProviderTransport(provider)
    clients.parts(clients.load(name), kind, log, most=1, transport=transport)
    assert log == ["sleep 0.5", "status 200", "one", "cancel"]


@both_libraries
def test_abandoned_stream_is_cancelled(name: str, log: list[str]) -> None:
    """A body that nobody reads and nobody closes is given up when it is forgotten."""
    library = clients.load(name)
    transport = ProviderTransport(StubProvider(stream((ONE, TWO)), log=log))
    response = transport.handle_request(library.Request("POST", clients.URL))
    assert log == ["sleep 0.5"]
    del response
    assert log == ["sleep 0.5", "cancel"]


@both_libraries
def test_stream_closed_from_another_thread_ends(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is closed while its reader waits for a chunk delivers nothing more."""
    library = clients.load(name)
    provider = StubProvider(stream((ONE, TWO)), each_s=1.0)
    sleeping, closed = threading.Event(), threading.Event()

    def sleep(_seconds: float) -> None:
        sleeping.set()
        assert closed.wait(10)

    with library.Client(transport=ProviderTransport(provider)) as client:
        closed.set()
        monkeypatch.setattr(time, "sleep", sleep)
        response = client.send(client.build_request("POST", clients.URL), stream=True)
        sleeping.clear()
        closed.clear()
        read: list[bytes] = []
        reader = threading.Thread(target=lambda: read.extend(response.stream))
        reader.start()
        assert sleeping.wait(10)
        response.close()
        closed.set()
        reader.join(10)
    assert b"".join(read) == b""
    assert provider.log == ["cancel"]


@both_kinds
@both_libraries
def test_read_timeout_before_the_status_line(name: str, kind: str, log: list[str]) -> None:
    """A client waits exactly as long as its read timeout, then gives up with its own error."""
    library = clients.load(name)
    transport = ProviderTransport(StubProvider(plain(), first_s=30.0, log=log))
    timeout = library.Timeout(None, read=7.5)
    with pytest.raises(library.ReadTimeout):
        clients.fetch(library, kind, transport=transport, timeout=timeout)
    assert log == ["sleep 7.5", "cancel"]


@both_kinds
@both_libraries
def test_read_timeout_within_a_stream(name: str, kind: str, log: list[str]) -> None:
    """The read timeout holds for each wait of a stream on its own."""
    library = clients.load(name)
    steps = [(5.0, None), (5.0, ONE), (9.0, TWO)]
    transport = ProviderTransport(StubProvider(stream(), steps=steps, log=log))
    timeout = library.Timeout(None, read=6.0)
    with pytest.raises(library.ReadTimeout):
        clients.parts(library, kind, log, transport=transport, timeout=timeout)
    assert log == ["sleep 5", "status 200", "sleep 5", "one", "sleep 6", "cancel"]


@both_kinds
@both_libraries
def test_wait_of_just_the_read_timeout_is_in_time(name: str, kind: str, log: list[str]) -> None:
    """An answer at the very instant of the timeout still counts."""
    library = clients.load(name)
    transport = ProviderTransport(StubProvider(plain(), first_s=6.0, log=log))
    clients.fetch(library, kind, transport=transport, timeout=library.Timeout(None, read=6.0))
    assert log == ["sleep 6", "end"]


@both_kinds
@both_libraries
def test_cut_stream_is_a_protocol_error(name: str, kind: str, log: list[str]) -> None:
    """A connection that the provider cuts fails after the chunks that had left."""
    library = clients.load(name)
    steps = [(0.5, None), (0.0, ONE), ConnectionResetError()]
    transport = ProviderTransport(StubProvider(stream(), steps=steps, log=log))
    with pytest.raises(library.RemoteProtocolError, match="the provider cut the connection"):
        clients.parts(library, kind, log, transport=transport)
    assert log == ["sleep 0.5", "status 200", "one"]


@both_kinds
@both_libraries
def test_cut_before_the_status_line_is_a_protocol_error(name: str, kind: str) -> None:
    """A connection that the provider cuts at once fails without a response."""
    library = clients.load(name)
    transport = ProviderTransport(StubProvider(plain(), steps=[ConnectionResetError()]))
    with pytest.raises(library.RemoteProtocolError, match="the provider cut the connection"):
        clients.fetch(library, kind, transport=transport)


@both_libraries
def test_interrupt_while_waiting_is_cancelled(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends a wait, the exchange is told that the client gave up."""
    library = clients.load(name)
    provider = StubProvider(plain())

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        clients.fetch(library, "sync", transport=ProviderTransport(provider))
    assert provider.log == ["cancel"]


@both_libraries
def test_cancelled_task_is_cancelled(name: str) -> None:
    """A task that is cancelled while it waits for the answer has given up."""
    library = clients.load(name)
    provider = StubProvider(plain(), first_s=3600.0)

    async def main() -> None:
        async with library.AsyncClient(transport=ProviderTransport(provider)) as client:
            task = asyncio.create_task(client.post(clients.URL))
            while not provider.requests:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert provider.log == ["cancel"]


@both_libraries
def test_answer_at_once_still_gives_other_tasks_a_turn(name: str) -> None:
    """Tasks whose calls take no time alternate, as they would on a network."""
    library = clients.load(name)
    provider = StubProvider(plain(), first_s=0.0)

    async def calls(client: object, who: str) -> None:
        for _ in range(3):
            await client.post(clients.URL, headers={"x-caller": who})

    async def main() -> None:
        async with library.AsyncClient(transport=ProviderTransport(provider)) as client:
            await asyncio.gather(calls(client, "a"), calls(client, "b"))

    asyncio.run(main())
    callers = [request.headers["x-caller"] for request in provider.requests]
    assert callers == ["a", "b"] * 3


@both_kinds
@both_libraries
def test_error_of_the_provider_cancels(name: str, kind: str, log: list[str]) -> None:
    """An error that the provider raises while it answers reaches the client as it is."""
    provider = StubProvider(plain(), steps=[(0.5, None), Refused("stopped")], log=log)
    with pytest.raises(Refused, match="stopped"):
        clients.fetch(clients.load(name), kind, transport=ProviderTransport(provider))
    assert log == ["sleep 0.5", "cancel"]


@both_libraries
def test_trio_sleeps_on_trios_clock(name: str) -> None:
    """Under trio the waits are trio's own, although asyncio is loaded."""
    library = clients.load(name)
    trio = pytest.importorskip("trio")
    testing = pytest.importorskip("trio.testing")
    provider = StubProvider(stream((ONE, TWO)), each_s=60.0, first_s=600.0)

    async def main() -> tuple[bytes, float]:
        began = trio.current_time()
        transport = ProviderTransport(provider)
        async with library.AsyncClient(transport=transport, timeout=None) as client:
            response = await client.post(clients.URL)
        return response.content, trio.current_time() - began

    body, took_s = trio.run(main, clock=testing.MockClock(autojump_threshold=0))
    assert (body, took_s) == (b"onetwo", 720.0)
    assert provider.log == ["end"]


@both_libraries
def test_cancelled_trio_scope_is_cancelled(name: str) -> None:
    """A trio scope that times out while its task waits has given up."""
    library = clients.load(name)
    trio = pytest.importorskip("trio")
    testing = pytest.importorskip("trio.testing")
    provider = StubProvider(plain(), first_s=600.0)

    async def main() -> bool:
        transport = ProviderTransport(provider)
        async with library.AsyncClient(transport=transport, timeout=None) as client:
            with trio.move_on_after(5) as scope:
                await client.post(clients.URL)
        return scope.cancelled_caught

    assert trio.run(main, clock=testing.MockClock(autojump_threshold=0))
    assert provider.log == ["cancel"]


@both_kinds
@both_libraries
def test_host_that_is_not_answered_is_refused(name: str, kind: str) -> None:
    """The transport has no network: what the provider does not answer is its error."""
    provider = StubProvider()
    with pytest.raises(Refused):
        clients.fetch(
            clients.load(name),
            kind,
            "https://elsewhere.test/x",
            transport=ProviderTransport(provider),
        )
    assert provider.log == [f"refuse {name} elsewhere.test"]


def test_refusal_gets_through_the_sdks_retries() -> None:
    """The SDK's retry loop does not swallow the refusal: it is asked once, and nothing sleeps."""
    provider = StubProvider(hosts=())
    http_client = clients.sdk_http_client("openai", "sync", ProviderTransport(provider))
    client = clients.sdk_client("openai", "sync", http_client=http_client, max_retries=5)
    with pytest.raises(Refused):
        clients.sdk_text("openai", "sync", client)
    assert len(provider.log) == 1


def test_server_on_this_machine_is_answered_by_a_transport() -> None:
    """A client that was given the transport needs no public host: the path tells the dialect."""
    provider = StubProvider(hosts=(), first_s=0.0)
    http_client = clients.sdk_http_client("anthropic", "sync", ProviderTransport(provider))
    client = clients.sdk_client(
        "anthropic", "sync", base_url="http://localhost:8080", http_client=http_client
    )
    assert clients.sdk_text("anthropic", "sync", client) == "one two"
