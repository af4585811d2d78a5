"""Serving: a provider's door for other processes, and what is left of it once it has closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fake_provider._hosts import LOCAL

if TYPE_CHECKING:
    from fake_provider._control import Written
    from fake_provider._desk import Desk
    from fake_provider._server import Server
    from fake_provider._trace import Trace


class Serving:
    """Opens and closes the server of one provider.

    Args:
        desk: What decides and answers.
        header: Returns the trace so far without its attempts.
    """

    def __init__(self, desk: Desk, header: Callable[[], Trace]) -> None:
        self._desk = desk
        self._header = header
        self._late_s = 0.0
        self.server: Server | None = None

    @property
    def late_s(self) -> float:
        """Seconds that the server is, or was, usually late by; 0 without one."""
        return self._late_s if self.server is None else self.server.lag.usual_s

    @contextmanager
    def opened(
        self,
        reset: Callable[[], None],
        host: str = LOCAL,
        port: int = 0,
        written: Written | None = None,
    ) -> Iterator[None]:
        """Serve while the block runs.

        Args:
            reset: Begins the trace anew, when a client asks for it.
            host: Address to listen on.
            port: Port to listen on; 0 takes a free one.
            written: The file that has the attempts that have ended; None if they are kept.

        Raises:
            OSError: The address cannot be had.
        """
        from fake_provider._server import Server

        server = Server(self._desk, self._header, reset, host, port, written)
        server.start()
        self.server = server
        try:
            yield
        finally:
            server.stop()
            self._late_s = server.lag.usual_s
            self.server = None

    def stop(self) -> None:
        """Stop taking requests: what is under way ends with the server."""
        if self.server is not None:
            self.server.stop()
