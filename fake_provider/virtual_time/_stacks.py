"""Stacks: the frames that the threads of this process are in."""

import gc
import sys
import threading
from types import FrameType

# Whoever has one of these on its stack waits for a person.
_DEBUGGERS = ("bdb", "pydevd", "_pydevd_bundle", "debugpy", "pudb", "IPython.terminal.debugger")

_one_at_a_time = threading.RLock()  # or one call could turn the collector on inside another


def current_frames() -> dict[int, FrameType]:
    """The innermost frame of every thread, by the thread's number.

    The garbage collector is off meanwhile: a collection inside ``sys._current_frames``, which makes
    a frame object for each thread, has blocked a process of Python 3.11.7 for ever.
    """
    with _one_at_a_time:
        collects = gc.isenabled()
        gc.disable()
        try:
            return sys._current_frames()
        finally:
            if collects:
                gc.enable()


def is_at_debugger(ident: int) -> bool:
    """Whether a thread is inside a debugger, maybe at its prompt."""
    frame = current_frames().get(ident)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_DEBUGGERS):
            return True
        frame = frame.f_back
    return False


def outermost_module(frame: FrameType) -> str:
    """The name of the module in which a thread began."""
    while frame.f_back is not None:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", ""))
