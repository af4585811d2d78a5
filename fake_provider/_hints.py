"""Hints: the wait that a refusal names, how it is sent, and how the SDKs read it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal, get_args

from fake_provider._attempt import HintForm
from fake_provider._stated import one_of, real_number
from fake_provider._wire._shapes import Reply

NS = 1_000_000_000
SentForm = Literal["seconds", "ms", "date", "reset", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HintStyle:
    """How the provider tells a refused client to wait.

    Args:
        form: `"seconds"` (Retry-After, whole, rounded up), `"ms"` (retry-after-ms), `"date"`
            (Retry-After as an HTTP date), `"reset"` (only the dialect's reset headers) or
            `"none"`.
        pad_s: Seconds added to the true wait in a Retry-After. Below 0 it says less than is
            needed, and nothing where no wait is left.
        skew_s: Seconds by which the provider's wall clock is ahead of the client's.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of its range.
    """

    form: SentForm = "seconds"
    pad_s: float = 0.0
    skew_s: float = 0.0

    def __post_init__(self) -> None:
        one_of("form", self.form, get_args(SentForm))
        real_number("pad_s", self.pad_s, "seconds")
        real_number("skew_s", self.skew_s, "seconds")


def hint_style(hint: object) -> HintStyle:
    """Return the style that the keyword `hint` states: a form, or a style.

    Raises:
        TypeError: It is neither a string nor a HintStyle.
        ValueError: The form is unknown.
    """
    if isinstance(hint, HintStyle):
        return hint
    if not isinstance(hint, str):
        raise TypeError(f"hint must be a form or a HintStyle, got {hint!r}")
    one_of("hint", hint, get_args(SentForm))
    return HintStyle(form=hint)  # type: ignore[arg-type]


def read_hint(
    headers: Mapping[str, str], wall_ns: int, body: bytes = b""
) -> tuple[float, HintForm] | None:
    """Return the seconds to wait that a refusal names, and the form it names them in.

    The order is that of the anthropic and openai SDKs (read 2026-11-25): `retry-after-ms`, then
    `retry-after` as seconds, then as an HTTP date. AWS's own header of milliseconds comes with
    the first, and a body that names the wait last. Zero, negative and past values are returned
    as they are: they were sent, but bind nobody.

    Args:
        headers: Header values by lower-case name.
        wall_ns: The provider's wall clock when the answer leaves, in POSIX nanoseconds.
        body: The body, where one may name the wait.

    Returns:
        The wait in seconds and its form; None if there is none, or none that can be read.
    """
    for name in ("retry-after-ms", "x-amz-retry-after"):
        milliseconds = _number(headers.get(name))
        if milliseconds is not None:
            return milliseconds / 1000, "ms"
    value = headers.get("retry-after")
    if value is None:
        wait_s = _read_body(body)
        return None if wait_s is None else (wait_s, "body")
    seconds = _number(value)
    if seconds is not None:
        return seconds, "seconds"
    try:
        deadline = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    # A date is in whole seconds; the difference is taken before anything becomes a float.
    return (int(deadline.timestamp()) * NS - wall_ns) / NS, "date"


def names_reset(reply: Reply) -> bool:
    """Tell whether a refusal says when a limit is full, in its headers or those in its body."""
    return any("reset" in name for name, _ in reply.headers) or b"-Reset" in reply.content


def _read_body(body: bytes) -> float | None:
    """Return the seconds of the `google.rpc.RetryInfo` in an error's body, None without one."""
    if b"google.rpc.RetryInfo" not in body:
        return None
    try:
        value = json.loads(body)
        error = (value[0] if isinstance(value, list) else value)["error"]
        delays = [each["retryDelay"] for each in error["details"] if "retryDelay" in each]
        return _number(delays[0].removesuffix("s"))
    except (ValueError, TypeError, LookupError, AttributeError):
        return None


def _number(value: str | None) -> float | None:
    """Return a finite number, or None."""
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
