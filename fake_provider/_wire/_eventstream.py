"""Event stream: the binary frames in which AWS sends a stream.

Source: smithy.io/2.0/aws/amazon-eventstream.html and the decoder of botocore 1.44; read 2026-11-25.
"""

from __future__ import annotations

import json
import struct
from zlib import crc32

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_TEXT = 7  # the type of a header whose value is text


def event(kind: str, payload: object) -> bytes:
    """Return the frame of an event whose payload is JSON."""
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(payload, separators=(",", ":")).encode())


def exception(kind: str, message: str) -> bytes:
    """Return the frame of an exception, after which the stream ends."""
    headers = {
        ":exception-type": kind,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return frame(headers, json.dumps({"message": message}, separators=(",", ":")).encode())


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Return one frame: both lengths and their checksum, headers, payload, and the checksum of all.

    Args:
        headers: Values by name, each below 32,768 bytes.
        payload: The payload.
    """
    named = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    lengths = struct.pack(">II", 16 + len(named) + len(payload), len(named))
    head = lengths + struct.pack(">I", crc32(lengths))
    return head + named + payload + struct.pack(">I", crc32(head + named + payload))


def _header(name: bytes, value: bytes) -> bytes:
    """Return one header."""
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", _TEXT, len(value)) + value
