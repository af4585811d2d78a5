"""App: the provider as a plain ASGI application, for clients in other processes."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from fake_provider._errors import AttemptLimit, ProviderError, UnansweredRequest
from fake_provider._inbound import received
from fake_provider._wire import DIALECTS
from fake_provider._wire._shapes import Chunk, Failure, Ids, Reply

if TYPE_CHECKING:
    from fake_provider._delivery import Exchange
    from fake_provider._peers import Peer
    from fake_provider._wire import Dialect
    from fake_provider._wire._shapes import Request

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Control = Callable[[str, str, Send], Awaitable[None]]

# Anthropic takes 32 MB. Source: platform.claude.com/docs/en/api/overview, read 2026-11-25.
MOST_BODY = 32 * 1024 * 1024
CONTROL = "/_fake_provider"

# They are no Exceptions, so that no retry loop in the provider's own process catches them.
_OURS = (AttemptLimit, ProviderError, UnansweredRequest)


class Desk(Protocol):
    """What this door asks of a provider."""

    def begin(
        self, request: Request, peer: Peer | None = None, dialect: Dialect | None = None
    ) -> Exchange:
        """Take one request through the provider up to its answer."""

    def dialect(self, host: str, path: str) -> Dialect | None:
        """Return the dialect in which a request is answered, None if it is not."""


class Gone(Exception):  # noqa: N818  (it ends an exchange, and is no error of ours)
    """The client has closed the connection."""


class App:
    """A provider as an ASGI application.

    Args:
        desk: What decides and answers.
        control: Answers the paths below `/_fake_provider/`: method, rest of the path, send.
        most_body: Bytes of the longest body that is read.
    """

    def __init__(self, desk: Desk, control: Control, most_body: int = MOST_BODY) -> None:
        self._desk = desk
        self._control = control
        self._most_body = most_body
        self._ids = Ids(0)
        self.in_flight = 0
        self.requests = 0
        self.disconnects = 0
        self.statuses: dict[int, int] = {}

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request.

        Args:
            scope: What ASGI says of it.
            receive: Gives its body, then its client's leaving.
            send: Takes the answer.
        """
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path.startswith(CONTROL):
            await self._control(scope["method"], path[len(CONTROL) :], send)
            return
        self.requests += 1
        self.in_flight += 1
        try:
            await self._answer(scope, path, receive, send)
        except Gone:
            self.disconnects += 1
        finally:
            self.in_flight -= 1

    async def _answer(
        self, scope: Mapping[str, Any], path: str, receive: Receive, send: Send
    ) -> None:
        """Read a request, ask the desk, and send what it says."""
        headers = scope["headers"]
        dialect, path = _by_prefix(path)
        host = _host(headers)
        body = await _body(headers, receive, self._most_body)
        if body is None:
            await self._send_all(self._too_large(dialect, host, path), send)
            return
        query = scope["query_string"].decode("latin-1")
        request = received(scope["method"], host, path, headers, body, query)
        try:
            exchange = self._desk.begin(request, scope["state"]["peer"], dialect)
        except (Exception, *_OURS) as error:  # noqa: BLE001  (whatever it is, the server goes on)
            await self._send_all(self._failed(dialect, request.method, path, error), send)
            return
        try:
            await self._deliver(exchange, receive, send)
        except BaseException:
            exchange.cancel()
            raise

    async def _deliver(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        """Send an answer when its time has come, in one piece or in parts.

        Its end is noted just before the last part leaves: whoever has all of it finds it in the
        trace, and in the trace's file.
        """
        reply, wait_s = exchange.reply, exchange.whole_after_s
        if wait_s is not None:
            if wait_s > 0:
                await _wait(wait_s, receive)
            exchange.end()
            await self._send_all(reply, send)
            return
        part = b""
        try:
            for wait_s, chunk in exchange.waits():
                if part:
                    await _send_part(part, send)
                if wait_s > 0:
                    await _wait(wait_s, receive)
                if chunk is None:
                    await self._send_head(reply, send)
                part = b"" if chunk is None else chunk.data
        except ConnectionError:
            # uvicorn closes the connection of an answer that is not complete.
            await _send_part(part, send)
            return
        exchange.end()
        await send({"type": "http.response.body", "body": part})

    async def _send_all(self, reply: Reply, send: Send) -> None:
        """Send an answer in one piece."""
        content = reply.content
        head = [(name.encode(), value.encode()) for name, value in reply.headers]
        if "content-length" not in dict(reply.headers):
            head.append((b"content-length", b"%d" % len(content)))
        self._count(reply.status)
        await send({"type": "http.response.start", "status": reply.status, "headers": head})
        await send({"type": "http.response.body", "body": content})

    async def _send_head(self, reply: Reply, send: Send) -> None:
        """Send the status line and the headers of an answer that comes in parts."""
        head = [(name.encode(), value.encode()) for name, value in reply.headers]
        self._count(reply.status)
        await send({"type": "http.response.start", "status": reply.status, "headers": head})

    def _count(self, status: int) -> None:
        """Count an answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def _too_large(self, dialect: Dialect | None, host: str, path: str) -> Reply:
        """Return the 413 of a body that is longer than any provider takes."""
        dialect = dialect or self._desk.dialect(host, path)
        message = f"Request exceeds the maximum size of {self._most_body:,} bytes"
        if dialect is None:
            return _plain(413, message)
        return dialect.error(Failure(413, message=message), self._ids, time.time_ns())

    def _failed(
        self, dialect: Dialect | None, method: str, path: str, error: BaseException
    ) -> Reply:
        """Return what a client is told where the provider has no answer; no SDK retries it."""
        if isinstance(error, UnansweredRequest):
            named = ", ".join(f"/{name}" for name in DIALECTS)
            return _plain(404, f"no dialect has {method} {path}; name one by a prefix: {named}")
        status = 400 if isinstance(error, AttemptLimit) else 500
        if not isinstance(error, (AttemptLimit, ProviderError)):
            error = ProviderError(f"the fake provider failed: {error!r}")
        print(f"fake-provider: {error}", file=sys.stderr)  # noqa: T201  (a server's log)
        retry = (("x-should-retry", "false"),)
        if dialect is None:
            return _plain(status, str(error), retry)
        return dialect.error(
            Failure(status, message=str(error), headers=retry), self._ids, time.time_ns()
        )


def _by_prefix(path: str) -> tuple[Dialect | None, str]:
    """Return the dialect that a path's first part names, and the path as the provider has it."""
    name, slash, rest = path[1:].partition("/")
    dialect = DIALECTS.get(name)
    return (None, path) if dialect is None else (dialect, slash + rest)


def _host(headers: list[tuple[bytes, bytes]]) -> str:
    """Return the host that a request names, in lower case and without its port."""
    for name, value in headers:
        if name == b"host":
            host = value.decode("latin-1").lower()
            return host.rpartition(":")[0] if host[-1:].isdigit() and ":" in host else host
    return ""


async def _body(headers: list[tuple[bytes, bytes]], receive: Receive, most: int) -> bytes | None:
    """Return a request's body; None if it is too long, of which no more is kept.

    Raises:
        Gone: The client left before its end.
    """
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value[:20]) > most:
            return None
    message = await receive()
    if message["type"] == "http.request" and not message["more_body"]:
        body: bytes = message["body"]
        return body if len(body) <= most else None
    parts, size = [], 0
    while True:
        if message["type"] != "http.request":
            raise Gone
        size += len(message["body"])
        if size > most:
            return None
        parts.append(message["body"])
        if not message["more_body"]:
            return b"".join(parts)
        message = await receive()


async def _send_part(part: bytes, send: Send) -> None:
    """Send a part of a body that goes on."""
    await send({"type": "http.response.body", "body": part, "more_body": True})


async def _wait(seconds: float, receive: Receive) -> None:
    """Wait, unless the client leaves in the meantime.

    Raises:
        Gone: It left.
    """
    try:
        async with asyncio.timeout(seconds):
            # The body has been read: what comes next is that the client has left.
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return
    raise Gone


def _plain(status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """Return an error of the server's own, which belongs to no dialect."""
    body = json.dumps({"error": {"type": "fake_provider", "message": message}}).encode()
    return Reply(status, (("content-type", "application/json"), *headers), (Chunk(body),))
