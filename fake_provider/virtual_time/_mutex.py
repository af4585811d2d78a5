"""The mutex of a scheduler, which no exception can leave taken.

The handler of a signal may raise wherever Python looks for signals: when a Python function is
entered, when a call has returned, and when a loop turns. So a Python function that is to release a
lock may not even begin. A ``with`` over methods in C has none of these between the step that takes
the lock and the block, nor between the block and the step that releases it.
"""

from collections.abc import Callable
from typing import Any

from . import _real


class Mutex(_real.RLock):  # type: ignore[misc]
    """A reentrant lock that is taken once, and only by ``with``."""

    __slots__ = ()

    # An open clock replaces those of the base class by Python functions.
    __enter__ = _real.RLock.__enter__
    __exit__ = _real.RLock.__exit__

    def is_mine(self) -> bool:
        """Whether the calling thread has taken it."""
        return bool(_real.rlock_is_owned(self))

    def without(self, wait: Callable[[], Any]) -> Any:
        """What a function returns that waits while others may take the mutex."""
        taken_once = (1, _real.get_ident())
        try:
            _real.rlock_release(self)
            return wait()
        finally:
            _real.rlock_acquire_restore(self, taken_once)  # unlike `acquire`, it cannot fail
