"""Attempt: one request that reached the provider, with the provider's decision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Layer = Literal["first", "sdk", "code"]
HintForm = Literal["seconds", "ms", "date", "reset", "body"]

# How callers are called that state no name to a server.
UNNAMED = "client "
REFUSED = frozenset({429, 503, 529})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request that reached the provider; times are seconds since the trace began.

    Args:
        index: Position in the trace, from 0, in order of arrival.
        caller: Who made it: a name, or the task or thread.
        call: Number of the call that it belongs to, from 0 in order of first arrival.
        unit: Identity of the work asked for; the same for a call and for its re-queues.
        attempt: Position in its call, from 1.
        layer: Who made it: `"first"` for a first attempt, `"sdk"` where the SDK's own retry
            counter says so, `"code"` for the code around the SDK.
        sdk_retry: The SDK's own retry counter (`x-stainless-retry-count`), if it sent one.
        attribution: `"exact"`, or `"inferred"` where nothing tells a retry from new work.
        key: Eight hex digits that stand for the API key; never the key.
        host: Host that the request was sent to.
        dialect: Wire dialect, such as `"anthropic"`.
        model: Model as requested.
        model_class: The group of models that shares a limit with it.
        input_tokens: Input tokens of its cost.
        output_tokens: Output tokens of its cost.
        max_tokens: Output tokens that the request reserved, if it said so.
        arrived_at: When it reached the provider, in seconds.
        ended_at: When the answer had left the provider, in seconds; None while it is served.
        status: HTTP status of the answer.
        reason: What refused it: a limit's name, `"scripted"`, or the provider's error type; None
            if it was served.
        hint: Seconds from `ended_at` that the provider told the client to wait, if it did. For a
            `"reset"` the wait until its cost fits: the header says when the limit is full.
        hint_form: How the hint was sent; a `"date"` or `"reset"` is a deadline in whole seconds.
        room: How many attempts of this cost the limits would have admitted on arrival (1 or more
            means that it fits); None where the answer was scripted.
        charged: Share of its cost that was charged: 1 if served, 0 if refused for free.
        terminal: True where no wait can cure the answer (quota, too large, 400, 401, ...).
        stream: True if the answer was streamed.
        output_at: When the first output left the provider, in seconds; None before any output.
        cancelled_at: When the client gave up waiting for the answer, in seconds.
        depth: How deep on its caller's stack the loop lies that sent it again, the outermost
            lowest; None for a first attempt, or where no stack was seen.
    """

    index: int
    caller: str
    call: int
    unit: str
    attempt: int
    layer: Layer
    sdk_retry: int | None
    attribution: Literal["exact", "inferred"]
    key: str
    host: str
    dialect: str
    model: str
    model_class: str
    input_tokens: int
    output_tokens: int
    max_tokens: int | None
    arrived_at: float
    ended_at: float | None
    status: int
    reason: str | None
    hint: float | None
    hint_form: HintForm | None
    room: float | None
    charged: float
    terminal: bool
    stream: bool
    output_at: float | None
    cancelled_at: float | None
    depth: int | None = None

    def later(self, seconds: float) -> Attempt:
        """Return the same attempt on a clock that is ahead.

        Args:
            seconds: How far ahead it is.
        """
        ended_at, output_at, cancelled_at = (
            None if at is None else at + seconds
            for at in (self.ended_at, self.output_at, self.cancelled_at)
        )
        return replace(
            self,
            arrived_at=self.arrived_at + seconds,
            ended_at=ended_at,
            output_at=output_at,
            cancelled_at=cancelled_at,
        )

    @property
    def tokens(self) -> int:
        """Input plus output tokens of its cost."""
        return self.input_tokens + self.output_tokens

    @property
    def refused(self) -> bool:
        """True if it was answered 429, 503 or 529 before any output."""
        return self.status in REFUSED and self.output_at is None

    @property
    def succeeded(self) -> bool:
        """True if it was served to the end."""
        served = self.status == 200 and self.reason is None and self.cancelled_at is None
        return served and self.ended_at is not None

    @property
    def is_retry(self) -> bool:
        """True for any attempt of a call after the first."""
        return self.attempt > 1
