"""Frames: telling a retry from new work by what is still running on the stack.

A body with a nonce in it hides that an attempt is a retry. The stack does not: the loop that
retries is a frame that was there at the failed attempt and is still there at the next one.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Iterable
from types import FrameType

# Frames of these packages carry every attempt and tell nothing of who retries.
_CARRIERS = (
    "anthropic",
    "aiohttp",
    "anyio",
    "asyncio",
    "boto3",
    "botocore",
    "concurrent",
    "contextlib",
    "fake_provider",
    "google",
    "groq",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "mistralai",
    "openai",
    "respx",
    "sniffio",
    "threading",
    "trio",
)
# The stack above the test, or above the script, is the same for everybody.
_ROOTS = ("_pytest", "pluggy", "pytest", "runpy")
# Packages whose frames are retry loops and nothing else.
_RETRY_LIBRARIES = ("backoff", "httpx_retries", "retry", "retrying", "stamina", "tenacity")
_DEPTH = 120


class _Role(enum.Enum):
    """What the package of a frame's code makes of the frame."""

    CARRIER = enum.auto()
    ROOT = enum.auto()
    RETRY_LOOP = enum.auto()
    USER = enum.auto()


class Relation(enum.Enum):
    """How an attempt stands to the caller's last one, which failed."""

    RETRY = "the loop that made the failed attempt made this one"
    LOOP = "one frame of the user's sends both: a retry with a nonce, or the next question"
    NEW = "another piece of work"
    UNCLEAR = "nothing tells"


class Stack:
    """The frames of the code under test at one attempt, innermost first.

    Holding a frame keeps its variables alive, so a caller's stack is kept from one attempt to the
    next and no longer.

    Args:
        frames: The frames, innermost first.
        own: How many of them are the caller's own, and not of a parent that waits for it.
    """

    __slots__ = ("frames", "own")

    def __init__(self, frames: Iterable[FrameType], own: int = 0) -> None:
        self.frames = tuple(frames)
        self.own = own

    @classmethod
    def capture(cls, waiting: Iterable[FrameType] = ()) -> Stack:
        """Return the caller's stack, followed by those of the parents that wait for it."""
        frames: list[FrameType] = []
        frame: FrameType | None = sys._getframe(1)
        for _ in range(_DEPTH):
            if frame is None:
                break
            role = _role(frame)
            if role is _Role.ROOT:
                break
            if role is not _Role.CARRIER:
                frames.append(frame)
            frame = frame.f_back
        own = len(frames)
        frames.extend(f for f in waiting if _role(f) in (_Role.USER, _Role.RETRY_LOOP))
        return cls(frames, own)

    @property
    def innermost(self) -> FrameType | None:
        """The innermost frame of the code under test."""
        return self.frames[0] if self.frames else None

    def depth_of_loop(self, failed: Stack) -> int | None:
        """Return how deep the innermost frame lies that this attempt shares with a failed one.

        That frame sent both. Of two such frames of one caller the deeper one has the larger
        number; those of parents that wait have 0 and less.

        Args:
            failed: The stack at the attempt before, which failed.

        Returns:
            Its depth, None if they share no frame.
        """
        live = {id(frame): at for at, frame in enumerate(self.frames)}
        shared = next((live[id(f)] for f in failed.frames if id(f) in live), None)
        return None if shared is None else self.own - shared

    def relation(self, failed: Stack) -> tuple[Relation, FrameType | None]:
        """Return how this attempt stands to a failed one, and the innermost frame they share.

        Args:
            failed: The stack at the attempt before, which failed.

        Returns:
            The relation, and the shared frame if there is one.
        """
        live = {id(frame): at for at, frame in enumerate(self.frames)}
        for then, frame in enumerate(failed.frames):
            now = live.get(id(frame))
            if now is None:
                continue
            if _role(frame) is _Role.RETRY_LOOP:
                return Relation.RETRY, frame
            if then == 0 and now == 0:
                return Relation.LOOP, frame
            if then == 0 or now == 0:
                return Relation.UNCLEAR, frame
            same = _same_work(failed.frames[then - 1], self.frames[now - 1])
            return (Relation.RETRY if same else Relation.NEW), frame
        return Relation.NEW, None


NO_FRAMES = Stack(())
_roles: dict[str, _Role] = {}


def _role(frame: FrameType) -> _Role:
    """Return the role of a frame, by the module that its code belongs to."""
    module: str = frame.f_globals.get("__name__") or ""
    role = _roles.get(module)
    if role is None:
        package = module.partition(".")[0]
        role = _Role.USER
        for packages, known in (
            (_CARRIERS, _Role.CARRIER),
            (_ROOTS, _Role.ROOT),
            (_RETRY_LIBRARIES, _Role.RETRY_LOOP),
        ):
            if package in packages:
                role = known
        _roles[module] = role
    return role


def _same_work(then: FrameType, now: FrameType) -> bool:
    """Tell whether a shared frame called the same function with the same arguments again."""
    if then.f_code is not now.f_code:
        return False
    code = then.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)  # *args and **kwargs
    before, after = then.f_locals, now.f_locals
    return all(_equal(before.get(n), after.get(n)) for n in code.co_varnames[:count])


def _equal(one: object, other: object) -> bool:
    """Compare without calling a method of the user's classes."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, (str, bytes, int, float)):
        return one == other
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(v, other[k]) for k, v in one.items())
    return False
