"""Who waits where: the text of a deadlock, of a limit, and of a thread that left virtual time."""

import linecache
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Final

from . import _participants as states
from ._stacks import current_frames

if TYPE_CHECKING:
    from ._dispatcher import Dispatcher

LONGEST_LIST: Final = 40  # threads, and tasks, that a report names

_OURS: Final = str(Path(__file__).parent)
_STANDARD_LIBRARY: Final = str(Path(os.__file__).parent)
_SITE_PACKAGES: Final = ("site-packages", "dist-packages")


def who_waits(scheduler: "Dispatcher") -> str:
    """One line for each thread and each asyncio task that waits: for what, and at which line."""
    frames = current_frames()
    threads = [
        f"  thread {one.name!r} {_state(one)}, {where(frames.get(one.ident))}"
        for one in sorted(scheduler.participants.values(), key=lambda one: one.index)
        if one.state is not states.DONE
    ]
    tasks = [
        f"  task {name!r} waits, {_where_task(coroutine)}"
        for name, coroutine in (*_asyncio_tasks(scheduler), *_trio_tasks())
    ]
    return "\n".join([*_cut(threads), *_cut(tasks)])


def where(frame: FrameType | None) -> str:
    """The innermost line that the user wrote, if there is one; never a line of our own."""
    candidates: list[tuple[CodeType, int]] = []
    while frame is not None:
        candidates.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return _innermost(candidates)


def _state(one: states.Participant) -> str:
    if one.state is states.FOREIGN:
        return "is outside the virtual clock"
    return f"waits for {one.doing}" if one.doing else "runs"


def _asyncio_tasks(scheduler: "Dispatcher") -> Iterator[tuple[str, Any]]:
    """Every task of every known loop, with its coroutine, in the order in which they were made."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        for loop in scheduler.loops:
            if not loop.is_closed():
                # A set has no order, but the names of tasks are numbered.
                tasks = {task.get_name(): task.get_coro() for task in asyncio.all_tasks(loop)}
                yield from sorted(tasks.items(), key=lambda item: (len(item[0]), item[0]))


def _trio_tasks() -> Iterator[tuple[str, Any]]:
    """Every task of the user in the run of trio in this thread, with its coroutine."""
    core = sys.modules.get("trio._core._run")
    runner = None if core is None else getattr(core.GLOBAL_RUN_CONTEXT, "runner", None)
    if runner is not None:
        for task in sorted(runner.tasks, key=lambda task: task._counter):
            if task.parent_nursery is not None and not task.name.startswith("<"):
                yield task.name, task.coro


def _where_task(awaited: Any) -> str:
    candidates: list[tuple[CodeType, int]] = []
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if frame is None:
            break
        candidates.append((frame.f_code, frame.f_lineno))
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)
    return _innermost(candidates[::-1])


def _innermost(candidates: list[tuple[CodeType, int]]) -> str:
    """The first of some places, innermost first, that is nearest to what a user wrote."""
    foreign = [place for place in candidates if not place[0].co_filename.startswith(_OURS)]
    if not foreign:
        return "at an unknown line"
    code, line = min(foreign, key=lambda place: _distance(place[0].co_filename))
    text = linecache.getline(code.co_filename, line).strip()
    return f"at {code.co_filename}:{line} in {code.co_name}" + (f": {text}" if text else "")


def _distance(filename: str) -> int:
    """How far code is from what a user wrote: 0, 1 for installed packages, 2 for Python itself."""
    if any(folder in filename for folder in _SITE_PACKAGES):
        return 1
    return 2 if filename.startswith((_STANDARD_LIBRARY, "<")) else 0


def _cut(lines: list[str]) -> list[str]:
    rest = len(lines) - LONGEST_LIST
    return lines if rest <= 0 else [*lines[:LONGEST_LIST], f"  … and {rest} more"]
