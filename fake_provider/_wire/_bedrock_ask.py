"""What a request to Bedrock asks for, and what is wrong with it in the API's words."""

from __future__ import annotations

import re
from base64 import b64decode
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from fake_provider._wire._anthropic_ask import asked as asked_for_message
from fake_provider._wire._prompt import characters, decoded
from fake_provider._wire._shapes import Ask, BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

STREAMS = ("converse-stream", "invoke-with-response-stream")
_PATH = re.compile(
    r"/model/(?P<model>.+)/(?P<verb>converse|converse-stream|invoke|invoke-with-response-stream"
    r"|count-tokens)$"
)


class Found(NamedTuple):
    """What a path names.

    Args:
        model: The model's id, or the resource name of a profile.
        verb: What to do with it, such as `"converse-stream"`.
    """

    model: str
    verb: str


@lru_cache(maxsize=1024)
def found_verb(path: str) -> Found | None:
    """Return the model and the verb that a path names, None if it names none of this API's."""
    found = _PATH.search(path)
    return Found(found["model"], found["verb"]) if found else None


def asked(found: Found, raw: bytes) -> Ask:
    """Return what a body asks for.

    Args:
        found: Model and verb of the path.
        raw: The body.

    Raises:
        BadRequest: A field is missing, of the wrong type or out of its range.
    """
    body = _read(raw)
    if found.verb == "count-tokens":
        ask = _count(found.model, body)
    elif found.verb.startswith("converse"):
        ask = _converse(found.model, body)
    else:
        ask = _invoke(found.model, body)
    return ask._replace(stream=found.verb in STREAMS, target=found.verb)


def _converse(model: str, body: Mapping[str, Any]) -> Ask:
    """Return what a conversation asks for."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _invalid(
            "A conversation must start with a user message. Try again with a conversation that "
            "starts with a user message."
        )
    for index, turn in enumerate(messages):
        if not isinstance(turn, dict) or not isinstance(turn.get("content"), list):
            raise _invalid(f"The value at messages.{index}.content is not valid.")
    most = (body.get("inferenceConfig") or {}).get("maxTokens")
    if most is not None and (type(most) is not int or most < 1):
        raise _invalid(
            "1 validation error detected: Value at 'inferenceConfig.maxTokens' failed to satisfy "
            "constraint: Member must have value greater than or equal to 1"
        )
    prompt = characters(body.get("system"), messages, body.get("toolConfig"))
    return Ask("generate", model, most, stream=False, characters=prompt, body=body)


def _invoke(model: str, body: Mapping[str, Any]) -> Ask:
    """Return what a message asks for, in the form of Anthropic's models."""
    if not body.get("anthropic_version"):
        raise _invalid(
            "Malformed input request: #: required key [anthropic_version] not found, please "
            "reformat your input and try again. (Of the bodies of InvokeModel the fake provider "
            "answers those of Anthropic's models alone.)"
        )
    try:
        return asked_for_message("generate", body, model)
    except BadRequest as error:
        raise _invalid(error.message) from None


def _count(model: str, body: Mapping[str, Any]) -> Ask:
    """Return what a count of tokens asks for: a conversation, or a message inside the body."""
    match body.get("input"):
        case {"converse": dict() as given}:
            ask = _converse(model, given)
        case {"invokeModel": {"body": str() as encoded}}:
            try:
                given = _read(b64decode(encoded, validate=True))
            except ValueError:
                raise _invalid("The value at input.invokeModel.body is not valid.") from None
            ask = _invoke(model, given)
        case _:
            raise _invalid("The value at input is not valid.")
    return ask._replace(endpoint="count_tokens")


def _read(raw: bytes) -> dict[str, Any]:
    """Return the decoded body."""
    try:
        return decoded(raw)
    except ValueError as error:
        raise BadRequest(
            400, "SerializationException", f"The body is not valid JSON: {error}"
        ) from None


def _invalid(message: str) -> BadRequest:
    """Return the refusal of a malformed request."""
    return BadRequest(400, "ValidationException", message)
