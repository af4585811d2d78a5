"""Callers against one limit, simulated event by event: a trace without a provider.

Delays are functions of a `Situation`; the limiter is the textbook one of its `Limit`. Times are
seconds from the start. Nothing here is shared with the code under test but the trace's types.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from fake_provider._attempt import Attempt
from fake_provider._limits import Limit, Limits
from fake_provider._trace import Trace


@dataclass
class Situation:
    """What a client knows when its attempt has been refused."""

    refusals: int
    hint: float | None
    now: float
    rng: random.Random
    memory: dict[str, float] = field(default_factory=dict)

    def doubled(self, base: float = 1.0, cap: float = 60.0, factor: float = 2.0) -> float:
        """The exponential ceiling for this refusal, in seconds."""
        return min(cap, base * factor ** (self.refusals - 1))


Delay = Callable[[Situation], float]


class Bucket:
    """A token bucket, filled at the start; refused attempts may be charged."""

    def __init__(self, limit: Limit) -> None:
        self.limit, self.level, self.at = limit, float(limit.capacity), 0.0
        self.floor = -limit.capacity if limit.floor is None else limit.floor

    def room(self, now: float) -> float:
        """Units that fit now."""
        gained = (now - self.at) * self.limit.rate
        self.level, self.at = min(self.limit.capacity, self.level + gained), now
        return self.level

    def admit(self, cost: float, now: float) -> bool:
        """Admit a cost, or charge its refusal."""
        if self.room(now) >= cost - 1e-6:
            self.level -= cost
            return True
        if self.limit.charge_rejected:
            charge = self.limit.charge_rejected * cost
            self.level = max(self.floor, self.level - charge)
        return False

    def wait(self, cost: float, now: float) -> float:
        """Seconds until a cost fits if nobody else comes."""
        return max(0.0, (cost - self.room(now)) / self.limit.rate)


class Window:
    """A sliding window that remembers every charge."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.charges: deque[tuple[float, float]] = deque()

    def room(self, now: float) -> float:
        """Units that fit now."""
        while self.charges and self.charges[0][0] <= now - self.limit.window:
            self.charges.popleft()
        return self.limit.capacity - sum(amount for _, amount in self.charges)

    def admit(self, cost: float, now: float) -> bool:
        """Admit a cost, or charge its refusal."""
        fits = self.room(now) >= cost - 1e-6
        share = 1.0 if fits else self.limit.charge_rejected
        if share:
            self.charges.append((now, share * cost))
        return fits

    def wait(self, cost: float, now: float) -> float:
        """Seconds until a cost fits if nobody else comes."""
        missing = cost - self.room(now)
        for at, amount in self.charges:
            if missing <= 1e-6:
                break
            missing -= amount
            if missing <= 1e-6:
                return at + self.limit.window - now
        return 0.0 if missing <= 1e-6 else self.limit.window


def limiter_for(limit: Limit) -> Bucket | Window:
    """The textbook limiter of a limit."""
    return Bucket(limit) if limit.algorithm == "token-bucket" else Window(limit)


@dataclass
class Job:
    """One call of one caller, with everything that its attempts share."""

    caller: int
    place: int
    call: int
    tokens: int
    service: float
    made: int = 0
    refusals: int = 0
    rounds: int = 0
    memory: dict[str, float] = field(default_factory=dict)


