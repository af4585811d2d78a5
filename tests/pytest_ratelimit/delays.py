"""Delay policies of real clients, healthy and faulty, as functions of a `Situation`."""

from __future__ import annotations

import math

from tests.pytest_ratelimit.simulation import Delay, Situation


def fixed(seconds: float = 1.0) -> Delay:
    return lambda s: seconds


def linear(step: float = 1.0) -> Delay:
    return lambda s: step * s.refusals


def exponential(base: float = 1.0, cap: float = 60.0) -> Delay:
    return lambda s: s.doubled(base, cap)


def full_jitter(base: float = 1.0, cap: float = 60.0) -> Delay:
    return lambda s: s.rng.uniform(0, s.doubled(base, cap))


def equal_jitter(base: float = 1.0, cap: float = 60.0) -> Delay:
    return lambda s: s.doubled(base, cap) * s.rng.uniform(0.5, 1)


def decorrelated(base: float = 1.0, cap: float = 60.0) -> Delay:
    def delay(s: Situation) -> float:
        s.memory["last"] = min(cap, s.rng.uniform(base, 3 * s.memory.get("last", base)))
        return s.memory["last"]

    return delay


def sdk(*, obeys: bool = False) -> Delay:
    """0.5 s doubling to 8 s, less up to a quarter; the hint exactly if it obeys."""

    def delay(s: Situation) -> float:
        if obeys and s.hint is not None and s.hint > 0:
            return s.hint
        return s.doubled(0.5, 8.0) * (1 - 0.25 * s.rng.random())

    return delay


def grpc() -> Delay:
    return lambda s: s.doubled(1.0, 60.0, 1.6) * s.rng.uniform(0.8, 1.2)


def plus_uniform(base: float = 1.0, cap: float = math.inf) -> Delay:
    """tenacity's wait_exponential_jitter: the jitter is added before the cap."""
    return lambda s: min(cap, base * 2 ** (s.refusals - 1) + s.rng.uniform(0, 1))


def cookbook(low: float = 1.0, cap: float = 60.0) -> Delay:
    """wait_random_exponential(min=1): the first draw is from [1, 1]."""
    return lambda s: s.rng.uniform(low, max(low, s.doubled(1.0, cap)))


def first_only() -> Delay:
    return lambda s: s.rng.uniform(0, 1) if s.refusals == 1 else s.doubled()


def share(part: float) -> Delay:
    """Exponential, plus up to a share of it."""
    return lambda s: s.doubled() * (1 + part * s.rng.random())


def hint_plus(seconds: float) -> Delay:
    return lambda s: (s.hint or 0.0) + s.rng.uniform(0, seconds)


def hint_times(part: float) -> Delay:
    return lambda s: (s.hint or 1.0) * (1 + part * s.rng.random())
