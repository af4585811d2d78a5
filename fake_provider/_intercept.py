"""Interception: the door for clients in this process that know nothing of the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_provider._switchboard import Switchboard

if TYPE_CHECKING:
    from contextlib import AbstractContextManager, ExitStack

    from fake_provider._switchboard import Provider


def intercept(provider: Provider) -> AbstractContextManager[None]:
    """Answer the clients of httpx and httpx2 in this process, whenever they were built.

    respx and the client libraries are imported by this call, not by the import of this module.
    Several providers may be open; the newest that answers a request gets it. A request that
    none answers takes the network if its host is this machine or was allowed, and is refused
    otherwise. Routes of the user's own respx routers come before the provider.

    Args:
        provider: The provider that answers.

    Returns:
        A context manager that intercepts while it is open, and leaves everything as it was.
    """
    from fake_provider import _mockers  # noqa: F401  (slow: imported before the clock is virtual)

    return _BOARD.opened(provider)


def _attach(board: Switchboard) -> ExitStack:
    """Take a place in respx."""
    from fake_provider import _mockers

    return _mockers.attach(board)


_BOARD = Switchboard(_attach)
