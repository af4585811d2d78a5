"""Trace: every attempt in order, with the provider's decision; JSON Lines in and out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal

from fake_provider._attempt import Attempt
from fake_provider._limits import Limits
from fake_provider._lines import (
    AS_ENDED,
    attempt_line,
    header_line,
    is_as_ended,
    parse_attempt,
    parse_header,
)
from fake_provider._merging import merged

_HEADER_FIELDS = ("clock", "resolution", "ended_at", "started_at", "seed", "stopped", "elsewhere")


class TraceError(ValueError):
    """A trace could not be read; `trace` holds everything before the line at fault.

    Args:
        message: What is wrong, with the line number.
        trace: The attempts that were read before it.
    """

    __module__ = "fake_provider"

    def __init__(self, message: str, trace: Trace) -> None:
        super().__init__(message)
        self.trace = trace

    def __reduce__(self) -> tuple[type[TraceError], tuple[str, Trace]]:
        return type(self), (str(self), self.trace)


@dataclass(frozen=True, slots=True)
class Call:
    """What the application asked for once: a first attempt and its retries.

    Args:
        number: Number of the call, from 0 in order of first arrival.
        attempts: Its attempts in order of arrival; never empty.
    """

    number: int
    attempts: tuple[Attempt, ...]

    @property
    def caller(self) -> str:
        """Who made the call."""
        return self.attempts[0].caller

    @property
    def unit(self) -> str:
        """Identity of the work asked for."""
        return self.attempts[0].unit

    @property
    def retries(self) -> tuple[Attempt, ...]:
        """Its attempts after the first."""
        return self.attempts[1:]

    @property
    def succeeded(self) -> bool:
        """True if its last attempt was served to the end."""
        return self.attempts[-1].succeeded

    @property
    def inferred(self) -> bool:
        """True where nothing told its retries from new work."""
        return any(a.attribution == "inferred" for a in self.attempts)


@dataclass(frozen=True)
class Trace:
    """Every attempt that reached the provider, in order of arrival; a frozen value.

    Args:
        attempts: The attempts, in order of arrival.
        limits: The limits that were enforced.
        clock: `"virtual"`, or `"real"` where timings carry the machine's noise.
        resolution: Seconds below which two instants cannot be told apart.
        ended_at: Seconds from the start of the trace to the moment it was read.
        started_at: Wall-clock time at its start, in POSIX seconds of the clock it was made on. Two
            traces may be equal although they are of different dates.
        seed: Seed of the provider's random numbers.
        stopped: Why the run was cut short, or None.
        elsewhere: Requests that were seen but not answered, such as `"aiohttp to api.openai.com"`.
    """

    attempts: tuple[Attempt, ...] = ()
    limits: Limits = field(default_factory=Limits)
    clock: Literal["virtual", "real"] = "virtual"
    resolution: float = 1e-6
    ended_at: float = 0.0
    started_at: float = field(default=0.0, compare=False)
    seed: int | None = None
    stopped: str | None = None
    elsewhere: tuple[str, ...] = ()

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """The calls, in order of first arrival."""
        attempts: dict[int, list[Attempt]] = {}
        for attempt in self.attempts:
            attempts.setdefault(attempt.call, []).append(attempt)
        return tuple(Call(number, tuple(own)) for number, own in attempts.items())

    @cached_property
    def retries(self) -> tuple[Attempt, ...]:
        """Every attempt of a call after the first."""
        return tuple(a for a in self.attempts if a.is_retry)

    @cached_property
    def refused(self) -> tuple[Attempt, ...]:
        """Every attempt that was answered 429, 503 or 529 before any output."""
        return tuple(a for a in self.attempts if a.refused)

    @cached_property
    def callers(self) -> tuple[str, ...]:
        """The callers, in order of first arrival."""
        return tuple(dict.fromkeys(a.caller for a in self.attempts))

    @property
    def makespan(self) -> float:
        """Seconds from the first arrival to the last answer; 0 for an empty trace."""
        if not self.attempts:
            return 0.0
        ends = (self.ended_at if a.ended_at is None else a.ended_at for a in self.attempts)
        return max(ends) - self.attempts[0].arrived_at

    @property
    def amplification(self) -> float:
        """Tokens demanded by all attempts per token of a served attempt; infinite if none was."""
        served = sum(a.tokens for a in self.attempts if a.succeeded)
        demanded = sum(a.tokens for a in self.attempts)
        if not demanded:
            return 1.0
        return demanded / served if served else float("inf")

    def dump(self, target: str | Path | IO[str]) -> None:
        """Write the trace as JSON Lines: a header, then one attempt a line.

        Args:
            target: A path, or a text file open for writing.

        Raises:
            OSError: The file cannot be written.
        """
        lines = [header_of(self), *map(attempt_line, self.attempts)]
        text = "\n".join(lines) + "\n"
        if isinstance(target, (str, Path)):
            Path(target).write_text(text, encoding="utf-8")
        else:
            target.write(text)

    @classmethod
    def load(cls, source: str | Path | Iterable[str]) -> Trace:
        """Read a trace from JSON Lines.

        Args:
            source: A path, or the lines.

        Returns:
            The trace.

        Raises:
            OSError: The file cannot be read.
            TraceError: A line is not a header or an attempt; the message names the line, and
                the error's `trace` holds everything before it.
        """
        if isinstance(source, (str, Path)):
            with Path(source).open(encoding="utf-8", errors="replace") as file:
                return cls._parse(str(source), file)
        return cls._parse("trace", source)

    @classmethod
    def _parse(cls, name: str, lines: Iterable[str]) -> Trace:
        """Build the trace line by line, so that a corrupt line loses nothing before it."""
        header: dict[str, Any] | None = None
        as_ended = False
        attempts: list[Attempt] = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                if header is None:
                    header, as_ended = parse_header(row), is_as_ended(row)
                else:
                    attempts.append(parse_attempt(row))
            except (ValueError, RecursionError) as error:
                raise TraceError(
                    f"{name}, line {number}: {error}; "
                    f"{len(attempts):,} attempts before it were read",
                    cls._made(attempts, header or {}, as_ended=as_ended),
                ) from None
        if header is None:
            raise TraceError(f"{name}: empty; a trace begins with a header line", cls())
        return cls._made(attempts, header, as_ended=as_ended)

    @classmethod
    def _made(cls, attempts: list[Attempt], header: dict[str, Any], *, as_ended: bool) -> Trace:
        """Build the trace of lines that stand in its order, or in that in which attempts ended."""
        if as_ended:
            attempts = sorted(attempts, key=lambda attempt: (attempt.arrived_at, attempt.index))
            attempts = [replace(attempt, index=index) for index, attempt in enumerate(attempts)]
            last = max((a.ended_at or a.arrived_at for a in attempts), default=0.0)
            header = {"ended_at": last, **header}
        return cls(attempts=tuple(attempts), **header)

    @classmethod
    def merged(cls, traces: Iterable[Trace]) -> Trace:
        """Return one trace of several servers that shared their limits.

        Callers that state no name, calls and units of work are those of one server each; a named
        caller is the same on all of them. Times are put on one clock by `started_at`.

        Args:
            traces: The servers' traces, one at least.

        Raises:
            ValueError: There is none, or they are under different limits.
        """
        traces = tuple(traces)
        if len({trace.limits for trace in traces}) != 1:
            raise ValueError(
                "traces to merge must be one at least, and under the same limits, got "
                f"{[trace.limits for trace in traces]!r}"
            )
        if len(traces) == 1:
            return traces[0]
        began_at = min(trace.started_at for trace in traces)
        return cls(
            attempts=merged([(trace.started_at - began_at, trace.attempts) for trace in traces]),
            limits=traces[0].limits,
            clock="real" if any(trace.clock == "real" for trace in traces) else "virtual",
            resolution=max(trace.resolution for trace in traces),
            ended_at=max(trace.ended_at + trace.started_at - began_at for trace in traces),
            started_at=began_at,
            stopped=next((trace.stopped for trace in traces if trace.stopped), None),
            elsewhere=tuple(dict.fromkeys(seen for trace in traces for seen in trace.elsewhere)),
        )

    def __repr__(self) -> str:
        return (
            f"<Trace {len(self.attempts):,} attempts, {len(self.refused):,} refused, "
            f"{len(self.retries):,} retries>"
        )


def header_of(trace: Trace) -> str:
    """Return the header line of a trace.

    A date of virtual time says something only to limits that go by it. Left out where there are
    none, it does not tell one run of a seed from the next.
    """
    dated = trace.clock == "real" or any(limit.follows_the_date for limit in trace.limits)
    names = [name for name in _HEADER_FIELDS if dated or name != "started_at"]
    return header_line({name: getattr(trace, name) for name in names}, trace.limits)


def header_as_ended(trace: Trace, *, is_open: bool) -> str:
    """Return the header line of a file whose attempts stand in the order in which they ended.

    Args:
        trace: The trace.
        is_open: True leaves out when it ended, which a writer that is killed cannot say.
    """
    names = [name for name in _HEADER_FIELDS if not (is_open and name == "ended_at")]
    fields = {name: getattr(trace, name) for name in names}
    return header_line({"order": AS_ENDED, **fields}, trace.limits)
