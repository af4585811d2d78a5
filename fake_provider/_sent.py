"""Sent: what a client sent and got, as a trace of its own, where no fake provider keeps one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from fake_provider._attempt import Attempt
from fake_provider._faults import error_code
from fake_provider._hints import read_hint
from fake_provider._limits import Limits
from fake_provider._lines import attempt_line, parse_attempt
from fake_provider._terminal import TERMINAL_CODES, is_terminal
from fake_provider._trace import Trace
from fake_provider._wire._shapes import Chunk, Reply

# What two machines' clocks and a client's loop may differ by.
RESOLUTION_S = 5e-3


class Sent:
    """Attempts as a client saw them, from several processes.

    Times are POSIX seconds until a trace is made; a call is known by its caller and its number.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []

    def note(
        self,
        *,
        caller: str,
        call: int,
        attempt: int,
        tokens: int,
        host: str,
        dialect: str,
        model: str,
        sent_at: float,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
    ) -> float | None:
        """Keep an attempt whose answer has come now.

        Args:
            caller: Who made it.
            call: The number of its call among its caller's, from 0.
            attempt: Its position in the call, from 1.
            tokens: Tokens that it asked for.
            host: Host that it was sent to.
            dialect: Wire dialect.
            model: Model asked for.
            sent_at: When it was sent, in POSIX seconds.
            status: HTTP status of the answer; 0 if none came.
            headers: Its headers, by lower-case names.
            body: Its body.

        Returns:
            The seconds that it asks to wait; None if it asks for none.
        """
        ended_at = max(sent_at, time.time())
        reason = f"status {status}" if status else "no answer"
        code = None if status == 200 else error_code(body)
        hint = None if status == 200 else read_hint(headers, round(ended_at * 1e9), body)
        answer = Reply(status, tuple(headers.items()), (Chunk(body),))
        hopeless = status > 0 and is_terminal(answer, None if hint is None else hint[0])
        made = Attempt(
            index=0,
            caller=caller,
            call=call,
            unit=f"{caller}/{call}",
            attempt=attempt,
            layer="first" if attempt == 1 else "code",
            sdk_retry=None,
            attribution="exact",
            key="client",
            host=host,
            dialect=dialect,
            model=model,
            model_class=model,
            input_tokens=tokens,
            output_tokens=0,
            max_tokens=None,
            arrived_at=sent_at,
            ended_at=ended_at,
            # A client that got no answer counts as one that gave up waiting.
            status=status or 200,
            reason=None if status == 200 else code or reason,
            hint=None if hint is None else hint[0],
            hint_form=None if hint is None else hint[1],
            room=None,
            charged=1.0 if status == 200 else 0.0,
            terminal=hopeless or code in TERMINAL_CODES,
            stream=False,
            output_at=ended_at if status == 200 else None,
            cancelled_at=None if status else ended_at,
        )
        self._lines.append(attempt_line(made))
        return made.hint

    def take(self) -> list[str]:
        """Return the attempts so far as lines, and keep them no longer."""
        taken, self._lines = self._lines, []
        return taken

    def add(self, lines: Iterable[str]) -> None:
        """Keep the attempts of another process as well."""
        self._lines += lines

    def write(self, path: str | Path, limits: Limits) -> None:
        """Write what was sent as a trace, with the limits that the clients reckon with.

        Raises:
            OSError: The file cannot be written.
        """
        attempts = [parse_attempt(json.loads(line)) for line in self._lines]
        attempts.sort(key=lambda attempt: attempt.arrived_at)
        began_at = attempts[0].arrived_at if attempts else time.time()
        calls: dict[str, int] = {}
        shifted = [
            replace(
                attempt.later(-began_at),
                index=index,
                call=calls.setdefault(attempt.unit, len(calls)),
            )
            for index, attempt in enumerate(attempts)
        ]
        ended = max((attempt.ended_at or 0.0 for attempt in shifted), default=0.0)
        Trace(
            attempts=tuple(shifted),
            limits=limits,
            clock="real",
            resolution=RESOLUTION_S,
            ended_at=ended,
            started_at=began_at,
        ).dump(path)
