"""Test tools that must keep real time, and loops that cannot have virtual time."""

import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from . import _real
from ._errors import VirtualTimeError
from ._patches import AttributePatch

if TYPE_CHECKING:
    from ._scheduler import Scheduler

# Modules of hypothesis that measure how long an example takes, for its deadline and statistics.
_HYPOTHESIS = (
    "hypothesis.core",
    "hypothesis.internal.conjecture.data",
    "hypothesis.internal.conjecture.engine",
)

_REAL_TIME = SimpleNamespace(
    **{
        **vars(time),
        "monotonic": _real.monotonic,
        "perf_counter": _real.perf_counter,
        "sleep": _real.sleep,
        "time": _real.wall,
        "time_ns": _real.time_ns,
    }
)


def meet_pytest(scheduler: "Scheduler", timing: Any) -> None:
    """Durations that pytest reports stay real, also those that span the opening of a clock."""
    for name, function in (
        ("perf_counter", _real.perf_counter),
        ("sleep", _real.sleep),
        ("time", _real.wall),
    ):
        scheduler.patches.add(AttributePatch(timing, name, function))


def meet_hypothesis(scheduler: "Scheduler", _core: Any) -> None:
    """The deadline of an example is real."""
    for name in _HYPOTHESIS:
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "time"):
            scheduler.patches.add(AttributePatch(module, "time", _REAL_TIME))


def meet_uvloop(scheduler: "Scheduler", uvloop: Any) -> None:
    """Refuse to run: its C code would really sleep, and see virtual time stand still."""

    def refuse(_loop: object, *args: Any) -> NoReturn:
        for argument in args:
            if hasattr(argument, "close"):
                argument.close()  # the coroutine will never be awaited
        message = (
            "uvloop keeps a clock of its own; use asyncio's default event loop under the virtual "
            "clock"
        )
        raise VirtualTimeError(message)

    for name in ("run_forever", "run_until_complete"):
        scheduler.patches.add(AttributePatch(uvloop.Loop, name, refuse))
