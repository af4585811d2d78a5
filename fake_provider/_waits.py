"""Waits: whether a task, job or thread has ended, and whether another waits for its end."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

from fake_provider.virtual_time._stacks import current_frames

# A scope is an asyncio task, a trio task, the future of a pool's job, or a thread.
Scope = Any

# How many frames below the top a thread's own wait can lie (result -> wait -> acquire -> hooks).
_WAIT_DEPTH = 25
# Future.result and exception, Thread.join; concurrent.futures.wait and as_completed.
_WAITS_FOR_ONE = ("result", "exception", "join")
_WAITS_FOR_SOME = ("wait", "as_completed")
# wait_for, shield and gather put one future between child and parent, nested ones two.
_WAKE_DEPTH = 3


def has_ended(scope: Scope) -> bool:
    """Tell whether a task, job or thread has ended."""
    if isinstance(scope, threading.Thread):
        return scope.ident is not None and not scope.is_alive()
    done = getattr(scope, "done", None)
    if done is not None:
        return bool(done())
    # A trio task has no `done`; once it has ended its coroutine has no frame.
    coro = getattr(scope, "coro", None)
    return coro is not None and getattr(coro, "cr_frame", None) is None


def frames_of(scope: Scope, thread: threading.Thread | None) -> Iterator[FrameType]:
    """Yield the frames of a suspended task or a blocked thread, innermost first."""
    get_coro = getattr(scope, "get_coro", None)
    coro = get_coro() if get_coro is not None else getattr(scope, "coro", None)
    if coro is not None:
        chain = []
        while coro is not None and getattr(coro, "cr_frame", None) is not None:
            chain.append(coro.cr_frame)
            coro = coro.cr_await
        yield from reversed(chain)
        return
    blocked = scope if isinstance(scope, threading.Thread) else thread
    frame = current_frames().get(blocked.ident or 0) if blocked is not None else None
    while frame is not None:
        yield frame
        frame = frame.f_back


def wakes(child: Scope, waiter: object, parent: Scope) -> bool:
    """Tell whether the end of `child` is what a suspended task waits for."""
    if child is waiter:
        return True
    futures = [child]
    for _ in range(_WAKE_DEPTH):
        found: list[Any] = []
        for future in futures:
            for target in _listeners(future):
                if target is waiter or target is parent:
                    return True
                if hasattr(target, "add_done_callback"):
                    found.append(target)
        futures = found
    return False


def _listeners(future: Any) -> Iterator[Any]:
    """Yield what the done-callbacks of a future hold: futures, tasks, and who waits behind them.

    A task group waits for a future of its own, `as_completed` for an item of a queue.
    """
    callbacks = getattr(future, "_done_callbacks", None)
    if callbacks is None:
        callbacks = [entry[0] for entry in getattr(future, "_callbacks", None) or ()]
    for callback in list(callbacks):
        for held in _held_by(callback):
            yield held
            yield from filter(None, (getattr(held, "_on_completed_fut", None),))
            queue = getattr(held, "_done", held)
            yield from getattr(queue, "_getters", None) or ()


def awaiting_task(future: Any) -> Scope | None:
    """Return the asyncio task that awaits a future, None if none does at this moment."""
    return next((held for held in _listeners(future) if hasattr(held, "get_coro")), None)


def local_of(frame: FrameType | None, function: str, owner: object, name: str) -> Any:
    """Return a variable of the innermost call of a method of `owner`, None if there is none."""
    while frame is not None:
        code = frame.f_code
        if code.co_name == function and _first_argument(code, frame) is owner:
            return frame.f_locals.get(name)
        frame = frame.f_back
    return None


def _held_by(callback: Any) -> Iterator[Any]:
    """Yield the objects that a callback is bound to, partially applied to, or closes over."""
    if isinstance(callback, functools.partial):
        yield from callback.args
        yield from _held_by(callback.func)
        return
    bound_to = getattr(callback, "__self__", None)
    if bound_to is not None:
        yield bound_to
    for cell in getattr(callback, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a cell that is not filled yet
            continue


def called_by_to_thread() -> bool:
    """Tell whether a pool's job is made by `asyncio.to_thread`, whose task awaits it at once.

    On the real clock the job can reach the provider before that task has been suspended.
    """
    frame: FrameType | None = sys._getframe(2)
    for _ in range(3):  # submit, run_in_executor, to_thread
        frame = frame.f_back if frame is not None else None
        if frame is not None and frame.f_code.co_name == "to_thread":
            return True
    return False


def runs_loop_for(thread: threading.Thread, child: Scope) -> bool:
    """Tell whether a thread is in a `run_until_complete` or a `trio.run` of the task `child`."""
    frame = current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code.co_name == "run_until_complete" and frame.f_locals.get("future") is child:
            return True
        # A generator, which is not on the stack while the loop waits, and its caller.
        if frame.f_code.co_name in ("unrolled_run", "run"):
            runner = frame.f_locals.get("runner")
            if getattr(runner, "main_task", None) is child:
                return True
        frame = frame.f_back
    return False


def thread_of_main_task(task: Any) -> threading.Thread | None:
    """Return the thread whose `trio.run` has a main task, None if it is another task."""
    if task._runner.main_task is not task:
        return None
    return next((t for t in threading.enumerate() if runs_loop_for(t, task)), None)


def thread_waits(thread: threading.Thread, child: Scope, worker: threading.Thread | None) -> bool:
    """Tell whether a thread is blocked in `result()`, `join()` or `wait()` on `child`."""
    frame = current_frames().get(thread.ident or 0)
    for _ in range(_WAIT_DEPTH):
        if frame is None:
            return False
        name = frame.f_code.co_name
        if name in _WAITS_FOR_ONE:
            first = _first_argument(frame.f_code, frame)
            if first is not None and (first is child or first is worker):
                return True
        elif name in _WAITS_FOR_SOME:
            some = _first_argument(frame.f_code, frame)
            if isinstance(some, (set, list, tuple)):
                return child in some
        frame = frame.f_back
    return False


def _first_argument(code: CodeType, frame: FrameType) -> Any:
    """Return the value of a frame's first argument, None if it has none."""
    if not code.co_argcount:
        return None
    return frame.f_locals.get(code.co_varnames[0])
