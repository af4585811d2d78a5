"""Virtual time: one scheduler and one clock for threads, asyncio and trio.

Code under test sleeps, waits and times out as usual, but no real time passes: when every thread
waits, the clock jumps to the next deadline.
"""

from . import _once  # noqa: F401 - before all others, which may be loaded already

# isort: split
from ._clock import VirtualClock, active
from ._errors import (
    RunStopped,
    VirtualDeadlock,
    VirtualTimeError,
    VirtualTimeLimit,
    VirtualTimeWarning,
)
from ._real_clock import RealClock

__all__ = [
    "RealClock",
    "RunStopped",
    "VirtualClock",
    "VirtualDeadlock",
    "VirtualTimeError",
    "VirtualTimeLimit",
    "VirtualTimeWarning",
    "active",
]
