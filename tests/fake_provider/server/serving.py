"""A server in a process of its own, and clients that know no SDK."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
KEY = "sk-ant-secret-0123456789"
HEADERS = {"x-api-key": KEY, "anthropic-version": "2023-06-01", "content-type": "application/json"}
COMMAND = (sys.executable, "-m", "fake_provider")


class Served:
    """A server that was started by `serve`."""

    def __init__(self, process: subprocess.Popen[str], line: dict[str, Any]) -> None:
        self.process = process
        self.base_url: str = line["base_url"]
        self.env: dict[str, str] = line["env"]
        self.pid: int = line["pid"]
        self.port = int(self.base_url.rpartition(":")[2])

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask the server about itself."""
        return request(self.port, "GET", f"/_fake_provider{path}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the status that the process ends with."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


@contextmanager
def serving(*flags: str) -> Iterator[Served]:
    """Start a server, and kill it at the end if it still runs."""
    process = subprocess.Popen(
        [*COMMAND, "serve", *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate(timeout=30)[1])
        yield Served(process, json.loads(line))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def message(text: str = "What changed?", **more: Any) -> bytes:
    """Return the body of a request for a message."""
    messages = [{"role": "user", "content": text}]
    return json.dumps(
        {"model": "claude-sonnet-5", "max_tokens": 50, "messages": messages, **more}
    ).encode()


def request(
    port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] = HEADERS
) -> tuple[int, bytes]:
    """Make one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def ask(port: int, text: str = "What changed?", caller: str | None = None, **more: Any) -> int:
    """Ask for a message on a connection of its own, and return the status."""
    headers = HEADERS if caller is None else {**HEADERS, "x-caller": caller}
    return request(port, "POST", "/v1/messages", message(text, **more), headers)[0]


def dial(port: int, timeout_s: float = 10.0) -> socket.socket:
    """Return a connected socket."""
    return socket.create_connection(("127.0.0.1", port), timeout=timeout_s)


def answer_to(connection: socket.socket) -> bytes:
    """Return what a server sends until it closes or falls silent."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except (TimeoutError, ConnectionResetError):
        pass
    return b"".join(parts)
