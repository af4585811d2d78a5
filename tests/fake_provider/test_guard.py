"""The guard: known providers are out of reach for any library, and nothing else is."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import socket
import ssl
import sys
import threading
import types
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from fake_provider._guard import KNOWN_HOSTS, environment, guard, is_known
from tests.fake_provider.stub_provider import Refused, StubProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KNOWN = "api.anthropic.com"
WRAPPED = (
    (socket, ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "create_connection")),
    (socket.socket, ("connect", "connect_ex")),
    (asyncio.BaseEventLoop, ("getaddrinfo", "create_connection", "start_tls")),
    (ssl.SSLContext, ("wrap_socket", "wrap_bio")),
)


def everything_wrapped() -> dict[str, Any]:
    """Return every function that the guard may replace."""
    return {
        f"{owner.__name__}.{name}": vars(owner).get(name)
        for owner, names in WRAPPED
        for name in names
    }


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Every test here leaves every replaced function as it was."""
    before = everything_wrapped()
    yield
    assert everything_wrapped() == before


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that got past the guard to a resolver, none of which knows any name."""
    names: list[str] = []

    def resolve(host: Any, *_args: Any, **_kwargs: Any) -> Any:
        names.append(host.decode() if isinstance(host, bytes) else host)
        raise socket.gaierror(socket.EAI_NONAME, "no network here")

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        monkeypatch.setattr(socket, name, resolve)
    return names


@pytest.fixture
def local_address() -> Iterator[tuple[str, int]]:
    """The address of a listening socket on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


# ---------------------------------------------------------------- which hosts


@pytest.mark.parametrize(
    "host",
    [
        "api.anthropic.com",
        "api.openai.com",
        "eu.api.openai.com",
        "my-resource.openai.azure.com",
        "my-resource.cognitiveservices.azure.com",
        "generativelanguage.googleapis.com",
        "us-east5-aiplatform.googleapis.com",
        "aiplatform.googleapis.com",
        "aiplatform.eu.rep.googleapis.com",
        "bedrock-runtime.us-east-1.amazonaws.com",
        "bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
        "api.groq.com",
        "api.mistral.ai",
        "openrouter.ai",
        "api.deepseek.com",
        "api.cohere.com",
        "api.together.xyz",
        "api.x.ai",
    ],
)
def test_provider_host_is_known(host: str) -> None:
    """The hosts of LLM APIs are known, with their regions and resources."""
    assert is_known(host)


@pytest.mark.parametrize(
    "host",
    [
        "anthropic.com",
        "docs.anthropic.com",
        "api.anthropic.com.evil.test",
        "notapi.openai.com",
        "s3.us-east-1.amazonaws.com",
        "storage.googleapis.com",
        "login.microsoftonline.com",
        "pypi.org",
        "openai.azure.com.test",
        "api.openai.com\n",
    ],
)
def test_other_host_is_not_known(host: str) -> None:
    """Documentation, storage, login and look-alikes are not providers."""
    assert not is_known(host)


def test_known_hosts_are_sorted_and_lower_case() -> None:
    """The documented list is in order, without doubles, in the case that is compared."""
    assert list(KNOWN_HOSTS) == sorted({host.lower() for host in KNOWN_HOSTS})


# ---------------------------------------------------------------- which ways


def _loop(call: Callable[[asyncio.AbstractEventLoop], Any]) -> None:
    async def main() -> None:
        await call(asyncio.get_running_loop())

    asyncio.run(main())


def _trio_stream() -> None:
    trio = pytest.importorskip("trio")
    try:
        trio.run(trio.open_tcp_stream, KNOWN, 443)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


def _tls_bio(name: str = KNOWN) -> None:
    ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=name)


def _tls_socket(name: str = KNOWN) -> None:
    with socket.socket() as plain:
        ssl.create_default_context().wrap_socket(plain, server_hostname=name)


def _https() -> None:
    http.client.HTTPSConnection(KNOWN).request("GET", "/")


