"""Readings: where the clocks of a run start.

Code keeps readings from before a clock opened: the limiter of a module has read the real clock when
it was imported, or an earlier virtual clock in another test. Time that seemed to run backwards
would let it wait for hours, so a run starts above everything that was read before.

It also starts at the same number in every process, wherever that is possible. Readings are floats,
and arithmetic on them is the same to the last bit as long as they stay between two powers of two:
from 2**20 to 2**21 seconds, 12 to 24 days, the step from one float to the next is 0.23 ns, so
that no rounding of a sum or a difference reaches half a nanosecond. The wall clock stays below
2**31 seconds until 2038, and its steps are the same on each of its days.
"""

from typing import Final

from . import _current, _real
from ._units import NANOSECONDS

# 13 days: the first round number above 2**20 seconds.
FIRST_START_NS: Final = 13 * 86_400 * NANOSECONDS
# Later starts are this far apart, so that the windows of a client that counts in minutes begin at
# the same instants of every run.
GRID_NS: Final = 60 * NANOSECONDS

DAY_NS: Final = 86_400 * NANOSECONDS
# 2030-01-01T00:00:00Z: a date ahead of the real one, so that it can be the same in every run.
FIRST_WALL_START_NS: Final = 1_893_456_000 * NANOSECONDS
# 2100-01-01: readings beyond are of a test about the far end of the calendar, and move nobody.
LATEST_WALL_NS: Final = 4_102_444_800 * NANOSECONDS


def wall_start_ns() -> int:
    """Where the wall clock of a run starts that opens now, in nanoseconds since 1970.

    A midnight, so that windows and days of the provider begin at the same instants of every run.
    """
    read_ns = max(_real.time_ns(), _current.shown_wall_ns)
    return max(FIRST_WALL_START_NS, -(-read_ns // DAY_NS) * DAY_NS)


def keep(monotonic_ns: int, wall_ns: int) -> None:
    """Take note of what a run has shown, when it ends.

    Args:
        monotonic_ns: Its monotonic clocks, in nanoseconds.
        wall_ns: Its wall clock, in nanoseconds since 1970.
    """
    _current.shown_ns = monotonic_ns
    if wall_ns < LATEST_WALL_NS:
        _current.shown_wall_ns = max(_current.shown_wall_ns, wall_ns)


def monotonic_start_ns() -> int:
    """Where the monotonic clocks of a run start that opens now, in nanoseconds."""
    read_ns = max(_real.monotonic_ns(), _real.perf_counter_ns(), _current.shown_ns)
    return max(FIRST_START_NS, -(-read_ns // GRID_NS) * GRID_NS)
