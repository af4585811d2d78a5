"""The situations that the tests put clients in."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from fake_provider._limits import Limit
from fake_provider._trace import Trace
from tests.pytest_ratelimit.simulation import Delay, Simulation

# The published incident, with the parameters under which every stated figure comes out.
REPLAY = Limit(
    kind="tokens",
    amount=4_000_000,
    algorithm="token-bucket",
    burst=200_000,
    floor=-200_000,
    charge_rejected=1.0,
)
PACER = Limit(kind="tokens", amount=3_600_000, algorithm="token-bucket", burst=200_000)
SMALL = Limit(kind="tokens", amount=4_000_000, algorithm="token-bucket", burst=165_000)
TEN_SECONDS = Limit(kind="tokens", amount=4_000_000, window=10.0)


def lognormal(mean: float, spread: float) -> Callable[[int, int, random.Random], float]:
    """Service times around a mean, in seconds."""
    return lambda caller, place, rng: mean * math.exp(rng.gauss(-spread * spread / 2, spread))


def replay(delay: Delay, *, seed: int = 1, paced: bool = False, **changes: object) -> Trace:
    """The incident: 12 agents, 52 calls; failed agents are dispatched again after a minute."""
    settings: dict[str, object] = {
        "limit": REPLAY,
        "callers": 12,
        "calls": [5, 4, 4] * 4,
        "tokens": lambda caller, place, rng: 40_500,
        "service": lognormal(5.7, 0.10),
        "requeue": lambda rng: 60 * rng.uniform(0.95, 1.05),
        "pacer": PACER if paced else None,
        "seed": seed,
    }
    return Simulation(delay, **{**settings, **changes}).run()  # type: ignore[arg-type]


def cold_start(
    delay: Delay, *, seed: int, limit: Limit = SMALL, over: float = 0.0, **changes: object
) -> Trace:
    """12 callers of 5 calls each that start within `over` seconds, against more than fits."""
    settings: dict[str, object] = {
        "limit": limit,
        "callers": 12,
        "calls": 5,
        "service": lognormal(3.0, 0.20),
        "start": lambda caller, rng: rng.uniform(0, over),
        "attempts": 7,
        "seed": seed,
    }
    return Simulation(delay, **{**settings, **changes}).run()  # type: ignore[arg-type]


def probe(delay: Delay, *, seed: int, callers: int = 8, **changes: object) -> Trace:
    """Callers that start together and are refused for ever, without a hint, 5 attempts each."""
    settings: dict[str, object] = {
        "callers": callers,
        "calls": 1,
        "script": lambda now, call: True,
        "attempts": 5,
        "seed": seed,
    }
    return Simulation(delay, **{**settings, **changes}).run()  # type: ignore[arg-type]
