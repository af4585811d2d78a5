"""Readings: where the monotonic clocks of a run start.

Code keeps readings from before a clock opened: the limiter of a module has read the real clock when
it was imported, or an earlier virtual clock in another test. Time that seemed to run backwards
would let it wait for hours, so a run starts above everything that was read before.

It also starts at the same number in every process, wherever that is possible. Readings are floats,
and arithmetic on them is the same to the last bit as long as they stay between two powers of two:
from 2**20 to 2**21 seconds, 12 to 24 days, the step from one float to the next is 0.23 ns, so
that no rounding of a sum or a difference reaches half a nanosecond.
"""

from typing import Final

from . import _current, _real
from ._units import NANOSECONDS

# 13 days: the first round number above 2**20 seconds.
FIRST_START_NS: Final = 13 * 86_400 * NANOSECONDS
# Later starts are this far apart, so that the windows of a client that counts in minutes begin at
# the same instants of every run.
GRID_NS: Final = 60 * NANOSECONDS


def monotonic_start_ns() -> int:
    """Where the monotonic clocks of a run start that opens now, in nanoseconds."""
    read_ns = max(_real.monotonic_ns(), _real.perf_counter_ns(), _current.shown_ns)
    return max(FIRST_START_NS, -(-read_ns // GRID_NS) * GRID_NS)
