"""Who waits where: the text of a deadlock, of a limit, and of a thread that left virtual time."""

import linecache
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Final

from . import _participants as states

if TYPE_CHECKING:
    from ._dispatcher import Dispatcher

LONGEST_LIST: Final = 40  # threads, and tasks, that a report names

_OURS: Final = str(Path(__file__).parent)
_STANDARD_LIBRARY: Final = str(Path(os.__file__).parent)
_SITE_PACKAGES: Final = ("site-packages", "dist-packages")


def who_waits(scheduler: "Dispatcher") -> str:
    """One line for each thread and each asyncio task that waits: for what, and at which line."""
    frames = sys._current_frames()
    threads = [
        f"  thread {one.name!r} {_state(one)}, {where(frames.get(one.ident))}"
        for one in sorted(scheduler.participants.values(), key=lambda one: one.index)
        if one.state is not states.DONE
    ]
    tasks = [f"  task {task.get_name()!r} waits, {_where_task(task)}" for task in _tasks(scheduler)]
    return "\n".join([*_cut(threads), *_cut(tasks)])


def where(frame: FrameType | None) -> str:
    """The innermost line that is not our own, outside the standard library where there is one."""
    candidates: list[tuple[CodeType, int]] = []
    while frame is not None:
        candidates.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return _innermost(candidates)


def _state(one: states.Participant) -> str:
    if one.state is states.FOREIGN:
        return "is outside the virtual clock"
    return f"waits for {one.doing}" if one.doing else "runs"


def _tasks(scheduler: "Dispatcher") -> Iterator[Any]:
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        for loop in scheduler.loops:
            if not loop.is_closed():
                yield from sorted(asyncio.all_tasks(loop), key=_age)


def _age(task: Any) -> tuple[int, str]:
    """Tasks are named in the order they were made; a set has none."""
    name = task.get_name()
    return (len(name), name)


def _where_task(task: Any) -> str:
    candidates: list[tuple[CodeType, int]] = []
    awaited = task.get_coro()
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if frame is None:
            break
        candidates.append((frame.f_code, frame.f_lineno))
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)
    return _innermost(candidates[::-1])


def _innermost(candidates: list[tuple[CodeType, int]]) -> str:
    """The first of some places, innermost first, that belongs to the code under test."""
    theirs = [place for place in candidates if not place[0].co_filename.startswith(_OURS)]
    outside = [place for place in theirs if not _is_standard_library(place[0].co_filename)]
    if not theirs:
        return "at an unknown line"
    code, line = (outside or theirs)[0]
    text = linecache.getline(code.co_filename, line).strip()
    return f"at {code.co_filename}:{line} in {code.co_name}" + (f": {text}" if text else "")


def _is_standard_library(filename: str) -> bool:
    if any(folder in filename for folder in _SITE_PACKAGES):
        return False
    return filename.startswith((_STANDARD_LIBRARY, "<"))


def _cut(lines: list[str]) -> list[str]:
    rest = len(lines) - LONGEST_LIST
    return lines if rest <= 0 else [*lines[:LONGEST_LIST], f"  … and {rest} more"]
