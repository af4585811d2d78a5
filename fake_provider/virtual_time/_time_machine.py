"""time-machine as a neighbour: it keeps the wall clock, and virtual time drives it.

It re-points the C code of the wall clock's functions, so ours must be off while it does so, and
stay off while it travels. It does not touch ``monotonic`` and ``sleep``.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._patches import AttributePatch

if TYPE_CHECKING:
    from ._scheduler import Scheduler


def travelled_wall_ns() -> int | None:
    """The instant a journey is at, in nanoseconds since 1970; None if there is none."""
    module = sys.modules.get("time_machine")
    if module is None or not module.traveller_stack:
        return None
    return int(module.traveller_stack[-1].time_ns())


def meet(scheduler: "Scheduler", module: Any) -> None:
    """Hand the wall clock over for every journey, and drive it by virtual time."""
    journeys = _Journeys(scheduler, module)
    scheduler.listeners.append(journeys.jump)
    scheduler.patches.add(journeys)
    for name in ("start", "stop"):
        original = getattr(module.travel, name)
        scheduler.patches.add(AttributePatch(module.travel, name, journeys.around(original)))


class _Journeys:
    """The open journeys, which do not tick by themselves while the clock is open."""

    def __init__(self, scheduler: "Scheduler", module: Any) -> None:
        self._scheduler = scheduler
        self._module = module
        self._stopped: list[Any] = []

    def on(self) -> None:
        """Take over the journeys that are open."""
        if self._module.traveller_stack:
            self._scheduler.wall_patches.off()
        self._stop_ticking()

    def off(self) -> None:
        """Let those tick again that did."""
        for traveller in self._stopped:
            traveller._requested = False
            traveller._tick = True

    def jump(self, before_ns: int, now_ns: int) -> None:
        """Shift every journey with virtual time."""
        for traveller in self._module.traveller_stack:
            traveller._destination_timestamp_ns += now_ns - before_ns

    def around(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """A ``start`` or ``stop`` of a journey, without our wall clock meanwhile."""

        def hands_over(journey: Any) -> Any:
            self._scheduler.wall_patches.off()
            try:
                return original(journey)
            finally:
                if self._module.traveller_stack:
                    self._stop_ticking()
                else:
                    self._scheduler.wall_patches.on()

        return hands_over

    def _stop_ticking(self) -> None:
        for traveller in self._module.traveller_stack:
            if traveller._tick:
                traveller._destination_timestamp_ns = traveller.time_ns()
                traveller._tick = False
                self._stopped.append(traveller)
