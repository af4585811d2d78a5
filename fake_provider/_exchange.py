"""Exchange: one request and its answer, from the door's side."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fake_provider._recorder import Record
from fake_provider._wire._shapes import Chunk, Reply

Finish = Callable[["Exchange"], None]


class Exchange:
    """One request and the answer to send, with the waits that the service takes.

    A door waits for `whole_after_s` and sends all of it, or iterates `waits()`, sleeping and
    sending. Then it says how it ended: `end()` when the last byte has left, `cancel()` when the
    client gave up.

    Args:
        reply: The answer.
        waits: Seconds to wait before the whole of it; for a stream, before the status line (chunk
            None) and before each chunk.
        record: Where the attempt is kept; None for a request that is no attempt.
        now_ns: Reads the clock.
        finish: Called once, when the exchange has ended or was given up.
    """

    __slots__ = ("_due", "_finish", "_now_ns", "_waits", "record", "reply", "whole_after_s")

    def __init__(
        self,
        reply: Reply,
        waits: float | list[tuple[float, Chunk | None]],
        record: Record | None,
        now_ns: Callable[[], int],
        finish: Finish | None,
    ) -> None:
        self.reply = reply
        self.record = record
        self.whole_after_s: float | None
        if isinstance(waits, list):
            self._waits, self.whole_after_s = waits, None
        else:
            self._waits, self.whole_after_s = [], waits
        self._now_ns = now_ns
        self._finish = finish
        self._due: tuple[int, Chunk] | None = None

    def waits(self) -> Iterator[tuple[float, Chunk | None]]:
        """Yield seconds to wait, then the chunk to send; the first pair is the status line.

        Raises:
            ConnectionError: The connection is cut here.
        """
        record = self.record
        for seconds, chunk in self._waits:
            # The instant of the first output is noted, and no clock is read for the others.
            if chunk is None or record is None or not chunk.output_tokens or record.output_ns:
                yield seconds, chunk
                continue
            self._due = (self._now_ns() + round(seconds * 1e9), chunk)
            yield seconds, chunk
            self._note_output()
        if self.reply.cut:
            self.end()
            raise ConnectionError("the provider cut the connection")

    def end(self) -> None:
        """Note that the last byte has left."""
        self._close(cancelled=False)

    def cancel(self) -> None:
        """Note that the client gave up waiting, or closed the stream early."""
        self._close(cancelled=True)

    def _note_output(self) -> None:
        """Note the first output of a stream, once its time has come."""
        if self._due is None or self.record is None or self.record.status != 200:
            return
        due_ns, chunk = self._due
        if chunk.output_tokens and self.record.output_ns is None and self._now_ns() >= due_ns:
            self.record.output_ns = due_ns

    def _close(self, *, cancelled: bool) -> None:
        """Note the end, once."""
        finish, self._finish = self._finish, None
        if finish is None:
            return
        record = self.record
        if record is not None:
            self._note_output()
            now_ns = record.ended_ns = self._now_ns()
            if cancelled:
                record.cancelled_ns = now_ns
            elif record.status == 200 and self.whole_after_s is not None:
                record.output_ns = now_ns
        finish(self)
