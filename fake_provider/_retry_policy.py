"""RetryPolicy: how a client waits between attempts, as a value for simulations and searches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from fake_provider._simulation import Refused
from fake_provider._stated import one_of, real_number, whole_number

Jitter = Literal["none", "equal", "full"]
JITTERS: tuple[Jitter, ...] = get_args(Jitter)
# The logarithm of a growth that no cap allows and every float still holds.
_MOST_GROWTH = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """An exponential backoff; call it with a refusal, as `Workload.simulate` does.

    Args:
        base_s: Seconds of the first backoff, above 0.
        factor: By what the backoff grows with each attempt, at least 1; 1 is a fixed delay.
        cap_s: The most that a backoff is, in seconds, above 0.
        jitter: `"none"`: the backoff itself; `"equal"`: half of it, and up to the other half at
            random; `"full"`: anything up to it.
        attempts: Attempts of a call at most, at least 1.
        obeys_hint: True waits for the hint at least; full jitter then comes on top of it.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of its range; the message names it and what is allowed.
    """

    base_s: float = 1.0
    factor: float = 2.0
    cap_s: float = 60.0
    jitter: Jitter = "none"
    attempts: int = 5
    obeys_hint: bool = False

    def __post_init__(self) -> None:
        real_number("base_s", self.base_s, "seconds", above=0.0)
        real_number("factor", self.factor, "times", low=1.0)
        real_number("cap_s", self.cap_s, "seconds", above=0.0)
        one_of("jitter", self.jitter, JITTERS)
        whole_number("attempts", self.attempts)
        if not isinstance(self.obeys_hint, bool):
            raise TypeError(f"obeys_hint must be True or False, got {self.obeys_hint!r}")

    def __call__(self, refused: Refused) -> float | None:
        """Return seconds to wait before the next attempt; None gives the call up.

        Args:
            refused: What the client knows of the refusal.
        """
        if refused.hint_s is None or refused.attempt >= self.attempts:
            return None
        backoff_s = self._backoff_s(refused.attempt)
        least_s = refused.hint_s if self.obeys_hint else 0.0
        if self.jitter == "full":
            return least_s + refused.random.uniform(0.0, backoff_s)
        if self.jitter == "equal":
            return max(least_s, backoff_s / 2) + refused.random.uniform(0.0, backoff_s / 2)
        return max(least_s, backoff_s)

    def _backoff_s(self, attempt: int) -> float:
        """Return the backoff after an attempt, without jitter."""
        if (attempt - 1) * math.log(self.factor) > _MOST_GROWTH:
            return self.cap_s
        return min(self.cap_s, self.base_s * self.factor ** (attempt - 1))
