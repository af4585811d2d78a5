"""Trust: the certificates that a client checks servers by, read when it connects to one.

Building a client of an SDK takes as long as reading them, and an intercepted client never connects.
"""

from __future__ import annotations

import os
import ssl
import threading
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from fake_provider._replaced import replaced

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

MODULES = ("httpx._transports.default", "httpx2._transports.default")
NAME = "create_ssl_context"
# Variables that say where the certificates are; and the one that has keys written to a file, which
# is opened at once.
_PLACES, _KEYS = ("SSL_CERT_DIR", "SSL_CERT_FILE"), "SSLKEYLOGFILE"
_SETTINGS = ("maximum_version", "minimum_version", "options", "verify_flags")

Load = tuple[tuple[Any, ...], dict[str, Any]]


class Deferred(ssl.SSLContext):
    """A context that reads its certificates once they are needed or looked at."""

    _lock = threading.Lock()
    pending: tuple[Load, ...] = ()

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """Wrap a socket, with the certificates read."""
        self._read()
        return super().wrap_socket(*args, **kwargs)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Wrap buffers, with the certificates read."""
        self._read()
        return super().wrap_bio(*args, **kwargs)

    def get_ca_certs(self, binary_form: bool = False) -> Any:
        """Return the certificates, which are read for it."""
        self._read()
        return super().get_ca_certs(binary_form)

    def cert_store_stats(self) -> dict[str, int]:
        """Return how many certificates there are, which are read for it."""
        self._read()
        return super().cert_store_stats()

    def _read(self) -> None:
        """Read what was deferred, once."""
        with self._lock:
            pending, self.pending = self.pending, ()
            for args, kwargs in pending:
                self.load_verify_locations(*args, **kwargs)


class Usual(NamedTuple):
    """A library's usual context, and what it reads its certificates from."""

    context: ssl.SSLContext
    loads: tuple[Load, ...]

    def deferred(self) -> Deferred:
        """Return a context like it that has read nothing yet."""
        context = Deferred(ssl.PROTOCOL_TLS_CLIENT)
        for name in _SETTINGS:
            setattr(context, name, getattr(self.context, name))
        context.pending = self.loads
        return context


# By module and by what says where the certificates are; found out once in a process.
_USUAL: dict[tuple[object, ...], Usual | None] = {}


def attach(module: ModuleType) -> ExitStack:
    """Have a library's transports defer what they would read at once.

    Args:
        module: The module that builds the transports; left as it is if it builds no contexts.

    Returns:
        What undoes it; contexts that were built meanwhile go on.
    """
    original = getattr(module, NAME, None)
    if original is None:
        return ExitStack()

    def create(*args: Any, **kwargs: Any) -> ssl.SSLContext:
        is_usual = not args and kwargs.get("verify", True) is True and not kwargs.get("cert")
        if is_usual and not os.environ.get(_KEYS):
            places = (module.__name__, kwargs.get("trust_env"), *map(_place, _PLACES))
            if places not in _USUAL:
                _USUAL[places] = _usual(partial(original, **kwargs))
            found = _USUAL[places]
            if found is not None:
                return found.deferred()
        context: ssl.SSLContext = original(*args, **kwargs)
        return context

    return replaced(module, NAME, create)


def _place(name: str) -> tuple[str, bool] | None:
    """Return a place that a variable names, and whether it is there: what is not is an error."""
    path = os.environ.get(name)
    return (path, os.path.exists(path)) if path else None  # noqa: PTH110  (any path will do)


def _usual(create: Callable[[], ssl.SSLContext]) -> Usual | None:
    """Return the usual context of a library; None where it reads nothing that could be deferred."""
    load, noted = ssl.SSLContext.load_verify_locations, []

    def noting(context: ssl.SSLContext, *args: Any, **kwargs: Any) -> None:
        noted.append((context, (args, kwargs)))
        load(context, *args, **kwargs)

    with replaced(ssl.SSLContext, "load_verify_locations", noting):
        context = create()
    loads = tuple(each for whose, each in noted if whose is context)
    return Usual(context, loads) if type(context) is ssl.SSLContext and loads else None
