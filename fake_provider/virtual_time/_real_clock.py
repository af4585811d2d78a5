"""The real clock, with the members of a virtual one."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from . import _real
from ._units import NANOSECONDS


class RealClock:
    """The real clock with the members of a virtual one."""

    def __init__(self) -> None:
        self._opened_ns: int | None = None
        self._closed_ns: int | None = None

    def __enter__(self) -> Self:
        self._opened_ns, self._closed_ns = _real.monotonic_ns(), None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed_ns = _real.monotonic_ns()

    def elapsed(self) -> float:
        """Seconds since the clock was opened, or how many there were when it closed."""
        return self.now_ns / NANOSECONDS

    @property
    def now_ns(self) -> int:
        """Nanoseconds since the clock was opened."""
        if self._opened_ns is None:
            return 0
        until_ns = _real.monotonic_ns() if self._closed_ns is None else self._closed_ns
        return int(until_ns - self._opened_ns)

    def now(self) -> dt.datetime:
        """The instant that the wall clock shows, in UTC."""
        return dt.datetime.fromtimestamp(_real.wall(), tz=dt.UTC)

    def advance(self, seconds: float) -> None:
        """Sleep for real seconds.

        Args:
            seconds: How many, at least 0.
        """
        _real.sleep(seconds)

    @contextmanager
    def passthrough(self) -> Iterator[None]:
        """Nothing changes: time is real."""
        yield

    @property
    def stats(self) -> dict[str, int]:
        """Empty: nothing is scheduled."""
        return {}

    @property
    def leaked(self) -> tuple[str, ...]:
        """Empty: threads are not followed."""
        return ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Empty: real time has no borders."""
        return ()
