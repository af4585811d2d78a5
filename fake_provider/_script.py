"""Script: what the test has decided before the limits are asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fake_provider._answer import Answer
from fake_provider._faults import Fault


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


Script = Callable[[Arrival], Fault | Answer | None]


def as_script(source: Script | Sequence[Fault | Answer | None]) -> Script:
    """Return a script from a function, or from a sequence that answers one request each.

    Args:
        source: A function of an Arrival that returns a Fault, an Answer, or None to let the limits
            decide; or a sequence of these, after whose end the limits decide.

    Raises:
        TypeError: It is neither.
    """
    if callable(source):
        return source
    text = isinstance(source, (str, bytes))
    if isinstance(source, Sequence) and not text and all(map(_is_given, source)):
        given = iter(tuple(source))
        return lambda _arrival: next(given, None)
    raise TypeError(
        "script must be a function of an Arrival or a sequence of Fault, Answer and None, "
        f"got {source!r}"
    )


def ask_scripts(scripts: Sequence[Script], arrival: Arrival) -> tuple[Fault | None, Answer | None]:
    """Ask scripts in order for a fault and for an answer, each of which the first one gives.

    Raises:
        RuntimeError: A script raised.
        TypeError: A script returned something else.
    """
    answer = None
    for script in scripts:
        given = _ask(script, arrival)
        if isinstance(given, Fault):
            return given, answer
        answer = answer or given
    return None, answer


def _ask(script: Script, arrival: Arrival) -> Fault | Answer | None:
    """Return what one script gives."""
    name = getattr(script, "__qualname__", repr(script))
    try:
        given = script(arrival)
    except Exception as error:
        raise RuntimeError(f"the script {name} raised {error!r}") from error
    if not _is_given(given):
        raise TypeError(f"the script {name} must return a Fault, an Answer or None, got {given!r}")
    return given


def _is_given(entry: object) -> bool:
    """Tell whether a script may give this."""
    return entry is None or isinstance(entry, (Fault, Answer))
