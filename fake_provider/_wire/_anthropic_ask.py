"""What a request for a message asks for, and what is wrong with it in the API's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from fake_provider._wire._prompt import characters, decoded
from fake_provider._wire._shapes import Ask, BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._wire._shapes import Endpoint

_Value = TypeVar("_Value")


def read_body(raw: bytes) -> dict[str, Any]:
    """Return the decoded body.

    Raises:
        BadRequest: It is not a JSON object.
    """
    try:
        return decoded(raw)
    except ValueError as error:
        raise invalid(f"The request body is not valid JSON: {error}") from None


def asked(endpoint: Endpoint, body: Mapping[str, Any], model: str | None = None) -> Ask:
    """Return what a body asks for.

    Args:
        endpoint: `"generate"` or `"count_tokens"`.
        body: The decoded body.
        model: Model that the path names, where the body does not.

    Raises:
        BadRequest: A field is missing, of the wrong type or out of its range.
    """
    if model is None:
        model = _field(body, "model", str, "string")
    if not model:
        raise invalid("model: String should have at least 1 character")
    _check_messages(_field(body, "messages", list, "list"))
    max_tokens = None
    if endpoint == "generate":
        max_tokens = _field(body, "max_tokens", int, "integer")
        if max_tokens < 1:
            raise invalid("max_tokens: Input should be greater than or equal to 1")
    stream = body.get("stream", False)
    if not isinstance(stream, bool):
        raise invalid("stream: Input should be a valid boolean")
    prompt = characters(body.get("system"), body["messages"], body.get("tools"))
    return Ask(endpoint, model, max_tokens, stream, prompt, body)


def invalid(message: str) -> BadRequest:
    """Return the refusal of a malformed request."""
    return BadRequest(400, "invalid_request_error", message)


def _field(body: Mapping[str, Any], name: str, kind: type[_Value], expected: str) -> _Value:
    """Return a required field of the body, or raise in the API's words."""
    if name not in body:
        raise invalid(f"{name}: Field required")
    value = body[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise invalid(f"{name}: Input should be a valid {expected}")
    return value


def _check_messages(messages: list[Any]) -> None:
    """Raise unless every message is an object with a role and content."""
    if not messages:
        raise invalid("messages: at least one message is required")
    for index, turn in enumerate(messages):
        where = f"messages.{index}"
        if not isinstance(turn, dict):
            raise invalid(f"{where}: Input should be a valid object")
        for name in ("role", "content"):
            if name not in turn:
                raise invalid(f"{where}.{name}: Field required")
        if not isinstance(turn["content"], (str, list)):
            raise invalid(f"{where}.content: Input should be a valid string or list")
