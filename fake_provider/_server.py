"""Server: the door for other processes, on uvicorn, in a thread of this one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fake_provider._app import App
from fake_provider._control import Control
from fake_provider._hosts import LOCAL
from fake_provider._lag import Lag
from fake_provider._wire import DIALECTS

try:
    import uvicorn
except ImportError as missing:
    raise ImportError(
        "the server door needs uvicorn, which is not installed: "
        "pip install 'pytest-ratelimit[server]'"
    ) from missing

from fake_provider._protocols import protocol_class

if TYPE_CHECKING:
    from fake_provider._control import Written
    from fake_provider._desk import Desk
    from fake_provider._trace import Trace

BACKLOG = 4_096
# Longer than SDKs keep an idle connection, so that they are the ones to close it.
KEEP_ALIVE_S = 75
# Seconds for which answers under way may go on when the server stops.
GRACE_S = 1.0
_START_S = 30.0
_PATIENCE_TICK_S = 1.0


class Server:
    """A provider's door for other processes.

    Args:
        desk: What decides and answers.
        header: Returns the trace so far without its attempts.
        reset: Begins the trace anew.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        written: The file that has the attempts that have ended; None if they are kept.

    Raises:
        OSError: The address cannot be listened on.
    """

    def __init__(
        self,
        desk: Desk,
        header: Callable[[], Trace],
        reset: Callable[[], None],
        host: str = LOCAL,
        port: int = 0,
        written: Written | None = None,
    ) -> None:
        self.lag = Lag(lambda: (self._app.requests, self._app.in_flight))
        control = Control(desk, header, reset, self.lag, written)
        self._app = control.app = App(desk, control)
        self._socket = _listen(host, port)
        self.base_url = _origin(host, self._socket.getsockname()[1])
        self._uvicorn = _Uvicorn(self._app, self.lag)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="fake-provider server", daemon=True)

    @property
    def env(self) -> dict[str, str]:
        """Variables that point the SDKs at the server, each at its dialect."""
        return env_for(self.base_url)

    def start(self) -> None:
        """Serve, from when this returns.

        Raises:
            RuntimeError: uvicorn could not start.
        """
        self._thread.start()
        if not self._uvicorn.is_ready.wait(_START_S) or self._failure is not None:
            raise RuntimeError(f"the server did not start: {self._failure!r}")

    def stop(self) -> None:
        """Stop serving; answers under way have a second to end."""
        self._uvicorn.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        """Serve until told to stop."""
        try:
            self._uvicorn.run(sockets=[self._socket])
        except BaseException as error:  # noqa: BLE001  (a thread has nobody to raise it to)
            self._failure = error
        finally:
            self._uvicorn.is_ready.set()


class _Uvicorn(uvicorn.Server):
    """uvicorn, with signals left to the program and connections watched.

    Args:
        app: What it serves.
        lag: How late its loop is.
    """

    def __init__(self, app: App, lag: Lag) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=protocol_class(),
                ws="none",
                lifespan="off",
                log_config=None,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
            )
        )
        self.is_ready = threading.Event()
        self._lag = lag
        self._helpers: list[asyncio.Task[None]] = []

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: they are the program's."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and to watch."""
        await super().startup(sockets)
        for work in (self._lag.measure(), self._lose_patience()):
            self._helpers.append(asyncio.create_task(work))
        self.is_ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and cut what takes too long to end."""
        for helper in self._helpers:
            helper.cancel()
        cut = asyncio.get_running_loop().call_later(GRACE_S, self._cut)
        await super().shutdown(sockets)
        cut.cancel()

    def _cut(self) -> None:
        """Close every connection, whatever is under way."""
        for connection in list(self.server_state.connections):
            _transport(connection).abort()

    async def _lose_patience(self) -> None:
        """Close connections whose request never comes to its end."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_PATIENCE_TICK_S)
            connections: list[Any] = list(self.server_state.connections)
            for connection in connections:
                connection.lose_patience(loop.time())


def _transport(connection: Any) -> asyncio.Transport:
    """Return a connection's transport."""
    transport: asyncio.Transport = connection.transport
    return transport


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio has small writes leave at once for a socket that says that it is TCP, and no other.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _origin(host: str, port: int) -> str:
    """Return the base URL by which this machine reaches an address."""
    reached = {"0.0.0.0": LOCAL, "::": "::1", "": LOCAL}.get(host, host)  # noqa: S104  (not bound)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def env_for(origin: str) -> dict[str, str]:
    """Return the variables that point every SDK at a server, by the dialect's own path.

    Args:
        origin: The server's base URL.
    """
    return {
        name: _moved(value, f"{origin}/{dialect.name}")
        for dialect in DIALECTS.values()
        for name, value in dialect.env.items()
    }


def _moved(value: str, base: str) -> str:
    """Return an official base URL with its origin replaced; any other value as it is."""
    url = urlsplit(value)
    return base + url.path.rstrip("/") if url.scheme in ("http", "https") else value
