"""Script: what the test has decided before the limits are asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fake_provider._answer import Answer
from fake_provider._faults import Fault
from fake_provider._stated import real_number, whole_number


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
Source = Script | Fault | Answer | Sequence[Fault | Answer | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The requests that a script is asked about; all of them unless something is stated.

    Args:
        first: How many of them, counted among those that the rest lets through; all if None.
        between: Seconds since the provider was opened, from the first up to the second.
        caller: The one whose requests they are.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of its range.
    """

    first: int | None = None
    between: tuple[float, float] | None = None
    caller: str | None = None

    def __post_init__(self) -> None:
        if self.first is not None:
            whole_number("first", self.first)
        if self.caller is not None and not isinstance(self.caller, str):
            raise TypeError(f"caller must be a name or None, got {self.caller!r}")
        if self.between is None:
            return
        match self.between:
            case (start, end):
                start = real_number("the start of between", start, "seconds", low=0.0)
                real_number("the end of between", end, "seconds", above=start)
            case _:
                raise TypeError(f"between must be a pair of seconds or None, got {self.between!r}")

    def narrow(self, script: Script) -> Script:
        """Return a script that is asked about these requests alone."""
        if self == Scope():
            return script
        left = self.first

        def narrowed(arrival: Arrival) -> Fault | Answer | None:
            nonlocal left
            if not self._holds(arrival) or left == 0:
                return None
            if left is not None:
                left -= 1
            return script(arrival)

        return narrowed

    def _holds(self, arrival: Arrival) -> bool:
        """Tell whether a request is one of those that are stated by caller and time."""
        if self.caller is not None and arrival.caller != self.caller:
            return False
        return self.between is None or self.between[0] <= arrival.at < self.between[1]


def as_script(source: Source) -> Script:
    """Return a script from a function, one answer, or a sequence that answers one request each.

    Args:
        source: A function of an Arrival that returns a Fault, an Answer, or None to let the limits
            decide; or a Fault or an Answer for every request; or a sequence of these, after whose
            end the limits decide.

    Raises:
        TypeError: It is none of these.
    """
    if callable(source):
        return source
    if isinstance(source, (Fault, Answer)):
        return lambda _arrival: source
    text = isinstance(source, (str, bytes))
    if isinstance(source, Sequence) and not text and all(map(_is_given, source)):
        given = iter(tuple(source))
        return lambda _arrival: next(given, None)
    raise TypeError(
        "script must be a function of an Arrival, a Fault, an Answer or a sequence of Fault, "
        f"Answer and None, got {source!r}"
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
