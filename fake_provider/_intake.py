"""Intake: who sends a request, which call it continues, and when a run is out of bounds."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping

from fake_provider._attempt import Attempt
from fake_provider._callers import Callers
from fake_provider._calls import Calls
from fake_provider._errors import AttemptLimit
from fake_provider._lineage import Lineage
from fake_provider._peers import Peer, RemoteCall, RemoteCalls
from fake_provider._recorder import NS, Record, Recorder
from fake_provider._waits import Scope
from fake_provider._wire import Dialect
from fake_provider._wire._shapes import Request

Watcher = Callable[[Record], None]

MAX_ATTEMPTS = 1_000
# More than a fleet of 10,000 that starts together, or a load test without service time; it takes
# about two minutes of real time.
MAX_AT_ONCE = 100_000
# Identities of keys that are not worked out anew each time.
MOST_KEYS = 10_000

_AWS_ATTEMPT = re.compile(r"\battempt=([1-9]\d{0,5})\b")


class Intake:
    """Keeps the records of attempts, each with its caller and its place in a call.

    Args:
        lineage: Who started whom.
        watchers: Called with each attempt that has ended.
        seed: Seed of the provider, with which keys are hashed.
        keeps: How many attempts that have ended are kept, the last ones; None for all.
    """

    def __init__(
        self, lineage: Lineage, watchers: list[Watcher], seed: int, keeps: int | None = None
    ) -> None:
        self._recorder = Recorder(keeps)
        self.callers = Callers(lineage)
        self.calls = Calls(lineage)
        self._remote = RemoteCalls(self.calls)
        self._watchers = watchers
        self._salt = seed.to_bytes(8, "big")
        # Who keeps no attempts has no scripts, which alone ask for it.
        self._bodies: dict[str, int] | None = {} if keeps is None else None
        self._key_ids: dict[str, str] = {}
        self._last_ns = -1
        self._at_once = 0

    @property
    def records(self) -> dict[int, Record]:
        """The attempts that are kept, by number; they go on changing while they are served."""
        return self._recorder.records

    @property
    def count(self) -> int:
        """How many attempts have arrived."""
        return self._recorder.count

    def attempts(self) -> tuple[Attempt, ...]:
        """Return every attempt as far as it has come."""
        return self._recorder.attempts()

    def count_at_once(self, now_ns: int) -> None:
        """Stop a loop in which no time passes: no limit of time or attempts would ever end it.

        Args:
            now_ns: When a request arrives, nanoseconds since the trace began.

        Raises:
            AttemptLimit: More have arrived at this instant than any job would send.
        """
        if now_ns != self._last_ns:
            self._last_ns, self._at_once = now_ns, 0
        self._at_once += 1
        if self._at_once > MAX_AT_ONCE:
            raise AttemptLimit(
                f"{self._at_once:,} requests arrived at {now_ns / NS:,.3f} s, and no time passes: "
                "the run was stopped, since its code never would"
            )

    def record(
        self, dialect: Dialect, request: Request, owner: Scope | Peer, now_ns: int
    ) -> Record:
        """Place an attempt in its call and begin its record.

        Args:
            dialect: The dialect that it is answered in.
            request: The request.
            owner: The scope whose calls it belongs to; the connection of another process.
            now_ns: Its arrival, nanoseconds since the trace began.

        Raises:
            AttemptLimit: Its call has made more attempts than any policy would.
        """
        hashed = hashlib.blake2b(request.path.encode(), digest_size=6)
        hashed.update(request.body)
        digest = hashed.hexdigest()
        sdk_retry = _sdk_retry(request.headers)
        if self._bodies is not None:
            self._bodies[digest] = self._bodies.get(digest, 0) + 1
        stated = self.callers.stated_name(request.headers)
        if isinstance(owner, Peer):
            place, label = self._remote.place(owner, stated, digest, sdk_retry)
        else:
            place = self.calls.place(owner, stated, digest, sdk_retry, now_ns)
            label = stated or self.callers.label(owner)
        record = Record(
            index=self._recorder.count,
            place=place,
            digest=digest,
            caller=label,
            sdk_retry=sdk_retry,
            key=self.key_id(dialect.api_key(request)),
            host=request.host,
            dialect=dialect.name,
            arrived_ns=now_ns,
        )
        self._recorder.add(record)
        if place.attempt > MAX_ATTEMPTS:
            record.status, record.reason, record.ended_ns = 429, "stopped", now_ns
            kept = self._recorder.records.values()
            own = (one for one in kept if one.place.call is place.call)
            began_ns = next(own).arrived_ns
            raise AttemptLimit(
                f"one call of {record.caller} made {place.attempt:,} attempts in "
                f"{(now_ns - began_ns) / NS:,.3f} s: the run was stopped, "
                "since its code never would"
            )
        return record

    def earlier(self, record: Record) -> int:
        """Return how many requests with the same body arrived before an attempt."""
        return 0 if self._bodies is None else self._bodies[record.digest] - 1

    def ended(self, record: Record, *, failed: bool, now_ns: int) -> None:
        """Tell those who follow calls, and those who watch, that an attempt has ended."""
        call = record.place.call
        if isinstance(call, RemoteCall):
            self._remote.ended(call, failed=failed)
        else:
            self.calls.ended(call, failed=failed, now_ns=now_ns)
        for watch in self._watchers:
            watch(record)
        self._recorder.ended(record)

    def key_id(self, key: str) -> str:
        """Return eight hex digits that stand for an API key."""
        identity = self._key_ids.get(key)
        if identity is None:
            if len(self._key_ids) >= MOST_KEYS:
                self._key_ids.clear()
            identity = hashlib.blake2b(key.encode(), digest_size=4, key=self._salt).hexdigest()
            self._key_ids[key] = identity
        return identity


def _sdk_retry(headers: Mapping[str, str]) -> int | None:
    """Return the SDK's own retry counter, if it sent one that can be read.

    AWS's SDKs count attempts from 1: `amz-sdk-request: attempt=2; max=3`.
    """
    value = headers.get("x-stainless-retry-count", "")
    if value.isdecimal():
        return int(value)
    found = _AWS_ATTEMPT.search(headers.get("amz-sdk-request", ""))
    return int(found[1]) - 1 if found else None
