"""Simulated: the attempts of a simulation, kept small, and the trace that is made of them."""

from __future__ import annotations

from array import array
from dataclasses import replace

from fake_provider._attempt import Attempt
from fake_provider._limiters import NS_PER_S
from fake_provider._trace import Trace

# In place of a wait: the attempt was served, or no wait can help.
SERVED, NEVER = -1, -2
# Columns of an attempt: arrival, end, caller, place of its call, call, attempt, wait, and the place
# of the limit that refused it; times in nanoseconds.
_COLUMNS, _WAIT = 8, 6


class Simulated:
    """What a simulation sent, kept in 72 bytes an attempt.

    Args:
        header: The trace without its attempts.
        tokens: Input and output tokens of each attempt.
        rows: The attempts, one after the other, column by column.
        rooms: How many attempts of this cost fitted on each one's arrival.
    """

    __module__ = "fake_provider"

    def __init__(
        self, header: Trace, tokens: tuple[int, int], rows: array[int], rooms: array[float]
    ) -> None:
        self._header = header
        self._tokens = tokens
        self._rows = rows
        self._rooms = rooms

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def refused(self) -> int:
        """How many attempts were refused."""
        return len(self) - self._rows[_WAIT::_COLUMNS].count(SERVED)

    @property
    def makespan(self) -> float:
        """Seconds from the first arrival to the last answer; 0 if nothing was sent."""
        return (max(self._rows[1::_COLUMNS]) - self._rows[0]) / NS_PER_S if len(self) else 0.0

    @property
    def trace(self) -> Trace:
        """The trace, for the checks; it takes far more time and memory than the run."""
        attempts = tuple(self._attempt(index) for index in range(len(self)))
        return replace(self._header, attempts=attempts)

    def _attempt(self, index: int) -> Attempt:
        """Return one attempt."""
        at = index * _COLUMNS
        row = self._rows[at : at + _COLUMNS]
        arrived_ns, ended_ns, caller, place, call, attempt, wait_ns, refusing = row
        served = wait_ns == SERVED
        never = wait_ns == NEVER
        hint = None if served or never else hint_s(wait_ns)
        limit = None if served else self._header.limits.limits[refusing]
        return Attempt(
            index=index,
            caller=f"caller-{caller}",
            call=call,
            unit=f"{caller}/{place}",
            attempt=attempt,
            layer="first" if attempt == 1 else "code",
            sdk_retry=None,
            attribution="exact",
            key="simulated",
            host="simulated",
            dialect="anthropic",
            model="simulated",
            model_class="simulated",
            input_tokens=self._tokens[0],
            output_tokens=self._tokens[1],
            max_tokens=None,
            arrived_at=arrived_ns / NS_PER_S,
            ended_at=ended_ns / NS_PER_S,
            status=200 if served else 429,
            reason="too-large" if never else None if limit is None else limit.name,
            hint=hint,
            hint_form=None if hint is None else "seconds",
            room=self._rooms[index],
            charged=1.0 if limit is None else limit.charge_rejected,
            terminal=never,
            stream=False,
            output_at=ended_ns / NS_PER_S if served else None,
            cancelled_at=None,
        )


def hint_s(wait_ns: int) -> float:
    """Return a wait as Retry-After has it: whole seconds, rounded up."""
    return float(-(-wait_ns // NS_PER_S))
