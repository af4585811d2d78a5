"""Switchboard: the providers that are open in this process, and which of them answers a host."""

from __future__ import annotations

import ipaddress
import threading
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fake_provider._delivery import Exchange
    from fake_provider._wire._shapes import Request


class Provider(Protocol):
    """What a door asks of a provider."""

    def answers(self, host: str, path: str) -> bool:
        """Tell whether a request is answered; an empty path asks for the host alone."""

    def passes(self, host: str) -> bool:
        """Tell whether the user allowed a host to be reached over the network."""

    def refuse(self, host: str, library: str) -> BaseException:
        """Return the error for a request that is neither answered nor allowed, and note it."""

    def begin(self, request: Request) -> Exchange:
        """Take one request through the provider up to its answer."""


class Switchboard:
    """The open providers of this process, the newest of which is asked first.

    Args:
        connect: Called when the first provider opens; what it returns is closed with the last.
    """

    def __init__(self, connect: Callable[[Switchboard], ExitStack]) -> None:
        self._connect = connect
        self._connection = ExitStack()
        self._lock = threading.Lock()
        self._open: tuple[Provider, ...] = ()

    @contextmanager
    def opened(self, provider: Provider) -> Iterator[None]:
        """Have a provider asked while the block runs."""
        with self._lock:
            if not self._open:
                self._connection = self._connect(self)
            self._open = (provider, *self._open)
        try:
            yield
        finally:
            with self._lock:
                remaining = list(self._open)
                remaining.remove(provider)
                self._open = tuple(remaining)
                if not self._open:
                    self._connection.close()

    def find(self, host: str, path: str) -> Provider | None:
        """Return the provider that answers a request, None if none does.

        What the user allowed comes before what the path says, and a server on this machine is
        the user's own unless a provider answers its host by name.
        """
        known_path = "" if is_loopback(host) else path
        for provider in self._open:
            if provider.passes(host):
                return None
            if provider.answers(host, known_path):
                return provider
        return None

    def passes(self, host: str) -> bool:
        """Tell whether a request that no provider answers may take the network."""
        # A thread can still be inside a patched function when the last provider has closed.
        return (
            not self._open
            or is_loopback(host)
            or any(provider.passes(host) for provider in self._open)
        )

    def refusal(self, host: str, library: str) -> BaseException:
        """Return the newest provider's error for a request that it lets nobody make."""
        return self._open[0].refuse(host, library)


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Tell whether a host, in lower case, is this machine: localhost, 127.0.0.0/8 or ::1."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
