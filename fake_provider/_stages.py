"""Stages: what happens to one request between the door and the trace."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from fake_provider._attempt import Attempt
from fake_provider._counting import Counting
from fake_provider._events import error_event
from fake_provider._exchange import Exchange
from fake_provider._faults import Fault, error_code, overridden
from fake_provider._hints import HintStyle, names_reset, read_hint
from fake_provider._intake import Intake, Watcher
from fake_provider._ledger import Ledger
from fake_provider._limits import Limits
from fake_provider._lineage import Lineage
from fake_provider._peers import Peer
from fake_provider._reasons import note_failure, note_fault
from fake_provider._recorder import NS, Record
from fake_provider._replies import Replies
from fake_provider._script import Arrival, Script, ask_scripts
from fake_provider._service import ServiceTime
from fake_provider._shared_ledger import SharedLedger
from fake_provider._store import LedgerLost, Store
from fake_provider._terminal import is_terminal
from fake_provider._tokens import Cost, CostModel
from fake_provider._waits import Scope
from fake_provider._wire import Dialect
from fake_provider._wire._answer import PLAIN
from fake_provider._wire._shapes import (
    Ask,
    BadRequest,
    Content,
    Ids,
    Reply,
    Request,
    Shelf,
)

# Why an attempt is refused whose limits cannot be asked.
LOST = "ledger-lost"


@dataclass(frozen=True, slots=True)
class Model:
    """How a provider decides and answers.

    Args:
        limits: What it enforces.
        costs: What a request costs.
        service: How long it takes.
        hint: How it tells a refused client to wait.
        seed: Seed of its ids and service times.
        store: Where charges are kept; None for this process.
        refuses_when_lost: True answers 503 while that store is lost, False fails the run.
    """

    limits: Limits
    costs: CostModel
    service: ServiceTime
    hint: HintStyle
    seed: int
    store: Store | None = None
    refuses_when_lost: bool = True


class Stages:
    """Parse, place, script, admit, answer: one trace's worth of requests.

    Args:
        model: How the provider decides and answers.
        lineage: Who started whom.
        scripts: Scripts that are asked before the limits, in order.
        watchers: Called with each attempt that has ended.
        now_ns: Reads the clock: nanoseconds since the trace began.
        wall_start_ns: The code under test's wall clock when the trace began, POSIX nanoseconds.
        keeps: How many attempts that have ended are kept, the last ones; None for all.
    """

    def __init__(
        self,
        model: Model,
        lineage: Lineage,
        scripts: list[Script],
        watchers: list[Watcher],
        now_ns: Callable[[], int],
        wall_start_ns: int,
        keeps: int | None = None,
    ) -> None:
        # A script may read the trace while it decides.
        self._lock = threading.RLock()
        self.intake = Intake(lineage, watchers, model.seed, keeps)
        self._model = model
        self._scripts = scripts
        self._now_ns = now_ns
        self._wall_start_ns = wall_start_ns
        # Days and minutes begin by the provider's own clock.
        skew_ns = round(model.hint.skew_s * NS)
        self.ledger: Ledger | SharedLedger = (
            Ledger(model.limits, wall_start_ns + skew_ns)
            if model.store is None
            else SharedLedger(model.limits, model.store)
        )
        self._replies = Replies(model.hint, Ids(model.seed))
        self._service_rng = random.Random(f"service time {model.seed}")
        self._shelves: dict[str, Shelf] = {}
        self._counting = Counting() if model.costs.library else None

    def begin(self, request: Request, dialect: Dialect, owner: Scope | Peer) -> Exchange:
        """Take a request up to its answer.

        Args:
            request: The request.
            dialect: The dialect that it is answered in.
            owner: The scope whose calls it belongs to; the connection of another process.

        Raises:
            AttemptLimit: Its call has made more attempts than any policy would.
        """
        with self._lock:
            before = self.intake.count
            try:
                return self._begin(request, dialect, owner)
            except Exception:
                for index in range(before, self.intake.count):
                    record = self.intake.records[index]
                    record.status, record.reason = 500, "provider-error"
                    record.ended_ns = record.arrived_ns
                    self.intake.ended(record, failed=True, now_ns=record.arrived_ns)
                raise

    def attempts(self) -> tuple[Attempt, ...]:
        """Return every attempt as far as it has come."""
        with self._lock:
            return self.intake.attempts()

    def _begin(self, request: Request, dialect: Dialect, owner: Scope | Peer) -> Exchange:
        """Parse, place, decide, answer."""
        now_ns = self._now_ns()
        self.intake.count_at_once(now_ns)
        wall_ns = self._wall_start_ns + round(self._model.hint.skew_s * NS) + now_ns
        try:
            ask = dialect.parse(request)
        except BadRequest as error:
            record = self.intake.record(dialect, request, owner, now_ns)
            record.reason = error.kind
            reply = self._replies.malformed(dialect, error, wall_ns)
            return self._exchange(reply, record, wall_ns)
        if ask.endpoint == "manage":
            return self._unrecorded(self._manage(dialect, request, wall_ns))
        counted = self._counting.tokens(ask) if self._counting else None
        cost = self._model.costs.cost(ask.body, ask.characters, ask.max_tokens, counted)
        if ask.endpoint == "count_tokens":
            return self._unrecorded(self._count(dialect, request, ask, cost, now_ns, wall_ns))
        record = self.intake.record(dialect, request, owner, now_ns)
        record.model, record.model_class = ask.model, dialect.model_class(ask.model)
        record.input_tokens, record.output_tokens = cost.input_tokens, cost.output_tokens
        record.max_tokens, record.cost = ask.max_tokens, cost
        fault, content = self._scripted(record, ask)
        if fault is not None and not fault.is_admitted:
            reply = self._fail(dialect, ask, content, cost, record, fault, wall_ns)
        else:
            reply = self._admit(dialect, ask, content, cost, record, wall_ns)
            if fault is not None and reply.status == 200:
                reply = self._break(dialect, ask, record, reply, fault)
        return self._exchange(reply, record, wall_ns)

    def _scripted(self, record: Record, ask: Ask) -> tuple[Fault | None, Content]:
        """Return the scripts' fault, if one has any, and the content of an answer."""
        if not self._scripts:
            return None, PLAIN
        arrival = Arrival(
            at=record.arrived_ns / NS,
            number=self.intake.count - 1,
            nth=self.intake.earlier(record),
            caller=record.caller,
            attempt=record.place.attempt,
            body=ask.body,
        )
        fault, answer = ask_scripts(self._scripts, arrival)
        return fault, PLAIN if answer is None else answer.content

    def _admit(
        self, dialect: Dialect, ask: Ask, content: Content, cost: Cost, record: Record, wall_ns: int
    ) -> Reply:
        """Ask the limits, and answer by their decision."""
        try:
            decision = self.ledger.admit(record.key, record.model_class, cost, record.arrived_ns)
        except LedgerLost as lost:
            if not self._model.refuses_when_lost:
                raise
            record.reason = LOST
            return self._replies.lost(dialect, lost, wall_ns)
        record.room, record.charged_ns = decision.room, decision.charged_ns
        if decision.admitted:
            record.charged = 1.0
            return self._replies.served(dialect, ask, content, cost, decision.levels, wall_ns)
        limit = decision.violated[0]
        record.reason = limit.name
        record.charged = limit.charge_rejected
        reply = self._replies.refused(dialect, ask, cost, decision, wall_ns)
        if decision.wait_ns is None:
            record.reason, record.terminal = "too-large", True
        elif self._replies.hint_for(decision).form == "reset" and names_reset(reply):
            record.hint, record.hint_form = decision.wait_ns / NS, "reset"
        return reply

    def _fail(
        self,
        dialect: Dialect,
        ask: Ask,
        content: Content,
        cost: Cost,
        record: Record,
        fault: Fault,
        wall_ns: int,
    ) -> Reply:
        """Answer as scripted, whatever the limits say."""
        if fault.status == 200:
            reply = overridden(
                self._replies.served(dialect, ask, content, cost, (), wall_ns), fault
            )
            event = error_event(reply.content) if reply.stream else None
            if event is not None:
                note_failure(record, error_code(event))
            return reply
        reply = overridden(self._replies.failed(dialect, ask, cost, fault, wall_ns), fault)
        note_fault(record, fault, error_code(reply.content))
        return reply

    def _break(
        self, dialect: Dialect, ask: Ask, record: Record, reply: Reply, fault: Fault
    ) -> Reply:
        """Have the fault happen in the middle of an admitted answer."""
        if fault.kind in ("cut", "garbage"):
            record.reason = fault.kind
        elif not fault.breaks and reply.stream:
            note_fault(record, fault, fault.code)
        return self._replies.broken(dialect, ask, reply, fault)

    def _count(
        self,
        dialect: Dialect,
        request: Request,
        ask: Ask,
        cost: Cost,
        now_ns: int,
        wall_ns: int,
    ) -> Reply:
        """Answer a request for a token count, which has its own limit."""
        key, group = self.intake.key_id(dialect.api_key(request)), dialect.model_class(ask.model)
        try:
            decision = self.ledger.admit(key, group, cost, now_ns, endpoint="count_tokens")
        except LedgerLost as lost:
            if not self._model.refuses_when_lost:
                raise
            return self._replies.lost(dialect, lost, wall_ns)
        if decision.admitted:
            return self._replies.counted(dialect, ask, cost, wall_ns)
        return self._replies.refused(dialect, ask, cost, decision, wall_ns)

    def _manage(self, dialect: Dialect, request: Request, wall_ns: int) -> Reply:
        """Answer a request that runs no model."""
        key = self.intake.key_id(dialect.api_key(request))
        shelf = self._shelves.setdefault(f"{dialect.name} {key}", {})
        return self._replies.managed(dialect, request, shelf, wall_ns)

    def _unrecorded(self, reply: Reply) -> Exchange:
        """Hand an answer to what is no attempt to the door: it takes no service time."""
        return Exchange(reply, 0.0, None, self._now_ns, None)

    def _exchange(self, reply: Reply, record: Record, wall_ns: int) -> Exchange:
        """Finish the record as far as the answer is known, and hand the answer to the door."""
        record.status, record.stream = reply.status, reply.stream
        if reply.status != 200 and record.hint_form is None:
            # The client compares a date with its own clock, whatever the provider's says.
            client_wall_ns = wall_ns - round(self._model.hint.skew_s * NS)
            hint = read_hint(dict(reply.headers), client_wall_ns, reply.content)
            if hint is not None:
                record.hint, record.hint_form = hint
        record.terminal = record.terminal or is_terminal(reply, record.hint)
        waits = self._model.service.waits(reply, self._service_rng)
        return Exchange(reply, waits, record, self._now_ns, self._finish)

    def _finish(self, exchange: Exchange) -> None:
        """Note how an attempt ended, and free what it held."""
        record = exchange.record
        if record is None:
            return
        served = record.status == 200 and record.reason is None
        failed = not served or record.cancelled_ns is not None
        with self._lock:
            now_ns = self._now_ns()
            if record.room is not None and record.status == 200 and record.cost is not None:
                key, group = record.key, record.model_class
                self.ledger.settle(key, group, record.cost, record.charged_ns, now_ns)
                self.ledger.release(key, group)
            self.intake.ended(record, failed=failed, now_ns=now_ns)
