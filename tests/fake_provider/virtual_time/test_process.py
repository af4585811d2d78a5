"""The process around a clock: its end, and threads that nobody joins."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fake_provider

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


DROP = """
import sys, threading, time
from fake_provider.virtual_time import VirtualClock as First, VirtualTimeError
def import_again():
    for name in [name for name in sys.modules if name.partition(".")[0] == "fake_provider"]:
        del sys.modules[name]
    from fake_provider.virtual_time import VirtualClock
    return VirtualClock
def run(clock):
    with clock:
        thread = threading.Thread(target=time.sleep, args=(3,))
        time.sleep(5); thread.start(); thread.join()
    print(clock.elapsed())
"""


NESTED = """
second = import_again()
with First():
    try: second().__enter__()
    except VirtualTimeError as error: print(str(error).partition(":")[0])
"""


@pytest.mark.parametrize(
    ("body", "printed"),
    [
        ("run(First()); run(import_again()()); run(First()); run(import_again()())", "8.0\n" * 4),
        ("second = import_again()\nfor _ in range(3): run(First()); run(second())", "8.0\n" * 6),
        ("with First(): second = import_again()\nrun(second())", "8.0\n"),
        (NESTED, "a virtual clock is open in this process already, and there is one at a time\n"),
    ],
    ids=["dropped", "alternating", "under-a-clock", "nested"],
)
def test_a_package_that_is_imported_twice_is_one(body, printed):
    """Whoever drops its modules and imports them again shares the clock of the first import."""
    assert run_python(DROP + body) == printed


def test_two_copies_of_the_package_are_refused(tmp_path):
    """Their hooks would not know of each other; the error names both files."""
    package = Path(fake_provider.__file__).parent
    shutil.copytree(package, tmp_path / "fake_provider")
    body = (
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "try: import_again()\n"
        "except ImportError as error: print(error)"
    )
    message = run_python(DROP + body)
    assert f"from {package}/virtual_time/__init__.py already; a second copy" in message
    assert f"{tmp_path}/fake_provider/virtual_time/__init__.py" in message


def test_a_session_of_pytester_in_this_process(pytester):
    """Sessions in one process, each of which drops what it imported, have one clock."""
    pytester.makepyfile(
        "import time\n"
        "from fake_provider.virtual_time import VirtualClock\n"
        "def test_sleep():\n"
        "    with VirtualClock() as clock:\n"
        "        time.sleep(5)\n"
        "        assert clock.elapsed() == 5.0\n"
    )
    for _ in range(2):
        pytester.runpytest_inprocess("-p", "no:asyncio").assert_outcomes(passed=1)
