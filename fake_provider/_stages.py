"""Stages: what happens to one request between the door and the trace."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fake_provider._attempt import Attempt
from fake_provider._callers import Callers
from fake_provider._calls import Calls
from fake_provider._errors import AttemptLimit
from fake_provider._exchange import Exchange
from fake_provider._faults import (
    TERMINAL_CODES,
    Arrival,
    Fault,
    Script,
    ask_script,
    error_code,
    overridden,
)
from fake_provider._hints import HintStyle, read_hint
from fake_provider._ledger import Ledger
from fake_provider._limiters import Decision
from fake_provider._limits import Limits
from fake_provider._lineage import Lineage
from fake_provider._recorder import NS, Record, Recorder
from fake_provider._service import ServiceTime
from fake_provider._tokens import Cost, CostModel
from fake_provider._waits import Scope
from fake_provider._wire import Dialect
from fake_provider._wire._shapes import Ask, BadRequest, Hint, Ids, Reply, Request, Usage

MAX_ATTEMPTS = 1_000
# More than a fleet of 10,000 that starts together, and half a minute of real time.
MAX_AT_ONCE = 20_000
TERMINAL_STATUSES = frozenset({400, 401, 402, 403, 404, 405, 410, 413, 422})
OVERLOADED = frozenset({503, 529})


@dataclass(frozen=True, slots=True)
class Model:
    """How a provider decides and answers.

    Args:
        limits: What it enforces.
        costs: What a request costs.
        service: How long it takes.
        hint: How it tells a refused client to wait.
        seed: Seed of its ids and service times.
    """

    limits: Limits
    costs: CostModel
    service: ServiceTime
    hint: HintStyle
    seed: int


class Stages:
    """Parse, place, script, admit, answer: one trace's worth of requests.

    Args:
        model: How the provider decides and answers.
        lineage: Who started whom.
        scripts: Scripts that are asked before the limits, in order.
        now_ns: Reads the clock: nanoseconds since the trace began.
        wall_start_ns: The code under test's wall clock when the trace began, POSIX nanoseconds.
    """

    def __init__(
        self,
        model: Model,
        lineage: Lineage,
        scripts: list[Script],
        now_ns: Callable[[], int],
        wall_start_ns: int,
    ) -> None:
        # A script may read the trace while it decides.
        self._lock = threading.RLock()
        self._recorder = Recorder()
        self.callers = Callers(lineage)
        self.calls = Calls(lineage)
        self._model = model
        self._scripts = scripts
        self._now_ns = now_ns
        self._wall_start_ns = wall_start_ns
        self._ledger = Ledger(model.limits)
        self._ids = Ids(model.seed)
        self._service_rng = random.Random(f"service time {model.seed}")
        self._bodies: dict[str, int] = {}
        self._key_ids: dict[str, str] = {}
        self._last_ns = -1
        self._at_once = 0

    def begin(self, request: Request, dialect: Dialect, owner: Scope) -> Exchange:
        """Take a request up to its answer.

        Args:
            request: The request.
            dialect: The dialect that it is answered in.
            owner: The scope whose calls it belongs to.

        Raises:
            AttemptLimit: Its call has made more attempts than any policy would.
        """
        with self._lock:
            before = len(self._recorder.records)
            try:
                return self._begin(request, dialect, owner)
            except Exception:
                for record in self._recorder.records[before:]:
                    record.status, record.reason = 500, "provider-error"
                    record.ended_ns = record.arrived_ns
                    self.calls.ended(record.place.call, failed=True, now_ns=record.arrived_ns)
                raise

    def attempts(self) -> tuple[Attempt, ...]:
        """Return every attempt as far as it has come."""
        with self._lock:
            return self._recorder.attempts()

    def _begin(self, request: Request, dialect: Dialect, owner: Scope) -> Exchange:
        """Parse, place, decide, answer."""
        now_ns = self._now_ns()
        self._count_at_once(now_ns)
        wall_ns = self._wall_start_ns + round(self._model.hint.skew_s * NS) + now_ns
        try:
            ask = dialect.parse(request)
        except BadRequest as error:
            record = self._record(dialect, request, owner, now_ns)
            record.reason = error.kind
            reply = dialect.error(error.status, error.kind, error.message, self._ids, wall_ns)
            return self._exchange(reply, record, wall_ns)
        cost = self._model.costs.cost(ask.body, ask.characters, ask.max_tokens)
        if ask.endpoint == "count_tokens":
            return self._count(dialect, request, ask, cost, now_ns, wall_ns)
        record = self._record(dialect, request, owner, now_ns)
        record.model, record.model_class = ask.model, dialect.model_class(ask.model)
        record.input_tokens, record.output_tokens = cost.input_tokens, cost.output_tokens
        record.max_tokens = ask.max_tokens
        fault = self._scripted(record, ask)
        if fault is None:
            reply = self._admit(dialect, ask, cost, record, wall_ns)
        else:
            reply = self._answer_fault(dialect, ask, cost, record, fault, wall_ns)
        return self._exchange(reply, record, wall_ns)

    def _record(self, dialect: Dialect, request: Request, owner: Scope, now_ns: int) -> Record:
        """Place an attempt in its call and begin its record."""
        hashed = hashlib.blake2b(request.path.encode(), digest_size=6)
        hashed.update(request.body)
        digest = hashed.hexdigest()
        sdk_retry = _sdk_retry(request.headers)
        self._bodies[digest] = self._bodies.get(digest, 0) + 1
        stated = self.callers.stated_name(request.headers)
        place = self.calls.place(owner, stated, digest, sdk_retry, now_ns)
        record = Record(
            place=place,
            digest=digest,
            caller=stated or self.callers.label(owner),
            sdk_retry=sdk_retry,
            key=self._key_id(dialect.api_key(request.headers)),
            host=request.host,
            dialect=dialect.name,
            arrived_ns=now_ns,
        )
        self._recorder.records.append(record)
        if place.attempt > MAX_ATTEMPTS:
            record.status, record.reason, record.ended_ns = 429, "stopped", now_ns
            own = (one for one in self._recorder.records if one.place.call is place.call)
            began_ns = next(own).arrived_ns
            raise AttemptLimit(
                f"one call of {record.caller} made {place.attempt:,} attempts in "
                f"{(now_ns - began_ns) / NS:,.3f} s: the run was stopped, "
                "since its code never would"
            )
        return record

    def _count_at_once(self, now_ns: int) -> None:
        """Stop a loop in which no time passes: no limit of time or attempts would ever end it."""
        if now_ns != self._last_ns:
            self._last_ns, self._at_once = now_ns, 0
        self._at_once += 1
        if self._at_once > MAX_AT_ONCE:
            raise AttemptLimit(
                f"{self._at_once:,} requests arrived at {now_ns / NS:,.3f} s, and no time passes: "
                "the run was stopped, since its code never would"
            )

    def _scripted(self, record: Record, ask: Ask) -> Fault | None:
        """Return the first script's answer, if a script has one."""
        if not self._scripts:
            return None
        arrival = Arrival(
            at=record.arrived_ns / NS,
            number=len(self._recorder.records) - 1,
            nth=self._bodies[record.digest] - 1,
            caller=record.caller,
            attempt=record.place.attempt,
            body=ask.body,
        )
        answers = (ask_script(script, arrival) for script in self._scripts)
        return next((fault for fault in answers if fault is not None), None)

    def _admit(self, dialect: Dialect, ask: Ask, cost: Cost, record: Record, wall_ns: int) -> Reply:
        """Ask the limits, and answer by their decision."""
        decision = self._ledger.admit(record.key, record.model_class, cost, record.arrived_ns)
        record.room = decision.room
        if decision.admitted:
            record.charged = 1.0
            usage = Usage(cost.input_tokens, cost.output_tokens)
            return dialect.served(ask, usage, decision.levels, self._ids, wall_ns)
        limit = decision.violated[0]
        record.reason = limit.name
        record.charged = limit.charge_rejected
        if decision.wait_ns is None:
            record.reason, record.terminal = "too-large", True
        hint = self._hint_for(decision)
        if hint.form == "reset" and decision.wait_ns:
            record.hint, record.hint_form = decision.wait_ns / NS, "reset"
        return self._refuse(dialect, ask, cost, decision, hint, wall_ns)

    def _refuse(
        self,
        dialect: Dialect,
        ask: Ask,
        cost: Cost,
        decision: Decision,
        hint: Hint,
        wall_ns: int,
    ) -> Reply:
        """Answer that a limit refuses, for now or for ever."""
        limit = decision.violated[0]
        requested = cost.of(limit.kind)
        levels, ids = decision.levels, self._ids
        if decision.wait_ns is None:
            return dialect.too_large(ask, limit, levels, ids, wall_ns, requested=requested)
        return dialect.refused(ask, limit, levels, hint, ids, wall_ns, requested=requested)

    def _hint_for(self, decision: Decision) -> Hint:
        """Return the hint of a refusal; where no wait can be known there is none to give."""
        if not decision.wait_ns or decision.violated[0].kind == "concurrent":
            return Hint("none", 0.0)
        style = self._model.hint
        return Hint(style.form, decision.wait_ns / NS + style.pad_s)

    def _answer_fault(
        self, dialect: Dialect, ask: Ask, cost: Cost, record: Record, fault: Fault, wall_ns: int
    ) -> Reply:
        """Answer as scripted."""
        body = fault.encoded_body()
        if fault.status == 200:
            usage = Usage(cost.input_tokens, cost.output_tokens)
            reply = dialect.served(ask, usage, (), self._ids, wall_ns)
            return overridden(reply, fault.headers, body)
        reply = overridden(
            dialect.error(fault.status, None, None, self._ids, wall_ns), fault.headers, body
        )
        code = error_code(reply.chunks[0].data)
        record.reason = "overloaded" if fault.status in OVERLOADED else "scripted"
        if code in TERMINAL_CODES:
            record.reason, record.terminal = code, True
        return reply

    def _count(
        self,
        dialect: Dialect,
        request: Request,
        ask: Ask,
        cost: Cost,
        now_ns: int,
        wall_ns: int,
    ) -> Exchange:
        """Answer a request for a token count: it has its own limit and no service time."""
        key, group = self._key_id(dialect.api_key(request.headers)), dialect.model_class(ask.model)
        decision = self._ledger.admit(key, group, cost, now_ns, endpoint="count_tokens")
        if decision.admitted:
            reply = dialect.counted(ask, cost.input_tokens, self._ids, wall_ns)
        else:
            hint = self._hint_for(decision)
            reply = self._refuse(dialect, ask, cost, decision, hint, wall_ns)
        return Exchange(reply, 0.0, None, self._now_ns, None)

    def _exchange(self, reply: Reply, record: Record, wall_ns: int) -> Exchange:
        """Finish the record as far as the answer is known, and hand the answer to the door."""
        record.status, record.stream = reply.status, reply.stream
        record.terminal = record.terminal or reply.status in TERMINAL_STATUSES
        if reply.status != 200 and record.hint_form is None:
            # The client compares a date with its own clock, whatever the provider's says.
            client_wall_ns = wall_ns - round(self._model.hint.skew_s * NS)
            hint = read_hint(dict(reply.headers), client_wall_ns)
            if hint is not None:
                record.hint, record.hint_form = hint
        waits = self._model.service.waits(reply, self._service_rng)
        return Exchange(reply, waits, record, self._now_ns, self._finish)

    def _finish(self, exchange: Exchange) -> None:
        """Note how an attempt ended, and free what it held."""
        record = exchange.record
        if record is None:
            return
        failed = record.status != 200 or record.cancelled_ns is not None
        with self._lock:
            if record.room is not None and record.status == 200:
                self._ledger.release(record.key, record.model_class)
            self.calls.ended(record.place.call, failed=failed, now_ns=self._now_ns())

    def _key_id(self, key: str) -> str:
        """Return eight hex digits that stand for an API key."""
        identity = self._key_ids.get(key)
        if identity is None:
            salt = self._model.seed.to_bytes(8, "big")
            identity = hashlib.blake2b(key.encode(), digest_size=4, key=salt).hexdigest()
            self._key_ids[key] = identity
        return identity


def _sdk_retry(headers: Mapping[str, str]) -> int | None:
    """Return the SDK's own retry counter, if it sent one that can be read."""
    value = headers.get("x-stainless-retry-count", "")
    return int(value) if value.isdecimal() else None
