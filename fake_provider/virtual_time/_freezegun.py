"""freezegun as a neighbour: the clock starts at its instant, drives it, and follows it.

A time that is frozen when the clock opens gives the first instant. From then on every jump of
virtual time ticks every frozen time, and a test that ticks a frozen time by hand moves the clock.
"""

import datetime as dt
import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from . import _real
from ._patches import AttributePatch

if TYPE_CHECKING:
    from ._scheduler import Scheduler

_MICROSECOND = dt.timedelta(microseconds=1)


def frozen_wall_ns() -> int | None:
    """The instant at which time is frozen now, in nanoseconds since 1970; None if it is not."""
    api = sys.modules.get("freezegun.api")
    if api is None or not api.freeze_factories:
        return None
    factory = api.freeze_factories[-1]
    # Calling a factory that steps would step it.
    ticks = isinstance(factory, api.TickingDateTimeFactory)
    frozen = factory() if ticks else factory.time_to_freeze
    return int((_plain(frozen) - _real.EPOCH.replace(tzinfo=None)) // _MICROSECOND) * 1_000


def meet(scheduler: "Scheduler", api: Any) -> None:
    """Drive and follow freezegun for the time of a clock."""
    drive = _Drive(scheduler, api)
    scheduler.listeners.append(drive.jump)
    scheduler.patches.add(_Rebase(scheduler, api))
    for factory in (api.FrozenDateTimeFactory, api.TickingDateTimeFactory):
        for name in ("tick", "move_to"):
            followed = drive.follow(getattr(factory, name))
            scheduler.patches.add(AttributePatch(factory, name, followed))
    # freezegun gives real time to whoever has a frame of `threading` or `queue` among its last
    # five, which is all shallow code in threads; under the clock those modules are virtual too.
    exempt = scheduler.exempt

    def should_use_real_time() -> bool:
        return not api.ignore_lists or _real.get_ident() in exempt

    scheduler.patches.add(AttributePatch(api, "_should_use_real_time", should_use_real_time))


class _Drive:
    """Carries jumps from the clock to frozen times, and from a frozen time to the clock."""

    def __init__(self, scheduler: "Scheduler", api: Any) -> None:
        self._scheduler = scheduler
        self._api = api
        self._microseconds = _microseconds(scheduler.now_ns)
        self._moving: Any = None  # the frozen time that a test is moving by hand

    def jump(self, _before_ns: int, now_ns: int) -> None:
        """Tick every frozen time that does not tick by itself, in whole microseconds."""
        before, self._microseconds = self._microseconds, _microseconds(now_ns)
        passed = dt.timedelta(microseconds=self._microseconds - before)
        if passed:
            for factory in self._api.freeze_factories:
                ticks = isinstance(factory, self._api.TickingDateTimeFactory)
                if factory is not self._moving and not ticks:
                    factory.time_to_freeze += passed

    def follow(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """A ``tick`` or ``move_to`` of a frozen time that takes the clock along."""

        @wraps(original)
        def moves(factory: Any, *args: Any, **kwargs: Any) -> Any:
            if self._moving is not None:  # `tick` calls `move_to` and the other way round
                return original(factory, *args, **kwargs)
            before = _plain(factory())
            self._moving = factory
            try:
                result = original(factory, *args, **kwargs)
                passed = (_plain(factory()) - before) // _MICROSECOND * 1_000
                if passed > 0 and self._api.freeze_factories[-1:] == [factory]:
                    self._scheduler.move_by_hand(passed)
                    if isinstance(factory, self._api.TickingDateTimeFactory):
                        factory.start = _local(self._scheduler.wall)
            finally:
                self._moving = None
            return result

        return moves


class _Rebase:
    """Frozen times that tick by themselves: by virtual time inside the clock, by real outside."""

    def __init__(self, scheduler: "Scheduler", api: Any) -> None:
        self._scheduler = scheduler
        self._api = api

    def on(self) -> None:
        """Let them tick by virtual time, from what they show now."""
        self._rebase(_local(_real.wall()), _local(self._scheduler.wall))

    def off(self) -> None:
        """Let them tick by real time, from what they show now."""
        self._rebase(_local(self._scheduler.wall), _local(_real.wall()))

    def _rebase(self, before: dt.datetime, after: dt.datetime) -> None:
        for factory in self._api.freeze_factories:
            if isinstance(factory, self._api.TickingDateTimeFactory):
                factory.time_to_freeze += before - factory.start
                factory.start = after


def _microseconds(ns: int) -> int:
    """Whole microseconds, rounded up: a timer that is due must find its time reached."""
    return -(-ns // 1000)


def _local(wall: float) -> Any:
    """What ``datetime.now`` shows at an instant."""
    return _real.TYPES["datetime"].fromtimestamp(wall)


def _plain(frozen: Any) -> Any:
    """A datetime of freezegun's own type as a plain one, which can be subtracted."""
    return _real.TYPES["datetime"](*frozen.timetuple()[:6], frozen.microsecond)
