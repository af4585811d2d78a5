"""Batches of the OpenAI API: a file of requests, answered all at once after a while.

Source: developers.openai.com/api/docs/guides/batch and the types of openai 3.57; read
2026-11-25. How long a batch takes is not published: here it is a minute, a cancellation ten
seconds.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fake_provider._wire._answer import PLAIN
from fake_provider._wire._openai_ask import asked, invalid
from fake_provider._wire._openai_chat import completion
from fake_provider._wire._openai_embeddings import embeddings
from fake_provider._wire._openai_paths import form_of, managed_path
from fake_provider._wire._openai_responses import response
from fake_provider._wire._prompt import decoded, quoted
from fake_provider._wire._shapes import BadRequest, Usage

if TYPE_CHECKING:
    from fake_provider._wire._shapes import Ask, Ids, Request, Shelf

ENDPOINTS = ("/v1/chat/completions", "/v1/responses", "/v1/embeddings")
VALIDATION_S = 5
BATCH_S = 60
CANCELLATION_S = 10
BATCH_LIFE_S = 24 * 3_600
CHARACTERS_PER_TOKEN = 4
OUTPUT_TOKENS = 50

Batch = dict[str, Any]


def is_batch(kept: dict[str, Any]) -> bool:
    """Tell a batch from a file."""
    return "endpoint" in kept


def page(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a list that is all on one page."""
    first, last = (rows[0]["id"], rows[-1]["id"]) if rows else (None, None)
    return {
        "object": "list",
        "data": rows,
        "first_id": first,
        "last_id": last,
        "has_more": False,
    }


def batch_answer(request: Request, shelf: Shelf, ids: Ids, now_s: int) -> dict[str, Any]:
    """Return a batch, all of them, or what became of a cancellation.

    Args:
        request: The request.
        shelf: Files and batches of one API key, by id.
        ids: Source of identifiers.
        now_s: POSIX seconds now.

    Raises:
        BadRequest: There is no such batch, or the request for one is malformed.
    """
    parts = managed_path(request.path)
    identity = parts and parts["batch"]
    if not identity:
        if request.method == "POST":
            return _shown(_create(request, shelf, ids, now_s), now_s)
        return page([_shown(b, now_s) for b in reversed(list(shelf.values())) if is_batch(b)])
    batch: Batch | None = shelf.get(identity)
    if batch is None or not is_batch(batch):
        raise BadRequest(404, "invalid_request_error", f"No batch found with id '{identity}'.")
    if parts and parts["cancel"]:
        status = _status(batch, now_s)
        if status not in ("validating", "in_progress"):
            wrong = f"Cannot cancel a batch with status '{status}'."
            raise BadRequest(409, "invalid_request_error", wrong)
        batch["cancelled_s"] = now_s
    return _shown(batch, now_s)


def settle(shelf: Shelf, ids: Ids, now_s: int) -> None:
    """Write the results of every batch that has come to its end by now, a file each.

    Args:
        shelf: Files and batches of one API key, by id.
        ids: Source of identifiers.
        now_s: POSIX seconds now.
    """
    for batch in [kept for kept in shelf.values() if is_batch(kept)]:
        if batch["files"] or _status(batch, now_s) != "completed":
            continue
        results = [_result(line, batch, ids) for line in batch["lines"]]
        for name, wanted in (("output", True), ("error", False)):
            rows = [row for row in results if (row["response"]["status_code"] == 200) == wanted]
            if not rows:
                continue
            identity = f"file-{ids.base58(22)}"
            batch["files"][name], batch["rows"][name] = identity, len(rows)
            shelf[identity] = {
                "id": identity,
                "created_s": batch["created_s"] + BATCH_S,
                "filename": f"{batch['id']}_{name}.jsonl",
                "purpose": "batch_output",
                "content": "".join(f"{json.dumps(row)}\n" for row in rows).encode(),
            }


def _create(request: Request, shelf: Shelf, ids: Ids, now_s: int) -> Batch:
    """Take a batch; what is wrong with its file it tells when it has looked at it."""
    try:
        body = decoded(request.body)
    except ValueError as error:
        raise invalid(f"We could not parse the JSON body of your request: {error}") from None
    for name in ("input_file_id", "endpoint", "completion_window"):
        if not isinstance(body.get(name), str):
            raise invalid(f"Missing required parameter: '{name}'.")
    if body["endpoint"] not in ENDPOINTS:
        raise invalid(f"Invalid value for 'endpoint': must be one of {', '.join(ENDPOINTS)}.")
    file = shelf.get(body["input_file_id"])
    if file is None or is_batch(file):
        raise invalid(f"No such File object: {body['input_file_id']}")
    lines, errors = _read(file["content"], body["endpoint"])
    identity = f"batch_{ids.hex(32)}"
    shelf[identity] = {
        "id": identity,
        "endpoint": body["endpoint"],
        "input_file_id": body["input_file_id"],
        "completion_window": body["completion_window"],
        "metadata": body.get("metadata"),
        "created_s": now_s,
        "cancelled_s": None,
        "lines": lines,
        "errors": errors,
        "files": {},
        "rows": {"output": 0, "error": 0},
    }
    batch: Batch = shelf[identity]
    return batch


