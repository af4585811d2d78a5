"""What the dialects' tests share: a moment, replies taken apart, and an SDK's way in."""

from __future__ import annotations

import calendar
import json
import struct
from zlib import crc32

import httpx2

from fake_provider._limiters import Level
from fake_provider._wire._shapes import BadRequest, Failure, Ids, Request

S = 1_000_000_000
# Friday, and a third of a second after it, so that cutting and rounding up differ.
SECOND = calendar.timegm((2026, 2, 27, 12, 52, 7))
NOW = SECOND * S + S // 3


def body(reply):
    """The bytes of a reply, joined."""
    return b"".join(chunk.data for chunk in reply.chunks)


def loaded(reply):
    """The JSON that a reply carries."""
    return json.loads(body(reply))


def extras(value, where=""):
    """The fields of an SDK's parsed answer that its types do not know, however deep."""
    if isinstance(value, (list, tuple)):
        return [name for index, one in enumerate(value) for name in extras(one, f"{where}.{index}")]
    if not hasattr(value, "model_extra"):
        return []
    unknown = [f"{where}.{name}" for name in value.model_extra or {} if name[0] != "_"]
    for name in type(value).model_fields:
        unknown += extras(getattr(value, name), f"{where}.{name}")
    return unknown


def strict(kind, data, untyped=()):
    """An answer, validated by an SDK's type: each field of the right type, none unknown to it.

    `untyped` are fields that the API has and the SDK's type has not, such as `.store`.
    """
    parsed = kind.model_validate(data)
    assert extras(parsed) == list(untyped)
    return parsed


def full(limits):
    """Every limit at its full level."""
    return tuple(Level(limit, limit.capacity, 0) for limit in limits)


def transport(dialect, answer):
    """A transport for an SDK: `answer(ask, ids)` renders what a request that parses gets."""
    ids = Ids(0)

    def handle(request):
        parsed = Request(
            method=request.method,
            host=request.url.host,
            path=request.url.path,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.read(),
        )
        try:
            reply = answer(dialect.parse(parsed), ids)
        except BadRequest as bad:
            reply = dialect.error(Failure(bad.status, bad.kind, bad.message), ids, NOW)
        content = iter([chunk.data for chunk in reply.chunks]) if reply.stream else body(reply)
        return httpx2.Response(reply.status, headers=list(reply.headers), content=content)

    return httpx2.MockTransport(handle)


def frames(data):
    """The frames of a stream, taken apart by the specification, with both checksums checked."""
    found = []
    while data:
        total, length, prelude_crc = struct.unpack(">III", data[:12])
        assert prelude_crc == crc32(data[:8])
        (message_crc,) = struct.unpack(">I", data[total - 4 : total])
        assert message_crc == crc32(data[: total - 4])
        head, headers = data[12 : 12 + length], {}
        while head:
            name, head = head[1 : 1 + head[0]].decode(), head[1 + head[0] :]
            kind, size = struct.unpack(">BH", head[:3])
            assert kind == 7
            headers[name], head = head[3 : 3 + size].decode(), head[3 + size :]
        found.append((headers, json.loads(data[12 + length : total - 4])))
        data = data[total:]
    return found
