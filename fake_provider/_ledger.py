"""Ledger: where the limiters of every API key and model class live, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_provider._limiters import Decision, InFlight, Level, Limiter, decide, limiter_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fake_provider._limits import Limit
    from fake_provider._tokens import Cost
    from fake_provider._wire._shapes import Endpoint


class Ledger:
    """One set of limiters for each API key and model class, made when first asked for.

    The token-counting endpoint is charged only against limits of kind `"count_tokens"`, every
    other request against all the others. Whoever holds a ledger calls it from one thread at a
    time. Times are integer nanoseconds since the clock was entered.

    Args:
        limits: The limits that every key and model class has to itself.
    """

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._limits = tuple(limits)
        self._limiters: dict[tuple[str, str, Endpoint], tuple[Limiter, ...]] = {}

    def admit(
        self,
        key: str,
        model_class: str,
        cost: Cost,
        now_ns: int,
        endpoint: Endpoint = "generate",
    ) -> Decision:
        """Charge an attempt to every limit, or refuse it and charge it to none.

        A refused attempt is booked on every limit at the share that the limit charges.

        Args:
            key: The API key, or what stands for it.
            model_class: The group of models that shares a limit.
            cost: What the attempt costs.
            now_ns: When it arrived.
            endpoint: What it asks for.

        Returns:
            The decision, with the levels after it.
        """
        limiters = self._of(key, model_class, endpoint)
        return decide(limiters, [cost.of(each.limit.kind) for each in limiters], now_ns)

    def release(self, key: str, model_class: str) -> None:
        """Give back the place of an admitted attempt that has ended."""
        for limiter in self._of(key, model_class, "generate"):
            if isinstance(limiter, InFlight):
                limiter.release()

    def levels(
        self, key: str, model_class: str, now_ns: int, endpoint: Endpoint = "generate"
    ) -> tuple[Level, ...]:
        """Return the level of every limit that the endpoint is charged against, in their order."""
        return tuple(each.level(now_ns) for each in self._of(key, model_class, endpoint))

    def reset(self) -> None:
        """Forget every charge."""
        self._limiters.clear()

    def _of(self, key: str, model_class: str, endpoint: Endpoint) -> tuple[Limiter, ...]:
        """Return the limiters of one key, model class and endpoint."""
        owner = (key, model_class, endpoint)
        if owner not in self._limiters:
            counting = endpoint == "count_tokens"
            self._limiters[owner] = tuple(
                limiter_for(each)
                for each in self._limits
                if counting == (each.kind == "count_tokens")
            )
        return self._limiters[owner]