def _read(content: bytes, endpoint: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the requests of a file, and what is wrong with its lines."""
    lines: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number, raw in enumerate(content.splitlines(), start=1):
        code = message = None
        line: dict[str, Any] = {}
        try:
            line = decoded(raw)
        except ValueError:
            code, message = "invalid_json_line", "This line is not parseable as valid JSON."
        name = str(line.get("custom_id"))
        if code is None and not {"custom_id", "body"} <= line.keys():
            code, message = "missing_required_parameter", "custom_id and body are required."
        elif code is None and line.get("url") != endpoint:
            code, message = "mismatched_url", f"The URL must be {endpoint}, as the batch's is."
        elif code is None and name in seen:
            code, message = "duplicate_custom_id", f"The custom_id '{name}' is used twice."
        seen.add(name)
        lines.append(line)
        if code:
            errors.append({"code": code, "line": number, "message": message, "param": None})
    if not lines:
        empty = "The batch has no requests."
        errors.append({"code": "empty_file", "line": None, "message": empty, "param": None})
    return lines, errors


def _result(line: dict[str, Any], batch: Batch, ids: Ids) -> dict[str, Any]:
    """Return one line of the results."""
    try:
        # What the endpoint itself would be sent, and what it would answer.
        ask = asked(form_of(batch["endpoint"]) or "chat", json.dumps(line["body"]).encode(), "")
        status, made = 200, json.loads(_answer(ask, batch, ids))
    except BadRequest as bad:
        error = {"message": bad.message, "type": bad.kind, "param": None, "code": None}
        status, made = bad.status, {"error": error}
    answered = {"status_code": status, "request_id": f"req_{ids.hex(32)}", "body": made}
    return {
        "id": f"batch_req_{ids.hex(32)}",
        "custom_id": line["custom_id"],
        "response": answered,
        "error": None,
    }


def _answer(ask: Ask, batch: Batch, ids: Ids) -> bytes:
    """Return the answer of one request."""
    most = OUTPUT_TOKENS if ask.max_tokens is None else min(OUTPUT_TOKENS, ask.max_tokens)
    usage = Usage(max(1, -(-ask.characters // CHARACTERS_PER_TOKEN)), most)
    created = batch["created_s"] + BATCH_S
    if ask.endpoint == "embed":
        return embeddings(ask, usage)
    if form_of(batch["endpoint"]) == "responses":
        return response(ask, PLAIN, usage, ids, created)
    identity = f"chatcmpl-{ids.base58(29)}"
    return completion(identity, created, quoted(ask.model), PLAIN, usage, ids)


def _status(batch: Batch, now_s: int) -> str:
    """Return how far a batch has come."""
    if batch["cancelled_s"] is not None:
        return "cancelled" if now_s >= batch["cancelled_s"] + CANCELLATION_S else "cancelling"
    age_s = now_s - batch["created_s"]
    if age_s < VALIDATION_S:
        return "validating"
    if batch["errors"]:
        return "failed"
    return "completed" if age_s >= BATCH_S else "in_progress"


def _shown(batch: Batch, now_s: int) -> dict[str, Any]:
    """Return a batch as the API shows it."""
    status, created_s, cancelled_s = _status(batch, now_s), batch["created_s"], batch["cancelled_s"]
    failed, completed = status == "failed", status == "completed"
    begun = status != "validating" and not batch["errors"]
    errors = {"object": "list", "data": batch["errors"]} if failed else None
    return {
        "id": batch["id"],
        "object": "batch",
        "endpoint": batch["endpoint"],
        "model": None,
        "errors": errors,
        "input_file_id": batch["input_file_id"],
        "completion_window": batch["completion_window"],
        "status": status,
        "output_file_id": batch["files"].get("output"),
        "error_file_id": batch["files"].get("error"),
        "created_at": created_s,
        "in_progress_at": created_s + VALIDATION_S if begun else None,
        "expires_at": created_s + BATCH_LIFE_S,
        "finalizing_at": created_s + BATCH_S if completed else None,
        "completed_at": created_s + BATCH_S if completed else None,
        "failed_at": created_s + VALIDATION_S if failed else None,
        "expired_at": None,
        "cancelling_at": cancelled_s,
        "cancelled_at": cancelled_s + CANCELLATION_S if status == "cancelled" else None,
        "request_counts": {
            "total": 0 if status == "validating" else len(batch["lines"]),
            "completed": batch["rows"]["output"],
            "failed": batch["rows"]["error"],
        },
        "metadata": batch["metadata"],
    }
