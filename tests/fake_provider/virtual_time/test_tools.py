"""Test tools keep real time: pytest, its timeout, hypothesis; and what cannot be virtual."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import time
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_provider.virtual_time import VirtualClock, VirtualTimeError

from .helpers import real_clock


@pytest.fixture
def run_pytest(pytester, monkeypatch):
    """Runs pytest in a process of its own, without plugins that are not asked for."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def run(*arguments):
        return pytester.runpytest_subprocess("-v", "-p", "no:cacheprovider", *arguments)

    return run


def test_durations_of_pytest_stay_real(pytester, run_pytest):
    """A clock that opens in setup and closes in teardown leaves the reported durations real."""
    pytester.makepyfile(
        """
        import time, pytest
        from fake_provider.virtual_time import VirtualClock

        @pytest.fixture
        def clock():
            with VirtualClock() as clock:
                yield clock

        def test_sleeps(clock):
            time.sleep(40_000)
            assert clock.elapsed() == 40_000
        """
    )
    pytester.makeconftest(
        """
        def pytest_runtest_logreport(report):
            assert report.duration < 5, (report.when, report.duration)
            assert abs(report.stop - report.start) < 5
        """
    )
    result = run_pytest()
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_timeout_of_pytest_is_real(pytester, run_pytest, method):
    """pytest-timeout ends a real hang after a real second, and no virtual hour."""
    pytester.makepyfile(
        """
        import threading, time
        from fake_provider.virtual_time import VirtualClock, _real

        def test_virtual_hour():
            with VirtualClock() as clock:
                threading.Event().wait(3600)
                assert clock.elapsed() == 3600

        def test_real_hang():
            with VirtualClock() as clock, clock.passthrough():
                time.sleep(600)
        """
    )
    began = real_clock()
    result = run_pytest("-p", "pytest_timeout", "--timeout=1.5", f"--timeout-method={method}")
    assert real_clock() - began < 25
    result.stdout.fnmatch_lines(["*test_virtual_hour PASSED*"])
    assert "Timeout" in result.stdout.str() + result.stderr.str()


def test_a_timeout_of_pytest_reaches_a_parked_thread(pytester, run_pytest):
    """A test that waits in the scheduler for the outside is interrupted, and the next one runs."""
    pytester.makepyfile(
        """
        import os, threading, time
        from fake_provider.virtual_time import VirtualClock

        def test_waits_for_a_pipe():
            reader, writer = os.pipe()
            with VirtualClock():
                thread = threading.Thread(target=os.read, args=(reader, 1), daemon=True)
                thread.start()
                thread.join()

        def test_next():
            with VirtualClock() as clock:
                time.sleep(60)
                assert clock.elapsed() == 60
        """
    )
    result = run_pytest("-p", "pytest_timeout", "--timeout=1.5", "--timeout-method=signal")
    result.assert_outcomes(failed=1, passed=1)


def test_the_deadline_of_hypothesis_is_real():
    """An example that sleeps 100 virtual seconds meets a deadline of 5 real ones."""

    @settings(deadline=5_000, max_examples=5, database=None, derandomize=True)
    @given(st.integers())
    def sleeps(_):
        with VirtualClock() as clock:
            time.sleep(100)
            assert clock.elapsed() == 100.0

    sleeps()


def test_hypothesis_inside_a_clock():
    """``@given`` under a clock that is open already measures real time too."""

    @settings(deadline=5_000, max_examples=5, database=None, derandomize=True)
    @given(st.integers())
    def sleeps(_):
        time.sleep(100)

    with VirtualClock() as clock:
        sleeps()
        assert clock.elapsed() == 500.0


def test_threads_of_tools_stay_real():
    """A thread whose code belongs to a debugger or a test timeout sees and sleeps real time."""

    def watch():
        began = time.perf_counter()
        time.sleep(0.02)
        seen.append((time.perf_counter() - began, abs(began - real_clock()) < 5))

    seen = []
    watch.__module__ = "pytest_timeout"
    with VirtualClock() as clock:
        thread = threading.Thread(target=watch)
        thread.start()
        thread.join()
        assert clock.elapsed() == 0.0
        assert clock.leaked == ()
    ((took, was_real),) = seen
    assert was_real
    assert 0.02 <= took < 5


