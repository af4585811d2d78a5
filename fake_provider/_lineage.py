"""Lineage: which task, job or thread started which, and who only waits for whom.

A client that makes a task or a thread for each attempt (`asyncio.wait_for`, `asyncio.to_thread`,
a pool with one job at a time) is still one caller. So while a provider is open, the creation of
tasks, pool jobs and threads is noted, and a scope counts as its parent as long as the parent
does nothing but wait for it.
"""

from __future__ import annotations

import concurrent.futures.thread
import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from fake_provider._borrowed import BorrowedThreads, is_kept, task_of
from fake_provider._waits import (
    Scope,
    called_by_to_thread,
    frames_of,
    has_ended,
    runs_loop_for,
    thread_of_main_task,
    thread_waits,
    wakes,
)


class Lineage:
    """Notes who started whom, between `open` and `close`."""

    def __init__(self) -> None:
        self._parents: WeakKeyDictionary[Scope, Scope] = WeakKeyDictionary()
        self._children: WeakKeyDictionary[Scope, WeakSet[Scope]] = WeakKeyDictionary()
        # Scopes that were alive together with a sibling: they are callers of their own.
        self._crowded: WeakSet[Scope] = WeakSet()
        self._awaited: WeakSet[Scope] = WeakSet()
        # None stands for the scope itself, which must not keep itself alive.
        self._owners: WeakKeyDictionary[Scope, Scope | None] = WeakKeyDictionary()
        self._threads: WeakKeyDictionary[Scope, threading.Thread] = WeakKeyDictionary()
        # Of jobs and threads; a task has a copy of its own.
        self._contexts: WeakKeyDictionary[Scope, Context] = WeakKeyDictionary()
        self._births: WeakKeyDictionary[Scope, int] = WeakKeyDictionary()
        self.births = 0
        self._jobs: WeakKeyDictionary[threading.Thread, Scope] = WeakKeyDictionary()
        self._borrowed = BorrowedThreads()
        self._undo: list[Callable[[], None]] = []

    def open(self) -> None:
        """Start noting; asyncio is watched only where it has been imported."""
        self._watch_threads()
        self._watch_jobs()
        if "asyncio" in sys.modules:
            self._watch_asyncio()

    def close(self) -> None:
        """Stop noting and put back what was replaced."""
        while self._undo:
            self._undo.pop()()

    def scope(self) -> Scope:
        """Return the task, job or thread that is running now."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is not None:
            loop = asyncio._get_running_loop()
            if loop is not None:
                task = asyncio.current_task(loop)
                if task is not None:
                    return task
        trio = sys.modules.get("trio")
        if trio is not None and trio.lowlevel.in_trio_task():
            return trio.lowlevel.current_task()
        thread = threading.current_thread()
        job = self._jobs.get(thread)
        if job is not None:
            return job
        job = self._borrowed.job()
        if job is None:
            return thread
        if job not in self._births:
            self._note_birth(job)
            self._threads[job] = thread
            self._awaited.add(job)
        return job

    def owner(self, scope: Scope) -> Scope:
        """Return the scope that `scope` counts as: itself, or a parent that only awaits it.

        The answer is settled on the first question, so that a caller keeps its identity when its
        siblings end before it.
        """
        if scope in self._owners:
            return self._owners[scope] or scope
        if self.thread_of(scope) is not None:
            # A new thread runs before its starter comes to the line that waits for it, or that
            # starts the next one: let it come there first.
            time.sleep(0)
        parent = self._parent(scope)
        if parent is None or not self._only_awaits(parent, scope):
            self._owners[scope] = None
            return scope
        owner = self._owners[scope] = self.owner(parent)
        return owner

    def born_after(self, scope: Scope, births: int) -> bool:
        """Tell whether `scope` was started after that many others; True if its start is unknown."""
        return self._births.get(scope, births + 1) > births

    def waiting_frames(self, scope: Scope) -> Iterator[FrameType]:
        """Yield the frames of the parents that `scope` counts as, innermost first."""
        while self._owners.get(scope) is not None:
            parent = self._parent(scope)
            if parent is None:
                return
            yield from frames_of(parent, self._threads.get(parent))
            scope = parent

    def contexts(self, scope: Scope) -> Iterator[Context]:
        """Yield the contexts in which jobs and threads were started that count as their starter."""
        while self.owner(scope) is not scope:
            context = self._contexts.get(scope)
            if context is not None:
                yield context
            parent = self._parent(scope)
            if parent is None:
                return
            scope = parent

    def thread_of(self, scope: Scope) -> threading.Thread | None:
        """Return the thread that runs a job, or the thread itself; None for a task."""
        if isinstance(scope, threading.Thread):
            return scope
        return self._threads.get(scope)

    def _parent(self, scope: Scope) -> Scope | None:
        """Return who started `scope`, if that was seen."""
        parent = self._parents.get(scope)
        if parent is not None:
            return parent
        nursery = getattr(scope, "parent_nursery", None)
        if nursery is not None:
            # The parent of trio's main task is a task of trio's own: its thread counts instead.
            if nursery.parent_task.parent_nursery is not None:
                return nursery.parent_task
            thread = thread_of_main_task(scope)
            parent = thread and self._jobs.get(thread, thread)
        elif scope in self._awaited:
            parent = task_of(scope)
        if parent is not None:
            self._parents[scope] = parent
        return parent

    def _note(self, child: Scope, parent: Scope) -> None:
        """Note that `parent` started `child`, and which siblings are alive together."""
        self._parents[child] = parent
        self._note_birth(child)
        siblings = self._children.setdefault(parent, WeakSet())
        for sibling in list(siblings):
            if not has_ended(sibling):
                # Every older one has been marked when this one came, so one is enough.
                self._crowded.update((sibling, child))
                break
            siblings.discard(sibling)
        siblings.add(child)

    def _note_birth(self, scope: Scope) -> None:
        """Number the scopes in the order in which they were started, or first seen."""
        self.births += 1
        self._births[scope] = self.births

    def _only_awaits(self, parent: Scope, child: Scope) -> bool:
        """Tell whether `child` has never had a sibling alive, and `parent` waits for it."""
        nursery = getattr(child, "parent_nursery", None)
        if nursery is not None:
            return len(nursery.child_tasks) == 1 and bool(nursery._parent_waiting_in_aexit)
        if child in self._crowded:
            return False
        if child in self._awaited:
            return True
        waiter = getattr(parent, "_fut_waiter", None)
        if waiter is not None:
            return wakes(child, waiter, parent)
        thread = self.thread_of(parent)
        if thread is not None and runs_loop_for(thread, child):
            return True
        return thread is not None and thread_waits(thread, child, self._threads.get(child))

    def _watch_threads(self) -> None:
        start = threading.Thread.start

        @functools.wraps(start)
        def noted(thread: threading.Thread) -> None:
            if not is_kept(thread):
                self._note(thread, self.scope())
                self._contexts[thread] = copy_context()
            start(thread)

        self._replace(threading.Thread, "start", noted)

    def _watch_jobs(self) -> None:
        item = concurrent.futures.thread._WorkItem
        init, run = item.__init__, item.run

        @functools.wraps(init)
        def noted_init(work: Any, future: Any, *args: Any, **kwargs: Any) -> None:
            init(work, future, *args, **kwargs)
            self._note(future, self.scope())
            self._contexts[future] = copy_context()
            if called_by_to_thread():
                self._awaited.add(future)

        @functools.wraps(run)
        def noted_run(work: Any, *args: Any) -> None:
            thread = threading.current_thread()
            self._jobs[thread] = work.future
            self._threads[work.future] = thread
            try:
                run(work, *args)
            finally:
                # The worker must not keep its last job alive while it waits for the next.
                self._jobs.pop(thread, None)
                del work

        self._replace(item, "__init__", noted_init)
        self._replace(item, "run", noted_run)

    def _watch_asyncio(self) -> None:
        from asyncio.base_events import BaseEventLoop

        create_task = BaseEventLoop.create_task

        @functools.wraps(create_task)
        def noted(loop: Any, *args: Any, **kwargs: Any) -> Any:
            parent = self.scope()
            task = create_task(loop, *args, **kwargs)
            self._note(task, parent)
            return task

        self._replace(BaseEventLoop, "create_task", noted)

    def _replace(self, owner: Any, name: str, value: object) -> None:
        """Set an attribute until `close`."""
        before = owner.__dict__[name]
        self._undo.append(lambda: setattr(owner, name, before))
        setattr(owner, name, value)
