"""The process around a clock: its end, and threads that nobody joins."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .helpers import real_clock


def run_python(code):
    """Run a program that may import the package; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    "body",
    [
        "clock.__enter__(); time.sleep(3600)",
        "clock.__enter__(); threading.Thread(target=time.sleep, args=(0.05,)).start()",
        "clock.__enter__(); pool = ThreadPoolExecutor(2); pool.submit(time.sleep, 60).result()",
        "clock.__enter__(); threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        "p = ThreadPoolExecutor(1); p.submit(int).result(); clock.__enter__(); p.submit(int)",
    ],
    ids=["sleep", "thread", "pool", "daemon", "older-pool"],
)
def test_the_interpreter_ends_with_an_open_clock(body):
    """A program that never closes its clock ends all the same, without an error."""
    began = real_clock()
    code = (
        "import threading, time\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from fake_provider.virtual_time import VirtualClock\n"
        f"clock = VirtualClock()\n{body}\nprint('end')"
    )
    assert run_python(code) == "end\n"
    assert real_clock() - began < 20


def test_a_stopped_run_leaves_no_thread_to_wait_for():
    """After a stop, threads that slept for days do not keep the interpreter from ending."""
    code = """
import threading, time
from fake_provider.virtual_time import VirtualClock, VirtualTimeLimit
try:
    with VirtualClock(limit=100):
        for _ in range(3):
            threading.Thread(target=time.sleep, args=(1e9,)).start()
        threading.Event().wait()
except VirtualTimeLimit:
    print("stopped")
"""
    assert run_python(code) == "stopped\n"


def test_one_log_whatever_the_hash_seed():
    """Fresh processes with different hash seeds give one log."""
    code = """
import asyncio, threading, time
from fake_provider.virtual_time import VirtualClock
log = []
async def task(name):
    for _ in range(3):
        await asyncio.sleep(len(name) % 3)
        await asyncio.to_thread(time.sleep, 0.5)
        log.append((name, time.time()))
async def main():
    async with asyncio.TaskGroup() as group:
        for name in {"a", "bb", "ccc", "dddd", "eeeee"} and sorted({"a", "bb", "ccc", "dddd"}):
            group.create_task(task(name))
with VirtualClock():
    asyncio.run(main())
print(log)
"""
    logs = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            timeout=60,
            capture_output=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(logs) == 1
