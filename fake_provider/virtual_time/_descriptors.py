"""Descriptors of the operating system that participants wait for: sockets, pipes, children."""

import select
from typing import TYPE_CHECKING, Final

from . import _participants as states

if TYPE_CHECKING:
    from ._dispatcher import Dispatcher

READ: Final = select.POLLIN
WRITE: Final = select.POLLOUT


class Descriptors:
    """Polls what participants wait for, so that loopback inside the process needs no real time."""

    def __init__(self, scheduler: "Dispatcher") -> None:
        self._scheduler = scheduler

    def poll(self, timeout_s: float = 0.0) -> bool:
        """Make those ready whose descriptor is; the mutex is released during a timeout."""
        scheduler = self._scheduler
        scheduler.stats["polls"] += 1
        events: dict[int, int] = {}
        owners: dict[int, list[states.Participant]] = {}
        for one in scheduler.room.on_descriptors:
            for descriptor, wanted in one.descriptors:
                events[descriptor] = events.get(descriptor, 0) | wanted
                owners.setdefault(descriptor, []).append(one)
        poller = select.poll()
        for descriptor, wanted in events.items():
            poller.register(descriptor, wanted)
        if timeout_s:
            pulse = scheduler.entries
            found = scheduler.pause(lambda: poller.poll(timeout_s * 1000))
            if scheduler.entries != pulse or scheduler.is_busy():
                return False  # what was found is stale
        else:
            found = poller.poll(0)
        made_ready = [
            scheduler.room.make_ready(one, states.WOKEN)
            for descriptor, _ in found
            for one in owners[descriptor]
        ]
        return any(made_ready)
