"""A Redis of the tests' own, on a free port of this machine."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVERS = ("redis-server", "valkey-server")


class RedisServer:
    """A store that can be stopped and started again.

    Args:
        port: The port that it listens on.
    """

    def __init__(self, port: int) -> None:
        command = next(filter(None, map(shutil.which, SERVERS)), None)
        if command is None:
            pytest.skip("no redis-server is installed: apt-get install redis-server")
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._words = [command, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with no data, and wait until it listens."""
        self._process = subprocess.Popen(
            [*self._words, "--appendonly", "no"], stdout=subprocess.DEVNULL
        )
        for _ in range(1_000):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError("redis-server does not listen")

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a store of its own; skip the test where none is installed."""
    pytest.importorskip("redis")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = RedisServer(port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
