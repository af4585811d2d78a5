"""Simulation: callers, retry policies and limits in virtual time, event by event, without an SDK.

It asks the same limiters as the provider and draws service times and random delays in the same
order, so a job that is simulated and one that is replayed through an SDK have the same trace.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

from fake_provider._ledger import limiter_for
from fake_provider._limiters import NS_PER_S, decide
from fake_provider._limits import Limits
from fake_provider._service import ServiceTime, service_time
from fake_provider._simulated import NEVER, SERVED, Simulated, hint_s
from fake_provider._stated import real_number, whole_number
from fake_provider._tokens import Cost, price
from fake_provider._trace import Trace


class Refused(NamedTuple):
    """What a client knows when one of its attempts has been refused.

    Args:
        attempt: Position of the attempt in its call, from 1.
        hint_s: Seconds that the refusal asks to wait, whole; None where no wait can help.
        at_s: Seconds since the start.
        random: The random numbers of the run.
    """

    attempt: int
    hint_s: float | None
    at_s: float
    random: random.Random


Delay = Callable[[Refused], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Callers that each make their calls one after the other, against one key's limits.

    Args:
        delay: Seconds to wait before the next attempt, given what a client knows of a refusal;
            None gives the call up.
        limits: The limits; none on concurrent requests, and none that settles a charge later.
        starts: Seconds at which each caller begins, one for each caller.
        calls: Calls of each caller: a number, or one for each.
        tokens: Input tokens of a call, at least 0.
        output_tokens: Output tokens of a call, at least 0.
        latency: Seconds of service time, or a ServiceTime.
        pace: Seconds that a call's first and every later attempt is held back before it is sent,
            given its tokens and the seconds since the start: a budget that callers share.
        requeue: Seconds after which callers that gave up go on, together, where they failed, once
            all have ended or given up, given the random numbers of the run; None goes on with the
            next call at once.
        seed: Seed of the service times and of the random numbers.
        stop_after: Virtual seconds after which the run is stopped, above 0.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of its range; the message names it and what is allowed.
    """

    delay: Delay
    limits: Limits
    starts: Sequence[float] = (0.0,)
    calls: int | Sequence[int] = 1
    tokens: int = 1_000
    output_tokens: int = 0
    latency: float | ServiceTime = 0.5
    pace: Callable[[int, float], float] | None = None
    requeue: Callable[[random.Random], float] | None = None
    seed: int = 0
    stop_after: float = 86_400.0

    def __post_init__(self) -> None:
        if not callable(self.delay):
            raise TypeError(f"delay must be a function of a refusal, got {self.delay!r}")
        if not isinstance(self.limits, Limits):
            raise TypeError(f"limits must be a Limits(...) value, got {self.limits!r}")
        for limit in self.limits:
            if limit.kind == "concurrent" or limit.charge in ("reserve", "delivered"):
                raise ValueError(
                    "limits must be charged once, at admission, for a simulation: got "
                    f"{limit} with charge={limit.charge!r}"
                )
        for start in self.starts:
            real_number("starts", start, "seconds", low=0.0)
        if not self.starts:
            raise ValueError("starts must hold a number of seconds for each caller, got none")
        for number in self._calls():
            whole_number("calls", number)
        if len(self._calls()) != len(self.starts):
            raise ValueError(
                f"calls must be a number, or one for each of {len(self.starts):,} starts, got "
                f"{len(self._calls()):,}"
            )
        whole_number("tokens", self.tokens, at_least=0)
        whole_number("output_tokens", self.output_tokens, at_least=0)
        service_time(self.latency)
        whole_number("seed", self.seed, at_least=0)
        real_number("stop_after", self.stop_after, "seconds", above=0.0)

    def _calls(self) -> Sequence[int]:
        """Return the calls of each caller."""
        return [self.calls] * len(self.starts) if isinstance(self.calls, int) else self.calls

    def run(self) -> Simulated:
        """Run it to its end, or until it is stopped."""
        run = _Run(self, self._calls())
        run.go()
        over = f"{self.stop_after:g} virtual seconds are over" if run.events else None
        trace = Trace(
            limits=self.limits,
            ended_at=run.now_ns / NS_PER_S,
            seed=self.seed,
            stopped=over,
        )
        return Simulated(trace, (self.tokens, self.output_tokens), run.rows, run.rooms)


