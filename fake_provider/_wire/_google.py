"""Google: headers and errors that its APIs share.

Source: google.aip.dev/193, cloud.google.com/vertex-ai/generative-ai/docs/error-code-429, and public
reports of 2025 and 2026; read 2026-11-25.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fake_provider._wire._headers import NS_PER_S, Headers, http_date
from fake_provider._wire._openai_paths import FAMILY, first_part
from fake_provider._wire._shapes import Chunk, Reply

if TYPE_CHECKING:
    from fake_provider._wire._shapes import Ids

JSON = "application/json; charset=UTF-8"
# The hosts of Vertex AI: one for all regions, one for each, and those of residency.
VERTEX_HOSTS = (
    "aiplatform.googleapis.com",
    "*-aiplatform.googleapis.com",
    "aiplatform.*.rep.googleapis.com",
)
EXHAUSTED = (
    "Resource exhausted. Please try again later. Please refer to "
    "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details."
)
_STATIC: Headers = (
    ("vary", "Origin, X-Origin, Referer"),
    ("server", "scaffolding on HTTPServer2"),
    ("x-xss-protection", "0"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-content-type-options", "nosniff"),
)
# By status: its name, and the usual message.
_STATUSES = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: (
        "UNAUTHENTICATED",
        (
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login "
            "cookie or other valid authentication credential."
        ),
    ),
    403: ("PERMISSION_DENIED", "The caller does not have permission"),
    404: ("NOT_FOUND", "Requested entity was not found."),
    429: ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    499: ("CANCELLED", "The operation was cancelled."),
    500: (
        "INTERNAL",
        (
            "An internal error has occurred. Please retry or report in "
            "https://developers.generativeai.google/guide/troubleshooting"
        ),
    ),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
}


def is_elsewhere(path: str) -> bool:
    """Tell whether a path is behind the name of a dialect that lists models on paths like these."""
    return first_part(path) in ("anthropic", *FAMILY)


def envelope(content_type: str, ids: Ids, wall_ns: int) -> Headers:
    """Return the headers that every answer has."""
    return (
        ("date", http_date(wall_ns // NS_PER_S)),
        ("content-type", content_type),
        *_STATIC,
        ("server-timing", f"gfet4t7; dur={int(ids.hex(2), 16) + 200}"),
        ("alt-svc", 'h3=":443"; ma=2592000,h3-29=":443"; ma=2592000'),
    )


def json_reply(status: int, body: bytes, ids: Ids, wall_ns: int, headers: Headers = ()) -> Reply:
    """Return a reply of one JSON body."""
    length = ("content-length", str(len(body)))
    return Reply(status, (*envelope(JSON, ids, wall_ns), length, *headers), (Chunk(body),))


def pretty(value: object) -> bytes:
    """Return JSON as Google's APIs write it: two spaces a level and a final newline."""
    return f"{json.dumps(value, indent=2)}\n".encode()


def error(
    status: int,
    message: str | None = None,
    kind: str | None = None,
    details: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return an error in the form of Google's APIs.

    Args:
        status: HTTP status.
        message: What is wrong; the provider's usual wording if None.
        kind: Name of the status, such as `"UNAVAILABLE"`; the usual one if None.
        details: What the error says beside; nothing if None.
    """
    usual, wording = _STATUSES.get(status, ("UNKNOWN", f"HTTP status {status}"))
    told = {"code": status, "message": message or wording, "status": kind or usual}
    return {"error": {**told, **({"details": details} if details else {})}}
