"""trio: its loop waits in the scheduler, and runs its tasks in a repeatable order."""

import heapq
import itertools
import math
import sys
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakKeyDictionary, WeakSet

from . import _busy, _current, _real
from . import _participants as states
from ._descriptors import READ
from ._errors import RunStopped, VirtualTimeError
from ._patches import AttributePatch, PatchSet

if TYPE_CHECKING:
    from ._participants import Participant
    from ._scheduler import Scheduler

# All loops of trio wait for one key: a wake-up does not tell which of them it is for.
_KEY = "trio"
LONG_S = 86_400.0  # trio's own wait when nothing is scheduled, in seconds


def meet(scheduler: "Scheduler", _trio: Any) -> None:
    """Patch trio for the time of a clock."""
    core = sys.modules["trio._core._run"]
    wakeup = sys.modules["trio._core._wakeup_socketpair"].WakeupSocketpair
    manager = core.TheIOManager
    add = scheduler.patches.add
    add(AttributePatch(manager, "get_events", _virtual_get_events(manager.get_events, core)))
    name = "wakeup_thread_and_signal_safe"
    add(AttributePatch(wakeup, name, _virtual_wakeup(getattr(wakeup, name))))
    add(_Clocks(scheduler, core.SystemClock))
    # trio shuffles each batch of tasks, and breaks ties between deadlines by address.
    add(AttributePatch(core, "_ALLOW_DETERMINISTIC_SCHEDULING", True))
    add(AttributePatch(core.Deadlines, "add", _add_deadline(itertools.count())))
    add(_Seed(core._r))
    add(_OwnWorkers(scheduler, sys.modules["trio._core._thread_cache"].THREAD_CACHE._idle_workers))


class _Seed:
    """The generator that trio shuffles with: the same draws under every clock."""

    def __init__(self, rng: Any) -> None:
        self._rng = rng

    def on(self) -> None:
        self._rng.seed(0)

    def off(self) -> None:
        self._rng.seed()


class _Clocks:
    """The clock of each run of trio, which goes on from what it shows when a virtual one opens.

    It is real time and an offset, so the offset of a run that spans the border changes there.
    """

    def __init__(self, scheduler: "Scheduler", clock: Any) -> None:
        self._scheduler = scheduler
        self._starts: WeakSet[Any] = WeakSet()  # clocks of runs that have started under ours
        self._offsets: WeakKeyDictionary[Any, float] = WeakKeyDictionary()  # of those before
        self._patches = PatchSet(
            [
                AttributePatch(clock, "start_clock", self._starting(clock.start_clock)),
                AttributePatch(clock, "current_time", self._reading(clock.current_time)),
            ]
        )

    def on(self) -> None:
        self._patches.on()

    def off(self) -> None:
        self._patches.off()
        virtual, real = self._scheduler.monotonic, _real.perf_counter()
        self._offsets.update(dict.fromkeys(self._starts, 0.0))
        for clock, offset in self._offsets.items():
            object.__setattr__(clock, "offset", offset + virtual - real)  # its class is frozen

    def _starting(self, original: Any) -> Any:
        def start_clock(clock: Any) -> None:
            self._starts.add(clock)
            original(clock)

        return start_clock

    def _reading(self, original: Any) -> Any:
        def current_time(clock: Any) -> float:
            scheduler = _current.visible()
            if scheduler is None:
                return float(original(clock))
            if clock in self._starts:
                return scheduler.monotonic
            offset = self._offsets.get(clock)
            if offset is None:
                shown = clock.offset + _real.perf_counter()
                offset = self._offsets[clock] = shown - scheduler.monotonic
            return offset + scheduler.monotonic

        return current_time


class _OwnWorkers:
    """The idle threads that trio keeps for any loop of the process; a clock starts with none.

    Those of real time stay real for good, or else they would come to wait for work in virtual time.
    """

    def __init__(self, scheduler: "Scheduler", cache: dict[Any, None]) -> None:
        self._scheduler = scheduler
        self._cache = cache
        self._others: dict[Any, None] = {}

    def on(self) -> None:
        self._others = dict(self._cache)
        self._cache.clear()
        for worker in self._others:
            self._scheduler.outside.older.leave_out(worker._thread)

    def off(self) -> None:
        if self._scheduler.stops.final is not None:
            self._cache.clear()  # its workers have been told to end
        self._cache.update(self._others)


def _virtual_get_events(original: Any, core: Any) -> Any:
    def get_events(self: Any, timeout: float) -> Any:
        me = _current.participant()
        scheduler = _current.scheduler
        if me is None or scheduler is None:
            return original(self, timeout)
        events = original(self, 0)
        if events:
            return events
        runner = getattr(core.GLOBAL_RUN_CONTEXT, "runner", None)  # none in a guest's thread
        try:
            if timeout <= 0:
                scheduler.busy_wait.count(_busy.EMPTY_SELECT_READS)
                scheduler.let_others_run(me)
                return original(self, 0)
            return _wait(scheduler, me, self, _end_of(timeout, runner), original)
        except (RunStopped, VirtualTimeError) as stop:
            if runner is None:
                raise
            if not _deliver(runner.main_task, stop) and not scheduler.stops.postpone(stop):
                raise
            return original(self, 0)

    return get_events


def _end_of(timeout: float, runner: Any) -> float | None:
    """A timeout, or None where trio waits for a day because nothing is scheduled."""
    if timeout < LONG_S or runner is None or runner.deadlines.next_deadline() < math.inf:
        return timeout
    return None


def _wait(
    scheduler: "Scheduler", me: "Participant", manager: Any, timeout: float | None, original: Any
) -> Any:
    deadline_ns = None if timeout is None else scheduler.deadline_after(timeout)
    # One descriptor is the loop's own, and whoever writes to it wakes the loop as well.
    outside = len(getattr(manager, "_registered", ())) > 1 and hasattr(manager, "_epoll")
    descriptors = [(manager._epoll.fileno(), READ)] if outside else []
    while True:
        outcome = scheduler.block(me, _KEY, deadline_ns, "events of trio", descriptors=descriptors)
        if outcome is states.CLOSED:
            left = scheduler.seconds_until(deadline_ns)
            return original(manager, LONG_S if left is None else left)
        events = original(manager, 0)
        if events or outcome is states.TIMEOUT:
            return events


def _deliver(task: Any, stop: BaseException) -> bool:
    """Raise in the main task, as trio does with Ctrl-C; an error in its loop is a bug to trio."""

    def raise_stop() -> NoReturn:
        raise stop

    if task is None or task._abort_func is None:
        return False
    task._attempt_abort(raise_stop)
    return True


def _virtual_wakeup(original: Any) -> Any:
    def wakeup_thread_and_signal_safe(self: Any) -> None:
        scheduler = _current.scheduler
        try:
            original(self)
            if scheduler is not None and _KEY in scheduler.room.waiters:
                scheduler.wake(_KEY, count=len(scheduler.participants))
        except BaseException:  # of a signal's handler
            if scheduler is not None:
                scheduler.is_in_doubt = True
            raise

    return wakeup_thread_and_signal_safe


def _add_deadline(arrivals: "itertools.count[int]") -> Any:
    def add(self: Any, deadline: float, cancel_scope: Any) -> None:
        heapq.heappush(self._heap, (deadline, next(arrivals), cancel_scope))
        self._active += 1

    return add
