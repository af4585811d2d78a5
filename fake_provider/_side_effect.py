"""Side effect: a provider mounted on a route of the user's own respx router."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import FrameType

    from fake_provider._provider import FakeProvider
    from fake_provider._transport import ClientRequest, ClientResponse


def provider_side_effect(
    provider: FakeProvider,
) -> Callable[..., ClientResponse | Awaitable[ClientResponse]]:
    """Mount a provider on a route of your own respx router.

    Args:
        provider: The provider that answers while it is open.

    Returns:
        A function for `route.mock(side_effect=...)`, for synchronous and asynchronous clients.
    """
    transport = provider.transport

    def side_effect(
        request: ClientRequest, **_groups: object
    ) -> ClientResponse | Awaitable[ClientResponse]:
        if _respx_awaits():
            return transport.handle_async_request(request)
        return transport.handle_request(request)

    return side_effect


def _respx_awaits() -> bool:
    """Tell whether respx calls from its asynchronous resolver.

    Nothing in a request tells it: the bodies that SDKs send suit both kinds of client, and a
    synchronous client may be used inside a running event loop.
    """
    resolver = sys.modules["respx.router"].Router.aresolve.__code__
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is resolver:
            return True
        frame = frame.f_back
    return False
