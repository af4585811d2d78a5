"""Lines: a trace as JSON Lines, a header and then an attempt a line."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, get_args

from fake_provider._attempt import Attempt, HintForm, Layer
from fake_provider._limits import Algorithm, Charge, Kind, Limit, Limits, Sharing

FORMAT = 1
# The order of a file that is written while its trace grows.
AS_ENDED = "ended"
ATTEMPT_FIELDS = tuple(f.name for f in dataclasses.fields(Attempt))
# A field that came later has a default: files from before it are traces all the same.
_NEEDED = tuple(f.name for f in dataclasses.fields(Attempt) if f.default is dataclasses.MISSING)
LIMIT_FIELDS = tuple(f.name for f in dataclasses.fields(Limit))

_Check = Callable[[object], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(least: int) -> _Check:
    return lambda value: isinstance(value, int) and _is_whole(value) and value >= least


def _real(least: float) -> _Check:
    return lambda value: isinstance(value, (int, float)) and _is_number(value) and value >= least


def _word(*words: str) -> _Check:
    return lambda value: value in words


def _or_none(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


_ATTEMPT: dict[str, tuple[_Check, str]] = {
    "index": (_whole(0), "a whole number, at least 0"),
    "caller": (_is_text, "text"),
    "call": (_whole(0), "a whole number, at least 0"),
    "unit": (_is_text, "text"),
    "attempt": (_whole(1), "a whole number, at least 1"),
    "layer": (_word(*get_args(Layer)), f"one of {', '.join(get_args(Layer))}"),
    "sdk_retry": (_or_none(_whole(0)), "a whole number, at least 0, or null"),
    "attribution": (_word("exact", "inferred"), "exact or inferred"),
    "key": (_is_text, "text"),
    "host": (_is_text, "text"),
    "dialect": (_is_text, "text"),
    "model": (_is_text, "text"),
    "model_class": (_is_text, "text"),
    "input_tokens": (_whole(0), "a whole number, at least 0"),
    "output_tokens": (_whole(0), "a whole number, at least 0"),
    "max_tokens": (_or_none(_whole(0)), "a whole number, at least 0, or null"),
    "arrived_at": (_real(0), "a number of seconds, at least 0"),
    "ended_at": (_or_none(_real(0)), "a number of seconds, at least 0, or null"),
    "status": (_whole(100), "an HTTP status"),
    "reason": (_or_none(_is_text), "text or null"),
    "hint": (_or_none(_is_number), "a number of seconds or null"),
    "hint_form": (
        _or_none(_word(*get_args(HintForm))),
        f"one of {', '.join(get_args(HintForm))}, or null",
    ),
    "room": (_or_none(_is_number), "a number of attempts or null"),
    "charged": (_real(0), "a share, at least 0"),
    "terminal": (_is_flag, "true or false"),
    "stream": (_is_flag, "true or false"),
    "output_at": (_or_none(_real(0)), "a number of seconds, at least 0, or null"),
    "cancelled_at": (_or_none(_real(0)), "a number of seconds, at least 0, or null"),
    "depth": (_or_none(_is_whole), "a whole number or null"),
}
_HEADER: dict[str, tuple[_Check, str]] = {
    "clock": (_word("virtual", "real"), "virtual or real"),
    "resolution": (_real(0), "a number of seconds, at least 0"),
    "ended_at": (_real(0), "a number of seconds, at least 0"),
    "started_at": (_is_number, "a number of seconds"),
    "seed": (_or_none(_whole(0)), "a whole number, at least 0, or null"),
    "stopped": (_or_none(_is_text), "text or null"),
}
_LIMIT: dict[str, tuple[_Check, str]] = {
    "kind": (_word(*get_args(Kind)), f"one of {', '.join(get_args(Kind))}"),
    "amount": (_whole(1), "a whole number, at least 1"),
    "per": (_real(0), "a number of seconds, at least 0"),
    "window": (_real(0), "a number of seconds, at least 0"),
    "algorithm": (_word(*get_args(Algorithm)), f"one of {', '.join(get_args(Algorithm))}"),
    "burst": (_or_none(_whole(1)), "a whole number, at least 1, or null"),
    "floor": (_or_none(_is_number), "a number or null"),
    "charge_rejected": (_real(0), "a share, at least 0"),
    "charge": (_word(*get_args(Charge)), f"one of {', '.join(get_args(Charge))}"),
    "charge_cached": (_real(0), "a share, at least 0"),
    "output_factor": (_whole(1), "a whole number, at least 1"),
    "scope": (_word(*get_args(Sharing)), f"one of {', '.join(get_args(Sharing))}"),
    "models": (_is_words, "a list of text"),
    "except_models": (_is_words, "a list of text"),
    "growth": (_real(1), "a number, at least 1"),
    "timezone": (_is_text, "text"),
}


def attempt_line(attempt: Attempt) -> str:
    """Return one attempt as a line, fields in their documented order."""
    row = {name: getattr(attempt, name) for name in ATTEMPT_FIELDS}
    if row["room"] != math.inf:
        return json.dumps(row, separators=(",", ":"))
    # JSON has no infinity, but every parser reads a number that is too large as one.
    row["room"] = None
    return json.dumps(row, separators=(",", ":")).replace('"room":null', '"room":1e999')


def header_line(fields: Mapping[str, Any], limits: Limits) -> str:
    """Return the first line: format, the trace's own fields, and the limits."""
    rows = [{name: getattr(limit, name) for name in LIMIT_FIELDS} for limit in limits]
    return json.dumps({"trace": FORMAT, **fields, "limits": rows}, separators=(",", ":"))


