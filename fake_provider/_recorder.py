"""Recorder: keeps what happened to each attempt, and makes the trace of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from fake_provider._attempt import Attempt, HintForm
from fake_provider._calls import Place
from fake_provider._tokens import Cost

NS = 1_000_000_000


@dataclass(slots=True, eq=False)
class Record:
    """One attempt while it is being served; times in nanoseconds since the trace began."""

    index: int
    place: Place
    digest: str
    caller: str
    sdk_retry: int | None
    key: str
    host: str
    dialect: str
    arrived_ns: int
    model: str = ""
    model_class: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    max_tokens: int | None = None
    ended_ns: int | None = None
    status: int = 200
    reason: str | None = None
    hint: float | None = None
    hint_form: HintForm | None = None
    room: float | None = None
    charged: float = 0.0
    charged_ns: int = 0
    terminal: bool = False
    stream: bool = False
    output_ns: int | None = None
    cancelled_ns: int | None = None
    cost: Cost | None = None

    def attempt(self) -> Attempt:
        """Return the attempt as far as it has come."""
        call = self.place.call
        return Attempt(
            index=self.index,
            caller=self.caller,
            call=call.number,
            unit=call.unit,
            attempt=self.place.attempt,
            layer=self.place.layer,
            sdk_retry=self.sdk_retry,
            attribution=call.attribution,
            key=self.key,
            host=self.host,
            dialect=self.dialect,
            model=self.model,
            model_class=self.model_class,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            max_tokens=self.max_tokens,
            arrived_at=self.arrived_ns / NS,
            ended_at=_seconds(self.ended_ns),
            status=self.status,
            reason=self.reason,
            hint=self.hint,
            hint_form=self.hint_form,
            room=self.room,
            charged=self.charged,
            terminal=self.terminal,
            stream=self.stream,
            output_at=_seconds(self.output_ns),
            cancelled_at=_seconds(self.cancelled_ns),
            depth=self.place.depth,
        )


class Recorder:
    """The attempts so far, in order of arrival; as many of those that have ended as it keeps.

    Args:
        keeps: How many that have ended are kept, the last ones; None for all.
    """

    def __init__(self, keeps: int | None = None) -> None:
        self.records: dict[int, Record] = {}
        self.count = 0
        self._keeps = keeps
        self._ended: deque[int] = deque()

    def add(self, record: Record) -> None:
        """Keep an attempt that has arrived."""
        self.records[record.index] = record
        self.count += 1

    def ended(self, record: Record) -> None:
        """Let go of an attempt that ended long ago, if no more are kept."""
        if self._keeps is None:
            return
        self._ended.append(record.index)
        while len(self._ended) > self._keeps:
            self.records.pop(self._ended.popleft(), None)

    def attempts(self) -> tuple[Attempt, ...]:
        """Return a frozen copy of every attempt that is kept, as far as it has come."""
        return tuple([record.attempt() for record in list(self.records.values())])


def _seconds(ns: int | None) -> float | None:
    """Return nanoseconds as seconds, None as None."""
    return None if ns is None else ns / NS
