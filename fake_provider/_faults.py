"""Faults: scripted answers that come before the limits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fake_provider._wire._shapes import Chunk, Reply

# A 429 with one of these codes is a bill, not a queue (OpenAI and Anthropic, read 2026-11-25).
TERMINAL_CODES = frozenset(
    {
        "billing_error",
        "contract_spend_limit_reached",
        "credit_balance_exhausted",
        "enforced_spend_limit_reached",
        "insufficient_quota",
        "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "project_spend_limit_exceeded",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a script sees of an attempt.

    Args:
        at: Seconds since the provider was opened.
        number: Requests that arrived before it.
        nth: Requests with the same body that arrived before it.
        caller: Who makes it.
        attempt: Its position in its call, from 1.
        body: The decoded body.
    """

    at: float
    number: int
    nth: int
    caller: str
    attempt: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A scripted answer.

    Args:
        status: HTTP status, from 200 to 599.
        headers: Headers of the answer beside the dialect's own, such as `{"retry-after": "60"}`.
        body: The body: JSON as a dict, text, or None for the dialect's own body for the status.

    Raises:
        TypeError: The status is not a whole number.
        ValueError: The status is out of its range.
    """

    status: int = 429
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | str | None = None

    def __post_init__(self) -> None:
        self._check_status()
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
        """Raise for a status that is none."""
        if isinstance(self.status, bool) or not isinstance(self.status, int):
            raise TypeError(f"status must be a whole number from 200 to 599, got {self.status!r}")
        if not 200 <= self.status <= 599:
            raise ValueError(f"status must be a whole number from 200 to 599, got {self.status!r}")

    def encoded_body(self) -> bytes | None:
        """Return the body as bytes, None for the dialect's own."""
        if self.body is None:
            return None
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body, separators=(",", ":")).encode()


Script = Callable[[Arrival], Fault | None]


def as_script(source: Script | Sequence[Fault | None]) -> Script:
    """Return a script from a function, or from a sequence that answers one request each.

    Args:
        source: A function of an Arrival that returns a Fault, or None to let the limits decide;
            or a sequence of these, after whose end the limits decide.

    Raises:
        TypeError: It is neither.
    """
    if callable(source):
        return source
    text = isinstance(source, (str, bytes))
    if isinstance(source, Sequence) and not text and all(map(_is_answer, source)):
        faults = iter(tuple(source))
        return lambda _arrival: next(faults, None)
    raise TypeError(
        f"script must be a function of an Arrival or a sequence of Fault and None, got {source!r}"
    )


def ask_script(script: Script, arrival: Arrival) -> Fault | None:
    """Return a script's answer.

    Raises:
        RuntimeError: It raised.
        TypeError: It returned neither a Fault nor None.
    """
    name = getattr(script, "__qualname__", repr(script))
    try:
        answer = script(arrival)
    except Exception as error:
        raise RuntimeError(f"the script {name} raised {error!r}") from error
    if not _is_answer(answer):
        raise TypeError(f"the script {name} must return a Fault or None, got {answer!r}")
    return answer


def _is_answer(entry: object) -> bool:
    """Tell whether a script may answer with this."""
    return entry is None or isinstance(entry, Fault)


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


def overridden(reply: Reply, headers: Mapping[str, str], body: bytes | None) -> Reply:
    """Return the reply with a script's headers and body in place of the dialect's."""
    own = {name.lower(): str(value) for name, value in headers.items()}
    chunks = reply.chunks
    if body is not None:
        chunks = (Chunk(body, output_tokens=1),)
        if not reply.stream:
            own.setdefault("content-length", str(len(body)))
    kept = tuple((name, value) for name, value in reply.headers if name not in own)
    return Reply(reply.status, (*kept, *own.items()), chunks, reply.stream)