def is_as_ended(header: dict[str, Any]) -> bool:
    """Tell whether a file's lines stand in the order in which attempts ended."""
    return header.get("order") == AS_ENDED


def parse_header(row: object) -> dict[str, Any]:
    """Return the header's fields as keyword arguments of Trace, or raise ValueError."""
    if not isinstance(row, dict) or row.get("trace") != FORMAT:
        raise ValueError(f'not a trace header; it begins {{"trace": {FORMAT}, ...}}')
    header = {name: row[name] for name in _HEADER if name in row}
    _check("the header", header, _HEADER)
    elsewhere = row.get("elsewhere", [])
    if not isinstance(elsewhere, list) or not all(map(_is_text, elsewhere)):
        raise ValueError(f"the header's elsewhere must be a list of text, got {elsewhere!r}")
    limits = row.get("limits", [])
    if not isinstance(limits, list) or not all(isinstance(limit, dict) for limit in limits):
        raise ValueError(f"the header's limits must be a list of objects, got {limits!r}")
    for limit in limits:
        _check_names("a limit of the header's limits", limit, ("kind", "amount"), LIMIT_FIELDS)
        _check("a limit of the header's limits", limit, _LIMIT)
    made = Limits.of(Limit(**_frozen(limit)) for limit in limits)
    return {**header, "elsewhere": tuple(elsewhere), "limits": made}


def _frozen(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with tuples in place of JSON's lists."""
    return {name: tuple(it) if isinstance(it, list) else it for name, it in row.items()}


def parse_attempt(row: object) -> Attempt:
    """Return one attempt, or raise ValueError naming the field at fault."""
    if not isinstance(row, dict):
        raise ValueError(f"an attempt is a JSON object, got {row!r}")
    _check_names("an attempt", row, _NEEDED, ATTEMPT_FIELDS)
    _check("an attempt", row, _ATTEMPT)
    return Attempt(**row)


def _check_names(
    what: str, row: Mapping[str, Any], needed: tuple[str, ...], known: tuple[str, ...]
) -> None:
    """Raise for fields that are missing or unknown."""
    missing = [name for name in needed if name not in row]
    if missing:
        raise ValueError(f"{what} lacks {', '.join(missing)}")
    unknown = sorted(set(row) - set(known))
    if unknown:
        raise ValueError(f"{what} has unknown fields {', '.join(unknown)}")


def _check(what: str, row: Mapping[str, Any], rules: Mapping[str, tuple[_Check, str]]) -> None:
    """Raise for the first value that is not what its field allows."""
    for name, value in row.items():
        fits, allowed = rules[name]
        if not fits(value):
            raise ValueError(f"{what}'s {name} must be {allowed}, got {value!r}")
