"""ProviderTransport: the door for clients that take a transport, of httpx and of httpx2."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from fake_provider._delivery import AsyncBody, Delivery, SyncBody, async_deliver, deliver
from fake_provider._inbound import address, query_of, received

if TYPE_CHECKING:
    from types import ModuleType

    import httpx
    import httpx2

    from fake_provider._switchboard import Provider
    from fake_provider._wire._shapes import Reply

    ClientRequest = httpx.Request | httpx2.Request
    ClientResponse = httpx.Response | httpx2.Response

LIBRARIES = ("httpx", "httpx2")


@dataclass(frozen=True, slots=True)
class Family:
    """One of the two client libraries, and bodies that its clients accept.

    Args:
        library: `httpx` or `httpx2`.
        sync_body: A SyncBody that is the library's `SyncByteStream`.
        async_body: An AsyncBody that is the library's `AsyncByteStream`.
    """

    library: ModuleType
    sync_body: type[SyncBody]
    async_body: type[AsyncBody]


_FAMILIES: dict[type, Family] = {}


class ProviderTransport:
    """A transport for the clients of httpx and httpx2, synchronous and asynchronous.

    It answers in the classes of the request that it is given, and has no way to the network: a
    request that the provider does not answer is an error.

    Args:
        provider: The provider that answers.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def handle_request(self, request: ClientRequest) -> ClientResponse:
        """Answer a request of a synchronous client.

        Raises:
            BaseException: The provider does not answer the request's host and path.
        """
        host, path = self._address(request)
        return answer(self._provider, request, host, path)

    async def handle_async_request(self, request: ClientRequest) -> ClientResponse:
        """Answer a request of an asynchronous client.

        Raises:
            BaseException: The provider does not answer the request's host and path.
        """
        host, path = self._address(request)
        return await async_answer(self._provider, request, host, path)

    def _address(self, request: ClientRequest) -> tuple[str, str]:
        """Return a request's host and path, unless the provider does not answer them."""
        host, path = address(request.url.raw_host, request.url.raw_path)
        if not self._provider.answers(host, path):
            raise self._provider.refuse(host, family_of(request).library.__name__)
        return host, path

    def close(self) -> None:
        """Do nothing: there is no connection to close."""

    async def aclose(self) -> None:
        """Do nothing: there is no connection to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()


def answer(
    provider: Provider,
    request: ClientRequest,
    host: str,
    path: str,
    errors: ModuleType | None = None,
) -> ClientResponse:
    """Answer a request of httpx or httpx2 in its own family's classes, once its time has come.

    Args:
        provider: The provider that answers.
        request: The request.
        host: Its host, in lower case.
        path: Its path, decoded and without query.
        errors: Module of the errors to raise; the family's own if None.
    """
    family = family_of(request)
    body = request.read()
    query = query_of(request.url.raw_path)
    asked = received(request.method, host, path, request.headers.raw, body, query)
    exchange = provider.begin(asked)
    delivery = deliver(exchange, errors or family.library, request.extensions)
    return _response(family.library, exchange.reply, delivery, family.sync_body)


async def async_answer(
    provider: Provider,
    request: ClientRequest,
    host: str,
    path: str,
    errors: ModuleType | None = None,
) -> ClientResponse:
    """Do what `answer` does, in the running async library."""
    family = family_of(request)
    body = await request.aread()
    query = query_of(request.url.raw_path)
    asked = received(request.method, host, path, request.headers.raw, body, query)
    exchange = provider.begin(asked)
    delivery = await async_deliver(exchange, errors or family.library, request.extensions)
    return _response(family.library, exchange.reply, delivery, family.async_body)


def family_of(request: ClientRequest) -> Family:
    """Return the family of a request, whose library is therefore loaded.

    Raises:
        TypeError: It is a request of neither library.
    """
    kind = type(request)
    family = _FAMILIES.get(kind)
    if family is None:
        family = _FAMILIES[kind] = _family(kind)
    return family


def _family(kind: type) -> Family:
    """Return the family of a class of requests."""
    for base in kind.__mro__:
        name = base.__module__.partition(".")[0]
        if name in LIBRARIES:
            library = sys.modules[name]
            return Family(
                library,
                type("SyncBody", (SyncBody, library.SyncByteStream), {}),
                type("AsyncBody", (AsyncBody, library.AsyncByteStream), {}),
            )
    raise TypeError(f"request must be one of {' or '.join(LIBRARIES)}, got a {kind!r}")


def _response(
    library: ModuleType,
    reply: Reply,
    delivery: Delivery | None,
    body: type[SyncBody | AsyncBody],
) -> ClientResponse:
    """Return the library's response: a stream with its body to come, or all of it."""
    headers = library.Headers(reply.headers, encoding="utf-8")
    stream = library.ByteStream(reply.content) if delivery is None else body(delivery)
    response: ClientResponse = library.Response(reply.status, headers=headers, stream=stream)
    # An encoding that is stated spares the library a guess at every header.
    response.headers.encoding = "utf-8"
    return response
