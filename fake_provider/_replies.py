"""Replies: what a dialect is asked to render, for each way in which an attempt can go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_provider._faults import broken
from fake_provider._tokens import price
from fake_provider._wire._named import named_failure, named_reply
from fake_provider._wire._shapes import NO_HINT, Failure, Hint, Moment, Refusal, Usage

if TYPE_CHECKING:
    from fake_provider._faults import Fault
    from fake_provider._hints import HintStyle
    from fake_provider._limiters import Decision, Level
    from fake_provider._tokens import Cost
    from fake_provider._wire import Dialect
    from fake_provider._wire._shapes import Ask, BadRequest, Content, Ids, Reply, Request, Shelf


class Replies:
    """Renders answers by a dialect, with ids that come from the provider's seed.

    Args:
        hint: How a refused client is told to wait.
        ids: Source of identifiers.
    """

    def __init__(self, hint: HintStyle, ids: Ids) -> None:
        self._hint = hint
        self._ids = ids

    def served(
        self,
        dialect: Dialect,
        ask: Ask,
        content: Content,
        cost: Cost,
        levels: tuple[Level, ...],
        wall_ns: int,
    ) -> Reply:
        """Return the answer of an attempt that is served, whose usage is what it costs."""
        usage = Usage(
            cost.input_tokens, cost.output_tokens, cost.cached_tokens, cost.cache_written_tokens
        )
        return dialect.served(Moment(ask, levels, self._ids, wall_ns), content, usage)

    def refused(
        self, dialect: Dialect, ask: Ask, cost: Cost, decision: Decision, wall_ns: int
    ) -> Reply:
        """Return that a limit refuses, for now or for ever."""
        limit = decision.violated[0]
        requested = price(limit)(cost)
        moment = Moment(ask, decision.levels, self._ids, wall_ns)
        if decision.wait_ns is None:
            return dialect.too_large(moment, Refusal(limit, NO_HINT, requested))
        return dialect.refused(moment, Refusal(limit, self.hint_for(decision), requested))

    def hint_for(self, decision: Decision) -> Hint:
        """Return the hint of a refusal; where no wait can be known there is none to give."""
        if not decision.wait_ns or decision.violated[0].kind == "concurrent":
            return NO_HINT
        return Hint(self._hint.form, max(0.0, decision.wait_ns / 1e9 + self._hint.pad_s))

    def counted(self, dialect: Dialect, ask: Ask, cost: Cost, wall_ns: int) -> Reply:
        """Return a count of tokens."""
        return dialect.counted(Moment(ask, (), self._ids, wall_ns), cost.input_tokens)

    def managed(self, dialect: Dialect, request: Request, shelf: Shelf, wall_ns: int) -> Reply:
        """Return the answer of an endpoint that runs no model."""
        return dialect.managed(request, shelf, self._ids, wall_ns)

    def malformed(self, dialect: Dialect, error: BadRequest, wall_ns: int) -> Reply:
        """Return what is wrong with a request."""
        return dialect.error(Failure(error.status, error.kind, error.message), self._ids, wall_ns)

    def lost(self, dialect: Dialect, error: Exception, wall_ns: int) -> Reply:
        """Return that the limits cannot be asked."""
        return dialect.error(Failure(503, message=f"fake-provider: {error}"), self._ids, wall_ns)

    def failed(self, dialect: Dialect, ask: Ask, cost: Cost, fault: Fault, wall_ns: int) -> Reply:
        """Return the dialect's error of a fault's status and code, or of its name."""
        if fault.name is not None:
            tokens = cost.input_tokens + cost.allowed_tokens
            return named_reply(dialect, fault.name, Moment(ask, (), self._ids, wall_ns), tokens)
        return dialect.error(Failure(fault.status, fault.code), self._ids, wall_ns)

    def broken(self, dialect: Dialect, ask: Ask, reply: Reply, fault: Fault) -> Reply:
        """Return an answer with a fault in its middle."""
        failure = Failure(fault.status, fault.code)
        if fault.name is not None:
            failure = named_failure(dialect, fault.name)
        return broken(
            reply, fault, lambda sent: dialect.stream_error(ask, failure, self._ids, sent)
        )