WAYS: dict[str, Callable[[], Any]] = {
    "getaddrinfo": lambda: socket.getaddrinfo(KNOWN, 443),
    "getaddrinfo by keyword": lambda: socket.getaddrinfo(host=KNOWN, port=443),
    "getaddrinfo of bytes": lambda: socket.getaddrinfo(b"api.anthropic.com", 443),
    "getaddrinfo of an absolute name": lambda: socket.getaddrinfo("API.Anthropic.com.", 443),
    "gethostbyname": lambda: socket.gethostbyname(KNOWN),
    "gethostbyname_ex": lambda: socket.gethostbyname_ex(KNOWN),
    "create_connection": lambda: socket.create_connection((KNOWN, 443)),
    "connect": lambda: socket.socket().connect((KNOWN, 443)),
    "connect_ex": lambda: socket.socket().connect_ex((KNOWN, 443)),
    "http.client": _https,
    "urllib": lambda: urllib.request.urlopen(f"https://{KNOWN}/"),
    "loop.getaddrinfo": lambda: _loop(lambda loop: loop.getaddrinfo(KNOWN, 443)),
    "loop.create_connection": lambda: _loop(
        lambda loop: loop.create_connection(asyncio.Protocol, KNOWN, 443)
    ),
    "a thread of the loop": lambda: _loop(
        lambda loop: loop.run_in_executor(None, socket.getaddrinfo, KNOWN, 443)
    ),
    "trio": _trio_stream,
    "TLS in memory": _tls_bio,
    "TLS over a socket": _tls_socket,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_known_host_is_refused(way: str, resolved: list[str]) -> None:
    """Every way to a known host ends in the provider's refusal, before a name is resolved."""
    provider = StubProvider()
    with guard(provider), pytest.raises(Refused):
        WAYS[way]()
    assert resolved == []
    assert [entry.split()[0::2] for entry in provider.log] == [["refuse", KNOWN]]


def test_asyncio_resolves_through_the_socket_module(resolved: list[str]) -> None:
    """The loop's own resolver calls the socket module's, by name, in a thread."""
    with pytest.raises(socket.gaierror):
        _loop(lambda loop: loop.getaddrinfo("elsewhere.test", 443))
    assert resolved == ["elsewhere.test"]


def test_host_that_the_provider_answers_is_refused(resolved: list[str]) -> None:
    """A host of the user's own that the provider answers is out of reach, too."""
    with guard(StubProvider(hosts=("gateway.test",))), pytest.raises(Refused):
        socket.getaddrinfo("gateway.test", 443)
    assert resolved == []


def test_address_resolved_earlier_is_refused_by_tls(local_address: tuple[str, int]) -> None:
    """A connection by address is found out when TLS is told whom to expect."""
    provider = StubProvider()
    with (
        guard(provider),
        socket.create_connection(local_address) as plain,
        pytest.raises(Refused),
    ):
        ssl.create_default_context().wrap_socket(plain, server_hostname=KNOWN)
    assert provider.log == [f"refuse socket {KNOWN}"]


def test_address_resolved_earlier_is_refused_by_the_loop(local_address: tuple[str, int]) -> None:
    """The same goes for asyncio, which is stopped before it connects and leaves nothing open."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(
            loop.create_connection(
                asyncio.Protocol,
                *local_address,
                ssl=ssl.create_default_context(),
                server_hostname=KNOWN,
            ),
            timeout=10,
        )

    with guard(StubProvider()), pytest.raises(Refused):
        asyncio.run(main())


def test_tunnel_of_a_proxy_is_refused_by_the_loop(local_address: tuple[str, int]) -> None:
    """Behind a proxy no name is resolved here: TLS in the tunnel is what gives it away."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(asyncio.Protocol, *local_address)
        context = ssl.create_default_context()
        try:
            await asyncio.wait_for(
                loop.start_tls(transport, protocol, context, server_hostname=KNOWN), timeout=10
            )
        finally:
            transport.abort()

    with guard(StubProvider()), pytest.raises(Refused):
        asyncio.run(main())


def test_loop_of_uvloop_is_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where uvloop is loaded, whose loop resolves names itself, its loop is guarded too."""

    class Loop:
        async def getaddrinfo(self, host: str, port: int) -> str:
            return "resolved"

        async def create_connection(
            self, factory: object, host: str, port: int, *, server_hostname: str
        ) -> str:
            return "connected"

        async def start_tls(self, *transports: object, server_hostname: str) -> str:
            return "secured"

    module = types.ModuleType("uvloop")
    module.Loop = Loop
    monkeypatch.setitem(sys.modules, "uvloop", module)
    before = dict(vars(Loop))
    with guard(StubProvider()):
        loop = Loop()
        for call in (
            lambda name: loop.getaddrinfo(name, 443),
            lambda name: loop.create_connection(None, name, 443, server_hostname="elsewhere.test"),
            lambda name: loop.create_connection(None, "127.0.0.1", 443, server_hostname=name),
            lambda name: loop.start_tls(server_hostname=name),
        ):
            with pytest.raises(Refused):
                call(KNOWN)
            assert asyncio.run(call("elsewhere.test")) in {"resolved", "connected", "secured"}
    assert dict(vars(Loop)) == before


# ---------------------------------------------------------------- what passes


def test_this_machine_is_reached(local_address: tuple[str, int]) -> None:
    """Connections to this machine are made as if no guard were there."""
    provider = StubProvider()
    host, port = local_address
    with guard(provider):
        socket.create_connection(local_address).close()
        socket.create_connection(("localhost", port)).close()
        with socket.socket() as client:
            assert client.connect_ex((host, port)) == 0
        left, right = socket.socketpair()
        left.close()
        right.close()
    assert provider.log == []


def test_socket_of_the_file_system_is_reached(tmp_path: Any) -> None:
    """An address that is no host and port passes."""
    path = str(tmp_path / "server")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        with guard(StubProvider()):
            client.connect(path)


def test_other_hosts_pass(resolved: list[str]) -> None:
    """A host that is no known provider's is resolved as ever."""
    provider = StubProvider()
    with guard(provider):
        for call in (socket.getaddrinfo, socket.gethostbyname, socket.gethostbyname_ex):
            with pytest.raises(socket.gaierror):
                call("elsewhere.test", *([443] if call is socket.getaddrinfo else []))
        _tls_bio("elsewhere.test")
    assert resolved == ["elsewhere.test"] * 3
    assert provider.log == []


def test_wildcard_address_passes() -> None:
    """A server that binds to every address, where there is no host, is not looked at."""
    with guard(StubProvider()):
        assert socket.getaddrinfo(None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)


def test_allowed_host_passes(resolved: list[str]) -> None:
    """A known host that the user allowed is resolved as ever."""
    with guard(StubProvider(allowed=(KNOWN,))), pytest.raises(socket.gaierror):
        socket.getaddrinfo(KNOWN, 443)
    assert resolved == [KNOWN]


# ---------------------------------------------------------------- which library


def called_from(*modules: str) -> Callable[[], Any]:
    """Return a call of the resolver through functions of the named modules, outermost first."""
    call: Callable[[], Any] = lambda: socket.getaddrinfo(KNOWN, 443)  # noqa: E731
    for name in reversed(modules):
        module = types.ModuleType(name)
        module.__dict__["call"] = call
        exec("def through():\n    return call()", module.__dict__)
        call = module.__dict__["through"]
    return call


@pytest.mark.parametrize(
    ("modules", "library"),
    [
        ((), "socket"),
        (("aiohttp.connector", "aiohttp.resolver"), "aiohttp"),
        (("botocore.httpsession", "urllib3.connection"), "botocore"),
        (("requests.adapters", "urllib3.connection", "http.client"), "requests"),
        (("urllib3.connection",), "urllib3"),
        (("app", "urllib.request", "http.client"), "urllib"),
        (("aiohttp_like",), "socket"),
    ],
)
def test_library_is_named(modules: tuple[str, ...], library: str) -> None:
    """The refusal names the outermost HTTP library on the stack."""
    provider = StubProvider()
    with guard(provider), pytest.raises(Refused, match=f"{library} to {KNOWN}"):
        called_from(*modules)()


def test_library_of_a_coroutine_is_named() -> None:
    """The library that awaits the loop's resolver is named, although it runs in a thread."""
    module = types.ModuleType("aiohttp.resolver")
    exec(
        "async def resolve(loop, host):\n    return await loop.getaddrinfo(host, 443)", vars(module)
    )
    with guard(StubProvider()), pytest.raises(Refused, match="aiohttp to"):
        _loop(lambda loop: module.resolve(loop, KNOWN))


# ---------------------------------------------------------------- opening and closing


def test_newest_provider_refuses(resolved: list[str]) -> None:
    """Of two open providers the newer refuses, and what either allows passes."""
    outer, inner = StubProvider(allowed=("api.openai.com",)), StubProvider()
    with guard(outer):
        with guard(inner):
            with pytest.raises(Refused):
                socket.getaddrinfo(KNOWN, 443)
            with pytest.raises(socket.gaierror):
                socket.getaddrinfo("api.openai.com", 443)
        with pytest.raises(Refused):
            socket.getaddrinfo(KNOWN, 443)
    assert inner.log == outer.log == [f"refuse socket {KNOWN}"]
    assert resolved == ["api.openai.com"]


def test_error_inside_leaves_nothing_behind() -> None:
    """A test that fails while the guard is open leaves everything as it was."""
    before = everything_wrapped()
    with pytest.raises(ZeroDivisionError), guard(StubProvider()):  # noqa: PT012
        assert everything_wrapped() != before
        raise ZeroDivisionError
    assert everything_wrapped() == before


def test_whoever_patches_later_keeps_theirs(
    resolved: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A patch made while the guard is open survives it, and no longer meets a guard in it."""
    context = guard(StubProvider())
    context.__enter__()
    guarded = socket.getaddrinfo

    def theirs(*args: Any, **kwargs: Any) -> Any:
        return guarded(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", theirs)
    context.__exit__(None, None, None)
    assert socket.getaddrinfo is theirs
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo(KNOWN, 443)
    assert resolved == [KNOWN]


def test_providers_open_in_several_threads(resolved: list[str]) -> None:
    """Guards that open and close at once in many threads refuse throughout and leave nothing."""
    failures: list[str] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait(10)
        for _ in range(50):
            with guard(StubProvider()), contextlib.suppress(Refused):
                socket.getaddrinfo(KNOWN, 443)
                failures.append("not refused")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert resolved == []


# ---------------------------------------------------------------- environment


def test_environment_is_set_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are set while open; afterwards each is as it was, or unset again."""
    monkeypatch.setenv("FP_WAS_SET", "before")
    monkeypatch.delenv("FP_WAS_UNSET", raising=False)
    before = dict(os.environ)
    with environment({"FP_WAS_SET": "inside", "FP_WAS_UNSET": "inside"}):
        assert os.environ["FP_WAS_SET"] == os.environ["FP_WAS_UNSET"] == "inside"
    assert dict(os.environ) == before


def test_environment_is_restored_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are restored when the block raises, even one that the block removed."""
    monkeypatch.setenv("FP_WAS_SET", "before")
    before = dict(os.environ)
    with (  # noqa: PT012
        pytest.raises(ZeroDivisionError),
        environment({"FP_WAS_SET": "outer", "FP_WAS_UNSET": "outer"}),
        environment({"FP_WAS_SET": "inner"}),
    ):
        del os.environ["FP_WAS_UNSET"]
        raise ZeroDivisionError
    assert dict(os.environ) == before