def test_uvloop_is_refused(monkeypatch):
    """uvloop's loop keeps its own clock; running it under a clock raises at once."""
    closed = []

    class Loop:
        def run_until_complete(self, future):
            raise AssertionError("must not run")

        run_forever = run_until_complete

    uvloop = types.ModuleType("uvloop")
    uvloop.Loop = Loop
    monkeypatch.setitem(sys.modules, "uvloop", uvloop)
    with VirtualClock(), pytest.raises(VirtualTimeError, match="uvloop keeps a clock of its own"):
        Loop().run_until_complete(types.SimpleNamespace(close=lambda: closed.append(True)))
    assert closed == [True]
    with pytest.raises(AssertionError, match="must not run"):
        Loop().run_until_complete(None)


def test_gevent_is_refused(monkeypatch):
    """A process whose threads gevent has replaced cannot be virtual."""
    monkey = types.ModuleType("gevent.monkey")
    monkey.is_module_patched = lambda name: name == "threading"
    monkeypatch.setitem(sys.modules, "gevent.monkey", monkey)
    with pytest.raises(VirtualTimeError, match="gevent has replaced the threads"):
        VirtualClock().__enter__()


@pytest.mark.parametrize(
    "late",
    [
        "import trio; trio.run(trio.sleep, 50)",
        "import anyio; anyio.run(anyio.sleep, 50, backend='trio')",
        (
            "from freezegun import freeze_time\n"
            "    with freeze_time('2026-01-01') as f: time.sleep(20); f.tick(30)"
        ),
        (
            "import time_machine\n"
            "    with time_machine.travel(0.0): time.sleep(50); assert time.time() == 50.0"
        ),
        "import asyncio; asyncio.run(asyncio.sleep(50))",
        "import concurrent.futures as f; f.ThreadPoolExecutor(1).submit(time.sleep, 50).result()",
    ],
)
def test_what_is_imported_late_is_virtual_too(late):
    """A neighbour that is first imported while a clock is open lives in virtual time as well."""
    module = late.split()[1].rstrip(";").split(".")[0]
    assert importlib.util.find_spec(module) is not None
    code = (
        "import sys, time\nfrom fake_provider.virtual_time import VirtualClock\n"
        f"assert {module!r} not in sys.modules or {module!r} in ('asyncio', 'concurrent')\n"
        f"with VirtualClock(limit=1e5) as clock:\n    {late}\n"
        "    assert abs(clock.elapsed() - 50.0) < 1e-3, clock.elapsed()\n"
        "assert not any(type(f).__name__ == 'LateImports' for f in sys.meta_path)\n"
    )
    began = real_clock()
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert real_clock() - began < 20


def test_import_is_light():
    """Importing the package imports no loop and no neighbour."""
    code = (
        "import sys; import fake_provider.virtual_time\n"
        "heavy = {'asyncio', 'trio', 'anyio', 'freezegun', 'time_machine', 'hypothesis', "
        "'httpx', 'respx', 'pytest', 'subprocess', 'concurrent.futures'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(("module", "counts"), [("execnet.gateway_base", False), ("users", True)])
def test_a_hidden_thread_of_a_tool_is_no_outside(module, counts):
    """xdist reads its channel in a thread that is no ``Thread``; it delays no deadlock."""
    code = f"""
import os, sys, _thread
from fake_provider.virtual_time import VirtualClock
names = {{"__name__": {module!r}, "os": os, "reader": os.pipe()[0]}}
exec("def run(): os.read(reader, 1)", names)
_thread.start_new_thread(names["run"], ())
while not any(frame.f_code.co_name == "run" for frame in sys._current_frames().values()):
    pass
with VirtualClock() as clock:
    assert clock._scheduler.outside.can_wake_somebody() is {counts}
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
