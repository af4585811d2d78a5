"""The fallback without deep hooks: announced, and right for what it covers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime as dt
import queue
import threading
import time
from time import sleep as old_sleep

import pytest

from fake_provider.virtual_time import VirtualClock, VirtualTimeWarning, _real

from .helpers import real_clock, run_threads


@pytest.fixture
def shallow(monkeypatch):
    """Opens clocks as on an interpreter where the self-test fails."""
    monkeypatch.setattr(_real, "DEEP_HOOKS_PROBLEM", "the test says so")

    def open_clock(**options):
        with pytest.warns(VirtualTimeWarning, match="without deep hooks, because the test says so"):
            return VirtualClock(**options).__enter__()

    return open_clock


def test_it_is_announced(shallow):
    """A warning and ``warnings`` say what is not covered, and why."""
    clock = shallow()
    clock.__exit__(None, None, None)
    assert "aliases (from time import sleep) and locks made before stay real" in clock.warnings[0]


def test_what_is_looked_up_by_name_is_virtual(shallow):
    """Sleeps, clocks, locks, queues, pools and loops that are made under the clock are virtual."""
    began = real_clock()
    clock = shallow()
    try:
        wall, stamp = time.time(), dt.datetime.now()
        lock = threading.Lock()

        def hold():
            with lock:
                time.sleep(10)

        run_threads(hold, hold)
        assert clock.elapsed() == 20.0
        assert time.time() - wall == 20.0
        assert (dt.datetime.now() - stamp).total_seconds() == 20.0
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(time.sleep, [1, 2, 3]))
        assert clock.elapsed() == 24.0
        with pytest.raises(queue.Empty):
            queue.Queue().get(timeout=6)
        assert clock.elapsed() == 30.0
        asyncio.run(asyncio.wait_for(asyncio.to_thread(time.sleep, 5), 9))
        assert clock.elapsed() == 35.0
        reentrant, condition = threading.RLock(), threading.Condition()
        with reentrant, reentrant, condition:
            assert condition.wait(5) is False
        assert clock.elapsed() == 40.0
    finally:
        clock.__exit__(None, None, None)
    assert real_clock() - began < 5
    assert threading.Lock is not None
    assert time.sleep is old_sleep


def test_an_alias_is_real(shallow):
    """What the announcement says: a sleep by an older name takes real time, and no virtual."""
    clock = shallow()
    began = real_clock()
    old_sleep(0.02)
    assert real_clock() - began >= 0.02
    assert clock.elapsed() == 0.0
    clock.__exit__(None, None, None)
