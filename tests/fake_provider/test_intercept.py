"""The in-process door: clients that know nothing of the provider, and respx as it was."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import importlib
import importlib.util
import inspect
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import respx
from respx.mocks import HTTPCoreMocker, Mocker

from fake_provider import provider_side_effect
from fake_provider._intercept import intercept
from fake_provider._switchboard import is_loopback
from fake_provider._wire._shapes import Chunk
from tests.fake_provider import clients
from tests.fake_provider.clients import KINDS, LIBRARIES, SDKS, WAYS
from tests.fake_provider.stub_provider import MESSAGE, Refused, StubProvider, plain, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE, TWO = Chunk(b"one"), Chunk(b"two")
OURS = "https://gateway.test/v1/chat/completions"
THEIRS = "https://theirs.test/"

both_kinds = pytest.mark.parametrize("kind", KINDS)
both_libraries = pytest.mark.parametrize("name", LIBRARIES)


def everything_patched() -> dict[str, Any]:
    """Return every function that any mocker patches, and respx's own state."""
    seen: dict[str, Any] = {}
    for core in ("httpcore", "httpcore2"):
        if importlib.util.find_spec(core) is None:
            continue
        for path in HTTPCoreMocker.targets:
            module_name, _, class_name = path.rpartition(".")
            module = importlib.import_module(module_name.replace("httpcore", core, 1))
            owner = getattr(module, class_name)
            for method in HTTPCoreMocker.target_methods:
                seen[f"{owner.__module__}.{class_name}.{method}"] = vars(owner).get(method)
    for client in (httpx.Client, httpx.AsyncClient):
        seen[client.__name__] = vars(client)["_transport_for_url"]
    for mocker in Mocker.registry.values():
        seen[f"respx {mocker.name}"] = (list(mocker.routers), list(mocker._patches))
    return seen


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Every test here leaves every patched function and respx as they were."""
    import fake_provider._mockers  # noqa: F401  (registers a mocker, for good)

    before = everything_patched()
    yield
    assert everything_patched() == before


@pytest.fixture
def pytest_httpx2() -> Iterator[str]:
    """A mocker for httpcore2 such as pytest-httpx2 registers with respx; its name."""
    clients.load("httpx2")
    registry = Mocker._Mocker__registry
    if "httpcore2" in registry:
        yield "httpcore2"
        return
    body = {
        "name": "httpcore2",
        "targets": [path.replace("httpcore", "httpcore2", 1) for path in HTTPCoreMocker.targets],
    }
    type("HTTPCore2Mocker", (HTTPCoreMocker,), body)
    yield "httpcore2"
    del registry["httpcore2"]


@pytest.fixture
def local_url() -> Iterator[str]:
    """The URL of a server on this machine that answers "real"."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "4")
            self.end_headers()
            self.wfile.write(b"real")

        def log_message(self, *_args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
        server.shutdown()
        thread.join(10)


# ---------------------------------------------------------------- who is intercepted


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sdk", SDKS)
def test_sdk_client_built_before_is_answered(sdk: str, way: str, log: list[str]) -> None:
    """A client that existed before the door opened is answered in all four ways."""
    client = clients.sdk_client(sdk, way)
    provider = StubProvider(log=log)
    with intercept(provider):
        assert clients.sdk_text(sdk, way, client) == "one two"
    assert log == ["sleep 0.5", "end"]
    assert provider.requests[0].host == {"anthropic": "api.anthropic.com"}.get(
        sdk, "api.openai.com"
    )


@both_kinds
@both_libraries
def test_client_built_inside_is_answered(name: str, kind: str, log: list[str]) -> None:
    """A client that is built while the door is open is answered, by its own library's classes."""
    library = clients.load(name)
    with intercept(StubProvider(plain(), log=log)):
        response = clients.fetch(library, kind)
    assert isinstance(response, library.Response)
    assert (response.status_code, response.content) == (200, MESSAGE)
    assert log == ["sleep 0.5", "end"]


@both_libraries
def test_request_is_handed_over_in_the_providers_terms(name: str) -> None:
    """Host and header names are lower case, the path is decoded, the query is cut off."""
    provider = StubProvider(plain(), first_s=0.0)
    with intercept(provider), clients.load(name).Client() as client:
        client.post(
            "https://GateWay.test:8443/v1/models/a%3Ab?key=1",
            headers=[("X-Caller", "one"), ("X-Tag", "a"), ("X-Tag", "b")],
            content=iter([b"in ", b"pieces"]),
        )
    (request,) = provider.requests
    assert (request.method, request.host) == ("POST", "gateway.test")
    assert request.path == "/v1/models/a:b"
    assert request.headers["x-caller"] == "one"
    assert request.headers["x-tag"] == "a, b"
    assert request.body == b"in pieces"


def test_both_families_in_one_process() -> None:
    """One open door answers clients of both libraries."""
    libraries = [clients.load(name) for name in LIBRARIES]
    provider = StubProvider(plain(), first_s=0.0)
    with intercept(provider):
        for library in (*libraries, *libraries):
            assert clients.fetch(library, "sync").content == MESSAGE
    assert len(provider.requests) == 4


@both_libraries
def test_client_behind_a_proxy_is_answered(name: str) -> None:
    """A client that is set up to use a proxy does not reach for it."""
    library = clients.load(name)
    with intercept(StubProvider(plain(), first_s=0.0)):
        for kind in KINDS:
            response = clients.fetch(library, kind, proxy="http://proxy.invalid:9")
            assert response.content == MESSAGE


@both_kinds
@both_libraries
def test_stream_is_sent_chunk_by_chunk(name: str, kind: str, log: list[str]) -> None:
    """The status line and each chunk leave after their own waits, the last one with the end."""
    with intercept(StubProvider(stream((ONE, TWO)), each_s=0.25, log=log)):
        clients.parts(clients.load(name), kind, log)
    assert log == ["sleep 0.5", "status 200", "sleep 0.25", "one", "sleep 0.25", "end", "two"]


@both_kinds
@both_libraries
def test_stream_closed_early_is_cancelled(name: str, kind: str, log: list[str]) -> None:
    """A client that closes before the last chunk has given up."""
    with intercept(StubProvider(stream((ONE, TWO)), log=log)):
        clients.parts(clients.load(name), kind, log, most=1)
    assert log == ["sleep 0.5", "status 200", "one", "cancel"]


@both_kinds
@both_libraries
def test_read_timeout_is_the_clients_own(name: str, kind: str, log: list[str]) -> None:
    """A client waits exactly as long as its read timeout, then gives up with its own error."""
    library = clients.load(name)
    timeout = library.Timeout(None, read=7.5)
    with (
        intercept(StubProvider(plain(), first_s=30.0, log=log)),
        pytest.raises(library.ReadTimeout),
    ):
        clients.fetch(library, kind, timeout=timeout)
    assert log == ["sleep 7.5", "cancel"]


@both_kinds
@both_libraries
def test_read_timeout_within_a_stream_is_the_clients_own(
    name: str, kind: str, log: list[str]
) -> None:
    """The read timeout holds for each wait of a stream on its own."""
    library = clients.load(name)
    provider = StubProvider(stream(), steps=[(5.0, None), (5.0, ONE), (9.0, TWO)], log=log)
    with intercept(provider), pytest.raises(library.ReadTimeout):
        clients.parts(library, kind, log, timeout=library.Timeout(None, read=6.0))
    assert log == ["sleep 5", "status 200", "sleep 5", "one", "sleep 6", "cancel"]


@both_kinds
@both_libraries
def test_cut_stream_is_a_protocol_error(name: str, kind: str, log: list[str]) -> None:
    """A connection that the provider cuts fails after the chunks that had left."""
    library = clients.load(name)
    steps = [(0.5, None), (0.0, ONE), ConnectionResetError()]
    with (
        intercept(StubProvider(stream(), steps=steps, log=log)),
        pytest.raises(library.RemoteProtocolError, match="the provider cut the connection"),
    ):
        clients.parts(library, kind, log)
    assert log == ["sleep 0.5", "status 200", "one"]


@both_libraries
def test_cancelled_task_is_cancelled(name: str) -> None:
    """A task that is cancelled while it waits for the answer has given up."""
    library = clients.load(name)
    provider = StubProvider(plain(), first_s=3600.0)

    async def main() -> None:
        async with library.AsyncClient() as client:
            task = asyncio.create_task(client.post(OURS))
            while not provider.requests:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with intercept(provider):
        asyncio.run(main())
    assert provider.log == ["cancel"]


@both_libraries
def test_trio_sleeps_on_trios_clock(name: str) -> None:
    """Under trio the waits are trio's own."""
    library = clients.load(name)
    trio = pytest.importorskip("trio")
    testing = pytest.importorskip("trio.testing")
    provider = StubProvider(stream((ONE, TWO)), each_s=60.0, first_s=600.0)

    async def main() -> tuple[bytes, float]:
        began = trio.current_time()
        async with library.AsyncClient(timeout=None) as client:
            response = await client.post(OURS)
        return response.content, trio.current_time() - began

    with intercept(provider):
        body, took_s = trio.run(main, clock=testing.MockClock(autojump_threshold=0))
    assert (body, took_s) == (b"onetwo", 720.0)
    assert provider.log == ["end"]


@both_libraries
def test_calls_are_not_kept(name: str) -> None:
    """A thousand calls leave no list that has grown with them."""
    library = clients.load(name)
    with intercept(StubProvider(plain(), first_s=0.0)), library.Client() as client:
        routers = [router for mocker in Mocker.registry.values() for router in mocker.routers]
        for _ in range(3):
            client.post(OURS)
        assert routers
        assert not any(hasattr(router, "calls") for router in routers)


# ---------------------------------------------------------------- hosts


@both_kinds
@both_libraries
def test_host_that_nobody_answers_is_refused(name: str, kind: str) -> None:
    """A request to a host that is neither answered nor allowed is the provider's error."""
    provider = StubProvider()
    with intercept(provider), pytest.raises(Refused):
        clients.fetch(clients.load(name), kind, "https://elsewhere.test/x")
    assert provider.log == [f"refuse {name} elsewhere.test"]


@pytest.mark.parametrize("way", WAYS)
def test_refusal_gets_through_the_sdks_retries(way: str, log: list[str]) -> None:
    """The SDK's retry loop does not swallow the refusal: it is asked once, and nothing sleeps."""
    client = clients.sdk_client("openai", way, max_retries=5)
    with intercept(StubProvider(hosts=(), log=log)), pytest.raises(Refused):
        clients.sdk_text("openai", way, client)
    assert len(log) == 1


@both_kinds
@both_libraries
def test_server_on_this_machine_is_reached(name: str, kind: str, local_url: str) -> None:
    """A server on this machine is reached as if no door were open, whatever its path."""
    provider = StubProvider(plain())
    url = local_url.replace("/chat/completions", "/messages")
    assert provider.answers("127.0.0.1", "/v1/messages")
    with intercept(provider):
        assert clients.fetch(clients.load(name), kind, url).content == b"real"
    assert provider.requests == []


@both_libraries
def test_server_on_this_machine_is_answered_if_named(name: str, local_url: str) -> None:
    """A provider that names this machine among its hosts answers for it."""
    with intercept(StubProvider(plain(), hosts=("127.0.0.1",), first_s=0.0)):
        assert clients.fetch(clients.load(name), "sync", local_url).content == MESSAGE


@both_kinds
@both_libraries
def test_allowed_host_is_reached(
    name: str, kind: str, local_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that the user allowed is reached over the network, even one that would be answered."""
    resolve = socket.getaddrinfo
    names: list[str] = []

    def resolve_here(host: str, *args: Any, **kwargs: Any) -> Any:
        names.append(host)
        return resolve("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_here)
    provider = StubProvider(plain(), allowed=("gateway.test",))
    with intercept(provider):
        url = local_url.replace("127.0.0.1", "gateway.test")
        assert clients.fetch(clients.load(name), kind, url).content == b"real"
    assert {str(host).strip("b'") for host in names} == {"gateway.test"}


def test_pool_of_httpcore2_is_answered_on_its_own() -> None:
    """A pool that is used without httpx2 is answered too, whatever the case of its host."""
    httpcore2 = pytest.importorskip("httpcore2")
    with intercept(StubProvider(plain(), first_s=0.0)), httpcore2.ConnectionPool() as pool:
        url = httpcore2.URL(scheme="https", host="GateWay.test", target="/")
        assert pool.request("POST", url).content == MESSAGE


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("127.0.0.1.evil.test", False),
        ("localhost.evil.test", False),
        ("notlocalhost", False),
        ("", False),
    ],
)
def test_loopback_is_told_by_name_and_address(host: str, expected: bool) -> None:
    """This machine is localhost and its subdomains, 127.0.0.0/8 and ::1, and no look-alike."""
    assert is_loopback(host) is expected


# ---------------------------------------------------------------- several providers


@both_libraries
def test_newest_provider_answers_first(name: str) -> None:
    """Of two open providers the newer answers, and the older what the newer does not."""
    library = clients.load(name)
    outer = StubProvider(plain(b"outer"), hosts=("gateway.test", "outer.test"), first_s=0.0)
    inner = StubProvider(plain(b"inner"), hosts=("gateway.test",), first_s=0.0)
    with intercept(outer):
        with intercept(inner):
            assert clients.fetch(library, "sync").content == b"inner"
            assert clients.fetch(library, "sync", "https://outer.test/").content == b"outer"
            with pytest.raises(Refused):
                clients.fetch(library, "sync", "https://elsewhere.test/")
        assert clients.fetch(library, "sync").content == b"outer"
    assert (outer.log, inner.log) == (["end", "end"], ["end", f"refuse {name} elsewhere.test"])


@both_libraries
def test_providers_opened_one_after_the_other(name: str) -> None:
    """A client outlives several providers, and after each of them nothing is patched."""
    library = clients.load(name)
    before = everything_patched()
    with library.Client() as client:
        for number in range(3):
            with intercept(StubProvider(plain(b"%d" % number), first_s=0.0)):
                assert client.post(OURS).content == b"%d" % number
            assert everything_patched() == before


def test_error_inside_leaves_nothing_behind() -> None:
    """A test that fails while the door is open leaves everything as it was."""
    before = everything_patched()
    with pytest.raises(ZeroDivisionError), intercept(StubProvider()):  # noqa: PT012
        assert everything_patched() != before
        raise ZeroDivisionError
    assert everything_patched() == before


def test_door_that_cannot_open_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """If patching fails half-way, what was patched is restored."""
    before = everything_patched()

    patch = HTTPCoreMocker.start

    def fail() -> None:
        patch()
        raise OSError

    monkeypatch.setattr(HTTPCoreMocker, "start", fail)
    with pytest.raises(OSError), intercept(StubProvider()):  # noqa: PT011
        pytest.fail("the door opened")
    monkeypatch.undo()
    assert everything_patched() == before


# ---------------------------------------------------------------- the user's own respx


@contextlib.contextmanager
def both_open(order: str, provider: StubProvider, router: Any) -> Iterator[None]:
    """Open a provider and a user's router in one of four orders, the last two overlapping."""
    door = intercept(provider)
    first, second = (door, router) if order.startswith("door") else (router, door)
    with contextlib.ExitStack() as stack:
        first.__enter__()
        second.__enter__()
        closing = (first, second) if order.endswith("overlapping") else (second, first)
        for context in reversed(closing):
            stack.callback(context.__exit__, None, None, None)
        yield


ORDERS = pytest.mark.parametrize(
    "order", ["door-first", "router-first", "door-first-overlapping", "router-first-overlapping"]
)


def user_router(using: str) -> respx.MockRouter:
    """Return a router with one route of the user's own."""
    router = respx.mock(using=using, assert_all_called=False)
    router.post(THEIRS).respond(201, text="theirs")
    return router


@ORDERS
@both_kinds
@pytest.mark.parametrize("using", ["httpcore", "httpx"])
def test_routes_of_the_users_router_pass(using: str, kind: str, order: str) -> None:
    """The user's routes answer, the provider answers the rest, and others are refused."""
    provider = StubProvider(plain(), first_s=0.0)
    with both_open(order, provider, user_router(using)):
        assert clients.fetch(httpx, kind, THEIRS).text == "theirs"
        assert clients.fetch(httpx, kind, OURS).content == MESSAGE
        with pytest.raises(Refused):
            clients.fetch(httpx, kind, "https://elsewhere.test/")


@ORDERS
@both_kinds
def test_routes_of_a_users_router_for_httpx2_pass(
    kind: str, order: str, pytest_httpx2: str
) -> None:
    """A router of pytest-httpx2 shares httpx2 with the provider as respx shares httpx."""
    library = clients.load("httpx2")
    provider = StubProvider(plain(), first_s=0.0)
    with both_open(order, provider, user_router(pytest_httpx2)):
        assert clients.fetch(library, kind, THEIRS).text == "theirs"
        assert clients.fetch(library, kind, OURS).content == MESSAGE
        with pytest.raises(Refused):
            clients.fetch(library, kind, "https://elsewhere.test/")
    assert provider.log == ["end", "refuse httpx2 elsewhere.test"]


@both_kinds
def test_read_timeout_beside_pytest_httpx2(kind: str, pytest_httpx2: str, log: list[str]) -> None:
    """With pytest-httpx2's mocker below httpx2 its clients still get their own errors."""
    library = clients.load("httpx2")
    assert pytest_httpx2 in Mocker.registry
    with (
        intercept(StubProvider(stream((ONE, TWO)), each_s=30.0, log=log)),
        pytest.raises(library.ReadTimeout),
    ):
        clients.parts(library, kind, log, timeout=library.Timeout(None, read=7.5))
    assert log == ["sleep 0.5", "status 200", "sleep 7.5", "cancel"]


@ORDERS
@both_kinds
def test_users_route_for_an_answered_host_wins(kind: str, order: str) -> None:
    """A route that the user wrote for one of the provider's URLs comes before the provider."""
    router = user_router("httpcore")
    router.post(OURS).respond(418)
    with both_open(order, StubProvider(plain(), first_s=0.0), router):
        assert clients.fetch(httpx, kind, OURS).status_code == 418
        assert clients.fetch(httpx, kind, "https://gateway.test/v2").content == MESSAGE


@ORDERS
@both_kinds
def test_router_that_mocks_everything_leaves_the_provider_its_own(kind: str, order: str) -> None:
    """assert_all_mocked=False answers only what neither a route nor the provider answers."""
    router = respx.mock(assert_all_mocked=False, assert_all_called=False)
    with both_open(order, StubProvider(plain(), first_s=0.0), router):
        assert clients.fetch(httpx, kind, OURS).content == MESSAGE
        assert clients.fetch(httpx, kind, "https://elsewhere.test/").content == b""


@ORDERS
@both_kinds
def test_route_that_passes_everything_leaks_nothing(kind: str, order: str, local_url: str) -> None:
    """A catch-all pass-through route opens this machine, but not the provider's hosts."""
    router = respx.mock(assert_all_called=False)
    router.route().pass_through()
    with both_open(order, StubProvider(plain(), first_s=0.0), router):
        assert clients.fetch(httpx, kind, OURS).content == MESSAGE
        assert clients.fetch(httpx, kind, local_url).content == b"real"


def test_users_router_still_checks_its_routes() -> None:
    """A route that was never called still fails the user's test."""
    router = respx.mock(assert_all_called=True)
    router.post(THEIRS)
    with intercept(StubProvider()), pytest.raises(AssertionError, match="not called"), router:
        pass


@both_kinds
def test_provider_on_a_users_route(kind: str, log: list[str]) -> None:
    """A user's route answers with the provider, plain and streamed, after its waits."""
    provider = StubProvider(stream((ONE, TWO)), each_s=0.25, log=log)
    router = respx.mock()
    router.route(host="gateway.test").mock(side_effect=provider_side_effect(provider))
    with router:
        clients.parts(httpx, kind, log)
        provider.reply = plain()
        assert clients.fetch(httpx, kind).content == MESSAGE
    streamed = ["sleep 0.5", "status 200", "sleep 0.25", "one", "sleep 0.25", "end", "two"]
    assert log == [*streamed, "sleep 0.5", "sleep 0.25", "end"]


def test_provider_on_a_users_route_answers_sync_clients_in_a_running_loop(log: list[str]) -> None:
    """A synchronous client that is used inside a coroutine is still answered synchronously."""
    router = respx.mock()
    side_effect = provider_side_effect(StubProvider(plain(), log=log))
    router.route(host="gateway.test").mock(side_effect=side_effect)

    async def main() -> bytes:
        with httpx.Client() as client:
            return client.post(OURS).content

    with router:
        assert asyncio.run(main()) == MESSAGE


@both_kinds
def test_timeout_and_refusal_on_a_users_route(kind: str, log: list[str]) -> None:
    """On a user's route, too, the client's patience ends and unknown hosts are refused."""
    router = respx.mock()
    provider = StubProvider(plain(), first_s=30.0, log=log)
    router.route().mock(side_effect=provider_side_effect(provider))
    with router:
        with pytest.raises(httpx.ReadTimeout):
            clients.fetch(httpx, kind, timeout=7.5)
        with pytest.raises(Refused):
            clients.fetch(httpx, kind, "https://elsewhere.test/")
    assert log == ["sleep 7.5", "cancel", "refuse httpx elsewhere.test"]


# ---------------------------------------------------------------- what is loaded


def test_opening_works_without_httpx2() -> None:
    """Where only httpx is installed, its clients are answered."""
    code = (
        "import sys\n"
        "sys.modules.update(httpx2=None, httpcore2=None)\n"
        "from fake_provider._intercept import intercept\n"
        "from tests.fake_provider.stub_provider import StubProvider\n"
        "import httpx\n"
        "with intercept(StubProvider(first_s=0.0)):\n"
        "    print(httpx.get('https://gateway.test/').status_code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("200\n", "")


def test_patched_pools_keep_their_names_and_arguments() -> None:
    """Another mocker can wrap what we patched: it looks at the name and the arguments."""
    httpcore2 = pytest.importorskip("httpcore2")
    if "httpcore2" in Mocker.registry:
        pytest.skip("pytest-httpx2 is installed, and its mocker is used")
    with intercept(StubProvider()):
        for pool, method in (
            (httpcore2.ConnectionPool, "handle_request"),
            (httpcore2.AsyncConnectionPool, "handle_async_request"),
        ):
            patched = vars(pool)[method]
            assert patched.__name__ == method
            assert inspect.getfullargspec(patched).args == ["self", "request"]
