"""Participants: the threads that take part in virtual time."""

import threading
import weakref
from collections.abc import Sequence
from typing import Final

from . import _real

# States.
NEW: Final = "new"
READY: Final = "ready"  # in the ready queue
RUNNING: Final = "running"  # holds the baton
BLOCKED: Final = "blocked"  # waits for a key, a deadline or a descriptor
FOREIGN: Final = "foreign"  # runs or waits outside the scheduler, without the baton
DONE: Final = "done"
RELEASED: Final = "released"  # the clock has closed: an ordinary thread again

PARKED: Final = frozenset({READY, BLOCKED})

# Why a blocked participant runs again.
GOT: Final = "got"  # what it waited for was there before it parked
WOKEN: Final = "woken"
TIMEOUT: Final = "timeout"
CLOSED: Final = "closed"  # the clock has closed: wait on in real time
DEADLOCK: Final = "deadlock"
LIMIT: Final = "limit"
INTERRUPTED: Final = "interrupted"
ABANDONED: Final = "abandoned"  # the clock has closed after a stop: do not wait on
STOPPING: Final = frozenset({DEADLOCK, LIMIT, INTERRUPTED, ABANDONED})

# Real seconds for which time stands still for a thread that has left the scheduler: it blocks,
BLOCKED_PATIENCE_S: Final = 1.0
# it computes,
COMPUTING_PATIENCE_S: Final = 10.0
# or it asked for real time; and for child processes, while somebody waits for a descriptor.
ASKED_PATIENCE_S: Final = 10.0

# What a worker of a thread pool waits for.
AN_ITEM: Final = "an item of a SimpleQueue"

# Modules whose threads supervise the test and so stay in real time.
TOOL_MODULES = (
    "pytest_timeout",
    "xdist",
    "execnet",
    "pydevd",
    "_pydevd_bundle",
    "_pydev_bundle",
    "debugpy",
    "coverage",
    "_pytest",
    "faulthandler",
)

# Threads that an earlier clock left running or asleep: no later clock may take them in.
left_behind: weakref.WeakSet[object] = weakref.WeakSet()


class Participant:
    """One thread that takes part in virtual time."""

    __slots__ = (
        "adopted",
        "bell",
        "descriptors",
        "doing",
        "generation",
        "ident",
        "index",
        "inside",
        "key",
        "name",
        "native_id",
        "outcome",
        "state",
        "thread",
        "told",
    )

    def __init__(self, index: int, name: str, thread: threading.Thread | None) -> None:
        self.index = index  # order of appearance; 0 opened the clock
        self.name = name
        self.thread = thread
        self.adopted = False  # it is older than the clock
        self.ident = 0
        self.native_id = 0
        self.bell = _real.new_lock()  # released to let a parked thread look at its state
        _real.lock_acquire(self.bell)
        self.state = NEW
        self.outcome = WOKEN
        self.key: object = None
        self.generation = 0  # grows with every wake-up; a timer of an earlier one is void
        self.inside = False  # it executes scheduler code, so hooks in this thread stay out
        self.descriptors: Sequence[tuple[int, int]] = ()  # (descriptor, poll events) waited for
        self.told = False  # that the run was stopped
        self.doing = ""  # what it waits for, in words

    def park(self) -> None:
        """Let the thread of this participant wait until it may run."""
        while self.state in PARKED:
            _real.lock_acquire(self.bell)

    def ring(self) -> None:
        """Wake the parked thread; once too often does no harm, because it looks at its state."""
        try:
            _real.lock_release(self.bell)
        except RuntimeError:  # the bell rings already
            return

    def is_this_thread(self) -> None:
        """Take the identity of the calling thread."""
        self.ident = _real.get_ident()
        self.native_id = threading.get_native_id()

    def is_resting(self) -> bool:
        """Whether it waits for somebody else, so that a later clock may take it in."""
        return self.state is BLOCKED and (self.key is not None or bool(self.descriptors))

    def is_idle(self) -> bool:
        """Whether it waits for work, as the workers of a thread pool do."""
        return self.doing == AN_ITEM


def is_tool(thread: object) -> bool:
    """Whether a thread, or what it runs, belongs to a tool and stays in real time."""
    parts = (thread, getattr(thread, "_target", None), getattr(thread, "function", None))
    return any((getattr(part, "__module__", None) or "").startswith(TOOL_MODULES) for part in parts)
