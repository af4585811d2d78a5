"""Answer: what a script has a served request answered with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fake_provider._wire._shapes import Content, ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The content of an answer, for a request that the limits admit.

    Args:
        text: The text, empty by default where tools are called.
        json: A value whose JSON is the text, instead of a text.
        tool_calls: Names and arguments of the tools to call, such as
            `[("get_weather", {"city": "Oslo"})]`.

    Raises:
        TypeError: An argument is of the wrong type, or cannot be written as JSON.
        ValueError: It says nothing, or has both a text and JSON.
    """

    text: str | None = None
    json: Any = None
    tool_calls: Sequence[tuple[str, Mapping[str, Any]]] = ()

    def __post_init__(self) -> None:
        if self.text is not None and not isinstance(self.text, str):
            raise TypeError(f"text must be a string, got {self.text!r}")
        if self.text is not None and self.json is not None:
            raise ValueError(f"json must be left out beside a text, got {self.json!r}")
        if self.text is None and self.json is None and not self.tool_calls:
            raise ValueError("an Answer needs text, json or tool_calls, got none of them")
        _as_json("json", self.json)
        allowed = "tool_calls must be pairs of a name and a mapping of arguments"
        if isinstance(self.tool_calls, (str, bytes)) or not isinstance(self.tool_calls, Sequence):
            raise TypeError(f"{allowed}, got {self.tool_calls!r}")
        for call in self.tool_calls:
            match call:
                case (str(), Mapping() as arguments):
                    _as_json(f"the arguments of {call[0]}", arguments)
                case _:
                    raise TypeError(f"{allowed}, got {call!r}")

    @property
    def content(self) -> Content:
        """What the dialects render."""
        text = self.text or ""
        if self.json is not None:
            text = json.dumps(self.json)
        calls = (ToolCall(name, json.dumps(arguments)) for name, arguments in self.tool_calls)
        return Content(text, tuple(calls))


def _as_json(name: str, value: object) -> None:
    """Raise for a value that JSON cannot write."""
    try:
        json.dumps(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be what JSON can write, got {value!r}: {error}") from None
