"""What a request to the OpenAI API asks for, and what is wrong with it in the API's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_provider._wire._prompt import characters, decoded
from fake_provider._wire._shapes import Ask, BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fake_provider._wire._openai_paths import Form

MOST_INPUTS = 2_048
# A prompt may be given as tokens; the default estimate counts them back to so many characters.
CHARACTERS_PER_TOKEN = 4
_INPUTS = ("input", "prompt", "previous_response_id", "conversation")


def asked(form: Form, raw: bytes, target: str, model: str | None = None) -> Ask:
    """Return what a body asks for.

    Args:
        form: The endpoint that it was sent to.
        raw: The body.
        target: The path that it was sent to, with the query where the answer depends on it.
        model: Model that the path names; it comes before the body's.

    Raises:
        BadRequest: A field is missing, of the wrong type or out of its range.
    """
    try:
        body = decoded(raw)
    except ValueError as error:
        raise invalid(f"We could not parse the JSON body of your request: {error}") from None
    model = model or body.get("model")
    if not model:
        raise invalid("you must provide a model parameter")
    if not isinstance(model, str):
        raise _wrong_type("model", "a string")
    return _READERS[form](model, body, target)


def invalid(message: str) -> BadRequest:
    """Return the refusal of a malformed request."""
    return BadRequest(400, "invalid_request_error", message)


def _chat(model: str, body: Mapping[str, Any], target: str) -> Ask:
    """Return what a request for a chat completion asks for."""
    _check_messages(body)
    stream = _flag(body, "stream")
    _check_stream_options(body)
    prompt = characters(body["messages"], body.get("tools"))
    return Ask("generate", model, _max_tokens(body), stream, prompt, body, target)


def _responses(model: str, body: Mapping[str, Any], target: str) -> Ask:
    """Return what a request for a response asks for."""
    if all(body.get(name) is None for name in _INPUTS):
        raise invalid("Missing required parameter: 'input'.")
    given = body.get("input")
    if given is not None and not isinstance(given, (str, list)):
        raise _wrong_type("input", "a string or an array of input items")
    most = _positive(body, "max_output_tokens")
    prompt = characters(body.get("instructions"), given, body.get("tools"))
    return Ask("generate", model, most, _flag(body, "stream"), prompt, body, target)


def _count(model: str, body: Mapping[str, Any], target: str) -> Ask:
    """Return what a request for a count of a response's input tokens asks for."""
    return _responses(model, body, target)._replace(endpoint="count_tokens", stream=False)


def _embeddings(model: str, body: Mapping[str, Any], target: str) -> Ask:
    """Return what a request for embeddings asks for; their output is free."""
    if body.get("input") is None:
        raise invalid("Missing required parameter: 'input'.")
    length = 0
    for each in inputs(body):
        if isinstance(each, str) and each:
            length += len(each)
        elif isinstance(each, list) and each and all(type(token) is int for token in each):
            length += CHARACTERS_PER_TOKEN * len(each)
        else:
            raise invalid("'$.input' is invalid. Please check the API reference.")
    if body.get("encoding_format") not in (None, "float", "base64"):
        raise invalid("Invalid value for 'encoding_format': must be 'float' or 'base64'.")
    _positive(body, "dimensions")
    return Ask("embed", model, 0, False, length, body, target)


_READERS: dict[Form, Callable[[str, Mapping[str, Any], str], Ask]] = {
    "chat": _chat,
    "responses": _responses,
    "count_tokens": _count,
    "embeddings": _embeddings,
}


def inputs(body: Mapping[str, Any]) -> list[Any]:
    """Return what is to be embedded: texts, or arrays of tokens.

    Raises:
        BadRequest: There are none, or too many.
    """
    given = body["input"]
    if not isinstance(given, list) or (given and type(given[0]) is int):
        given = [given]
    if not 1 <= len(given) <= MOST_INPUTS:
        raise invalid(f"Invalid 'input': expected from 1 to {MOST_INPUTS} items.")
    return given


def _wrong_type(name: str, expected: str) -> BadRequest:
    """Return the refusal of a field of the wrong type."""
    return invalid(f"Invalid type for '{name}': expected {expected}.")


def _check_messages(body: Mapping[str, Any]) -> None:
    """Raise unless the body has messages, each an object with a role."""
    messages = body.get("messages")
    if messages is None:
        raise invalid("Missing required parameter: 'messages'.")
    if not isinstance(messages, list):
        raise _wrong_type("messages", "an array of objects")
    if not messages:
        raise invalid("Invalid 'messages': empty array. Expected at least 1 message.")
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise _wrong_type(f"messages[{index}]", "an object")
        if "role" not in message:
            raise invalid(f"Missing required parameter: 'messages[{index}].role'.")


def _check_stream_options(body: Mapping[str, Any]) -> None:
    """Raise unless the stream's options, if there are any, are an object."""
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise _wrong_type("stream_options", "an object")


def _flag(body: Mapping[str, Any], name: str) -> bool:
    """Return a field that is true or false; false without one."""
    value = body.get(name) or False
    if not isinstance(value, bool):
        raise _wrong_type(name, "a boolean")
    return value


def _max_tokens(body: Mapping[str, Any]) -> int | None:
    """Return the output tokens that the request allows; the older name counts if it is alone."""
    most = _positive(body, "max_completion_tokens")
    return _positive(body, "max_tokens") if most is None else most


def _positive(body: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number of at least 1, None without one."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong_type(name, "an integer")
    if value < 1:
        raise invalid(f"Invalid value for '{name}': must be at least 1.")
    return value