class _Run:
    """One run of a simulation.

    Args:
        stated: The simulation.
        calls: The calls of each caller.
    """

    def __init__(self, stated: Simulation, calls: Sequence[int]) -> None:
        self._stated = stated
        self._calls = calls
        self._limits = stated.limits.limits
        self._limiters = [limiter_for(limit) for limit in self._limits]
        cost = Cost(stated.tokens, stated.output_tokens)
        self._costs = [price(limit)(cost) for limit in self._limits]
        alone = len(self._costs) == 1 and self._costs[0] > 0
        self._decide = self._decide_one if alone else self._decide_all
        self._tokens = stated.tokens + stated.output_tokens
        self._service = service_time(stated.latency)
        # The provider's own numbers and the application's, each as in a replay.
        self._service_rng = random.Random(f"service time {stated.seed}")
        self._rng = random.Random(stated.seed)
        self.rows, self.rooms = array("q"), array("d")
        self.now_ns = 0
        # Instant, number in order of making, what happens, and to which caller.
        self.events: list[tuple[int, int, Callable[[int], None], int]] = []
        self._made = 0
        # By caller: the place of its call, the call's number, its attempts, its last wait.
        self._places, self._numbers, self._attempts, self._waits = (
            [0] * len(calls) for _ in range(4)
        )
        self._begun = 0
        self._busy = len(calls)
        self._gave_up: list[int] = []

    def go(self) -> None:
        """Run until nothing is left to happen, or the time is over."""
        for caller, start in enumerate(self._stated.starts):
            self._at(round(start * NS_PER_S), self._begin, caller)
        events, until_ns = self.events, round(self._stated.stop_after * NS_PER_S)
        while events and events[0][0] <= until_ns:
            self.now_ns, _, happens, caller = heappop(events)
            happens(caller)

    def _at(self, when_ns: int, happens: Callable[[int], None], caller: int) -> None:
        """Have something happen."""
        self._made += 1
        heappush(self.events, (when_ns, self._made, happens, caller))

    def _begin(self, caller: int) -> None:
        """Begin a caller's next call."""
        self._attempts[caller] = 0
        self._send(caller)

    def _send(self, caller: int) -> None:
        """Send an attempt, once the budget that callers share lets it go."""
        if self._stated.pace is None:
            self._arrive(caller)
            return
        held_s = self._stated.pace(self._tokens, self.now_ns / NS_PER_S)
        self._at(self.now_ns + round(held_s * NS_PER_S), self._arrive, caller)

    def _arrive(self, caller: int) -> None:
        """Decide on an attempt, and have its answer come."""
        now_ns = self.now_ns
        attempt = self._attempts[caller] = self._attempts[caller] + 1
        if attempt == 1:
            self._numbers[caller] = self._begun
            self._begun += 1
        room, wait_ns, refusing = self._decide(now_ns)
        admitted = refusing < 0
        if admitted:
            ended_ns = now_ns + round(self._service.draw(self._service_rng) * NS_PER_S)
            wait_ns = SERVED
            self._at(ended_ns, self._succeed, caller)
        else:
            ended_ns = now_ns + round(self._service.refusal * NS_PER_S)
            wait_ns = NEVER if wait_ns is None else wait_ns
        place, number = self._places[caller], self._numbers[caller]
        self.rows.extend((now_ns, ended_ns, caller, place, number, attempt, wait_ns, refusing))
        self.rooms.append(room)
        if admitted:
            return
        self._waits[caller] = wait_ns
        if ended_ns == now_ns:
            self._fail(caller)
        else:
            self._at(ended_ns, self._fail, caller)

    def _decide_all(self, now_ns: int) -> tuple[float, int | None, int]:
        """Return room, wait and the place of the limit that refuses, -1 if none does."""
        decision = decide(self._limiters, self._costs, now_ns)
        refusing = -1 if decision[0] else self._limits.index(decision[3][0])
        return decision[1], decision[2], refusing

    def _decide_one(self, now_ns: int) -> tuple[float, int | None, int]:
        """Return the same, where one limiter decides on a cost: it takes half the time."""
        (limiter,), (cost,) = self._limiters, self._costs
        level = limiter.take(cost, now_ns)
        if level is not None:
            return (level[1] + cost) / cost, 0, -1
        room = limiter.room(now_ns)
        limiter.reject(cost, now_ns)
        return max(room / cost, 0.0), limiter.wait(cost, now_ns), 0

    def _succeed(self, caller: int) -> None:
        """Go on with the next call."""
        self._places[caller] += 1
        if self._places[caller] < self._calls[caller]:
            self._begin(caller)
        else:
            self._leave()

    def _fail(self, caller: int) -> None:
        """Retry as the policy says, or give the call up."""
        wait_ns, attempt = self._waits[caller], self._attempts[caller]
        hint = None if wait_ns == NEVER else hint_s(wait_ns)
        refused = Refused(attempt, hint, self.now_ns / NS_PER_S, self._rng)
        delay_s = self._stated.delay(refused)
        if delay_s is not None:
            self._at(self.now_ns + round(delay_s * NS_PER_S), self._send, caller)
        elif self._stated.requeue is None:
            self._succeed(caller)
        else:
            self._gave_up.append(caller)
            self._leave()

    def _leave(self) -> None:
        """Note that a caller has ended; the last one has those who gave up go on."""
        self._busy -= 1
        if not self._busy and self._gave_up and self._stated.requeue is not None:
            pause_s = self._stated.requeue(self._rng)
            self._at(self.now_ns + round(pause_s * NS_PER_S), self._go_on, 0)

    def _go_on(self, _: int) -> None:
        """Have those who gave up go on, together, where they failed."""
        callers, self._gave_up = self._gave_up, []
        self._busy = len(callers)
        for caller in callers:
            self._begin(caller)
