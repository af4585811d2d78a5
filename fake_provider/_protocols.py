"""Protocols: uvicorn's HTTP parsers, with bounds on what a connection may hold up."""

from __future__ import annotations

import logging
from typing import Any

from fake_provider._peers import Peer

# Bytes of a request line with its headers; providers' gateways take from 8 to 64 kB.
MOST_HEAD = 64 * 1024
# Seconds for which a request may arrive in pieces.
MOST_ARRIVAL_S = 60.0

_LOGGER = logging.getLogger("fake_provider.server")
_LOGGER.setLevel(logging.CRITICAL)


class Guarded:
    """What both parsers have in common: the connection's peer, and its patience with a request.

    uvicorn copies `app_state` into the scope of each request: so the app learns of the peer.
    """

    def connection_made(self, transport: Any) -> None:
        """Begin to serve a connection."""
        self.peer = Peer()
        self.app_state = {"peer": self.peer}
        # The process may have a uvicorn of its own: its loggers stay as they are.
        self.logger, self.access_log = _LOGGER, False
        self._pending: object = None
        self._pending_since_s = 0.0
        super().connection_made(transport)  # type: ignore[misc]

    def connection_lost(self, error: Exception | None) -> None:
        """Note that the connection has closed."""
        self.peer.is_closed = True
        super().connection_lost(error)  # type: ignore[misc]

    def lose_patience(self, now_s: float) -> None:
        """Close the connection if one request has been arriving for too long.

        Args:
            now_s: Seconds on the loop's clock.
        """
        pending = self.pending()
        if pending is None or pending is not self._pending:
            self._pending, self._pending_since_s = pending, now_s
        elif now_s - self._pending_since_s > MOST_ARRIVAL_S:
            self.transport.abort()  # type: ignore[attr-defined]

    def pending(self) -> object:
        """Return what stands for the request that has begun to arrive; None if none has."""
        raise NotImplementedError


def protocol_class() -> type[Any]:
    """Return the faster parser, httptools, if it is installed, h11 otherwise."""
    try:
        import httptools  # noqa: F401
    except ImportError:
        return _h11_class()
    return _httptools_class()


def _httptools_class() -> type[Any]:
    """Return the parser on httptools, which itself bounds nothing."""
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class HttpTools(Guarded, HttpToolsProtocol):
        """uvicorn's parser on httptools."""

        _surplus = 0
        _arriving: object = None

        def data_received(self, data: bytes) -> None:
            """Parse what has come, and refuse a head, chunk sizes or trailers without an end."""
            self._surplus += len(data)
            super().data_received(data)
            if self._surplus > MOST_HEAD and not self.transport.is_closing():
                self.send_400_response("Request header fields too large.")

        def on_message_begin(self) -> None:
            """Note that a request begins."""
            self._arriving = object()
            super().on_message_begin()

        def on_body(self, body: bytes) -> None:
            """Set what is around a body off against it: chunks of one byte are six bytes long."""
            self._surplus = max(0, self._surplus - 9 * len(body))
            super().on_body(body)

        def on_message_complete(self) -> None:
            """Note that the request is there."""
            self._surplus, self._arriving = 0, None
            super().on_message_complete()

        def pending(self) -> object:
            """Return what stands for the request that has begun to arrive."""
            return self._arriving

    return HttpTools


def _h11_class() -> type[Any]:
    """Return the parser on h11, which bounds the head itself."""
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class H11(Guarded, H11Protocol):
        """uvicorn's parser on h11."""

        def pending(self) -> object:
            """Return what stands for the request that has begun to arrive."""
            if self.conn.their_state is h11.SEND_BODY:
                return self.cycle
            begun = self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]
            return self.conn if begun else None

    return H11
