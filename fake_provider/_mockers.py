"""Mockers: how the provider takes its place in respx, below the clients of httpx and httpx2."""

from __future__ import annotations

import importlib
import inspect
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, cast

from respx.mocks import Mocker
from respx.models import AllMockedAssertionError, PassThrough

from fake_provider._delivery import AsyncBody, Delivery, SyncBody, async_deliver, deliver
from fake_provider._inbound import address, query_of, received
from fake_provider._transport import answer, async_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import ModuleType

    import httpcore2
    import httpx
    from respx.models import Route
    from respx.router import Router

    from fake_provider._switchboard import Provider, Switchboard
    from fake_provider._transport import ClientResponse
    from fake_provider._wire._shapes import Reply

    Handler = Callable[[Any, httpcore2.Request], httpcore2.Response]
    AsyncHandler = Callable[[Any, httpcore2.Request], Awaitable[httpcore2.Response]]

# respx's mockers of these names hand to their clients the errors of the library of that name.
# Those below both families' clients are started by us; "httpx" is joined for a router that the
# user starts with using="httpx". "httpcore2" comes with pytest-httpx2, where that is installed.
STARTED = {"httpcore": True, "httpx": False, "httpcore2": True}


class Door:
    """A router among respx's: the first to be asked, it decides for all of them.

    Routes of the user's own routers come first, then what the provider answers, then what a
    router of the user's answers without a route, then the network if the host may be reached.

    Args:
        board: The open providers.
        mocker: The mocker whose routers it joins.
        errors: Module of the errors that the mocker's clients understand.
    """

    def __init__(self, board: Switchboard, mocker: type[Mocker], errors: ModuleType) -> None:
        self._board = board
        self._mocker = mocker
        self._errors = errors

    def handler(self, request: httpx.Request) -> ClientResponse:
        """Answer a request of a synchronous client, in respx's terms."""
        host, path = address(request.url.raw_host, request.url.raw_path)
        provider = self._board.find(host, path)
        for router in self._others(request, answered=provider is not None):
            try:
                return router.handler(request)
            except AllMockedAssertionError:
                continue
        if provider is None:
            raise self._unanswered(request, host)
        return answer(provider, request, host, path, self._errors)

    async def async_handler(self, request: httpx.Request) -> ClientResponse:
        """Answer a request of an asynchronous client, in respx's terms."""
        host, path = address(request.url.raw_host, request.url.raw_path)
        provider = self._board.find(host, path)
        for router in self._others(request, answered=provider is not None):
            try:
                return await router.async_handler(request)
            except AllMockedAssertionError:
                continue
        if provider is None:
            raise self._unanswered(request, host)
        return await async_answer(provider, request, host, path, self._errors)

    def _others(self, request: httpx.Request, *, answered: bool) -> Iterator[Router]:
        """Yield the user's own routers that come before the provider for this request."""
        for router in tuple(self._mocker.routers):
            if isinstance(router, Door):
                continue
            if not answered or _has_route(router, request):
                yield router

    def _unanswered(self, request: httpx.Request, host: str) -> BaseException:
        """Return what to raise for a request that nobody answers."""
        if self._board.passes(host):
            # respx reads no more than the class.
            return PassThrough(f"{host} passes", request=request, origin=cast("Route", None))
        return self._board.refusal(host, "httpx2" if self._mocker.name == "httpcore2" else "httpx")


