"""CPU per request and requests per second of the server door, against a canned ASGI app.

Run from the checkout: `python -m tests.benchmarks.bench_server [--rounds 5] [--requests 3000]`.
Both servers run on the same uvicorn, each in a process of its own, and are asked in turn by one
client with 1, 16 and 128 connections. CPU is that of the server's process alone; figures are
medians over rounds. `--fill N` then fills the limit's window with N requests and measures again.
`--peer 'NAME=COMMAND'` measures another server beside them; `{port}` in its command is its port.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

CONNECTIONS = (1, 16, 128)
TARGETS = {"ratio": 1.4, "start_s": 0.5, "fill": 1.1}
BODY = json.dumps(
    {
        "model": "claude-sonnet-5",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "What changed?"}],
    }
)
HEADERS = (
    ("host", "127.0.0.1"),
    ("x-api-key", "k"),
    ("anthropic-version", "2023-06-01"),
    ("content-type", "application/json"),
    ("accept", "application/json"),
    ("user-agent", "Anthropic/Python 2.13.0"),
    ("x-stainless-retry-count", "0"),
    ("content-length", str(len(BODY))),
)
PATH = "/v1/messages"
REQUEST = (
    f"POST {PATH} HTTP/1.1\r\n"
    + "".join(f"{name}: {value}\r\n" for name, value in HEADERS)
    + f"\r\n{BODY}"
).encode()
STREAM = REQUEST.replace(b'"max_tokens"', b'"stream":true,"max_tokens"').replace(
    b"content-length: %d" % len(BODY), b"content-length: %d" % (len(BODY) + 14)
)


class Connection(asyncio.Protocol):
    """One connection that asks again as soon as it has its answer.

    Args:
        payload: A request.
        left: How many requests are left to send, in all connections.
        done: Set when the last answer has come.
        status: The status of every answer; None for any.
    """

    def __init__(
        self, payload: bytes, left: list[int], done: asyncio.Event, status: bytes | None
    ) -> None:
        self._payload, self._left, self._done = payload, left, done
        self._start = b"HTTP/1.1 " + (status or b"")
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._is_whole():
            assert self._buffer.startswith(self._start), self._buffer[:200]
            self._buffer = b""
            self._left[1] -= 1
            if not self._left[1]:
                self._done.set()
            self._ask()

    def _is_whole(self) -> bool:
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        _, found, rest = head.partition(b"content-length: ")
        if found:
            return len(body) >= int(rest.split(b"\r\n", 1)[0])
        return body.endswith(b"\r\n0\r\n\r\n")

    def _ask(self) -> None:
        if self._left[0]:
            self._left[0] -= 1
            self._transport.write(self._payload)


async def ask(
    port: int,
    requests: int,
    connections: int,
    payload: bytes = REQUEST,
    status: bytes | None = b"200",
) -> float:
    """Make so many requests, and return the seconds that they took."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    left = [requests, requests]
    began = time.perf_counter()
    made = [
        await loop.create_connection(
            lambda: Connection(payload, left, done, status), "127.0.0.1", port
        )
        for _ in range(connections)
    ]
    await done.wait()
    took = time.perf_counter() - began
    for transport, _ in made:
        transport.abort()
    return took


def cpu_s(pid: int) -> float:
    """CPU seconds of all threads of a process so far."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text("ascii").split()[0]) for task in tasks) / 1e9


@contextmanager
def started(*words: str) -> Iterator[tuple[int, int, float]]:
    """Start a server; yield its port, its pid and the seconds until it listened."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True)
    try:
        line = json.loads(process.stdout.readline())
        took = time.perf_counter() - began
        yield int(line["base_url"].rpartition(":")[2]), line["pid"], took
    finally:
        process.kill()
        process.communicate()


