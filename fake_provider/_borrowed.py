"""Borrowed threads: those in which a task of anyio or trio runs a function, and waits for it.

Both libraries keep such threads from one job to the next, and their jobs carry no object of their
own that everybody could name. What they keep for themselves tells whose job a thread has: trio a
register with the task, anyio the future that the task awaits.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from fake_provider._waits import Scope, awaiting_task, has_ended, local_of

_ANYIO = "anyio._backends._asyncio"
# Modules that keep threads: these are nobody's children, their jobs are.
_KEEPERS = (_ANYIO, "concurrent.futures.thread", "trio._core._thread_cache")


def is_kept(thread: threading.Thread) -> bool:
    """Tell whether a thread is kept by a library from one job to the next."""
    target = getattr(thread, "_target", None)
    return type(thread).__module__ in _KEEPERS or getattr(target, "__module__", "") in _KEEPERS


class TrioJob:
    """What a task of trio runs in a thread, from the first question on whose it is.

    Args:
        register: Where trio keeps the task; it is empty from the task's cancellation on.
        task: The task, which waits for the job.
    """

    __slots__ = ("__weakref__", "register", "task")

    def __init__(self, register: list[Any], task: Any) -> None:
        self.register, self.task = register, task

    def done(self) -> bool:
        """Whether nobody waits for the job any more."""
        return self.register[0] is None or has_ended(self.task)


class BorrowedThreads(threading.local):
    """The job that the calling thread has from a task."""

    def __init__(self) -> None:
        self._trio_job: TrioJob | None = None

    def job(self) -> Scope | None:
        """Return the job of the calling thread: a `TrioJob`, or anyio's future; else None."""
        trio = sys.modules.get("trio._threads")
        register = None if trio is None else getattr(trio.PARENT_TASK_DATA, "task_register", None)
        if register is not None:
            return self._of_trio(register)
        thread = threading.current_thread()
        if type(thread).__module__ == _ANYIO:
            return local_of(sys._getframe(1), "run", thread, "future")
        return None

    def _of_trio(self, register: list[Any]) -> TrioJob | None:
        """Return the job of a register: the same one for every question."""
        task = register[0]
        if task is None:
            return None
        if self._trio_job is None or self._trio_job.register is not register:
            self._trio_job = TrioJob(register, task)
        return self._trio_job


def task_of(job: Scope) -> Scope | None:
    """Return the task that waits for a job of a borrowed thread."""
    return job.task if isinstance(job, TrioJob) else awaiting_task(job)
