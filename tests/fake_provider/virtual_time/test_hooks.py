"""Deep hooks: which idioms they reach, and that they leave no trace."""

from __future__ import annotations

import _thread
import datetime as dt
import functools
import queue
import subprocess
import sys
import threading
import time
from datetime import datetime as imported_datetime
from queue import SimpleQueue
from threading import Lock
from time import monotonic, perf_counter_ns, sleep
from time import time as now

import pytest

from fake_provider.virtual_time import VirtualClock, _hooks, _real

from .helpers import run_threads


class Bucket:
    """The usual limiter: its clock and its sleep are default arguments."""

    def __init__(self, clock=time.monotonic, sleep=time.sleep):
        self.clock, self.sleep = clock, sleep


class Holder:
    sleep = staticmethod(time.sleep)


five_seconds = functools.partial(time.sleep, 5)
old_lock = Lock()
old_event = threading.Event()
old_queue = SimpleQueue()


@pytest.mark.parametrize(
    "five",
    [
        pytest.param(lambda: time.sleep(5), id="attribute"),
        pytest.param(lambda: sleep(5), id="from-import"),
        pytest.param(lambda: Bucket().sleep(5), id="default-argument"),
        pytest.param(five_seconds, id="partial"),
        pytest.param(lambda: Holder.sleep(5), id="class-attribute"),
        pytest.param(lambda: list(map(sleep, [2, 3])), id="called-from-c"),
        pytest.param(lambda: old_event.wait(5), id="old-event"),
        pytest.param(lambda: Lock().acquire() and old_event.wait(5), id="imported-lock"),
    ],
)
def test_every_alias_of_sleep_is_virtual(five):
    """However a program holds ``sleep``, or a wait with a timeout, it takes 5 virtual seconds."""
    with VirtualClock() as clock:
        five()
        assert clock.elapsed() == 5.0


@pytest.mark.parametrize(
    "read_ns",
    [
        pytest.param(lambda: monotonic() * 10**9, id="from-import-monotonic"),
        pytest.param(lambda: Bucket().clock() * 10**9, id="default-argument"),
        pytest.param(lambda: now() * 10**9, id="from-import-time"),
        pytest.param(perf_counter_ns, id="alias-perf-counter-ns"),
        pytest.param(lambda: time.clock_gettime(time.CLOCK_MONOTONIC) * 10**9, id="gettime"),
        pytest.param(lambda: time.clock_gettime_ns(time.CLOCK_REALTIME), id="gettime-ns"),
        pytest.param(lambda: imported_datetime.now().timestamp() * 10**9, id="datetime"),
        pytest.param(lambda: imported_datetime.now(dt.UTC).timestamp() * 10**9, id="datetime-utc"),
    ],
)
def test_every_alias_of_a_clock_is_virtual(read_ns):
    """However a program holds a clock, it sees 5 virtual seconds pass."""
    with VirtualClock():
        before = read_ns()
        sleep(5)
        assert read_ns() - before == pytest.approx(5e9)


def test_calendar_functions_show_virtual_time():
    """``localtime``, ``gmtime``, ``ctime``, ``asctime``, ``strftime`` and ``today`` follow."""
    with VirtualClock("2026-03-04T12:00:00Z", limit=1e6):
        sleep(3 * 86_400)
        assert time.gmtime()[:3] == (2026, 3, 7)
        assert time.localtime()[:3] == (2026, 3, 7)
        assert time.strftime("%Y-%m-%d") == "2026-03-07"
        assert time.ctime() == time.asctime() == time.asctime(time.localtime())
        assert str(dt.date.today()) == "2026-03-07"
        assert imported_datetime.today().day == 7
        assert time.gmtime(0)[:1] == (1970,)
        assert time.strftime("%Y", time.gmtime(0)) == "1970"


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_datetime_keeps_its_type():
    """``now`` of a subclass gives the subclass, with microseconds rounded down."""

    class Stamp(imported_datetime):
        pass

    with VirtualClock(0.000_001_9):
        assert type(Stamp.now()) is Stamp
        assert type(Stamp.utcnow()) is Stamp
        assert imported_datetime.now(dt.UTC).microsecond == 1
        assert imported_datetime.utcnow().tzinfo is None


def test_other_clocks_of_the_processor_stay_real():
    """``process_time`` and its clock count processor time, which is real."""
    with VirtualClock():
        sleep(1000)
        assert time.process_time() < 1000
        assert time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) < 1000


def test_old_locks_and_queues_need_no_preparation():
    """A lock held across a sleep and a queue waited for may be older than the clock."""

    def hold():
        with old_lock:
            sleep(5)

    with VirtualClock() as clock:
        run_threads(hold, hold)
        assert clock.elapsed() == 10.0
        with pytest.raises(queue.Empty):
            old_queue.get(timeout=5)
        assert clock.elapsed() == 15.0
        done = _thread.allocate_lock()
        done.acquire()
        _thread.start_new_thread(lambda: (sleep(5), done.release()), ())
        assert done.acquire()
        assert clock.elapsed() == 20.0


@pytest.mark.parametrize("bad", ["1", None, -1, float("nan")])
def test_a_bad_sleep_is_refused_as_before(bad):
    """A wrong argument of ``sleep`` raises the type of error that it raises in real time."""
    with pytest.raises((TypeError, ValueError)) as real:
        time.sleep(bad)
    with VirtualClock(), pytest.raises(real.type):
        time.sleep(bad)


def test_identity_and_signature_survive():
    """The hooked function is still the same built-in object."""
    before = time.sleep
    with VirtualClock():
        assert time.sleep is before is sleep
        assert type(time.sleep).__name__ == "builtin_function_or_method"
        assert time.sleep.__name__ == "sleep"


def test_swap_and_clone_on_a_spare():
    """A swap reaches every reference and comes off; a clone keeps the original code."""
    spare = _hooks.clone_builtin(time.gmtime)
    alias, clone = spare, _hooks.clone_builtin(spare)
    swap = _hooks.BuiltinSwap(spare, lambda *arguments: ("ours", *arguments))
    swap.on()
    try:
        assert alias(0) == ("ours", 0)
        assert clone(0) == time.gmtime(0)
    finally:
        swap.off()
    swap.off()
    assert alias(0) == time.gmtime(0)


def test_an_exception_passes_through_a_swap():
    """What the replacement raises reaches the caller as it is."""
    spare = _hooks.clone_builtin(time.get_clock_info)

    def fail(_name):
        raise LookupError("from the replacement")

    swap = _hooks.BuiltinSwap(spare, fail)
    swap.on()
    try:
        with pytest.raises(LookupError, match="from the replacement"):
            spare("monotonic")
    finally:
        swap.off()


def test_hooks_leave_no_references_behind():
    """Thousands of openings do not change the reference counts of what is hooked."""
    code = """
import datetime, gc, sys, time
from fake_provider.virtual_time import VirtualClock, _real

watched = [time.sleep, time.monotonic, _real.Lock, _real.SimpleQueue, datetime.datetime]
counts = []
for openings in (1, 2_000):
    for _ in range(openings):
        with VirtualClock():
            pass
    gc.collect()
    counts.append([sys.getrefcount(one) for one in watched])
print(*(after - before for before, after in zip(*counts)))
"""
    # A process of its own: threads that earlier tests left behind hold references as they please.
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert [abs(int(drift)) <= 2 for drift in done.stdout.split()] == [True] * 5


def test_the_self_test_passes_here():
    """Deep hooks work on this interpreter, so the tests above tested them."""
    assert _real.DEEP_HOOKS_PROBLEM is None
    assert _hooks.why_unusable() is None
