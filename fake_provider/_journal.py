"""Journal: a trace file that is written while the trace grows, and survives its writer.

A header first, then a line as soon as an attempt has ended, each by one write: what a killed
process had written stays, but for the line that it was writing. The header has room to be
written again at the end. A journal goes on with the file of a run that was killed; it never
writes over a file that is no trace.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fake_provider._lines import attempt_line
from fake_provider._trace import Trace, TraceError, header_as_ended

if TYPE_CHECKING:
    from fake_provider._recorder import Record

# Bytes kept free behind the header for what is known at the end alone.
HEADROOM = 1_000
# Bytes that are read at once.
_PART = 1 << 16


class JournalError(ValueError):
    """A file cannot be gone on with: it is no trace, or that of other limits."""


class Journal:
    """A trace file that is written line by line.

    Args:
        path: The file, which is made if there is none.
        trace: The trace as it stands: its limits, and when it began.
        anew: True empties the file of an earlier trace, False goes on with it.

    Raises:
        JournalError: The file is not empty and no trace, has other limits, or is being written.
        OSError: It cannot be written.
    """

    def __init__(self, path: str | Path, trace: Trace, *, anew: bool = False) -> None:
        self._path = Path(path)
        # Not for appending: the header is written again in place.
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise JournalError(f"{path} is being written by another process") from None
        try:
            before = self._before()
            if anew or before is None:
                self.restart(trace)
            else:
                self._go_on(trace, before)
        except BaseException:
            os.close(self._file)
            raise

    def restart(self, trace: Trace) -> None:
        """Empty the file, for a trace that begins anew."""
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        self._started_at = trace.started_at
        self._late_s, self._attempts, self._calls = 0.0, 0, 0
        header = header_as_ended(trace, is_open=True).encode()
        self._room = len(header) + HEADROOM
        self._write(header.ljust(self._room) + b"\n")

    def _go_on(self, trace: Trace, before: Trace) -> None:
        """Take up where a file ends: times, attempts and calls are counted on."""
        if before.limits != trace.limits:
            raise JournalError(
                f"{self._path} holds a trace under other limits, {before.limits!r}: name a new file"
            )
        self._started_at = before.started_at
        self._late_s = max(trace.started_at - before.started_at, before.ended_at)
        self._attempts = len(before.attempts)
        self._calls = 1 + max((attempt.call for attempt in before.attempts), default=-1)

    def _before(self) -> Trace | None:
        """Return what the file holds, cut behind its last whole line; None for an empty file."""
        if not os.fstat(self._file).st_size:
            return None
        with os.fdopen(os.dup(self._file), "rb") as file:
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        try:
            before = Trace.load(whole.decode("utf-8", "replace").splitlines())
        except TraceError as error:
            raise JournalError(f"{self._path} is not empty, and no trace: {error}") from None
        self._room = whole.index(b"\n")
        os.ftruncate(self._file, len(whole))
        os.lseek(self._file, 0, os.SEEK_END)
        return before

    def parts(self) -> Iterator[bytes]:
        """Yield what the file holds when first asked: its header and its lines."""
        size = os.fstat(self._file).st_size
        for at in range(0, size, _PART):
            yield os.pread(self._file, min(_PART, size - at), at)

    def add(self, record: Record) -> None:
        """Write an attempt that has ended."""
        self._write(self.line(record).encode() + b"\n")

    def line(self, record: Record) -> str:
        """Return an attempt as its line in the file."""
        attempt = record.attempt()
        if self._late_s:
            attempt = replace(
                attempt.later(self._late_s),
                index=attempt.index + self._attempts,
                call=attempt.call + self._calls,
            )
        return attempt_line(attempt)

    def close(self, trace: Trace, unfinished: Iterable[Record] = ()) -> None:
        """Write what had not ended, and the header as it is at the end."""
        for record in unfinished:
            self.add(record)
        final = replace(trace, started_at=self._started_at, ended_at=trace.ended_at + self._late_s)
        for elsewhere in (final.elsewhere, final.elsewhere[:3], ()):
            header = header_as_ended(replace(final, elsewhere=elsewhere), is_open=False).encode()
            if len(header) <= self._room:
                os.pwrite(self._file, header.ljust(self._room), 0)
                break
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        """Write all of it; a disk may take less at once."""
        while data:
            data = data[os.write(self._file, data) :]
