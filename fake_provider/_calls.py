"""Calls: which call and which unit of work an attempt belongs to, and which layer made it.

An attempt continues its caller's last call if the SDK's own counter says so; or if that call's
last attempt failed and the body is equal, or the loop that retried it is still on the stack. A
refused unit of work whose task has ended is claimed, first in first out, by the next equal body
from anyone: a re-queue, which is a new call for the same unit.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Literal, NamedTuple
from weakref import WeakKeyDictionary, ref

from fake_provider._attempt import Layer
from fake_provider._frames import NO_FRAMES, Relation, Stack
from fake_provider._lineage import Lineage
from fake_provider._waits import Scope, has_ended

Attribution = Literal["exact", "inferred"]


def _nobody() -> None:
    """Return the owner of a call that has none yet, or whose owner is gone."""


@dataclass(slots=True, eq=False)
class OpenCall:
    """A call as far as it is known: its attempts so far, and how the last one ended."""

    number: int
    unit: str
    digest: str
    name: str | None = None
    attempts: int = 0
    failed: bool = False
    # Scopes that had been started when its last attempt failed.
    births: int = 0
    owner: Callable[[], Scope | None] = _nobody
    attribution: Attribution = "exact"


@dataclass(slots=True)
class _Work:
    """What is remembered of one caller between two attempts."""

    call: OpenCall
    stack: Stack
    ended_ns: int = 0
    # An attempt has failed before; only then do stacks matter.
    troubled: bool = False
    # The frame that sends one request after another, if there is one, with its habits: it went
    # on after a success, or it repeated a body to retry.
    loop: FrameType | None = None
    went_on: bool = False
    repeats: bool = False
    guessed: list[OpenCall] = field(default_factory=list)


class Place(NamedTuple):
    """Where an attempt belongs.

    Args:
        call: Its call.
        attempt: Its position in the call, from 1.
        layer: Who made it.
        depth: How deep on the stack the loop lies that sent it again, if that was seen.
    """

    call: OpenCall
    attempt: int
    layer: Layer
    depth: int | None = None


class Calls:
    """Groups attempts into calls and units, one caller at a time.

    Args:
        lineage: Who started whom, for the frames of parents that wait.
    """

    def __init__(self, lineage: Lineage) -> None:
        self._lineage = lineage
        self._work: WeakKeyDictionary[Scope, dict[str | None, _Work]] = WeakKeyDictionary()
        self._failed: dict[str, deque[OpenCall]] = {}
        self._units: dict[str, int] = {}
        self._numbers = itertools.count()

    def new_number(self) -> int:
        """Return the number of the next call."""
        return next(self._numbers)

    def new_unit(self, digest: str) -> str:
        """Return the identity of work with this body that nobody has asked for before."""
        count = self._units[digest] = self._units.get(digest, 0) + 1
        return digest if count == 1 else f"{digest}/{count}"

    def place(
        self, owner: Scope, name: str | None, digest: str, sdk_retry: int | None, now_ns: int
    ) -> Place:
        """Return where an attempt belongs, and remember it as the caller's last.

        Args:
            owner: The scope whose calls it belongs to.
            name: The caller's name, if it was stated: one thread may speak for several callers.
            digest: Digest of the body.
            sdk_retry: The SDK's own retry counter, if it sent one.
            now_ns: Its arrival.

        Returns:
            Its call, position and layer.
        """
        work = self._work_of(owner, name)
        # Walking the stack costs as much as a limit's decision: it waits for the first failure.
        stack = self._stack() if work is not None and work.troubled else NO_FRAMES
        layer: Layer = "code"
        depth = None if work is None else stack.depth_of_loop(work.stack)
        if sdk_retry:
            call = work.call if work is not None else self._orphan(name, digest)
            layer = "sdk"
            work = self._continue(owner, work, call, stack)
        elif work is not None and work.call.failed:
            before = work.call
            continued = self._after_failure(work, digest, stack, now_ns)
            call = continued or self._new(owner, name, digest)
            if continued is None:
                call.attribution = before.attribution
            work = self._continue(owner, work, call, stack)
        else:
            call = self._new(owner, name, digest)
            work = self._after_success(owner, work, call, stack)
        call.attempts += 1
        call.failed = False
        if call.attempts == 1:
            return Place(call, 1, "first")
        return Place(call, call.attempts, layer, depth)

    def ended(self, call: OpenCall, *, failed: bool, now_ns: int) -> None:
        """Note how an attempt of `call` ended."""
        call.failed = failed
        if failed:
            call.births = self._lineage.births
            waiting = self._failed.setdefault(call.digest, deque())
            if call not in waiting:
                waiting.append(call)
        owner = call.owner()
        work = self._work_of(owner, call.name) if owner is not None else None
        if work is not None and work.call is call:
            work.ended_ns = now_ns
            if failed:
                work.troubled = True
                if not work.stack.frames:
                    work.stack = self._stack()
            else:
                # Only the frame that goes on matters now: let go of the others' variables.
                work.stack = Stack(work.stack.frames[:1], 1)

    def forget(self) -> None:
        """Let go of every stack that is held."""
        self._work.clear()

    def _work_of(self, owner: Scope, name: str | None) -> _Work | None:
        """Return what is remembered of a caller."""
        named = self._work.get(owner)
        return None if named is None else named.get(name)

    def _stack(self) -> Stack:
        """Return the stack of the current attempt, with those of the parents that wait for it."""
        return Stack.capture(self._lineage.waiting_frames(self._lineage.scope()))

    def _after_failure(
        self, work: _Work, digest: str, stack: Stack, now_ns: int
    ) -> OpenCall | None:
        """Return the call that this attempt continues, or None for a new one."""
        relation, shared = stack.relation(work.stack)
        if digest == work.call.digest:
            if relation is Relation.LOOP:
                work.loop, work.repeats = shared, True
            return work.call
        if relation is Relation.RETRY and digest not in self._units:
            return work.call
        if relation is Relation.LOOP:
            return self._in_a_loop(work, shared, now_ns)
        return None

    def _in_a_loop(self, work: _Work, frame: FrameType | None, now_ns: int) -> OpenCall | None:
        """Decide by the loop's habits whether another body is a nonce or the next question."""
        if work.loop is not frame:
            work.loop, work.went_on, work.repeats, work.guessed = frame, False, False, []
        if work.repeats:
            return None
        # A retry loop waits after a failure; a loop over questions goes straight on.
        if not work.went_on and now_ns > work.ended_ns:
            work.guessed.append(work.call)
            return work.call
        # Nothing tells: neither this call nor the next one is evidence of anything.
        work.call.attribution = "inferred"
        return None

    def _after_success(
        self, owner: Scope, work: _Work | None, call: OpenCall, stack: Stack
    ) -> _Work:
        """Note that the caller went on to new work, which shows what its loop is."""
        if work is not None:
            inner = stack.innermost
            if inner is not None and work.stack.innermost is inner:
                if work.loop is not inner:
                    work.loop, work.repeats, work.guessed = inner, False, []
                work.went_on = True
                for guess in work.guessed:
                    guess.attribution = "inferred"
                work.guessed = []
        return self._continue(owner, work, call, stack)

    def _continue(self, owner: Scope, work: _Work | None, call: OpenCall, stack: Stack) -> _Work:
        """Remember `call` as the caller's last one."""
        if work is None:
            work = self._work.setdefault(owner, {})[call.name] = _Work(call, stack)
        work.call, work.stack = call, stack
        call.owner = ref(owner)
        return work

    def _new(self, owner: Scope, name: str | None, digest: str) -> OpenCall:
        """Return a new call, for new work or for a unit that somebody gave up."""
        return OpenCall(self.new_number(), self._claim(owner, digest), digest, name)

    def _claim(self, owner: Scope, digest: str) -> str:
        """Return the oldest unit of this body that was given up, or a new one."""
        waiting = self._failed.get(digest, ())
        for call in list(waiting):
            if not call.failed:
                self._failed[digest].remove(call)
            elif self._given_up(call, owner):
                self._failed[digest].remove(call)
                return call.unit
        return self.new_unit(digest)

    def _given_up(self, call: OpenCall, claimant: Scope) -> bool:
        """Tell whether `claimant` can have been given what nobody is left to retry.

        A worker that had been started before and sends its first request brings work of its own:
        equal prompts from a fleet are not re-queues of one another.
        """
        if claimant not in self._work and not self._lineage.born_after(claimant, call.births):
            return False
        owner = call.owner()
        if owner is None or has_ended(owner):
            return True
        work = self._work_of(owner, call.name)
        return owner is claimant or work is None or work.call is not call

    def _orphan(self, name: str | None, digest: str) -> OpenCall:
        """Return the failed call that an SDK's retry from an unknown caller continues."""
        waiting = self._failed.get(digest)
        if waiting:
            return waiting[-1]
        return OpenCall(self.new_number(), digest, digest, name)
