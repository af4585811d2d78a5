"""Delivery: one exchange on its way to a client, part by part, each when its time has come."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType, SimpleNamespace

    from fake_provider._wire._shapes import Chunk, Reply

    # Where the errors are that a client understands: `ReadTimeout` and `RemoteProtocolError`.
    Errors = ModuleType | SimpleNamespace


class Exchange(Protocol):
    """One request and its answer, as a provider hands it to a door."""

    @property
    def reply(self) -> Reply:
        """The answer."""

    @property
    def whole_after_s(self) -> float | None:
        """Seconds until all of the answer leaves at once; None if it leaves in parts."""

    def waits(self) -> Iterator[tuple[float, Chunk | None]]:
        """Yield seconds to wait, then the chunk to send; the first pair is the status line.

        Each pair is drawn at the instant at which the part before it has left.

        Raises:
            ConnectionError: The provider cuts the connection here, and has noted so.
        """

    def end(self) -> None:
        """Note that the last byte has left."""

    def cancel(self) -> None:
        """Note that the client gave up."""


class Delivery:
    """Sends an answer that leaves in parts, and tells its exchange how that ended.

    Args:
        exchange: The exchange.
        library: Where the `ReadTimeout` and `RemoteProtocolError` are that the client understands.
        extensions: The request's extensions, where clients keep their timeouts in seconds.
    """

    __slots__ = ("_exchange", "_library", "_patience_s", "_upcoming", "_waits", "reply")

    def __init__(self, exchange: Exchange, library: Errors, extensions: Mapping[str, Any]) -> None:
        self.reply = exchange.reply
        self._exchange = exchange
        self._library = library
        self._patience_s = _patience_s(extensions)
        self._waits = exchange.waits()
        self._upcoming: tuple[float, Chunk | None] | ConnectionError | None = None
        self._draw()

    @property
    def unfinished(self) -> bool:
        """True while parts are left to send and the client has not closed."""
        return self._upcoming is not None

    def start(self) -> None:
        """Send what a client waits for: the status line of a stream, the whole of another."""
        self.step()
        while self._upcoming is not None and not self.reply.stream:
            self.step()

    async def async_start(self) -> None:
        """Do what `start` does, in the running async library."""
        await self.async_step()
        while self._upcoming is not None and not self.reply.stream:
            await self.async_step()

    def step(self) -> bytes:
        """Wait for the next part and return its bytes, none for the status line.

        Raises:
            Exception: The library's `ReadTimeout`, once the client has waited for as long as it
                is willing to; its `RemoteProtocolError` where the connection is cut.
        """
        wait_s, chunk = self._next_part()
        if wait_s > 0:
            try:
                time.sleep(min(wait_s, self._patience_s))
            except BaseException:
                self.close()
                raise
        return self._sent(wait_s, chunk)

    async def async_step(self) -> bytes:
        """Do what `step` does, in the running async library, which always gets its turn."""
        wait_s, chunk = self._next_part()
        if wait_s > 0 or chunk is None:
            try:
                await async_sleep(min(wait_s, self._patience_s))
            except BaseException:
                self.close()
                raise
        return self._sent(wait_s, chunk)

    def close(self) -> None:
        """Give up on the parts that are left, if any are."""
        upcoming, self._upcoming = self._upcoming, None
        if isinstance(upcoming, tuple):
            self._exchange.cancel()

    def _next_part(self) -> tuple[float, Chunk | None]:
        """Return the upcoming pair, or raise the cut that comes instead of it."""
        upcoming = self._upcoming
        if isinstance(upcoming, tuple):
            return upcoming
        self._upcoming = None
        raise self._library.RemoteProtocolError("the provider cut the connection") from upcoming

    def _sent(self, wait_s: float, chunk: Chunk | None) -> bytes:
        """Move on to the next part, unless the client's patience ended before this one."""
        if self._upcoming is None:  # closed by another thread or task in the meantime
            return b""
        if wait_s > self._patience_s:
            self.close()
            raise _timed_out(self._library)
        self._draw()
        return b"" if chunk is None else chunk.data

    def _draw(self) -> None:
        """Draw the next pair; a client may stop reading at the last part, so it ends there."""
        try:
            self._upcoming = next(self._waits, None)
        except ConnectionError as cut:
            self._upcoming = cut
        except BaseException:
            self._upcoming = None
            self._exchange.cancel()
            raise
        if self._upcoming is None:
            self._exchange.end()


def deliver(exchange: Exchange, library: Errors, extensions: Mapping[str, Any]) -> Delivery | None:
    """Send what a client waits for: all of an answer, or the status line of a stream.

    Args:
        exchange: The exchange.
        library: Where the `ReadTimeout` and `RemoteProtocolError` are that the client understands.
        extensions: The request's extensions, where clients keep their timeouts in seconds.

    Returns:
        The delivery of what is left to send, None if that was all.

    Raises:
        Exception: See Delivery.step.
    """
    wait_s = exchange.whole_after_s
    if wait_s is None:
        delivery = Delivery(exchange, library, extensions)
        delivery.start()
        return delivery if exchange.reply.stream else None
    if wait_s > 0:
        patience_s = _patience_s(extensions)
        try:
            time.sleep(min(wait_s, patience_s))
        except BaseException:
            exchange.cancel()
            raise
        if wait_s > patience_s:
            exchange.cancel()
            raise _timed_out(library)
    exchange.end()
    return None


async def async_deliver(
    exchange: Exchange, library: Errors, extensions: Mapping[str, Any]
) -> Delivery | None:
    """Do what `deliver` does, in the running async library, which always gets its turn."""
    wait_s = exchange.whole_after_s
    if wait_s is None:
        delivery = Delivery(exchange, library, extensions)
        await delivery.async_start()
        return delivery if exchange.reply.stream else None
    patience_s = _patience_s(extensions)
    try:
        await async_sleep(min(wait_s, patience_s))
    except BaseException:
        exchange.cancel()
        raise
    if wait_s > patience_s:
        exchange.cancel()
        raise _timed_out(library)
    exchange.end()
    return None


def _patience_s(extensions: Mapping[str, Any]) -> float:
    """Return the seconds that a client waits for each part of an answer."""
    read_s: float | None = (extensions.get("timeout") or {}).get("read")
    return math.inf if read_s is None else read_s


def _timed_out(library: Errors) -> Exception:
    """Return the error of a client whose patience has ended."""
    error: Exception = library.ReadTimeout("The read operation timed out")
    return error


class SyncBody:
    """The body of a streamed reply, for a synchronous client."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if not self._delivery.unfinished:
            raise StopIteration
        return self._delivery.step()

    def close(self) -> None:
        """Give up on the rest."""
        self._delivery.close()

    def __del__(self) -> None:
        self._delivery.close()


class AsyncBody:
    """The body of a streamed reply, for an asynchronous client."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._delivery.unfinished:
            raise StopAsyncIteration
        return await self._delivery.async_step()

    async def aclose(self) -> None:
        """Give up on the rest."""
        self._delivery.close()

    def __del__(self) -> None:
        self._delivery.close()


async def async_sleep(seconds: float) -> None:
    """Sleep in whichever async library runs this task; nobody's is imported for it."""
    trio_lowlevel = sys.modules.get("trio.lowlevel")
    if trio_lowlevel is not None and trio_lowlevel.in_trio_task():
        await sys.modules["trio"].sleep(seconds)
    else:
        await sys.modules["asyncio"].sleep(seconds)