@dataclass
class Simulation:
    """Callers that each make their calls one after the other.

    `script(now, call)` True refuses without asking the limit. `noise(rng)` is the network's time
    each way. `seeds` is the number of different generators among the callers. `outer` is
    `(rounds, delay)` of a loop around the inner one, whose attempts then count as the SDK's.
    `requeue(rng)` is the time after which the failed calls of a round are dispatched again.
    """

    delay: Delay
    limit: Limit | None = None
    callers: int = 12
    calls: int | list[int] = 5
    tokens: Callable[[int, int, random.Random], int] = lambda caller, place, rng: 41_000
    service: Callable[[int, int, random.Random], float] = lambda caller, place, rng: 2.0
    start: Callable[[int, random.Random], float] = lambda caller, rng: 0.0
    attempts: int = 5
    hint: str | float | None = None
    script: Callable[[float, int], bool] | None = None
    noise: Callable[[random.Random], float] | None = None
    seeds: int | None = None
    pacer: Limit | None = None
    outer: tuple[int, Delay] | None = None
    sdk: bool = False
    budget: list[float] | None = None
    requeue: Callable[[random.Random], float] | None = None
    seed: int = 0
    horizon: float = 7200.0
    clock: str = "virtual"
    resolution: float = 1e-6

    def run(self) -> Trace:
        """Return the trace."""
        self._world = random.Random(self.seed * 7919 + 1)
        groups = self.seeds or self.callers
        self._rngs = [random.Random(self.seed * 104_729 + c % groups) for c in range(self.callers)]
        self._limiter = None if self.limit is None else limiter_for(self.limit)
        self._bucket = None if self.pacer is None else Bucket(self.pacer)
        self._queue: deque[Job] = deque()
        self._pumping = False
        self._events: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._made: list[Attempt] = []
        self._numbers = 0
        self._calls = 0
        self._done = 0
        self._parked: list[tuple[int, int]] = []
        for caller in range(self.callers):
            self._at(self.start(caller, self._world), self._begin, caller, 0)
        now = 0.0
        while self._events and self._events[0][0] <= self.horizon:
            now, _, action, args = heapq.heappop(self._events)
            action(now, *args)
        limits = Limits() if self.limit is None else Limits.of([self.limit])
        return Trace(
            attempts=tuple(self._made),
            limits=limits,
            clock="virtual" if self.clock == "virtual" else "real",
            resolution=self.resolution,
            ended_at=now,
        )

    def _at(self, when: float, action: Callable[..., None], *args: object) -> None:
        self._numbers += 1
        heapq.heappush(self._events, (when, self._numbers, action, args))

    def _lag(self) -> float:
        return self.noise(self._world) if self.noise else 0.0

    def _begin(self, now: float, caller: int, place: int) -> None:
        own = self.calls if isinstance(self.calls, int) else self.calls[caller]
        if place >= own:
            self._done += 1
            self._dispatch(now)
            return
        job = Job(
            caller,
            place,
            self._calls,
            self.tokens(caller, place, self._world),
            self.service(caller, place, self._world),
        )
        self._calls += 1
        self._send(now, job)

    def _send(self, now: float, job: Job) -> None:
        if self._bucket is None:
            self._at(now + self._lag(), self._arrive, job)
        else:
            self._queue.append(job)
            self._pump(now)

    def _pump(self, now: float, woken: bool = False) -> None:
        assert self._bucket is not None
        self._pumping = self._pumping and not woken
        while self._queue:
            wait = self._bucket.wait(self._queue[0].tokens, now)
            if wait > 1e-9:
                if not self._pumping:
                    self._pumping = True
                    self._at(now + wait, self._pump, True)
                return
            job = self._queue.popleft()
            self._bucket.admit(job.tokens, now)
            self._at(now + self._lag(), self._arrive, job)

    def _arrive(self, now: float, job: Job) -> None:
        scripted = self.script is not None and self.script(now, job.call)
        room: float | None = math.inf
        fits = not scripted
        if scripted:
            room = None
        elif self._limiter is not None:
            room = self._limiter.room(now) / job.tokens
            fits = self._limiter.admit(job.tokens, now)
        job.made += 1
        hint = None if fits else self._hint(now, job)
        self._made.append(self._attempt(now, job, fits=fits, room=room, hint=hint))
        if fits:
            self._at(now + job.service + self._lag(), self._begin, job.caller, job.place + 1)
        else:
            self._at(now + self._lag(), self._refused, job, hint)

    def _hint(self, now: float, job: Job) -> float | None:
        if self.hint is None or isinstance(self.hint, float):
            return self.hint
        if self.hint == "reset":
            return (math.floor(now / 60) + 1) * 60 - now
        assert self._limiter is not None
        wait = self._limiter.wait(job.tokens, now)
        return max(1e-3, wait) if self.hint == "exact" else float(max(1, math.ceil(wait - 1e-9)))

    def _attempt(
        self, now: float, job: Job, *, fits: bool, room: float | None, hint: float | None
    ) -> Attempt:
        inner = job.refusals if self.outer is not None or self.sdk else None
        named = "scripted" if room is None or self.limit is None else self.limit.name
        layer = "first" if job.made == 1 else "sdk" if inner else "code"
        return attempt(
            index=len(self._made),
            caller=f"agent-{job.caller}",
            call=job.call,
            unit=f"{job.caller}/{job.place}",
            attempt=job.made,
            layer=layer,
            sdk_retry=inner,
            input_tokens=job.tokens,
            arrived_at=now,
            ended_at=now + job.service if fits else now,
            status=200 if fits else 429,
            reason=None if fits else named,
            hint=hint,
            hint_form=None if hint is None else "seconds",
            room=room,
            charged=1.0 if fits else (self.limit.charge_rejected if self.limit else 0.0),
        )

    def _refused(self, now: float, job: Job, hint: float | None) -> None:
        job.refusals += 1
        rng = self._rngs[job.caller]
        if job.refusals < self.attempts:
            if self.budget is not None:
                if self.budget[0] < 1:
                    self._done += 1
                    return
                self.budget[0] -= 1
            situation = Situation(job.refusals, hint, now, rng, job.memory)
            self._at(now + self.delay(situation), self._send, job)
        elif self.outer is not None and job.rounds + 1 < self.outer[0]:
            job.rounds += 1
            job.refusals = 0
            job.memory = {}
            situation = Situation(job.rounds, hint, now, rng, job.memory)
            self._at(now + self.outer[1](situation), self._send, job)
        elif self.requeue is not None:
            self._parked.append((job.caller, job.place))
            self._dispatch(now)
        else:
            self._done += 1

    def _dispatch(self, now: float) -> None:
        """Dispatch the failed calls again, together, once every caller has ended or failed."""
        if self.requeue is None or len(self._parked) + self._done < self.callers:
            return
        parked, self._parked = self._parked, []
        later = now + self.requeue(self._world) if parked else now
        for caller, place in parked:
            self._at(later, self._begin, caller, place)


