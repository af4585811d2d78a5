"""Aiohttp: the door for its sessions, which get a connection whose other end is the provider.

Everything above the connection is aiohttp's own: middlewares, redirects, timeouts, parsing of the
answer, errors.
"""

from __future__ import annotations

import asyncio
import sys
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fake_provider._replaced import replaced
from fake_provider._wire._shapes import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import ExitStack
    from types import ModuleType

    from fake_provider._delivery import Exchange
    from fake_provider._switchboard import Switchboard
    from fake_provider._wire._shapes import Chunk, Reply

MODULE = "aiohttp.connector"
# HTTP knows no body of these: what follows their headers would be taken for another answer.
BODILESS = (204, 304)


def attach(board: Switchboard, module: ModuleType) -> ExitStack:
    """Connect every session to the provider for what that answers, whenever it was made.

    Args:
        board: The open providers.
        module: The module `aiohttp.connector`.

    Returns:
        What to close in order to leave aiohttp as it was.
    """
    connector = module.BaseConnector
    connect: Callable[..., Any] = connector.connect

    @wraps(connect)
    async def connects(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        host, path = (req.url.raw_host or "").lower(), req.url.path
        provider = board.find(host, path)
        if provider is None:
            return await connect(self, req, *args, **kwargs)
        headers: dict[str, str] = {}
        for name, value in req.headers.items():
            known = headers.get(name.lower())
            headers[name.lower()] = value if known is None else f"{known}, {value}"
        body = await _body(req.body)
        # Asked here, in the task of the caller: aiohttp sends the body in another one.
        exchange = provider.begin(
            Request(req.method, host, path, headers, body, req.url.raw_query_string)
        )
        loop = asyncio.get_running_loop()
        protocol = sys.modules["aiohttp.client_proto"].ResponseHandler(loop)
        protocol.connection_made(_FarEnd(loop, protocol, exchange))
        # It serves one request, and must not be found in the pool once the provider has closed.
        protocol.force_close()
        return module.Connection(self, req.connection_key, protocol, loop)

    return replaced(connector, "connect", connects)


class _FarEnd(asyncio.Transport):
    """A connection to the provider: what is written to it is known, what it receives is the answer.

    Args:
        loop: The loop that the waits pass on.
        protocol: Who receives the answer.
        exchange: The request and its answer.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any, exchange: Exchange) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._exchange = exchange
        self._closing = False
        self._waits: Iterator[tuple[float, Chunk | None]] = iter(())
        self._timer: asyncio.TimerHandle | None = None
        wait_s = exchange.whole_after_s
        if wait_s is None:
            self._waits = exchange.waits()
            self._draw()
        else:
            self._timer = loop.call_later(wait_s, self._send_whole)

    def _send_whole(self) -> None:
        """Send all of the answer."""
        self._timer = None
        reply = self._exchange.reply
        self._exchange.end()
        body = b"" if reply.status in BODILESS else reply.content
        self._protocol.data_received(_head(reply) + body)

    def _draw(self) -> None:
        """Wait for the next part; after the last one the answer ends, or the connection does."""
        try:
            upcoming = next(self._waits, None)
        except ConnectionError:
            self._lose()
            return
        if upcoming is not None:
            wait_s, chunk = upcoming
            self._timer = self._loop.call_later(wait_s, self._send, chunk)
            return
        self._exchange.end()
        if self._exchange.reply.stream:
            self._protocol.data_received(b"0\r\n\r\n")

    def _send(self, chunk: Chunk | None) -> None:
        """Send a part: the status line and the headers, or a chunk."""
        self._timer = None
        reply = self._exchange.reply
        if chunk is None:
            self._protocol.data_received(_head(reply))
        elif reply.stream:
            self._protocol.data_received(b"%x\r\n%s\r\n" % (len(chunk.data), chunk.data))
        else:
            self._protocol.data_received(chunk.data)
        self._draw()

    def _lose(self) -> None:
        """End the connection from this side."""
        self._closing = True
        self._protocol.connection_lost(None)

    # ------------------------------------------------------------------ what aiohttp calls

    def write(self, data: Any) -> None:
        """Take what is written, and do nothing: the provider has the request already."""

    def close(self) -> None:
        """Give up on what is left of the answer."""
        if self._closing:
            return
        self._closing = True
        self._give_up()
        self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Do what `close` does."""
        self.close()

    def is_closing(self) -> bool:
        """Tell whether it is closed."""
        return self._closing

    def pause_reading(self) -> None:
        """Do nothing: the answer goes on to arrive, as far as it has been read or not."""

    def resume_reading(self) -> None:
        """Do nothing."""

    def get_write_buffer_size(self) -> int:
        """Return that nothing waits to be sent."""
        return 0

    def __del__(self) -> None:
        self._give_up()

    def _give_up(self) -> None:
        """Tell the exchange that nobody waits for what is left, if anything is."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            self._exchange.cancel()


def _head(reply: Reply) -> bytes:
    """Return the status line and the headers of an answer."""
    try:
        reason = HTTPStatus(reply.status).phrase
    except ValueError:
        reason = ""
    lines = [f"HTTP/1.1 {reply.status} {reason}"]
    framing = ("content-length", "transfer-encoding") if reply.stream else ("transfer-encoding",)
    lines += [f"{name}: {value}" for name, value in reply.headers if name not in framing]
    if reply.stream:
        lines.append("transfer-encoding: chunked")
    elif not any(name == "content-length" for name, _ in reply.headers):
        lines.append(f"content-length: {len(reply.content)}")
    return "\r\n".join((*lines, "", "")).encode()


async def _body(body: Any) -> bytes:
    """Return a request's body, which aiohttp has as bytes or as something that writes itself."""
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    if body is None:
        return b""
    collected = _Collected()
    await body.write(collected)
    return b"".join(collected.parts)


class _Collected:
    """Takes what a body writes."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    async def write(self, part: Any) -> None:
        """Take a part."""
        self.parts.append(bytes(part))
