"""The fallback without deep hooks: names are replaced instead of the objects behind them.

It covers what is looked up as ``time.sleep`` or ``threading.Lock`` while the clock is open. An
alias made before (``from time import sleep``) and a lock made before stay real; a participant that
blocks in one of them is outside the scheduler, and time stands still for it.
"""

import _thread
import concurrent.futures.thread
import datetime as dt
import queue
import threading
import time
from typing import Any

from . import _clocks, _locks, _real, _threads
from ._patches import AttributePatch, Patch


class VirtualLock:
    """A lock that waits in the scheduler, in the place of ``threading.Lock``."""

    def __init__(self) -> None:
        self._lock = _real.new_lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> Any:
        """Take the lock."""
        return _locks.lock_acquire(self._lock, blocking, timeout)

    def release(self) -> None:
        """Release the lock."""
        _locks.lock_release(self._lock)

    def locked(self) -> bool:
        """Whether somebody holds the lock."""
        return self._lock.locked()

    def __enter__(self) -> Any:
        return self.acquire()

    def __exit__(self, *exception: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self._lock = _real.new_lock()


# ``datetime.datetime`` with the virtual ``now``.
VirtualDatetime: Any = type("datetime", (_real.TYPES["datetime"],), _clocks.WALL_METHODS)


def patches() -> list[Patch]:
    """Patches of names, all but those of the wall clock."""
    names: list[tuple[Any, str, Any]] = [
        (time, name, function) for name, function in _clocks.INTERVAL_FUNCTIONS.items()
    ]
    for module in (_thread, threading):
        names += [
            (module, "Lock", VirtualLock),
            (module, "allocate_lock", VirtualLock),
            (module, "_allocate_lock", VirtualLock),
            (module, "start_new_thread", _threads.start_new_thread),
            (module, "_start_new_thread", _threads.start_new_thread),
            (module, "start_joinable_thread", _threads.start_joinable_thread),
            (module, "_start_joinable_thread", _threads.start_joinable_thread),
        ]
    names += [
        (threading, "RLock", threading._PyRLock),  # type: ignore[attr-defined]
        (threading, "_time", _clocks.monotonic),
        (queue, "time", _clocks.monotonic),
        (queue, "SimpleQueue", queue._PySimpleQueue),  # type: ignore[attr-defined]
        (concurrent.futures.thread, "_global_shutdown_lock", VirtualLock()),
    ]
    return [AttributePatch(o, name, value) for o, name, value in names if name in vars(o)]


def wall_patches() -> list[Patch]:
    """Patches of the names of the wall clock."""
    return [
        *(AttributePatch(time, name, f) for name, f in _clocks.WALL_FUNCTIONS.items()),
        AttributePatch(dt, "datetime", VirtualDatetime),
    ]
