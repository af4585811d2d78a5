"""Inbound: a request as a door receives it, in the provider's terms."""

from __future__ import annotations

from urllib.parse import unquote

from fake_provider._wire._shapes import Request


def address(host: bytes, target: bytes) -> tuple[str, str]:
    """Return the host in lower case and the decoded path of a request target."""
    path = target.partition(b"?")[0].decode("ascii")
    return host.decode("ascii").lower(), unquote(path) if "%" in path else path


def query_of(target: bytes) -> str:
    """Return the query of a request target as it was sent."""
    return target.partition(b"?")[2].decode("ascii")


def received(
    method: str,
    host: str,
    path: str,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    query: str = "",
) -> Request:
    """Return a request in the provider's terms; repeated headers are joined by commas."""
    values = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    if len(values) < len(headers):
        values = {name: _joined(name, headers) for name in values}
    return Request(method, host, path, values, body, query)


def _joined(name: str, headers: list[tuple[bytes, bytes]]) -> str:
    """Return the values of a repeated header."""
    return ", ".join(v.decode("latin-1") for n, v in headers if n.decode("latin-1").lower() == name)
