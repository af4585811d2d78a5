"""CPython's own functions as they are without a clock: what the scheduler itself calls.

Everything is captured at import. Functions of ``time`` are cloned, so that they stay real while the
originals are re-pointed; the originals live in a dict, because freezegun replaces every module
attribute that *is* a function of ``time``.
"""

import _queue
import _thread
import datetime as dt
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

try:
    from . import _hooks
except ImportError as error:
    DEEP_HOOKS_PROBLEM: str | None = f"ctypes cannot be imported ({error})"
else:
    DEEP_HOOKS_PROBLEM = _hooks.why_unusable()

_TIME_FUNCTIONS = (
    "asctime",
    "clock_gettime",
    "clock_gettime_ns",
    "ctime",
    "gmtime",
    "localtime",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "sleep",
    "strftime",
    "time",
    "time_ns",
)


def _unfrozen(module: Any, name: str) -> Any:
    """An attribute of a module as it was before freezegun, should time be frozen at this moment."""
    found = getattr(module, name)
    if getattr(found, "__module__", "").startswith("freezegun"):
        return getattr(sys.modules["freezegun.api"], f"real_{name}")
    return found


def _keep_real(builtin: Any) -> Any:
    """A callable that stays real: a clone or, without deep hooks, a wrapper freezegun ignores."""
    travelling = sys.modules.get("time_machine")
    if travelling is not None and travelling.traveller_stack:
        # time-machine has re-pointed the C code of this very function, so a clone would travel.
        original = getattr(sys.modules["_time_machine"], f"original_{builtin.__name__}", None)
        if original is not None:
            plain = partial(builtin) if DEEP_HOOKS_PROBLEM else _hooks.twin_builtin(builtin)
            stack = travelling.traveller_stack

            def real(*args: Any) -> Any:
                return original(*args) if stack else plain(*args)

            return real
    return partial(builtin) if DEEP_HOOKS_PROBLEM else _hooks.clone_builtin(builtin)


# The objects that a clock re-points.
BUILTINS: dict[str, Any] = {
    name: _unfrozen(time, name) for name in _TIME_FUNCTIONS if hasattr(time, name)
}
TYPES: dict[str, Any] = {"datetime": _unfrozen(dt, "datetime")}
EPOCH: dt.datetime = TYPES["datetime"](1970, 1, 1, tzinfo=dt.UTC)

_functions = {name: _keep_real(builtin) for name, builtin in BUILTINS.items()}
asctime: Callable[..., str] = _functions["asctime"]
clock_gettime: Any = _functions.get("clock_gettime")
clock_gettime_ns: Any = _functions.get("clock_gettime_ns")
ctime: Callable[[float], str] = _functions["ctime"]
gmtime: Callable[[float], time.struct_time] = _functions["gmtime"]
localtime: Callable[[float], time.struct_time] = _functions["localtime"]
monotonic: Callable[[], float] = _functions["monotonic"]
monotonic_ns: Callable[[], int] = _functions["monotonic_ns"]
perf_counter: Callable[[], float] = _functions["perf_counter"]
perf_counter_ns: Callable[[], int] = _functions["perf_counter_ns"]
sleep: Callable[[float], None] = _functions["sleep"]
strftime: Callable[..., str] = _functions["strftime"]
time_ns: Callable[[], int] = _functions["time_ns"]
wall: Callable[[], float] = _functions["time"]

get_ident = _thread.get_ident
# The objects that a clock re-points to see threads start; the second is there since Python 3.13.
THREAD_STARTERS: dict[str, Any] = {
    name: getattr(_thread, name)
    for name in ("start_new_thread", "start_joinable_thread")
    if hasattr(_thread, name)
}
_starters = {name: _keep_real(starter) for name, starter in THREAD_STARTERS.items()}
start_new_thread: Callable[..., int] = _starters["start_new_thread"]
start_joinable_thread: Any = _starters.get("start_joinable_thread")
join_thread = threading.Thread.join
is_thread_alive = threading.Thread.is_alive

# Unbound methods of C types: they stay real when the type's dict changes.
new_lock = _thread.allocate_lock
new_rlock = _thread.RLock
Lock: Any = type(_thread.allocate_lock())
RLock: Any = _thread.RLock
SimpleQueue: Any = _queue.SimpleQueue
lock_acquire = Lock.acquire
lock_release = Lock.release
lock_exit = Lock.__exit__
rlock_acquire = RLock.acquire
rlock_release = RLock.release
rlock_exit = RLock.__exit__
rlock_release_save = RLock._release_save
rlock_acquire_restore = RLock._acquire_restore
rlock_is_owned = RLock._is_owned
queue_get = SimpleQueue.get
queue_get_nowait = SimpleQueue.get_nowait
queue_put = SimpleQueue.put
queue_put_nowait = SimpleQueue.put_nowait
queue_empty = SimpleQueue.empty
