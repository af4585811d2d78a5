"""Sockets and child processes: peers in this process are exact, children live in real time."""

from __future__ import annotations

import asyncio
import concurrent.futures
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

from fake_provider.virtual_time import VirtualClock

from .helpers import run_threads


class Slow(http.server.BaseHTTPRequestHandler):
    """Answers after 2 s."""

    def do_GET(self):
        time.sleep(2)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments):
        pass


def test_a_threaded_http_server():
    """A server in a thread and its client share the time, with no real time lost."""
    with VirtualClock() as clock:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        for _ in range(3):
            assert urllib.request.urlopen(url, timeout=30).read() == b"ok"
        assert clock.elapsed() == 6.0
        server.shutdown()
        thread.join()
        server.server_close()
        assert clock.stats["foreign"] == 0


def echo_times():
    """The virtual times at which twenty asyncio clients got each of their five echoes."""
    log = []

    async def serve(reader, writer):
        while line := await reader.readline():
            await asyncio.sleep(1)
            writer.write(line)
            await writer.drain()
        writer.close()

    async def ask(port, number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(5):
            writer.write(b"x\n")
            await writer.drain()
            assert await asyncio.wait_for(reader.readline(), 1.5) == b"x\n"
            log.append((number, clock.now_ns))
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        await asyncio.gather(*(ask(port, number) for number in range(20)))
        server.close()

    with VirtualClock() as clock:
        asyncio.run(main())
        assert clock.elapsed() == 5.0
    return tuple(log)


def test_streams_over_loopback_are_repeatable():
    """Ten runs of asyncio streams over real sockets give one log."""
    assert len({echo_times() for _ in range(10)}) == 1


def test_blocking_sockets_wait_in_virtual_time():
    """``recv`` and ``accept`` wait for a peer in this process, and time out exactly."""
    with VirtualClock() as clock:
        left, right = socket.socketpair()
        run_threads(
            lambda: (time.sleep(5), left.sendall(b"late")),
            lambda: right.recv(4) == b"late" or pytest.fail("wrong bytes"),
        )
        assert clock.elapsed() == 5.0
        right.settimeout(3)
        with pytest.raises(TimeoutError):
            right.recv(1)
        assert clock.elapsed() == 8.0
        right.setblocking(False)
        with pytest.raises(BlockingIOError):
            right.recv(1)
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(2)
            with pytest.raises(TimeoutError):
                server.accept()
        assert clock.elapsed() == 10.0
        left.close()
        right.close()


def test_sendall_waits_for_a_slow_reader():
    """More than the buffers hold goes out piece by piece, as the peer reads."""
    size = 4_000_000
    with VirtualClock() as clock:
        left, right = socket.socketpair()
        received = []

        def read():
            while sum(received) < size:
                time.sleep(1)
                received.append(len(right.recv(1_000_000)))

        run_threads(lambda: left.sendall(memoryview(b"x" * size)), read)
        assert sum(received) == size
        assert clock.elapsed() == float(len(received))
        assert clock.stats["foreign"] == 0
        left.close()
        right.close()


def test_a_child_process_takes_no_virtual_time():
    """``subprocess.run`` is real: nobody's timeout fires meanwhile."""
    with VirtualClock() as clock:
        out = []
        thread = threading.Thread(target=lambda: time.sleep(100) or out.append(clock.elapsed()))
        thread.start()
        code = "import time; time.sleep(0.1); print('hello')"
        done = subprocess.run(
            [sys.executable, "-S", "-c", code], capture_output=True, check=True, timeout=30
        )
        assert (done.stdout, clock.elapsed()) == (b"hello\n", 0.0)
        with subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.DEVNULL) as p:
            assert p.wait(timeout=20) == 0
        assert clock.elapsed() == 0.0
        thread.join()
        assert out == [100.0]


def test_an_asyncio_child_process_takes_no_virtual_time():
    """An asyncio subprocess that takes real time does not let a timeout fire."""

    async def main():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-S", "-c", "print(1)", stdout=subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(process.communicate(), 5)
        return out

    with VirtualClock() as clock:
        assert asyncio.run(main()) == b"1\n"
        assert clock.elapsed() < 0.01


def double(number):
    """What a child process computes."""
    return 2 * number


@pytest.mark.slow
def test_a_process_pool_takes_no_virtual_time():
    """A result of a process pool comes before its virtual timeout."""
    import multiprocessing

    with VirtualClock() as clock:
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            assert pool.submit(double, 21).result(timeout=30) == 42
        assert clock.elapsed() < 1.0


def test_the_housekeepers_of_multiprocessing_are_no_children():
    """Its resource tracker, which lives as long as the process, takes nobody's time; others do."""
    code = """
import multiprocessing.resource_tracker, subprocess, sys
from fake_provider.virtual_time import _kernel
said = [_kernel.has_children()]
multiprocessing.resource_tracker.ensure_running()
said.append(_kernel.has_children())
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
said.append(_kernel.has_children())
child.communicate(b"end")
said.append(_kernel.has_children())
print(*said)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "False False True False\n"


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_is_real():
    """A child forked under a clock has real time; its parent goes on in virtual time."""
    with VirtualClock() as clock:
        time.sleep(5)
        child = os.fork()
        if child == 0:
            began = time.monotonic()
            time.sleep(0.01)
            os._exit(0 if 0.01 <= time.monotonic() - began < 5 else 1)
        assert os.waitpid(child, 0)[1] == 0
        time.sleep(5)
        assert clock.elapsed() == 10.0