def attempt(**changes: object) -> Attempt:
    """An attempt that was served at once, with some fields changed."""
    fields: dict[str, object] = {
        "index": 0,
        "caller": "agent-0",
        "call": 0,
        "unit": "unit-0",
        "attempt": 1,
        "layer": "first",
        "sdk_retry": None,
        "attribution": "exact",
        "key": "0badcafe",
        "host": "api.anthropic.com",
        "dialect": "anthropic",
        "model": "claude-x",
        "model_class": "claude-x",
        "input_tokens": 1000,
        "output_tokens": 0,
        "max_tokens": None,
        "arrived_at": 0.0,
        "ended_at": 0.0,
        "status": 200,
        "reason": None,
        "hint": None,
        "hint_form": None,
        "room": math.inf,
        "charged": 1.0,
        "terminal": False,
        "stream": False,
        "output_at": None,
        "cancelled_at": None,
        "depth": None,
    }
    unknown = set(changes) - set(fields)
    assert not unknown, unknown
    return Attempt(**{**fields, **changes})  # type: ignore[arg-type]


def refusal(**changes: object) -> Attempt:
    """An attempt that a script refused, with some fields changed."""
    refused: dict[str, object] = {"status": 429, "reason": "scripted", "room": None, "charged": 0.0}
    return attempt(**{**refused, **changes})


def trace_of(*attempts: Attempt, **changes: object) -> Trace:
    """A trace of these attempts: put in order, numbered anew, with positions in their calls."""
    made: dict[int, int] = {}
    numbered = []
    for index, one in enumerate(sorted(attempts, key=lambda a: a.arrived_at)):
        made[one.call] = made.get(one.call, 0) + 1
        place = made[one.call]
        layer = one.layer if place == 1 or one.layer != "first" else "code"
        numbered.append(dataclasses.replace(one, index=index, attempt=place, layer=layer))
    ended_at = max((a.ended_at or a.arrived_at for a in numbered), default=0.0)
    return Trace(**{"attempts": tuple(numbered), "ended_at": ended_at, **changes})  # type: ignore[arg-type]


def chains(delays: list[list[float]], *, callers: int | None = None, **changes: object) -> Trace:
    """A trace of scripted refusals: one call for each list of delays, all begun at 0."""
    attempts = []
    for call, own in enumerate(delays):
        at = 0.0
        fields = {
            "caller": f"agent-{call % (callers or len(delays))}",
            "call": call,
            "unit": f"u{call}",
        }
        for delay in [0.0, *own]:
            at += delay
            attempts.append(refusal(**{**fields, "arrived_at": at, "ended_at": at, **changes}))
    return trace_of(*attempts)
