"""Ledger: where the limiters of every API key and model class live, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fake_provider._buckets import TokenBucket
from fake_provider._limiters import Decision, InFlight, Level, Limiter, decide
from fake_provider._sliding import SlidingWindow
from fake_provider._tokens import Price, price, settled_price
from fake_provider._windows import Acceleration, CalendarDay, FixedWindow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fake_provider._limit import Limit
    from fake_provider._tokens import Cost
    from fake_provider._wire._shapes import Endpoint

LIMITERS: dict[str, type[Limiter]] = {
    "acceleration": Acceleration,
    "calendar-day": CalendarDay,
    "fixed-window": FixedWindow,
    "leaky-bucket": TokenBucket,
    "sliding-window": SlidingWindow,
    "token-bucket": TokenBucket,
}


def limiter_for(limit: Limit, zero_wall_ns: int = 0) -> Limiter:
    """Return a fresh limiter that enforces a limit.

    Args:
        limit: The limit.
        zero_wall_ns: What the provider's wall clock says at 0, in POSIX nanoseconds.
    """
    kind = InFlight if limit.kind == "concurrent" else LIMITERS[limit.algorithm]
    return kind(limit, zero_wall_ns)


class Group(NamedTuple):
    """What decides on the requests of one key, model class and endpoint.

    Args:
        limiters: The limiters that they must satisfy; those of a shared limit are other groups'
            as well.
        prices: What an attempt is charged at admission, for each limiter.
        settled: The limiters whose charge is corrected at the end, each with what was charged and
            what it becomes.
        places: The limiters that give back a place.
    """

    limiters: tuple[Limiter, ...]
    prices: tuple[Price, ...]
    settled: tuple[tuple[Limiter, Price, Price], ...]
    places: tuple[InFlight, ...]


def charged_by(
    limits: Iterable[Limit], model_class: str, endpoint: Endpoint
) -> list[tuple[int, Limit]]:
    """Return the limits that a request is charged against, each with its place among all.

    Args:
        limits: All limits.
        model_class: The group of models that it asks for.
        endpoint: What it asks for.
    """
    counting = endpoint == "count_tokens"
    return [
        (index, limit)
        for index, limit in enumerate(limits)
        if counting == (limit.kind == "count_tokens") and limit.holds_for(model_class)
    ]


class Ledger:
    """The limiters of each API key and model class, made when first asked for.

    The token-counting endpoint is charged only against limits of kind `"count_tokens"`, every
    other request against all the others. Whoever holds a ledger calls it from one thread at a
    time. Times are integer nanoseconds since the clock was entered.

    Args:
        limits: The limits; each says which keys and model classes share one count of it.
        zero_wall_ns: What the provider's wall clock says at 0, in POSIX nanoseconds.
    """

    def __init__(self, limits: Iterable[Limit], zero_wall_ns: int = 0) -> None:
        self._limits = tuple(limits)
        self._zero_wall_ns = zero_wall_ns
        self._limiters: dict[tuple[int, str | None, str | None], Limiter] = {}
        self._groups: dict[tuple[str, str, Endpoint], Group] = {}

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
        group = self._groups.get((key, model_class, endpoint))
        if group is None:
            group = self._group(key, model_class, endpoint)
        return decide(group.limiters, [price(cost) for price in group.prices], now_ns)

    def settle(self, key: str, model_class: str, cost: Cost, admitted_ns: int, now_ns: int) -> None:
        """Correct what an admitted attempt was charged, now that its answer has ended.

        Args:
            key: As for `admit`.
            model_class: As for `admit`.
            cost: What the attempt costs; its reservation is that of `admit`.
            admitted_ns: When it was admitted.
            now_ns: When its answer ended.
        """
        for limiter, charged, settled in self._of(key, model_class).settled:
            limiter.settle(settled(cost) - charged(cost), admitted_ns, now_ns)

    def release(self, key: str, model_class: str) -> None:
        """Give back the place of an admitted attempt that has ended."""
        for limiter in self._of(key, model_class).places:
            limiter.release()

    def levels(
        self, key: str, model_class: str, now_ns: int, endpoint: Endpoint = "generate"
    ) -> tuple[Level, ...]:
        """Return the level of every limit that the endpoint is charged against, in their order."""
        group = self._of(key, model_class, endpoint)
        return tuple(limiter.level(now_ns) for limiter in group.limiters)

    def reset(self) -> None:
        """Forget every charge."""
        self._limiters.clear()
        self._groups.clear()

    def _of(self, key: str, model_class: str, endpoint: Endpoint = "generate") -> Group:
        """Return what decides on the requests of one key, model class and endpoint."""
        group = self._groups.get((key, model_class, endpoint))
        return self._group(key, model_class, endpoint) if group is None else group

    def _group(self, key: str, model_class: str, endpoint: Endpoint) -> Group:
        """Bring together, and keep, the limiters of one key, model class and endpoint."""
        held = [
            (self._limiter(index, limit, key, model_class), price(limit), settled_price(limit))
            for index, limit in charged_by(self._limits, model_class, endpoint)
        ]
        group = Group(
            tuple([limiter for limiter, _, _ in held]),
            tuple([charged for _, charged, _ in held]),
            tuple([(limiter, was, is_) for limiter, was, is_ in held if is_ is not None]),
            tuple([limiter for limiter, _, _ in held if isinstance(limiter, InFlight)]),
        )
        self._groups[key, model_class, endpoint] = group
        return group

    def _limiter(self, index: int, limit: Limit, key: str, model_class: str) -> Limiter:
        """Return the limiter that a key and model class share with those of the limit's scope."""
        owner = (index, *limit.pool(key, model_class))
        if owner not in self._limiters:
            self._limiters[owner] = limiter_for(limit, self._zero_wall_ns)
        return self._limiters[owner]