class ProviderMocker(Mocker):
    """Patches the connection pools of httpcore2, which respx does not know.

    Its handler goes straight to the provider: no request of another library, no patterns, and no
    list of calls that grows. Proxies are pools too, and are patched with them.
    """

    name = "fake-provider"
    targets: ClassVar[list[str]] = ["httpcore2.ConnectionPool", "httpcore2.AsyncConnectionPool"]
    target_methods: ClassVar[list[str]] = ["handle_request", "handle_async_request"]
    board: ClassVar[Switchboard]

    @classmethod
    def mock(cls, spec: Handler | AsyncHandler) -> Handler | AsyncHandler:
        """Return a pool's method that asks the providers before `spec`."""
        if inspect.iscoroutinefunction(spec):
            return cls._async_handler(spec)
        return cls._handler(cast("Handler", spec))

    # Both have the name of what they replace: respx does not wrap what has another name.

    @classmethod
    def _handler(cls, pass_on: Handler) -> Handler:
        """Return a synchronous pool's method."""
        library = importlib.import_module("httpcore2")

        def handle_request(self: object, request: httpcore2.Request) -> httpcore2.Response:
            host, path = address(request.url.host, request.url.target)
            provider = cls._provider(host, path)
            if provider is None:
                return pass_on(self, request)
            body = b"".join(cast("Iterator[bytes]", request.stream))
            query = query_of(request.url.target)
            method = request.method.decode()
            asked = received(method, host, path, request.headers, body, query)
            exchange = provider.begin(asked)
            delivery = deliver(exchange, library, request.extensions)
            return _response(library, exchange.reply, delivery, SyncBody)

        return handle_request

    @classmethod
    def _async_handler(cls, pass_on: AsyncHandler) -> AsyncHandler:
        """Return an asynchronous pool's method."""
        library = importlib.import_module("httpcore2")

        async def handle_async_request(
            self: object, request: httpcore2.Request
        ) -> httpcore2.Response:
            host, path = address(request.url.host, request.url.target)
            provider = cls._provider(host, path)
            if provider is None:
                return await pass_on(self, request)
            stream = cast("AsyncIterator[bytes]", request.stream)
            body = b"".join([part async for part in stream])
            query = query_of(request.url.target)
            method = request.method.decode()
            asked = received(method, host, path, request.headers, body, query)
            exchange = provider.begin(asked)
            delivery = await async_deliver(exchange, library, request.extensions)
            return _response(library, exchange.reply, delivery, AsyncBody)

        return handle_async_request

    @classmethod
    def _provider(cls, host: str, path: str) -> Provider | None:
        """Return the provider that answers, None if the request may take the network."""
        provider = cls.board.find(host, path)
        if provider is None and not cls.board.passes(host):
            raise cls.board.refusal(host, "httpx2")
        return provider


def attach(board: Switchboard) -> ExitStack:
    """Intercept both families, for clients that exist already and for those to come.

    Args:
        board: The open providers.

    Returns:
        What to close in order to leave respx and both families as they were.
    """
    with ExitStack() as attaching:
        for name, start in STARTED.items():
            mocker = Mocker.registry.get(name)
            if mocker is not None and find_spec(name) is not None:
                door = Door(board, mocker, importlib.import_module(name))
                attaching.enter_context(_joined(mocker, door, start=start))
        if "httpcore2" not in Mocker.registry and find_spec("httpcore2") is not None:
            ProviderMocker.board = board
            attaching.enter_context(_joined(ProviderMocker, board, start=True))
        return attaching.pop_all()


@contextmanager
def _joined(mocker: type[Mocker], router: Door | Switchboard, *, start: bool) -> Iterator[None]:
    """Have a router asked first among a mocker's; respx stops patching with its last router."""
    routers = cast("list[Any]", mocker.routers)
    routers.insert(0, router)
    try:
        if start:
            mocker.start()
        yield
    finally:
        routers.remove(router)
        mocker.stop()


def _has_route(router: Router, request: httpx.Request) -> bool:
    """Tell whether a router's route answers a request, rather than letting it pass."""
    for route in router.routes:
        if not route.pattern or route.pattern.match(request):
            return not route.is_pass_through
    return False


def _response(
    library: ModuleType,
    reply: Reply,
    delivery: Delivery | None,
    body: type[SyncBody | AsyncBody],
) -> httpcore2.Response:
    """Return a response of httpcore2: a stream with its body to come, or all of it."""
    content = reply.content if delivery is None else body(delivery)
    response: httpcore2.Response = library.Response(
        reply.status, headers=reply.headers, content=content
    )
    return response
