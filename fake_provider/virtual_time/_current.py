"""Which scheduler is open in this process, and who the calling thread is to it."""

from typing import TYPE_CHECKING

from ._real import get_ident

if TYPE_CHECKING:
    from ._clock import VirtualClock
    from ._participants import Participant
    from ._scheduler import Scheduler

# One clock a process. Hooks read it first: None means that they stand aside.
scheduler: "Scheduler | None" = None
clock: "VirtualClock | None" = None
# The highest reading of a monotonic clock that an earlier run has shown, in nanoseconds.
shown_ns = 0
shown_wall_ns = 0  # and of a wall clock, since 1970


def visible() -> "Scheduler | None":
    """The open scheduler, unless the calling thread lives in real time."""
    current = scheduler
    if current is None or (current.exempt and get_ident() in current.exempt):
        return None
    return current


def participant(*, adopt: bool = True) -> "Participant | None":
    """The participant that calls, holding the baton; None if the call has to stay real.

    Args:
        adopt: Let a thread that is older than the clock take part from now on.
    """
    current = visible()
    if current is None:
        return None
    me = current.participants.get(get_ident())
    if me is None:
        me = current.outside.older.adopt() if adopt else None
        if me is None:
            return None
    if me.inside or current.closed:
        return None
    if current.holder is not me:
        current.rejoin(me)
        if current.closed:
            return None
    return me


def holder() -> "Participant | None":
    """The participant that calls, if it holds the baton at this moment and can give it away."""
    current = scheduler
    if current is None or current.closed:
        return None
    me = current.participants.get(get_ident())
    return me if me is not None and me is current.holder and not me.inside else None
