"""Locks: ``Lock``, ``RLock`` and the C ``SimpleQueue``, as the code under test uses them.

Everything else in ``threading``, ``queue`` and ``concurrent.futures`` is Python code over these.
"""

import threading
from _queue import Empty
from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any

from . import _busy, _current, _real
from . import _participants as states
from ._patches import AttributePatch

# Module globals, because these two are called more often than all the rest.
_take_lock, _take_rlock = _real.lock_acquire, _real.rlock_acquire


def _waking(change: Callable[..., Any]) -> Any:
    """A method that changes an object as the original does, and lets its first waiter try.

    A waiter of a lock that is still held tries in vain and waits on.
    """

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        scheduler = _current.scheduler
        try:
            result = change(self, *args, **kwargs)
            if scheduler is not None and id(self) in scheduler.room.waiters:
                scheduler.wake(id(self))
        except BaseException:  # maybe of a signal's handler, after the change
            if scheduler is not None:
                scheduler.is_in_doubt = True
            raise
        return result

    return method


lock_release = _waking(_real.lock_release)
rlock_release = _waking(_real.rlock_release)


def lock_acquire(self: Any, blocking: bool = True, timeout: float = -1) -> Any:
    """``Lock.acquire``."""
    scheduler = _current.scheduler
    if (scheduler is None or not scheduler.explore) and _take_lock(self, False):
        return True
    return _acquire(self, _take_lock, blocking, timeout, "a lock")


def rlock_acquire(self: Any, blocking: bool = True, timeout: float = -1) -> Any:
    """``RLock.acquire``."""
    scheduler = _current.scheduler
    if (scheduler is None or not scheduler.explore) and _take_rlock(self, False):
        return True
    return _acquire(self, _take_rlock, blocking, timeout, "a reentrant lock")


def _acquire(lock: Any, take: Callable[..., Any], blocking: bool, timeout: float, name: str) -> Any:
    """Take a lock: try, and wait in the scheduler if somebody else has it."""
    scheduler = _current.scheduler
    if scheduler is None:
        return take(lock, blocking, timeout)
    if scheduler.explore:
        scheduler.explore_here()
    if take(lock, False):
        return True
    if not blocking or timeout == 0:
        scheduler.busy_wait.count(_busy.FAILED_LOCK_READS)
        return take(lock, blocking, timeout)  # the original judges the arguments
    me = _current.participant()
    if me is None or (timeout != -1 and not 0 < timeout <= threading.TIMEOUT_MAX):
        return take(lock, blocking, timeout)
    deadline_ns = None if timeout == -1 else scheduler.deadline_after(timeout)
    outcome = scheduler.wait(me, id(lock), partial(take, lock, False), deadline_ns, name)
    if outcome is states.CLOSED:
        left = scheduler.seconds_until(deadline_ns)
        return take(lock, True, -1 if left is None else left)
    return outcome is states.GOT


def rlock_acquire_restore(self: Any, state: Any) -> None:
    """``RLock._acquire_restore``: the original would block in C."""
    if _current.participant(adopt=False) is not None:
        rlock_acquire(self)
        # Nobody can come between, because this thread holds the baton.
        _real.rlock_release_save(self)
    _real.rlock_acquire_restore(self, state)


def queue_get(self: Any, block: bool = True, timeout: float | None = None) -> Any:
    """``SimpleQueue.get``, for which the workers of a thread pool wait."""
    try:
        return _real.queue_get_nowait(self)
    except Empty:
        if not block:
            raise
    me = _current.participant()
    scheduler = _current.scheduler
    if scheduler is None or me is None or (timeout is not None and timeout < 0):
        return _real.queue_get(self, block, timeout)
    deadline_ns = None if timeout is None else scheduler.deadline_after(timeout)
    found: list[Any] = []

    def attempt() -> bool:
        try:
            found.append(_real.queue_get_nowait(self))
        except Empty:
            return False
        return True

    outcome = scheduler.wait(me, id(self), attempt, deadline_ns, states.AN_ITEM)
    if outcome is states.CLOSED:
        return _real.queue_get(self, True, scheduler.seconds_until(deadline_ns))
    if not found:
        raise Empty
    return found[0]


class ConditionMethod:
    """A method that a condition borrows from its lock.

    ``Condition`` keeps bound methods of its lock from the moment it is made, so one that is older
    than the clock would go on with the originals. As data descriptors of the class, these win over
    what the instance keeps.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._plain: Any = vars(threading.Condition).get(name)

    def __get__(self, condition: Any, owner: type) -> Any:
        if condition is None:
            return self._plain
        borrowed = getattr(condition._lock, self._name, None)
        return borrowed if borrowed is not None else MethodType(self._plain, condition)

    def __set__(self, condition: Any, value: Any) -> None:
        vars(condition)[self._name] = value


_real_is_owned: Any = threading.Condition._is_owned  # type: ignore[attr-defined]


def condition_is_owned(self: Any) -> bool:
    """``Condition._is_owned`` of a condition over a plain lock.

    The original tries to take the lock, at every ``notify``; that would look like a busy wait.
    """
    locked = getattr(self._lock, "locked", None)
    return bool(_real_is_owned(self) if locked is None else locked())


LOCK_METHODS = {
    "acquire": lock_acquire,
    "acquire_lock": lock_acquire,
    "release": lock_release,
    "release_lock": lock_release,
    "__enter__": lock_acquire,
    "__exit__": _waking(_real.lock_exit),
}
RLOCK_METHODS = {
    "acquire": rlock_acquire,
    "release": rlock_release,
    "__enter__": rlock_acquire,
    "__exit__": _waking(_real.rlock_exit),
    "_release_save": _waking(_real.rlock_release_save),
    "_acquire_restore": rlock_acquire_restore,
}
QUEUE_METHODS = {
    "get": queue_get,
    "put": _waking(_real.queue_put),
    "put_nowait": _waking(_real.queue_put_nowait),
}
PATCHES = [
    AttributePatch(threading.Condition, "_is_owned", condition_is_owned),
    *(
        AttributePatch(threading.Condition, name, ConditionMethod(name))
        for name in ("acquire", "release", "_acquire_restore", "_release_save")
    ),
]
