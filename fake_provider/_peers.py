"""Peers: which call an attempt of another process belongs to, where no task and no stack tells.

A caller that states its name is known by it, whatever its connections. For the others the
connection stands for the caller, and an attempt continues a call that failed with the same body:
that of its own connection, else of one that has closed since, else, where the SDK's counter says
that it is a retry, the oldest. Where more than one would do, or where another body follows the
only attempt of a call that failed, the trace says `attribution: inferred`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from weakref import WeakKeyDictionary

from fake_provider._attempt import UNNAMED, Layer
from fake_provider._calls import Calls, OpenCall, Place

# A longer call is cut in two: what sends forever needs no further evidence, and no memory.
MOST_ATTEMPTS = 1_000
# Failed calls that nobody has continued, and callers, that are remembered: the last ones.
MOST_FAILED = 50_000
MOST_CALLERS = 100_000
# How many failed calls of one body are looked at before an attempt counts as new work.
_DEEPEST = 64


class Peer:
    """One connection of another process."""

    __slots__ = ("__weakref__", "is_closed")

    def __init__(self) -> None:
        self.is_closed = False


@dataclass(slots=True, eq=False)
class _Caller:
    """What is remembered of one caller: its label, and its calls that have not succeeded."""

    label: str
    peer: Peer | None
    open: dict[str, RemoteCall] = field(default_factory=dict)
    last: RemoteCall | None = None

    @property
    def has_left(self) -> bool:
        """True if its connection has closed; a caller with a name can come back."""
        return self.peer is not None and self.peer.is_closed


@dataclass(slots=True, eq=False)
class RemoteCall(OpenCall):
    """A call of another process as far as it is known.

    Args:
        caller: Who made it.
        is_doubtful: True if its attempts may be those of another call with the same body.
    """

    caller: _Caller = field(kw_only=True)
    is_doubtful: bool = False


class RemoteCalls:
    """Groups attempts of other processes into calls and units.

    Args:
        calls: The calls of this process, whose numbers and units theirs go on with.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._named: dict[str, _Caller] = {}
        self._connected: WeakKeyDictionary[Peer, _Caller] = WeakKeyDictionary()
        # Failed calls by body, in the order in which they failed.
        self._failed: dict[str, dict[RemoteCall, None]] = {}
        self._recent: dict[RemoteCall, None] = {}
        self._count = 0

    def place(
        self, peer: Peer, name: str | None, digest: str, sdk_retry: int | None
    ) -> tuple[Place, str]:
        """Return where an attempt belongs and its caller's name; remember it as the last.

        Args:
            peer: The connection that it came by.
            name: The caller's name, if it stated one.
            digest: Digest of the body.
            sdk_retry: The SDK's own retry counter, if it sent one.
        """
        caller = self._caller(peer, name)
        call = self._continued(caller, digest, sdk_retry)
        if call is None or call.attempts >= MOST_ATTEMPTS:
            call = self._new(caller, digest)
        else:
            call.attribution = "inferred" if call.is_doubtful else "exact"
            self._forget(call)
        call.caller.open[digest] = call
        call.caller.last = caller.last = call
        call.attempts += 1
        call.failed = False
        layer: Layer = "sdk" if sdk_retry else "code"
        if call.attempts == 1:
            layer = "first"
        return Place(call, call.attempts, layer), call.caller.label

    def ended(self, call: RemoteCall, *, failed: bool) -> None:
        """Note how an attempt of `call` ended."""
        call.failed = failed
        if failed:
            self._failed.setdefault(call.digest, {})[call] = None
            self._recent[call] = None
            if len(self._recent) > MOST_FAILED:
                self._give_up(next(iter(self._recent)))
        elif call.caller.open.get(call.digest) is call:
            del call.caller.open[call.digest]

    def _caller(self, peer: Peer, name: str | None) -> _Caller:
        """Return who sends: by name, or by connection."""
        if name is not None:
            named = self._named.get(name)
            if named is None:
                named = self._named[name] = _Caller(name, None)
                if len(self._named) > MOST_CALLERS:
                    del self._named[next(iter(self._named))]
            return named
        caller = self._connected.get(peer)
        if caller is None:
            self._count += 1
            caller = self._connected[peer] = _Caller(f"{UNNAMED}{self._count}", peer)
        return caller

    def _continued(self, caller: _Caller, digest: str, sdk_retry: int | None) -> RemoteCall | None:
        """Return the call that an attempt continues, None for a new one."""
        own = caller.open.get(digest)
        if own is not None and (own.failed or sdk_retry):
            return own
        if caller.peer is None:
            return None
        # A client whose connection was closed comes back by another; a pool picks any of its own.
        pooled = bool(sdk_retry) or caller.last is not None
        found = None
        for call in self._candidates(digest, sdk_retry):
            if not (call.caller.has_left or pooled):
                continue
            if found is not None:
                found.is_doubtful = True
                break
            found = call
        return found

    def _candidates(self, digest: str, sdk_retry: int | None) -> Iterator[RemoteCall]:
        """Yield the failed calls of callers without a name that an attempt may continue."""
        for call in islice(self._failed.get(digest, ()), _DEEPEST):
            if call.caller.peer is not None and (not sdk_retry or call.attempts >= sdk_retry):
                yield call

    def _new(self, caller: _Caller, digest: str) -> RemoteCall:
        """Return a new call, for new work or for a unit that somebody gave up."""
        number = self._calls.new_number()
        # A number tells equal bodies apart without a memory of all that there were.
        unit = self._claimed(caller, digest) or f"{digest}/{number}"
        call = RemoteCall(number, unit, digest, caller=caller)
        before = caller.last
        if before is not None and before.failed and before.attempts == 1:
            # The next question, or the same one with a nonce in it: nothing tells.
            before.attribution = call.attribution = "inferred"
        return call

    def _claimed(self, caller: _Caller, digest: str) -> str | None:
        """Return the oldest unit of this body whose caller has left it, if there is one."""
        for call in islice(self._failed.get(digest, ()), _DEEPEST):
            other = call.caller
            if other is not caller and (other.has_left or other.last is not call):
                self._forget(call)
                return call.unit
        return None

    def _give_up(self, call: RemoteCall) -> None:
        """Let go of a failed call, to whoever it belonged."""
        self._forget(call)
        if call.caller.open.get(call.digest) is call:
            del call.caller.open[call.digest]

    def _forget(self, call: RemoteCall) -> None:
        """Take a call out of those that failed and may be continued."""
        self._recent.pop(call, None)
        failed = self._failed.get(call.digest)
        if failed is None or call not in failed:
            return
        del failed[call]
        if not failed:
            del self._failed[call.digest]
