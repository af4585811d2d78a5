"""Everything that changes in the process while a clock is open, and how it is changed back."""

import asyncio
import functools
import sys
import threading
import warnings
from typing import TYPE_CHECKING

from . import _asyncio, _clocks, _locks, _neighbours, _real, _sockets, _threads
from ._errors import VirtualTimeError, VirtualTimeWarning
from ._freezegun import frozen_wall_ns
from ._patches import AttributePatch, Patch, PatchSet
from ._time_machine import travelled_wall_ns

if TYPE_CHECKING:
    from ._scheduler import Scheduler

__all__ = ["frozen_wall_ns", "install", "travelled_wall_ns", "uninstall"]


def install(scheduler: "Scheduler") -> None:
    """Let the process live in the virtual time of a scheduler.

    Raises:
        VirtualTimeError: Something in this process cannot live in virtual time.
    """
    _refuse_gevent()
    if _real.DEEP_HOOKS_PROBLEM is None:
        scheduler.wall_patches = PatchSet(_deep_wall_patches())
        patches = _deep_patches()
    else:
        from . import _fallback

        _announce_fallback(scheduler, _real.DEEP_HOOKS_PROBLEM)
        scheduler.wall_patches = PatchSet(_fallback.wall_patches())
        patches = _fallback.patches()
    scheduler.wall_patches.on()
    for patch in (*patches, *_python_patches()):
        scheduler.patches.add(patch)
    _neighbours.meet_all(scheduler)
    loop = asyncio._get_running_loop()
    if loop is not None:
        _asyncio.meet(scheduler, loop)


def uninstall(scheduler: "Scheduler") -> None:
    """Give the process back to real time; pending timers of loops keep their distance to now."""
    scheduler.patches.off()
    scheduler.wall_patches.off()
    _asyncio.leave(scheduler)


@functools.cache
def _deep_patches() -> list[Patch]:
    """Patches by deep hooks, all but those of the wall clock."""
    import _socket

    from . import _hooks

    swaps = [
        (_real.BUILTINS[name], function) for name, function in _clocks.INTERVAL_FUNCTIONS.items()
    ]
    swaps += [(starter, _threads.STARTERS[name]) for name, starter in _real.THREAD_STARTERS.items()]
    return [
        *(_hooks.BuiltinSwap(builtin, function) for builtin, function in swaps),
        _hooks.TypePatch(_real.Lock, _locks.LOCK_METHODS),
        _hooks.TypePatch(_real.RLock, _locks.RLOCK_METHODS),
        _hooks.TypePatch(_real.SimpleQueue, _locks.QUEUE_METHODS),
        _hooks.TypePatch(_socket.socket, _sockets.METHODS),
    ]


@functools.cache
def _deep_wall_patches() -> list[Patch]:
    """Patches of the wall clock, which time-machine may take over for a while."""
    from . import _hooks

    return [
        *(
            _hooks.BuiltinSwap(_real.BUILTINS[name], function)
            for name, function in _clocks.WALL_FUNCTIONS.items()
            if name in _real.BUILTINS
        ),
        _hooks.TypePatch(_real.TYPES["datetime"], _clocks.WALL_METHODS),
    ]


@functools.cache
def _python_patches() -> list[Patch]:
    """Patches of Python classes, which need no deep hooks."""
    return [
        *(AttributePatch(threading.Thread, n, f) for n, f in _threads.METHODS.items()),
        *_locks.PATCHES,
        *_asyncio.patches(),
        *_sockets.PATCHES,
    ]


def _refuse_gevent() -> None:
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        message = "gevent has replaced the threads of this process, so they cannot be virtual"
        raise VirtualTimeError(message)


def _announce_fallback(scheduler: "Scheduler", problem: str) -> None:
    message = (
        f"virtual time without deep hooks, because {problem}: names like time.sleep are replaced, "
        "but aliases (from time import sleep) and locks made before stay real"
    )
    scheduler.borders.crossed.append(message)
    warnings.warn(message, VirtualTimeWarning, stacklevel=4)
