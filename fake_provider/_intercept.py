"""Interception: the doors for clients in this process that know nothing of the provider."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from fake_provider._switchboard import Switchboard

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from fake_provider._switchboard import Provider


def intercept(provider: Provider) -> AbstractContextManager[None]:
    """Answer the clients of httpx, httpx2, aiohttp and botocore, whenever they were built.

    respx and the client libraries that it needs are imported by this call, not by the import of
    this module; aiohttp and botocore are changed if they are imported, or as soon as they are.
    Several providers may be open; the newest that answers a request gets it. A request of httpx
    or httpx2 that none answers takes the network if its host is this machine or was allowed, and
    is refused otherwise; the other libraries go on to the guard. Routes of the user's own respx
    routers come before the provider.

    Args:
        provider: The provider that answers.

    Returns:
        A context manager that intercepts while it is open, and leaves everything as it was.
    """
    from fake_provider import _mockers  # noqa: F401  (slow: imported before the clock is virtual)

    return _BOARD.opened(provider)


def _attach(board: Switchboard) -> ExitStack:
    """Take a place in respx, and in each other library."""
    from fake_provider import _aiohttp, _botocore, _mockers, _trust
    from fake_provider._replaced import once_imported

    with ExitStack() as attaching:
        attaching.enter_context(_mockers.attach(board))
        for door in (_aiohttp, _botocore):
            attaching.enter_context(once_imported(door.MODULE, partial(door.attach, board)))
        for module in _trust.MODULES:
            attaching.enter_context(once_imported(module, _trust.attach))
        return attaching.pop_all()


_BOARD = Switchboard(_attach)
