"""Guard: no provider is reached behind the doors, by whatever library."""

from __future__ import annotations

import fnmatch
import os
import re
import socket
import sys
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import TYPE_CHECKING

from fake_provider._replaced import replaced
from fake_provider._switchboard import Switchboard, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from types import FrameType, ModuleType

    from fake_provider._switchboard import Provider

# Hosts of LLM APIs, each with its subdomains; * stands for any text. It is a net for slips and
# does not claim to be complete. Source: the SDKs' default base URLs and the providers' API
# references (read 2026-11-25).
KNOWN_HOSTS = (
    "*-aiplatform.googleapis.com",
    "*.cognitiveservices.azure.com",
    "*.inference.ai.azure.com",
    "*.openai.azure.com",
    "*.services.ai.azure.com",
    "aiplatform.*.rep.googleapis.com",
    "aiplatform.googleapis.com",
    "api-inference.huggingface.co",
    "api.ai21.com",
    "api.anthropic.com",
    "api.cerebras.ai",
    "api.cohere.ai",
    "api.cohere.com",
    "api.deepinfra.com",
    "api.deepseek.com",
    "api.fireworks.ai",
    "api.groq.com",
    "api.mistral.ai",
    "api.moonshot.ai",
    "api.openai.com",
    "api.perplexity.ai",
    "api.replicate.com",
    "api.sambanova.ai",
    "api.together.ai",
    "api.together.xyz",
    "api.voyageai.com",
    "api.x.ai",
    "bedrock-mantle.*.api.aws",
    "bedrock-runtime*.amazonaws.com",
    "claude.googleapis.com",
    "dashscope*.aliyuncs.com",
    "generativelanguage.googleapis.com",
    "integrate.api.nvidia.com",
    "models.github.ai",
    "openrouter.ai",
    "router.huggingface.co",
)
_KNOWN = re.compile("|".join(rf"(?:.+\.)?{fnmatch.translate(host)}" for host in KNOWN_HOSTS))

# Libraries worth naming in the error; the outermost of them on the stack is the one in use.
LIBRARIES = frozenset(
    {"aiohttp", "botocore", "grpc", "http", "httpx", "httpx2", "requests", "tornado", "urllib3"}
    | {"urllib", "websockets"}
)


def guard(provider: Provider) -> AbstractContextManager[None]:
    """Refuse connections of this process to known providers, and to hosts that this one answers.

    It looks at names: where they are resolved (the socket module, the event loop of asyncio, and
    uvloop's if that is loaded), where a socket connects to a name, and where TLS is told whom to
    expect, which also covers proxies, resolvers outside the socket module and addresses that
    were resolved earlier. It cannot know an address that was resolved before it opened and is
    used without Python's TLS, nor a connection that was open before. Other hosts, this machine
    and hosts that the user allowed pass untouched.

    Args:
        provider: The provider that refuses; of several open ones the newest does.

    Returns:
        A context manager that guards while it is open, and leaves everything as it was.
    """
    return _BOARD.opened(provider)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables while the block runs, and restore them exactly.

    Args:
        variables: Values by name.
    """
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def is_known(host: str) -> bool:
    """Tell whether a host, in lower case, is one of a known provider's."""
    return _KNOWN.fullmatch(host) is not None


def _wrap_all(board: Switchboard) -> ExitStack:
    """Put a look at the host before everything that takes one."""
    import asyncio
    import ssl

    # Owner, name, and where the host is: position (self counts; -1 for none) and keyword.
    wrapped: list[tuple[ModuleType | type, str, int, str]] = [
        (socket, "getaddrinfo", 0, "host"),
        (socket, "gethostbyname", 0, "hostname"),
        (socket, "gethostbyname_ex", 0, "hostname"),
        (socket.socket, "connect", 1, "address"),
        (socket.socket, "connect_ex", 1, "address"),
        (ssl.SSLContext, "wrap_socket", 5, "server_hostname"),
        (ssl.SSLContext, "wrap_bio", 4, "server_hostname"),
    ]
    # Asked before they connect, loops leave no open connection behind. uvloop resolves names in C,
    # and loses what TLS raises inside its callbacks.
    loops: list[type] = [asyncio.BaseEventLoop]
    if "uvloop" in sys.modules:
        loops.append(sys.modules["uvloop"].Loop)
    for loop in loops:
        wrapped += [
            (loop, "getaddrinfo", 1, "host"),
            (loop, "create_connection", 2, "host"),
            (loop, "create_connection", -1, "server_hostname"),
            (loop, "start_tls", -1, "server_hostname"),
        ]
    with ExitStack() as wrapping:
        for owner, name, position, keyword in wrapped:
            wrapping.enter_context(_wrap(board, owner, name, position, keyword))
        return wrapping.pop_all()


def _wrap(
    board: Switchboard, owner: ModuleType | type, name: str, position: int, keyword: str
) -> ExitStack:
    """Replace one function by a guarded one, and return what undoes it."""
    original: Callable[..., object] = getattr(owner, name)

    @wraps(original)
    def guarded(*args: object, **kwargs: object) -> object:
        by_position = 0 <= position < len(args)
        _check(board, args[position] if by_position else kwargs.get(keyword))
        return original(*args, **kwargs)

    return replaced(owner, name, guarded)


def _check(board: Switchboard, target: object) -> None:
    """Raise the provider's refusal if a host, or an address that begins with one, is known."""
    if isinstance(target, tuple) and target:
        target = target[0]
    if isinstance(target, (bytes, bytearray)):
        target = target.decode("ascii", "replace")
    if not isinstance(target, str):
        return
    host = target.rstrip(".").lower()
    if is_loopback(host) or board.passes(host):
        return
    if is_known(host) or board.find(host, "") is not None:
        raise board.refusal(host, _calling_library())


def _calling_library() -> str:
    """Return the name of the library that wants to connect, by the frames on the stack."""
    library = "socket"
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package in LIBRARIES:
            library = package
        frame = frame.f_back
    return library


_BOARD = Switchboard(_wrap_all)
