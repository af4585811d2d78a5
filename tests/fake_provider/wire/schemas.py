"""Schemas: answers held against the types that the SDKs themselves parse them into."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from pydantic import TypeAdapter

from tests.fake_provider.wire.wiring import extras

if TYPE_CHECKING:
    from collections.abc import Iterator


ENVELOPE = {".object", ".first_id", ".last_id"}


class Parsed(NamedTuple):
    """A response, and the type that an SDK makes of it.

    Args:
        kind: The type; for a stream, that of its events.
        texts: What it is made of: one JSON text, or one for each event or line.
    """

    kind: Any
    texts: list[str]


def watched(client: Any, seen: list[Parsed]) -> Any:
    """Return a client of an SDK that notes what it parses, and into what."""
    process = client._process_response

    @functools.wraps(process)
    def noting(**arguments: Any) -> Any:
        response, kind = arguments["response"], arguments["cast_to"]
        if "JSONL" in str(kind):
            response.read()
            seen.append(Parsed(get_args(kind)[0], response.text.splitlines()))
        elif arguments["stream"]:
            response.read()
            events = [each for each in _events(response.text) if each != "[DONE]"]
            seen.append(Parsed(get_args(arguments["stream_cls"])[0], events))
        elif "application/json" in response.headers["content-type"]:
            seen.append(Parsed(kind, [response.text]))
        return process(**arguments)

    client._process_response = noting
    return client


def _events(text: str) -> Iterator[str]:
    """Yield the data of server-sent events, but pings, of which no SDK has a type."""
    for line in text.splitlines():
        if line.startswith("data: ") and line != 'data: {"type": "ping"}':
            yield line.removeprefix("data: ")


def unknown(kind: Any, text: str) -> list[str]:
    """The fields of a JSON text that a type does not know, however deep.

    Raises:
        pydantic.ValidationError: A field is missing, or not of its type: numbers in quotes,
            and words that the type does not list, are no values of theirs.
    """
    found = set(extras(TypeAdapter(kind).validate_json(text, strict=True)))
    # A page of the SDK's takes the rows, and leaves the list that they are in.
    return sorted(found - (ENVELOPE if "pagination" in kind.__module__ else set()))


def unknown_members(shape: Any, value: Any, where: str = "") -> list[str]:
    """The fields of an answer of AWS that its service model does not have, or not of this type."""
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            return [f"{where}: {value!r}"]
        if getattr(shape, "is_document_type", False):
            return []
        wrong = [f"{where}.{name}" for name in value.keys() - shape.members.keys()]
        wrong += [f"{where}.{name} is missing" for name in set(shape.required_members) - set(value)]
        for name in value.keys() & shape.members.keys():
            wrong += unknown_members(shape.members[name], value[name], f"{where}.{name}")
        return wrong
    if shape.type_name == "list":
        rows = [unknown_members(shape.member, each, where) for each in value]
        return [name for row in rows for name in row]
    kinds = {"string": str, "integer": int, "long": int, "boolean": bool, "blob": str}
    words = getattr(shape, "enum", ())
    fits = isinstance(value, kinds[shape.type_name]) and (not words or value in words)
    return [] if fits else [f"{where}: {value!r}"]


def leaves(value: Any) -> list[Any]:
    """Every value that is no container, as JSON, however deep."""
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in leaves(each)]
    if isinstance(value, (list, tuple)):
        return [leaf for each in value for leaf in leaves(each)]
    return [] if value is None else [json.dumps(value, default=str)]
