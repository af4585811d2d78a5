"""Threads: started under the clock, joined, and taken in although older than it."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from . import _current, _real
from . import _participants as states
from ._errors import RunStopped
from ._participants import Participant

if TYPE_CHECKING:
    from ._scheduler import Scheduler

# How often to look, every 10 ms, whether a thread has been started in spite of an exception.
LOOKS_FOR_A_THREAD: Final = 20

_real_delete = threading.Thread._delete  # type: ignore[attr-defined]


def start_new_thread(function: Any, args: Any, kwargs: Any = None) -> Any:
    """``_thread.start_new_thread``."""
    return _start(function, args, {} if kwargs is None else kwargs, _real.start_new_thread)


def start_joinable_thread(function: Any, handle: Any = None, daemon: bool = True) -> Any:
    """``_thread.start_joinable_thread``, which starts threads since Python 3.13."""

    def starts(run: Callable[..., None], args: Any, kwargs: Any) -> Any:
        return _real.start_joinable_thread(
            lambda: run(*args, **kwargs), handle=handle, daemon=daemon
        )

    return _start(function, (), {}, starts)


def _start(function: Any, args: Any, kwargs: Any, starts: Callable[..., Any]) -> Any:
    """Start a thread as a participant that is ready, unless it is a tool or a tool starts it."""
    thread = getattr(function, "__self__", None)
    if not isinstance(thread, threading.Thread):
        thread = None
    scheduler = _current.scheduler
    if scheduler is not None and states.is_tool(thread or function):
        return starts(_run_tool, (scheduler, function, args, kwargs), {})
    if scheduler is None or _current.participant(adopt=False) is None:
        return starts(function, args, kwargs)
    name = thread.name if thread else getattr(function, "__name__", "thread")
    one = scheduler.new_participant(name, thread)
    one.inside = True  # until it runs
    one.told = scheduler.stops.final is not None  # it helps to clean up
    looks = 0
    try:
        with scheduler, scheduler.mutex:
            scheduler.entries += 1
            scheduler.room.add_ready(one)
        scheduler.watchdog.start()
        looks = LOOKS_FOR_A_THREAD
        return starts(_run, (scheduler, one, function, args, kwargs), {})
    except BaseException:
        _forget_unless_started(scheduler, one, looks)
        raise


def _forget_unless_started(scheduler: "Scheduler", one: Participant, looks: int) -> None:
    """After an error, or a signal: a participant without a thread must never get the baton."""
    for _ in range(looks):
        if one.ident:
            return
        _real.sleep(0.01)
    with scheduler, scheduler.mutex:
        scheduler.room.forget(one)
        if scheduler.holder is one:
            scheduler.holder = None
            scheduler.hand_over()


def _run(scheduler: "Scheduler", me: Participant, function: Any, args: Any, kwargs: Any) -> None:
    """The life of a thread that was started under the clock."""
    me.is_this_thread()
    scheduler.exempt.discard(me.ident)  # the number of a tool thread that has ended
    scheduler.participants[me.ident] = me
    me.park()
    me.inside = False
    me.doing = ""
    try:
        function(*args, **kwargs)
    except RunStopped:
        if not scheduler.closed:  # told to end when the clock closed: nothing to report
            raise
    finally:
        finish(scheduler, me)


def _run_tool(scheduler: "Scheduler", function: Any, args: Any, kwargs: Any) -> None:
    """The life of a thread that stays in real time, from its first instruction on."""
    scheduler.exempt.add(_real.get_ident())
    function(*args, **kwargs)


def finish(scheduler: "Scheduler", me: Participant) -> None:
    """A participant's thread ends, and passes the baton on."""
    me.inside = True
    with scheduler, scheduler.mutex:
        scheduler.entries += 1
        scheduler.participants.pop(me.ident, None)
        scheduler.outside.take_back(me)
        me.state = states.DONE
        if scheduler.closed:
            return
        if scheduler.holder is me:
            scheduler.holder = None
        if scheduler.holder is None:
            scheduler.hand_over()


def join(self: threading.Thread, timeout: float | None = None) -> None:
    """``Thread.join``: the lock that the original waits for is released in C, without a hook."""
    me = _current.participant(adopt=False)
    scheduler = _current.scheduler
    if scheduler is None or me is None or self is me.thread or not _real.is_thread_alive(self):
        _real.join_thread(self, timeout)  # the original also judges misuse
        return
    ended, outcome = scheduler.ended, states.GOT
    if self not in ended:
        deadline_ns = None if timeout is None else scheduler.deadline_after(max(0, timeout))
        doing = f"the end of thread {self.name!r}"
        outcome = scheduler.wait(me, self, lambda: self in ended, deadline_ns, doing)
    if outcome is states.CLOSED:
        _real.join_thread(self, scheduler.seconds_until(deadline_ns))
    elif outcome is states.GOT:
        _settle(me, self)


def is_alive(self: threading.Thread) -> bool:
    """``Thread.is_alive``: False from the virtual instant on at which the thread ended."""
    me = _current.participant(adopt=False)
    scheduler = _current.scheduler
    if scheduler is not None and me is not None and self in scheduler.ended:
        _settle(me, self)
    return _real.is_thread_alive(self)


def delete(self: threading.Thread) -> None:
    """``Thread._delete``, the last Python code of a thread: those who join it can go on."""
    _real_delete(self)
    scheduler = _current.scheduler
    if scheduler is None:
        return
    scheduler.ended.add(self)
    scheduler.wake(self, count=len(scheduler.participants) + 1)
    me = scheduler.participants.get(_real.get_ident())
    # One that was started under the clock ends in `_run`.
    if me is not None and me.adopted and not me.inside:
        finish(scheduler, me)


def _settle(me: Participant, thread: threading.Thread) -> None:
    """Wait, in real time, for the few instructions of C code at the end of a thread."""
    me.inside = True
    try:
        _real.join_thread(thread)
    finally:
        me.inside = False


STARTERS: dict[str, Any] = {
    "start_new_thread": start_new_thread,
    "start_joinable_thread": start_joinable_thread,
}
METHODS = {"join": join, "is_alive": is_alive, "_delete": delete}
