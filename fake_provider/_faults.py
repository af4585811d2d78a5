"""Faults: scripted errors, in place of an answer or in the middle of one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from fake_provider._events import chunks_of
from fake_provider._stated import one_of, real_number, whole_number
from fake_provider._wire._named import NAMES, Name
from fake_provider._wire._shapes import Chunk, Reply

Breakage = Literal["cut", "stall", "garbage"]
Kind = Literal["error"] | Breakage | Name
KINDS = ("error", *get_args(Breakage), *NAMES)
USUAL_STATUS = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A scripted error: in place of the answer, or in the middle of an answer that is admitted.

    Args:
        status: HTTP status: 200, or from 300 to 599; of an answer with a name it is the dialect's.
        code: The dialect's error type or code, such as `"insufficient_quota"`; None for the usual
            one of the status, and for an answer with a name.
        headers: Headers of the answer beside the dialect's own, such as `{"retry-after": "60"}`.
        body: The body: JSON as a dict, text, or None for the dialect's own body. The text of a
            stream is sent event by event; an error event in it is a failure of the attempt.
        kind: `"error"`: an answer of this status, without asking the limits. So is an answer with
            a name, in the words and with the status of the dialect that is asked: `"overloaded"`,
            `"windowless"` (a 429 that names neither limits nor a wait), `"concurrency"`,
            `"acceleration"`, `"insufficient-quota"`, `"spend-cap"`, `"too-large"`; what is not
            known of a provider is an error when it is asked. The others happen to an answer that
            the limits admit: `"cut"` ends the connection, `"stall"` pauses for `seconds`,
            `"garbage"` sends a part that cannot be read.
        after: Pieces of output that a stream delivers before; 0 or more. With it an `"error"`, or
            `"overloaded"`, is an event inside a stream of status 200, that the limits have
            admitted.
        seconds: Length of a `"stall"` in seconds, above 0.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of its range, or does not go with the kind.
    """

    status: int = USUAL_STATUS
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | str | None = None
    kind: Kind = "error"
    after: int | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._check_status()
        self._check_kind()
        self._check_headers()
        if self.body is None or isinstance(self.body, str):
            return
        allowed = "body must be a JSON object, text or None"
        if not isinstance(self.body, Mapping):
            raise TypeError(f"{allowed}, got {self.body!r}")
        try:
            json.dumps(self.body)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{allowed}, got {self.body!r}: {error}") from None

    def _check_headers(self) -> None:
        """Raise for headers that no HTTP answer can carry."""
        allowed = "headers must map names to values, both text on one line"
        if not isinstance(self.headers, Mapping):
            raise TypeError(f"{allowed}, got {self.headers!r}")
        for entry in (*self.headers.keys(), *self.headers.values()):
            if not isinstance(entry, str):
                raise TypeError(f"{allowed}, got {self.headers!r}")
            if "\r" in entry or "\n" in entry:
                raise ValueError(f"{allowed}, got {self.headers!r}")

    def _check_status(self) -> None:
        """Raise for a status that no answer has."""
        allowed = "status must be 200, or a whole number from 300 to 599"
        if isinstance(self.status, bool) or not isinstance(self.status, int):
            raise TypeError(f"{allowed}, got {self.status!r}")
        if self.status != 200 and not 300 <= self.status <= 599:
            raise ValueError(f"{allowed}, got {self.status!r}")
        if self.code is not None and not isinstance(self.code, str):
            raise TypeError(f"code must be a string or None, got {self.code!r}")

    def _check_kind(self) -> None:
        """Raise for an unknown kind, and for what does not go with it."""
        one_of("kind", self.kind, KINDS)
        if self.after is not None:
            whole_number("after", self.after, at_least=0)
        if self.name is not None:
            self._check_name(self.name)
        if self.kind == "stall":
            real_number("seconds", self.seconds, "seconds", above=0.0)
        elif self.seconds:
            raise ValueError(f"seconds must be left out unless kind is stall, got {self.seconds!r}")

    def _check_name(self, name: Name) -> None:
        """Raise for what an answer with a name brings with it."""
        for stated, value, usual in (
            ("status", self.status, USUAL_STATUS),
            ("code", self.code, None),
            ("after", None if name == "overloaded" else self.after, None),
        ):
            if value != usual:
                raise ValueError(f"{stated} must be left out where kind is {name}, got {value!r}")

    @property
    def name(self) -> Name | None:
        """The name of the answer, None for one that is stated by its status and code."""
        return self.kind if self.kind in NAMES else None

    @property
    def breaks(self) -> bool:
        """True for what happens to the transmission of an answer, whatever it says."""
        return self.kind in get_args(Breakage)

    @property
    def is_admitted(self) -> bool:
        """True for a fault in the middle of an answer, which the limits have admitted."""
        return self.breaks or self.after is not None

    def encoded_body(self) -> bytes | None:
        """Return the body as bytes, None for the dialect's own."""
        if self.body is None:
            return None
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body, separators=(",", ":")).encode()


def error_code(body: bytes) -> str | None:
    """Return the machine-readable code of an error body, where there is one."""
    try:
        error = json.loads(body)["error"]
        details = error.get("details") or {}
        code = details.get("error_code") if isinstance(details, dict) else None
        code = code or error.get("code") or error.get("type")
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return str(code)


def overridden(reply: Reply, fault: Fault) -> Reply:
    """Return the reply with a fault's headers and body in place of the dialect's."""
    own = {name.lower(): str(value) for name, value in fault.headers.items()}
    chunks, body = reply.chunks, fault.encoded_body()
    if body is not None and reply.stream:
        chunks = chunks_of(body)
    elif body is not None:
        chunks = (Chunk(body, output_tokens=1),)
        own.setdefault("content-length", str(len(body)))
    kept = tuple((name, value) for name, value in reply.headers if name not in own)
    return Reply(reply.status, (*kept, *own.items()), chunks, reply.stream)


def broken(reply: Reply, fault: Fault, error: Callable[[int], Chunk]) -> Reply:
    """Return an admitted answer with a fault in its middle.

    Args:
        reply: The answer as it would have been.
        fault: What happens to it.
        error: Returns the dialect's error event after so many chunks, for a fault of kind
            `"error"`.
    """
    before = _pieces_before(reply, fault.after or 0)
    sent, (following, *rest) = reply.chunks[:before], reply.chunks[before:]
    if fault.kind == "stall":
        late = following._replace(stall_s=fault.seconds)
        return reply._replace(chunks=(*sent, late, *rest))
    if fault.kind == "garbage":
        # The framing and the length hold, the JSON inside does not.
        unreadable = Chunk(following.data.replace(b'"', b" ", 1))
        return reply._replace(chunks=(*sent, unreadable, *rest))
    if fault.kind == "cut":
        return reply._replace(chunks=sent, cut=True)
    return reply._replace(chunks=(*sent, error(before))) if reply.stream else reply


def _pieces_before(reply: Reply, pieces: int) -> int:
    """Return how many chunks a stream sends before the piece of output at this position.

    An answer that has fewer pieces breaks at its last chunk, one that is no stream at its only
    one.
    """
    outputs = (at for at, chunk in enumerate(reply.chunks) if chunk.output_tokens)
    for position, at in enumerate(outputs):
        if position == pieces:
            return at
    return len(reply.chunks) - 1