@contextmanager
def peer(command: str) -> Iterator[tuple[int, int]]:
    """Start a server that prints nothing of use; yield its port and its pid."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [word.replace("{port}", str(port)) for word in shlex.split(command)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.kill()
        process.communicate()


def serve_canned() -> None:
    """Serve one answer for ever: what any ASGI app on this uvicorn has to pay."""
    import uvicorn

    body = json.dumps({"type": "message", "text": "x" * 430}).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    head += [(b"x-header-%d" % number, b"some value of a header") for number in range(18)]
    events = [b"event: content_block_delta\ndata: " + b"x" * 110 + b"\n\n"] * 14

    async def app(scope: dict, receive: object, send: object) -> None:
        body_in, more = b"", True
        while more:
            message = await receive()
            body_in += message["body"]
            more = message["more_body"]
        streams = json.loads(body_in).get("stream")
        shown = [pair for pair in head if not streams or pair[0] != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": shown})
        for event in events if streams else ():
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"" if streams else body})

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    port = listener.getsockname()[1]
    print(json.dumps({"base_url": f"http://127.0.0.1:{port}", "pid": os.getpid()}), flush=True)
    options = {"loop": "asyncio", "lifespan": "off", "ws": "none", "access_log": False}
    config = uvicorn.Config(app, **options, log_level="critical", server_header=False)
    uvicorn.Server(config).run(sockets=[listener])


def measure(ports: dict[str, tuple[int, int]], rounds: int, requests: int, path: str) -> None:
    """Print CPU and rate of each server, and their ratio, for each number of connections."""
    asked = [text.replace(PATH.encode(), path.encode(), 1) for text in (REQUEST, STREAM)]
    for what, payload in zip(("message", "stream"), asked, strict=True):
        for connections in CONNECTIONS if what == "message" else (16,):
            cpu: dict[str, list[float]] = {name: [] for name in ports}
            rate: dict[str, list[float]] = {name: [] for name in ports}
            for number in range(rounds + 1):
                for name in sorted(ports, reverse=bool(number % 2)):
                    port, pid = ports[name]
                    before = cpu_s(pid)
                    took = asyncio.run(ask(port, requests, connections, payload))
                    if number:  # the first round warms up
                        cpu[name].append((cpu_s(pid) - before) / requests * 1e6)
                        rate[name].append(requests / took)
            typical = {name: statistics.median(values) for name, values in cpu.items()}
            ratio = typical["fake"] / typical["canned"]
            others = [name for name in typical if name not in ("fake", "canned")]
            beside = "".join(f"  {n}/fake x{typical[n] / typical['fake']:.1f}" for n in others)
            told = "  ".join(
                f"{name} {typical[name]:6.1f} us {statistics.median(rate[name]):7,.0f}/s"
                for name in sorted(ports)
            )
            bound = f"x{ratio:.2f} (<= {TARGETS['ratio']})"
            print(f"{what:8} c={connections:<4} {told}  {bound}{beside}")


def fill(port: int, pid: int, entries: int, requests: int) -> None:
    """Print CPU per request with an empty window and with a full one."""
    typical = []
    for live in (0, entries):
        if live:
            asyncio.run(ask(port, live, 16))
        spent = []
        for _ in range(5):
            before = cpu_s(pid)
            asyncio.run(ask(port, requests, 16))
            spent.append((cpu_s(pid) - before) / requests * 1e6)
        typical.append(statistics.median(spent))
    empty, full = typical
    print(
        f"window   {empty:.1f} us empty, {full:.1f} us with {entries:,} entries: "
        f"x{full / empty:.2f} (<= {TARGETS['fill']})"
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--fill", type=int, default=0, metavar="N")
    parser.add_argument("--trace", metavar="FILE", help="have the server write its trace")
    parser.add_argument("--peer", metavar="NAME=COMMAND", action="append", default=[])
    parser.add_argument("--path", default=PATH, help="that is asked")
    parser.add_argument("--canned", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.canned:
        serve_canned()
        return
    limits = ["--requests-per-minute", "100000000", "--tokens-per-minute", "100000000000"]
    flags = ["fake_provider", "serve", "--latency", "0", *limits]
    flags += ["--trace", options.trace] if options.trace else []
    canned = ["tests.benchmarks.bench_server", "--canned"]
    starts: dict[str, list[float]] = {"canned": [], "fake": []}
    for _ in range(5):
        for name, words in (("canned", canned), ("fake", flags)):
            with started(*words) as (_, _, took):
                starts[name].append(took)
    bare, own = (statistics.median(starts[name]) for name in ("canned", "fake"))
    print(f"start    canned {bare:.2f} s  fake {own:.2f} s  (<= {TARGETS['start_s']} s)")
    with ExitStack() as running:
        ports = {
            name: running.enter_context(started(*words))[:2]
            for name, words in (("canned", canned), ("fake", flags))
        }
        for name, _, command in (text.partition("=") for text in options.peer):
            ports[name] = running.enter_context(peer(command))
        measure(ports, options.rounds, options.requests, options.path)
    if options.fill:
        with started(*flags) as (port, pid, _):
            fill(port, pid, options.fill, options.requests)


if __name__ == "__main__":
    main()
