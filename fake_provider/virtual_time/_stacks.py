"""Stacks: the frames that the threads of this process are in."""

import gc
import sys
import threading
from types import FrameType

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
