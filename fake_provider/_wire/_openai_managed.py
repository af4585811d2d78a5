"""Models, files and batches of the OpenAI API: what is listed, kept and polled.

Source: developers.openai.com/api/docs/api-reference (models, files, batch) and the types of
openai 3.57; read 2026-11-25.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fake_provider._wire._headers import NS_PER_S
from fake_provider._wire._openai_ask import invalid
from fake_provider._wire._openai_batches import batch_answer, is_batch, page, settle
from fake_provider._wire._openai_paths import managed_path
from fake_provider._wire._shapes import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._wire._shapes import Ids, Request, Shelf

# 1 January 2026.
CREATED_S = 1_767_225_600

JSON, BYTES = "application/json", "application/octet-stream"


def managed_body(
    request: Request,
    shelf: Shelf,
    ids: Ids,
    wall_ns: int,
    models: Mapping[str, Mapping[str, Any]],
) -> tuple[str, bytes]:
    """Return content type and body that answer a request about models, files or batches.

    Args:
        request: The request.
        shelf: Files and batches of one API key, by id.
        ids: Source of identifiers.
        wall_ns: POSIX nanoseconds now.
        models: The models to list, each with what is told of it beside its name.

    Raises:
        BadRequest: There is no such thing, or the request for one is malformed.
    """
    parts = managed_path(request.path)
    if parts is None or (parts["cancel"] and request.method != "POST"):
        raise unknown_url(request)
    now_s = wall_ns // NS_PER_S
    settle(shelf, ids, now_s)
    if parts["models"]:
        return _json(_models(request, models, parts["model"]))
    if parts["batches"]:
        return _json(batch_answer(request, shelf, ids, now_s))
    return _files(request, shelf, ids, now_s)


def unknown_url(request: Request) -> BadRequest:
    """Return that there is no such endpoint."""
    wrong = f"Invalid URL ({request.method} {request.path})"
    return BadRequest(404, "invalid_request_error", wrong)


def _models(
    request: Request, models: Mapping[str, Mapping[str, Any]], identity: str | None
) -> dict[str, Any]:
    """Return the list of models, or one of them."""
    if request.method != "GET":
        raise unknown_url(request)
    rows = [
        {"id": each, "object": "model", "created": CREATED_S, **told}
        for each, told in models.items()
        if identity in (None, each)
    ]
    if not rows:
        wrong = f"The model '{identity}' does not exist or you do not have access to it."
        raise BadRequest(404, "model_not_found", wrong)
    return rows[0] if identity else {"object": "list", "data": rows}


def _files(request: Request, shelf: Shelf, ids: Ids, now_s: int) -> tuple[str, bytes]:
    """Return a file, its content, all files, or what became of a deletion."""
    parts = managed_path(request.path)
    identity = parts and parts["file"]
    if not identity:
        if request.method == "POST":
            return _json(_shown(_uploaded(request, shelf, ids, now_s)))
        if request.method != "GET":
            raise unknown_url(request)
        rows = [_shown(each) for each in reversed(list(shelf.values())) if not is_batch(each)]
        return _json(page(rows))
    kept = shelf.get(identity)
    if kept is None or is_batch(kept):
        raise BadRequest(404, "invalid_request_error", f"No such File object: {identity}")
    if request.method == "DELETE":
        shelf.pop(identity, None)
        return _json({"id": identity, "object": "file", "deleted": True})
    if request.method != "GET":
        raise unknown_url(request)
    if parts and parts["content"]:
        return BYTES, kept["content"]
    return _json(_shown(kept))


def _uploaded(request: Request, shelf: Shelf, ids: Ids, now_s: int) -> dict[str, Any]:
    """Keep a file that a form brings."""
    # Slow to import, and hardly ever needed.
    from email import message_from_bytes
    from email.policy import HTTP

    head = f"content-type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    form = message_from_bytes(head + request.body, policy=HTTP)
    fields: dict[object, tuple[str | None, bytes]] = {}
    for part in form.walk():
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            name = part.get_param("name", header="content-disposition")
            fields[name] = (part.get_filename(), payload)
    if "file" not in fields:
        raise invalid("'file' is a required property")
    if "purpose" not in fields:
        raise invalid("'purpose' is a required property")
    identity = f"file-{ids.base58(22)}"
    filename, content = fields["file"]
    shelf[identity] = {
        "id": identity,
        "created_s": now_s,
        "filename": filename or "upload",
        "purpose": fields["purpose"][1].decode(errors="replace").strip(),
        "content": content,
    }
    kept: dict[str, Any] = shelf[identity]
    return kept


def _shown(kept: dict[str, Any]) -> dict[str, Any]:
    """Return a file as the API shows it."""
    return {
        "id": kept["id"],
        "object": "file",
        "bytes": len(kept["content"]),
        "created_at": kept["created_s"],
        "expires_at": None,
        "filename": kept["filename"],
        "purpose": kept["purpose"],
        "status": "processed",
        "status_details": None,
    }


def _json(value: object) -> tuple[str, bytes]:
    """Return JSON as this API lays it out: two spaces a level and a final newline."""
    return JSON, f"{json.dumps(value, indent=2)}\n".encode()
