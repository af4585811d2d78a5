"""What a request to the Gemini API asks for, and what is wrong with it in the API's words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from fake_provider._wire._prompt import characters, decoded
from fake_provider._wire._shapes import Ask, BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._wire._shapes import Endpoint

_VERBS: dict[str, Endpoint] = {
    "generateContent": "generate",
    "streamGenerateContent": "generate",
    "countTokens": "count_tokens",
    "embedContent": "embed",
    "batchEmbedContents": "embed",
}
# On Vertex AI, models of embeddings alone: other models make images by this verb.
_PREDICTS = re.compile(r"/publishers/google/models/[^/:]*embedding[^/:]*:predict$")
_PATH = re.compile(r"/(?:models|tunedModels|endpoints)/(?P<model>[^/:]+):(?P<verb>\w+)$")
# How the body calls a message without a role in it, for the API's errors.
_REQUESTS = {"generate": "GenerateContentRequest", "count_tokens": "CountTokensRequest"}


class Found(NamedTuple):
    """What a path names.

    Args:
        model: The model.
        verb: What to do with it, such as `"generateContent"`.
    """

    model: str
    verb: str

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint, in terms that no dialect owns."""
        return _VERBS.get(self.verb, "embed")


@lru_cache(maxsize=1024)
def found_verb(path: str) -> Found | None:
    """Return the model and the verb that a path names, None if it names none of this API's."""
    found = _PATH.search(path)
    if found is None or (found["verb"] not in _VERBS and not _PREDICTS.search(path)):
        return None
    return Found(found["model"], found["verb"])


def asked(found: Found, raw: bytes, target: str) -> Ask:
    """Return what a body asks for.

    Args:
        found: Model and verb of the path.
        raw: The body.
        target: The path, with the query where the answer depends on it.

    Raises:
        BadRequest: A field is missing, of the wrong type or out of its range.
    """
    try:
        body = decoded(raw)
    except ValueError as error:
        raise _invalid(f"Invalid JSON payload received. {error}") from None
    if found.verb == "predict":
        prompt = characters([each["content"] for each in instances(body)])
        return Ask("embed", found.model, 0, False, prompt, body, target)
    if found.endpoint == "embed":
        prompt = characters([_list("content", each.get("content")) for each in contents(body)])
        return Ask("embed", found.model, 0, stream=False, characters=prompt, body=body)._replace(
            target=target
        )
    given = body.get("generateContentRequest") or body
    if not isinstance(given, dict):
        raise _invalid('Invalid value at "generateContentRequest"')
    _list(f"{_REQUESTS[found.endpoint]}.contents", given.get("contents"))
    system = field(given, "systemInstruction", "system_instruction")
    prompt = characters(given["contents"], system, given.get("tools"))
    streamed = found.verb == "streamGenerateContent"
    return Ask(found.endpoint, found.model, _max_tokens(given), streamed, prompt, body, target)


def contents(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the requests of a body that asks for embeddings: itself, or those of its list.

    Raises:
        BadRequest: There are none, or one is no object.
    """
    requests = body.get("requests", [body])
    if not isinstance(requests, list) or not requests:
        raise _invalid("* BatchEmbedContentsRequest.requests: requests is not specified\n")
    if not all(isinstance(each, dict) for each in requests):
        raise _invalid('Invalid value at "requests"')
    return requests


def instances(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the texts of a body that asks Vertex AI for embeddings, each in an object.

    Raises:
        BadRequest: There are none, or one has no text.
    """
    given = body.get("instances")
    if not isinstance(given, list) or not given:
        raise _invalid("Empty instances.")
    for each in given:
        if not isinstance(each, dict) or not isinstance(each.get("content"), str):
            raise _invalid("The text content is empty.")
    return given


def field(body: Mapping[str, Any], *names: str) -> Any:
    """Return a field by the first of its names that is there, None without one."""
    return next((body[name] for name in names if name in body), None)


def _list(name: str, value: object) -> object:
    """Return what is to be there: an object or a list of some, as far as it has been looked at."""
    if not value or not isinstance(value, (dict, list)):
        raise _invalid(f"* {name}: {name.rpartition('.')[2]} is not specified\n")
    return value


def _max_tokens(body: Mapping[str, Any]) -> int | None:
    """Return the output tokens that a request allows, None if it does not say."""
    config = field(body, "generationConfig", "generation_config")
    value = field(config, "maxOutputTokens", "max_output_tokens") if config else None
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _invalid(f'Invalid value at "generation_config.max_output_tokens": {value!r}')
    return value


def _invalid(message: str) -> BadRequest:
    """Return the refusal of a malformed request."""
    return BadRequest(400, "INVALID_ARGUMENT", message)
