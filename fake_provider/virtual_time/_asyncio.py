"""asyncio and selectors: any number of loops, in any threads, also those that already run.

Selectors are patched as classes, so no loop factory or policy is needed.
"""

import asyncio
import asyncio.base_events
import asyncio.selector_events
import math
import selectors
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import _busy, _current, _real
from . import _participants as states
from ._descriptors import READ, WRITE
from ._errors import VirtualTimeError
from ._patches import AttributePatch, Patch

if TYPE_CHECKING:
    from ._scheduler import Scheduler

_Loop = asyncio.base_events.BaseEventLoop
_SelectorLoop = asyncio.selector_events.BaseSelectorEventLoop
_real_loop_time = _Loop.time
_real_run_forever = _Loop.run_forever
_real_write_to_self: Any = _SelectorLoop._write_to_self  # type: ignore[attr-defined]

_SELECTORS = (
    "EpollSelector",
    "PollSelector",
    "SelectSelector",
    "KqueueSelector",
    "DevpollSelector",
)


def patches() -> list[Patch]:
    """The patches of this room."""
    found: list[Patch] = [
        AttributePatch(_SelectorLoop, "_write_to_self", write_to_self),
        AttributePatch(_Loop, "run_forever", run_forever),
        AttributePatch(_Loop, "time", loop_time),
    ]
    classes = [getattr(selectors, name, None) for name in _SELECTORS]
    classes.append(getattr(selectors, "_PollLikeSelector", None))
    found += [
        AttributePatch(cls, "select", _virtual_select(vars(cls)["select"]))
        for cls in classes
        if cls is not None and "select" in vars(cls)
    ]
    return found


def _virtual_select(real_select: Callable[..., Any]) -> Callable[..., Any]:
    def select(self: Any, timeout: float | None = None) -> Any:
        """``select`` of a selector."""
        me = _current.participant()
        scheduler = _current.scheduler
        if me is None or scheduler is None:
            return real_select(self, timeout)
        events = real_select(self, 0)
        if events:
            return events
        if timeout is None or timeout > 0:
            scheduler.busy_wait.wait()
        elif _has_timer_due(scheduler, self):
            timeout = scheduler.busy_wait.turn()
        if timeout is not None and timeout <= 0:
            if scheduler.stops.may_end_by_itself(me):
                return real_select(self, 0)
            scheduler.busy_wait.count(_busy.EMPTY_SELECT_READS)
            scheduler.let_others_run(me)
            return real_select(self, 0)
        deadline_ns = None if timeout is None else scheduler.deadline_after(timeout)
        outcome = scheduler.block(
            me, id(self), deadline_ns, "events of a selector", descriptors=_outside(scheduler, self)
        )
        if outcome is states.CLOSED:
            return real_select(self, scheduler.seconds_until(deadline_ns))
        return real_select(self, 0)

    return select


def _has_timer_due(scheduler: "Scheduler", selector: Any) -> bool:
    """Whether the loop of a selector does not wait because of a timer, and nothing else."""
    loop = scheduler.loop_of.get(selector)
    return loop is not None and bool(loop._scheduled) and not (loop._ready or loop._stopping)


def _outside(scheduler: "Scheduler", selector: Any) -> list[tuple[int, int]]:
    """The descriptors of a selector that the outside can make ready.

    The self-pipe of a loop is none of them, because whoever writes to it wakes the selector as
    well; unless signals write to it.
    """
    registered = selector._fd_to_key
    loop = scheduler.loop_of.get(selector)
    if len(registered) <= (1 if loop is not None and not loop._signal_handlers else 0):
        return []
    if hasattr(selector, "fileno"):
        return [(selector.fileno(), READ)]
    return [
        (
            key.fd,
            (READ if key.events & selectors.EVENT_READ else 0)
            | (WRITE if key.events & selectors.EVENT_WRITE else 0),
        )
        for key in registered.values()
    ]


def write_to_self(self: Any) -> None:
    """``_write_to_self`` of a loop: another thread has scheduled something in it."""
    scheduler = _current.scheduler
    try:
        _real_write_to_self(self)
        if scheduler is not None and id(self._selector) in scheduler.room.waiters:
            scheduler.wake(id(self._selector))
    except BaseException:  # of a signal's handler
        if scheduler is not None:
            scheduler.is_in_doubt = True
        raise


def loop_time(self: Any) -> float:
    """``loop.time``.

    Not the virtual ``time.monotonic``, which freezegun may own while it is frozen: at the size of
    its numbers, adding the resolution of a loop changes nothing, and a timer never fires.
    """
    scheduler = _current.visible()
    if scheduler is None:
        return _real_loop_time(self)
    if self not in scheduler.loops and getattr(self, "_selector", None) is not None:
        meet(scheduler, self)
    return scheduler.monotonic


def run_forever(self: Any) -> None:
    """``run_forever`` of a loop."""
    scheduler = _current.visible()
    if scheduler is not None and self not in scheduler.loops:
        meet(scheduler, self)
    _real_run_forever(self)


def meet(scheduler: "Scheduler", loop: Any) -> None:
    """Take a loop in: timers that it already has keep their distance to now."""
    selector = getattr(loop, "_selector", None)
    if selector is None:
        message = (
            f"{type(loop).__module__}.{type(loop).__name__} keeps a clock of its own; "
            "use asyncio's default event loop under the virtual clock"
        )
        raise VirtualTimeError(message)
    for closed in [other for other in scheduler.loops if other.is_closed()]:
        del scheduler.loop_of[scheduler.loops.pop(closed)]
    scheduler.loops[loop] = selector
    scheduler.loop_of[selector] = loop
    if "select" in vars(selector):
        # A tool (looptime) has shadowed the method on this selector; our clock comes first.
        plain = next(vars(cls)["select"] for cls in type(selector).__mro__ if "select" in vars(cls))
        scheduler.patches.add(AttributePatch(selector, "select", plain.__get__(selector)))
    step = math.ulp(scheduler.monotonic)
    if step > loop._clock_resolution:
        # On a machine that has been up for months, a timer that is due now would not look due.
        scheduler.patches.add(AttributePatch(loop, "_clock_resolution", step))
    _shift(loop, scheduler.monotonic - _real.monotonic())


def leave(scheduler: "Scheduler") -> None:
    """Give the loops back to real time, their timers again at the same distance."""
    for loop in scheduler.loops:
        if not loop.is_closed():
            _shift(loop, _real.monotonic() - scheduler.monotonic)


def _shift(loop: Any, seconds: float) -> None:
    """Move every timer of a loop by the same amount, which keeps its heap in order."""
    for handle in loop._scheduled:
        handle._when += seconds
