"""The incident without the SDK: the demo's job, its policies and its limit as a simulation."""

from __future__ import annotations

from fake_provider import Refused, Simulated, Simulation
from pytest_ratelimit._demo import broken, orchestrator, repaired
from pytest_ratelimit._demo.replay import LIMITS, SERVICE_TIME, TOKENS_PER_CALL

ATTEMPTS = 5


def lockstep(refused: Refused) -> float | None:
    """tenacity's `wait_fixed(1)` with `stop_after_attempt(5)`."""
    return 1.0 if refused.attempt < ATTEMPTS else None


def exponential(refused: Refused) -> float | None:
    """tenacity's `wait_random_exponential(multiplier=2, max=60)`, stopped likewise."""
    if refused.attempt >= ATTEMPTS:
        return None
    return refused.random.uniform(0.0, min(60.0, 2.0 * 2 ** (refused.attempt - 1)))


class Budget:
    """The repaired job's bucket, told the time."""

    def __init__(self) -> None:
        self._level, self._read_at = float(repaired.BURST), 0.0

    def __call__(self, tokens: int, now_s: float) -> float:
        grown = self._level + (now_s - self._read_at) * repaired.RATE_PER_SEC
        self._level, self._read_at = min(repaired.BURST, grown) - tokens, now_s
        return max(0.0, -self._level / repaired.RATE_PER_SEC)


def simulated(seed: int = 0, *, is_repaired: bool = False) -> Simulated:
    """Simulate the incident, or the job repaired."""
    return Simulation(
        delay=exponential if is_repaired else lockstep,
        limits=LIMITS,
        starts=(0.0,) * len(orchestrator.QUESTIONS),
        calls=orchestrator.QUESTIONS,
        tokens=TOKENS_PER_CALL - broken.MAX_TOKENS,
        output_tokens=broken.MAX_TOKENS,
        latency=SERVICE_TIME,
        pace=Budget() if is_repaired else None,
        requeue=lambda rng: orchestrator.PAUSE_S * rng.uniform(0.95, 1.05),
        seed=seed,
    ).run()
