"""Control: what a server says of itself, and how it is begun anew, below `/_fake_provider/`."""

from __future__ import annotations

import asyncio
import json
import os
import resource
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from fake_provider._lines import attempt_line
from fake_provider._trace import header_of

if TYPE_CHECKING:
    from fake_provider._app import App
    from fake_provider._desk import Desk
    from fake_provider._lag import Lag
    from fake_provider._recorder import Record
    from fake_provider._trace import Trace

Send = Callable[[Any], Awaitable[None]]

# Attempts that are written before others get their turn.
_BATCH = 200
_METHODS = {"/health": "GET", "/metrics": "GET", "/reset": "POST", "/trace": "GET"}


class Written(Protocol):
    """A file of attempts that have ended."""

    def parts(self) -> Iterator[bytes]:
        """Yield what it holds when first asked, header and lines."""

    def line(self, record: Record) -> str:
        """Return an attempt as its line in the file."""


class Control:
    """Answers what is asked of the server itself.

    Args:
        desk: What decides, and keeps the attempts.
        header: Returns the trace so far without its attempts.
        reset: Begins the trace anew.
        lag: How late the loop is.
        written: The file that has the attempts that have ended; None if they are kept.
    """

    def __init__(
        self,
        desk: Desk,
        header: Callable[[], Trace],
        reset: Callable[[], None],
        lag: Lag,
        written: Written | None = None,
    ) -> None:
        self._desk = desk
        self._header = header
        self._reset = reset
        self._lag = lag
        self._written = written
        self.app: App | None = None

    async def __call__(self, method: str, path: str, send: Send) -> None:
        """Answer one request.

        Args:
            method: HTTP method, upper case.
            path: Path behind `/_fake_provider`.
            send: Takes the answer.
        """
        wanted = _METHODS.get(path)
        if wanted is None:
            known = ", ".join(f"{verb} /_fake_provider{name}" for name, verb in _METHODS.items())
            await _send_json(send, 404, {"error": f"there are {known}"})
        elif method != wanted:
            message = f"/_fake_provider{path} takes {wanted}"
            await _send_json(send, 405, {"error": message}, ((b"allow", wanted.encode()),))
        elif path == "/trace":
            await self._send_trace(send)
        elif path == "/metrics":
            await _send(send, 200, b"text/plain; version=0.0.4", self._metrics().encode())
        elif path == "/reset":
            await self._send_reset(send)
        else:
            await _send_json(send, 200, self._health())

    async def _send_reset(self, send: Send) -> None:
        """Begin the trace anew, unless what is charged is kept where nobody can be reached."""
        try:
            self._reset()
        except OSError as error:
            await _send_json(send, 503, {"error": str(error)})
            return
        self._lag.reset()
        await _send_json(send, 200, {"reset": True})

    def _health(self) -> dict[str, Any]:
        """Return that it serves, and for how long it has."""
        return {
            "status": "ok",
            "pid": os.getpid(),
            "elapsed_s": round(self._header().ended_at, 3),
            "attempts": self._desk.stages.intake.count,
        }

    def _metrics(self) -> str:
        """Return figures in the text format of Prometheus."""
        app, usage = self.app, resource.getrusage(resource.RUSAGE_SELF)
        rows: list[tuple[str, str, str, float]] = [
            ("attempts", "gauge", "", self._desk.stages.intake.count),
            ("cpu_seconds", "counter", "", usage.ru_utime + usage.ru_stime),
            ("loop_lag_seconds", "gauge", '{quantile="0.99"}', self._lag.usual_s),
            ("loop_lag_seconds", "gauge", '{quantile="1"}', self._lag.worst_s),
            ("max_resident_bytes", "gauge", "", usage.ru_maxrss * 1024),
        ]
        if app is not None:
            rows += [
                ("requests_total", "counter", "", app.requests),
                ("requests_in_flight", "gauge", "", app.in_flight),
                ("disconnects_total", "counter", "", app.disconnects),
            ]
            rows += [
                ("answers_total", "counter", f'{{status="{status}"}}', count)
                for status, count in sorted(app.statuses.items())
            ]
        lines: list[str] = []
        named = ""
        for name, kind, labels, value in rows:
            if name != named:
                lines.append(f"# TYPE fake_provider_{name} {kind}")
                named = name
            lines.append(f"fake_provider_{name}{labels} {value:g}")
        return "\n".join(lines) + "\n"

    def _header_kept(self) -> Trace:
        """Return the header of the attempts that are kept, which says so if some are not."""
        header, intake = self._header(), self._desk.stages.intake
        if intake.count == len(intake.records):
            return header
        told = f"the last {len(intake.records):,} of {intake.count:,} attempts are kept"
        return replace(header, stopped=header.stopped or f"{told}: serve with --trace")

    async def _send_trace(self, send: Send) -> None:
        """Send the trace as JSON Lines, a batch at a time."""
        await _send_head(send, 200, ((b"content-type", b"application/jsonl"),))
        # What arrives while it is sent is left for the next time.
        records = list(self._desk.stages.intake.records.values())
        if self._written is None:
            line, parts = _line, iter((f"{header_of(self._header_kept())}\n".encode(),))
        else:
            line, parts = self._written.line, self._written.parts()
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(0)
        for at in range(0, len(records), _BATCH):
            lines = [line(record) for record in records[at : at + _BATCH]]
            await _send_part(send, "\n".join(lines) + "\n")
            await asyncio.sleep(0)
        await send({"type": "http.response.body"})


def _line(record: Record) -> str:
    """Return an attempt that is kept as a line."""
    return attempt_line(record.attempt())


async def _send_head(send: Send, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """Send a status line."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def _send_part(send: Send, text: str) -> None:
    """Send a part of a body."""
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _send(
    send: Send,
    status: int,
    content_type: bytes,
    body: bytes,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """Send an answer in one piece."""
    length = (b"content-length", b"%d" % len(body))
    await _send_head(send, status, ((b"content-type", content_type), length, *headers))
    await send({"type": "http.response.body", "body": body})


async def _send_json(
    send: Send, status: int, value: object, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Send a value as JSON."""
    await _send(send, status, b"application/json", json.dumps(value).encode(), headers)
