"""Events: what a stream says that a script wrote itself, event by event."""

from __future__ import annotations

import json
import re
from typing import Any

from fake_provider._wire._shapes import Chunk

_EVENT = re.compile(rb".+?(?:\r?\n\r?\n|\Z)", re.DOTALL)


def chunks_of(body: bytes) -> tuple[Chunk, ...]:
    """Return the events of a stream as chunks, those of its output marked as such.

    Whether an error comes before the first output or after it makes all the difference to who
    may ask again. A text in which nothing can be told apart is one piece of output.
    """
    told = [(event, _data(event)) for event in _EVENT.findall(body)]
    chunks = tuple(Chunk(event, output_tokens=int(_is_output(data))) for event, data in told)
    if any(chunk.output_tokens for chunk in chunks) or any("error" in data for _, data in told):
        return chunks
    return (Chunk(body, output_tokens=1),)


def error_event(body: bytes) -> bytes | None:
    """Return the data of the first event of a stream that is an error, None without one."""
    for event in _EVENT.findall(body):
        data = _data(event)
        if "error" in data:
            return json.dumps(data).encode()
    return None


def _data(event: bytes) -> dict[str, Any]:
    """Return the decoded data of an event, empty if it is no JSON object."""
    lines = [line.removeprefix(b"data:") for line in event.splitlines() if line[:5] == b"data:"]
    try:
        data = json.loads(b"".join(lines))
    except ValueError:
        return {}
    # What is null is not there: some events name an error that did not happen.
    return {k: v for k, v in data.items() if v is not None} if isinstance(data, dict) else {}


def _is_output(data: dict[str, Any]) -> bool:
    """Tell whether an event delivers a part of the answer, in any dialect."""
    kind = str(data.get("type", ""))
    if kind.endswith("delta") and kind != "message_delta":
        return True
    deltas = [each.get("delta") for each in data.get("choices", ()) if isinstance(each, dict)]
    said = any(isinstance(each, dict) and _says_something(each) for each in deltas)
    return said or bool(data.get("candidates"))


def _says_something(delta: dict[str, Any]) -> bool:
    """Tell whether a delta is more than the role that every chat stream begins with."""
    return any(value for name, value in delta.items() if name != "role")
