"""Models and message batches of the Messages API: what is listed, kept and polled.

Source: platform.claude.com/docs/en/api (models, message batches) and the types of anthropic
2.13; read 2026-11-25. How long a batch takes is not published: here it is a minute.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from fake_provider._wire._answer import PLAIN
from fake_provider._wire._anthropic_message import message
from fake_provider._wire._headers import NS_PER_S, rfc3339
from fake_provider._wire._prompt import characters, decoded
from fake_provider._wire._shapes import BadRequest, Usage

if TYPE_CHECKING:
    from fake_provider._wire._shapes import Ids, Request, Shelf

MODELS = {
    "claude-fable-5-1": "Claude Fable 5.1",
    "claude-haiku-4-5": "Claude Haiku 4.5",
    "claude-opus-5": "Claude Opus 5",
    "claude-sonnet-5": "Claude Sonnet 5",
}
BATCH_S = 60
BATCH_LIFE_S = 24 * 3600
CHARACTERS_PER_TOKEN = 4
OUTPUT_TOKENS = 50

_MODELS = re.compile(r"/v1/models(?:/(?P<id>[^/]+))?$")
_BATCHES = re.compile(r"/v1/messages/batches(?:/(?P<id>[^/]+)(?:/(?P<verb>results|cancel))?)?$")


def is_managed(path: str) -> bool:
    """Tell whether a path is one of models or of message batches."""
    return bool(_MODELS.search(path) or _BATCHES.search(path))


def managed_body(request: Request, shelf: Shelf, ids: Ids, wall_ns: int) -> bytes:
    """Return the body that answers a request about models or batches.

    Args:
        request: The request.
        shelf: The batches of one API key, by id.
        ids: Source of identifiers.
        wall_ns: POSIX nanoseconds now.

    Raises:
        BadRequest: There is no such model or batch, or the request for one is malformed.
    """
    now_s = wall_ns // NS_PER_S
    if found := _MODELS.search(request.path):
        return _models(found["id"])
    found = _BATCHES.search(request.path)
    identity, verb = (found["id"], found["verb"]) if found else (None, None)
    if identity is None:
        if request.method == "POST":
            return _json(_shown(_create(request, shelf, ids, now_s), now_s))
        newest_first = [_shown(batch, now_s) for batch in reversed(list(shelf.values()))]
        return _json(_page(newest_first))
    if identity not in shelf:
        raise BadRequest(404, "not_found_error", f"Batch {identity} not found")
    batch = shelf[identity]
    if verb == "cancel" and batch["canceled_s"] is None and now_s < batch["ends_s"]:
        batch["canceled_s"] = batch["ends_s"] = now_s
    if verb == "results":
        return _results(batch, ids, now_s)
    if request.method == "DELETE":
        del shelf[identity]
        return _json({"id": identity, "type": "message_batch_deleted"})
    return _json(_shown(batch, now_s))


def _models(identity: str | None) -> bytes:
    """Return the list of models, or one of them."""
    if identity is None:
        return _json(_page([_model(each) for each in MODELS]))
    if identity not in MODELS:
        raise BadRequest(404, "not_found_error", f"model: {identity}")
    return _json(_model(identity))


def _model(identity: str) -> dict[str, Any]:
    """Return what is told of a model; what it can do and how much it takes is left out."""
    return {
        "id": identity,
        "type": "model",
        "display_name": MODELS[identity],
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "line": identity.split("-")[1],
        "max_input_tokens": None,
        "max_tokens": None,
        "capabilities": None,
    }


def _create(request: Request, shelf: Shelf, ids: Ids, now_s: int) -> dict[str, Any]:
    """Take a batch."""
    try:
        requests = decoded(request.body).get("requests")
    except ValueError as error:
        message_ = f"The request body is not valid JSON: {error}"
        raise BadRequest(400, "invalid_request_error", message_) from None
    if not isinstance(requests, list) or not requests:
        raise BadRequest(400, "invalid_request_error", "requests: Field required")
    for index, each in enumerate(requests):
        if not isinstance(each, dict) or not {"custom_id", "params"} <= each.keys():
            wrong = f"requests.{index}: custom_id and params are required"
            raise BadRequest(400, "invalid_request_error", wrong)
    identity = f"msgbatch_01{ids.base58(22)}"
    shelf[identity] = {
        "id": identity,
        "requests": requests,
        "created_s": now_s,
        "ends_s": now_s + BATCH_S,
        "canceled_s": None,
    }
    batch: dict[str, Any] = shelf[identity]
    return batch


def _shown(batch: dict[str, Any], now_s: int) -> dict[str, Any]:
    """Return a batch as the API shows it."""
    ended = now_s >= batch["ends_s"]
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    state = "processing" if not ended else "succeeded" if _succeeded(batch) else "canceled"
    counts[state] = len(batch["requests"])
    url = f"https://api.anthropic.com/v1/messages/batches/{batch['id']}/results"
    canceled_s = batch["canceled_s"]
    return {
        "id": batch["id"],
        "type": "message_batch",
        "processing_status": "ended" if ended else "in_progress",
        "request_counts": counts,
        "ended_at": rfc3339(batch["ends_s"]) if ended else None,
        "created_at": rfc3339(batch["created_s"]),
        "expires_at": rfc3339(batch["created_s"] + BATCH_LIFE_S),
        "archived_at": None,
        "cancel_initiated_at": None if canceled_s is None else rfc3339(canceled_s),
        "results_url": url if ended else None,
    }


def _results(batch: dict[str, Any], ids: Ids, now_s: int) -> bytes:
    """Return the results of an ended batch, a JSON line each."""
    if now_s < batch["ends_s"]:
        wrong = f"Batch {batch['id']} has no available results"
        raise BadRequest(404, "not_found_error", wrong)
    lines = []
    for each in batch["requests"]:
        result: dict[str, Any] = {"type": "canceled"}
        if _succeeded(batch):
            params = each["params"]
            prompt = characters(params.get("system"), params.get("messages"))
            usage = Usage(max(1, -(-prompt // CHARACTERS_PER_TOKEN)), OUTPUT_TOKENS)
            made = message(str(params.get("model")), PLAIN, usage, ids)
            result = {"type": "succeeded", "message": json.loads(made)}
        lines.append(_json({"custom_id": each["custom_id"], "result": result}) + b"\n")
    return b"".join(lines)


def _succeeded(batch: dict[str, Any]) -> bool:
    """Tell whether a batch came to its end by itself."""
    return batch["canceled_s"] is None


def _page(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a list that is all on one page."""
    first, last = (rows[0]["id"], rows[-1]["id"]) if rows else (None, None)
    return {"data": rows, "has_more": False, "first_id": first, "last_id": last}


def _json(value: object) -> bytes:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()
