"""Botocore: the door for clients of boto3, below their retries and above their connections."""

from __future__ import annotations

import io
import sys
from functools import wraps
from http import HTTPStatus
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from fake_provider._delivery import SyncBody, deliver
from fake_provider._replaced import replaced
from fake_provider._wire._shapes import Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from types import ModuleType

    from fake_provider._delivery import Delivery
    from fake_provider._switchboard import Provider, Switchboard
    from fake_provider._wire._shapes import Reply

    Send = Callable[[Any, Any], Any]

MODULE = "botocore.httpsession"
# What a socket raises; urllib3 and botocore make their own errors of it.
ERRORS = SimpleNamespace(ReadTimeout=TimeoutError, RemoteProtocolError=ConnectionResetError)


def attach(board: Switchboard, module: ModuleType) -> ExitStack:
    """Answer the requests of every session, whenever it was made.

    What botocore's stubber answers does not come here, nor what answers its event `before-send`.

    Args:
        board: The open providers.
        module: The module `botocore.httpsession`.

    Returns:
        What to close in order to leave botocore as it was.
    """
    session = module.URLLib3Session
    send: Send = session.send

    @wraps(send)
    def answers(self: Any, request: Any) -> Any:
        url = urlsplit(request.url)
        host, path = (url.hostname or "").lower(), unquote(url.path)
        provider = board.find(host, path)
        if provider is None:
            return send(self, request)
        asked = Request(
            request.method, host, path, _headers(request), _body(request.body), url.query
        )
        return _answer(provider, self, request, asked)

    return replaced(session, "send", answers)


def _answer(provider: Provider, session: Any, request: Any, asked: Request) -> Any:
    """Return the response once its time has come, or raise botocore's own errors."""
    errors = sys.modules["botocore.exceptions"]
    exchange = provider.begin(asked)
    extensions = {"timeout": {"read": _read_timeout_s(session, request)}}
    try:
        delivery = deliver(exchange, ERRORS, extensions)
        raw = _raw(exchange.reply, delivery)
        response = sys.modules["botocore.awsrequest"].AWSResponse(
            request.url, exchange.reply.status, raw.headers, raw
        )
        if not request.stream_output:
            response.content  # noqa: B018  (read now, as botocore does)
    except TimeoutError as error:
        raise errors.ReadTimeoutError(endpoint_url=request.url, error=error) from error
    except ConnectionResetError as error:
        raise errors.ConnectionClosedError(
            error=error, request=request, endpoint_url=request.url
        ) from error
    return response


def _raw(reply: Reply, delivery: Delivery | None) -> Any:
    """Return a response of urllib3, whose body is all there or is yet to come."""
    try:
        reason = HTTPStatus(reply.status).phrase
    except ValueError:
        reason = ""
    return sys.modules["urllib3.response"].HTTPResponse(
        body=io.BytesIO(reply.content) if delivery is None else _File(SyncBody(delivery)),
        headers=dict(reply.headers),
        status=reply.status,
        reason=reason,
        preload_content=False,
        decode_content=False,
        enforce_content_length=False,
    )


class _File(io.RawIOBase):
    """The body of a streamed reply as a file: a read returns no more than one part.

    Args:
        parts: The body.
    """

    def __init__(self, parts: SyncBody) -> None:
        self._parts = parts
        self._rest = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what is left of a part, waiting for the next one if nothing is."""
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = part
        length = min(len(buffer), len(self._rest))
        buffer[:length], self._rest = self._rest[:length], self._rest[length:]
        return length

    def close(self) -> None:
        """Give up on the rest."""
        self._parts.close()
        super().close()


def _read_timeout_s(session: Any, request: Any) -> float | None:
    """Return the seconds that a session waits for each part, None if it waits for ever."""
    by_request = getattr(session, "_get_request_timeout", lambda _request: None)(request)
    timeout = session._timeout if by_request is None else by_request
    seconds: float | None = getattr(timeout, "read_timeout", timeout)
    return seconds


def _headers(request: Any) -> dict[str, str]:
    """Return the request's headers by lower-case name; a signature can be in bytes."""
    return {
        name.lower(): value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }


def _body(body: Any) -> bytes:
    """Return the request's body, read to its end if it is a file: a retry rewinds it."""
    if body is None:
        return b""
    if hasattr(body, "read"):
        body = body.read()
    return body.encode() if isinstance(body, str) else bytes(body)
