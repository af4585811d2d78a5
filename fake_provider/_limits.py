"""Limits: how many requests or tokens a window admits, and the algorithm that enforces it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["requests", "input_tokens", "output_tokens", "tokens", "count_tokens", "concurrent"]
Algorithm = Literal["sliding-window", "token-bucket"]

MINUTE_S = 60.0
DAY_S = 86_400.0
TOKEN_KINDS = ("tokens", "input_tokens", "output_tokens")
ALGORITHMS: tuple[str, ...] = get_args(Algorithm)
# Far above any provider's limit, and low enough for sums of a window to stay in 64 bits.
MOST = 10**15


def whole_number(name: str, value: object, *, at_least: int = 1, at_most: int = MOST) -> int:
    """Return `value` as an int, or raise the one error that names what is allowed."""
    allowed = f"{name} must be a whole number, at least {at_least:,}"
    if at_most != MOST:
        allowed = f"{name} must be a whole number, at most {at_most:,}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{allowed}, got {value!r}")
    if not at_least <= value <= at_most:  # also where the value is not a number
        if MOST < value < math.inf:
            allowed = f"{name} must be a whole number, at most {MOST:,}"
        raise ValueError(f"{allowed}, got {value!r}")
    if value != int(value):
        raise ValueError(f"{allowed}, got {value!r}")
    return int(value)


def real_number(
    name: str,
    value: object,
    unit: str,
    *,
    above: float | None = None,
    low: float = -math.inf,
    high: float = math.inf,
) -> float:
    """Return `value` as a float inside its range, or raise the one error that names the range."""
    if above is not None:
        allowed = f"{name} must be a number of {unit} above {above:g}"
    elif not math.isfinite(low):
        allowed = f"{name} must be a number of {unit}"
    elif math.isfinite(high):
        allowed = f"{name} must be a number of {unit} from {low:g} to {high:g}"
    else:
        allowed = f"{name} must be a number of {unit}, at least {low:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{allowed}, got {value!r}")
    if not max(low, -MOST) <= value <= min(high, MOST) or (above is not None and value <= above):
        raise ValueError(f"{allowed}, got {value!r}")
    return float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit: `amount` requests or tokens per `per` seconds, enforced by an algorithm.

    Args:
        kind: What is counted: `"requests"`, `"tokens"`, `"input_tokens"`, `"output_tokens"`,
            `"count_tokens"` (requests to the token-counting endpoint) or `"concurrent"`.
        amount: The published rate, in requests or tokens per `per` seconds; for
            `"concurrent"` the number of requests in flight.
        per: Seconds over which the rate is stated: 60 for a rate per minute.
        window: Seconds over which it is enforced; the capacity is amount x window / per.
        algorithm: `"sliding-window"` or `"token-bucket"`.
        burst: Capacity of a token bucket, in the limit's own unit; amount x window / per if None.
        floor: Lowest level to which refused attempts can charge a token bucket (0 or below);
            minus the capacity if None.
        charge_rejected: Share of a refused attempt's cost that is charged, from 0 to 1.
    """

    kind: Kind
    amount: int
    per: float = MINUTE_S
    window: float = MINUTE_S
    algorithm: Algorithm = "sliding-window"
    burst: int | None = None
    floor: int | None = None
    charge_rejected: float = 0.0

    @property
    def name(self) -> str:
        """The keyword that states this limit, such as `tokens_per_minute`."""
        if self.kind == "concurrent":
            return "concurrent_requests"
        return f"{self.kind}_per_{'day' if self.per == DAY_S else 'minute'}"

    @property
    def unit(self) -> str:
        """`"tokens"` or `"requests"`."""
        return "tokens" if self.kind in TOKEN_KINDS else "requests"

    @property
    def capacity(self) -> int:
        """The most that one window, or a full bucket, admits: a whole number of the unit."""
        if self.kind == "concurrent":
            return self.amount
        if self.burst is not None:
            return self.burst
        # The tolerance keeps 150_000 x 0.2 / 60 at 500 whatever the float division says.
        return math.floor(self.amount * self.window / self.per + 1e-9)

    @property
    def rate(self) -> float:
        """The sustained rate in the unit per second; infinite for a limit without a window."""
        return math.inf if self.kind == "concurrent" else self.amount / self.per


def _limit(
    kind: Kind,
    amount: object,
    per: float,
    *,
    window: float,
    algorithm: str,
    burst: object,
    floor: object,
    charge_rejected: float,
) -> Limit:
    """Validate one limit's arguments and build it."""
    name = Limit(kind=kind, amount=1, per=per).name
    number = whole_number(name, amount)
    if kind == "concurrent":
        return Limit(kind=kind, amount=number)
    bucket = algorithm == "token-bucket"
    limit = Limit(
        kind=kind,
        amount=number,
        per=per,
        window=DAY_S if per == DAY_S else window,
        algorithm="token-bucket" if bucket else "sliding-window",
        burst=None if burst is None else whole_number("burst", burst),
        floor=None if floor is None else whole_number("floor", floor, at_least=-MOST, at_most=0),
        charge_rejected=charge_rejected,
    )
    if limit.capacity < 1:
        raise ValueError(
            f"{name}={number:,} over window={window:g} s admits less than one of its "
            f"{limit.unit}: raise {name} or the window"
        )
    return limit


@dataclass(frozen=True, slots=True, init=False)
class Limits:
    """A frozen set of limits that an attempt must satisfy all at once.

    Every amount is a whole number of at least 1; a rate stays a rate whatever the window:
    the capacity is rate x window / 60. `a + b` joins two sets.

    Args:
        tokens_per_minute: Input and output tokens per 60 s.
        input_tokens_per_minute: Input tokens per 60 s.
        output_tokens_per_minute: Output tokens per 60 s.
        requests_per_minute: Requests per 60 s.
        requests_per_day: Requests per 86,400 s.
        tokens_per_day: Input and output tokens per 86,400 s.
        concurrent_requests: Requests in flight at one instant.
        count_tokens_per_minute: Requests to the token-counting endpoint per 60 s.
        window: Seconds over which the rates per minute are enforced, above 0.
        algorithm: `"sliding-window"` (an exact log) or `"token-bucket"` (continuous refill).
        burst: Capacity of the token bucket, in the unit of the one token limit (of the one
            request limit where there is no token limit).
        floor: Lowest level, 0 or below, to which refused attempts can charge that bucket.
        charge_rejected: Share of a refused attempt's cost that is charged, from 0 to 1.

    Raises:
        TypeError: An argument is not a number, or a keyword is unknown.
        ValueError: An argument is out of its range; the message names it and what is allowed.
    """

    limits: tuple[Limit, ...]

    def __init__(
        self,
        *,
        tokens_per_minute: int | None = None,
        input_tokens_per_minute: int | None = None,
        output_tokens_per_minute: int | None = None,
        requests_per_minute: int | None = None,
        requests_per_day: int | None = None,
        tokens_per_day: int | None = None,
        concurrent_requests: int | None = None,
        count_tokens_per_minute: int | None = None,
        window: float = MINUTE_S,
        algorithm: Algorithm = "sliding-window",
        burst: int | None = None,
        floor: int | None = None,
        charge_rejected: float = 0.0,
    ) -> None:
        window = real_number("window", window, "seconds", above=0.0)
        charge_rejected = real_number(
            "charge_rejected", charge_rejected, "shares of the cost", low=0.0, high=1.0
        )
        if algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm must be one of {', '.join(ALGORITHMS)}, got {algorithm!r}")
        amounts: list[tuple[Kind, float, object]] = [
            ("tokens", MINUTE_S, tokens_per_minute),
            ("input_tokens", MINUTE_S, input_tokens_per_minute),
            ("output_tokens", MINUTE_S, output_tokens_per_minute),
            ("requests", MINUTE_S, requests_per_minute),
            ("requests", DAY_S, requests_per_day),
            ("tokens", DAY_S, tokens_per_day),
            ("concurrent", MINUTE_S, concurrent_requests),
            ("count_tokens", MINUTE_S, count_tokens_per_minute),
        ]
        stated = [row for row in amounts if row[2] is not None]
        owner = _burst_owner(stated, burst=burst, floor=floor, algorithm=algorithm)
        limits = [
            _limit(
                kind,
                amount,
                per,
                window=window,
                algorithm=algorithm,
                burst=burst if (kind, per) == owner else None,
                floor=floor if (kind, per) == owner else None,
                charge_rejected=charge_rejected,
            )
            for kind, per, amount in stated
        ]
        object.__setattr__(self, "limits", tuple(limits))

    @classmethod
    def of(cls, limits: Iterable[Limit]) -> Limits:
        """Return the set that holds `limits`, in their order.

        Args:
            limits: Limit values.

        Raises:
            TypeError: One of them is not a Limit.
        """
        limits = tuple(limits)
        for limit in limits:
            if not isinstance(limit, Limit):
                raise TypeError(f"limits must be Limit(...) values, got {limit!r}")
        made = cls()
        object.__setattr__(made, "limits", limits)
        return made

    @classmethod
    def preset(cls, name: str) -> Limits:
        """Return a provider's published limits.

        Args:
            name: Name of the preset, such as `"anthropic-build"`.

        Raises:
            ValueError: There is no preset of that name; the message lists those there are.
        """
        from fake_provider._presets import PRESETS

        if not isinstance(name, str) or name not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(sorted(PRESETS))}, got {name!r}")
        return cls.of(PRESETS[name])

    def __add__(self, other: Limits) -> Limits:
        if not isinstance(other, Limits):
            return NotImplemented
        return Limits.of(self.limits + other.limits)

    def __iter__(self) -> Iterator[Limit]:
        return iter(self.limits)

    def __len__(self) -> int:
        return len(self.limits)

    def __repr__(self) -> str:
        stated = ", ".join(
            f"{limit.name}={limit.amount:_}"
            + (f" ({limit.algorithm}, {limit.capacity:_} at once)" if limit.burst else "")
            for limit in self.limits
        )
        return f"<Limits {stated or 'none'}>"


def _burst_owner(
    stated: list[tuple[Kind, float, object]], *, burst: object, floor: object, algorithm: str
) -> tuple[Kind, float] | None:
    """Return which of the stated limits `burst` and `floor` belong to."""
    given = [name for name, value in (("burst", burst), ("floor", floor)) if value is not None]
    if not given:
        return None
    if algorithm != "token-bucket":
        raise ValueError(f"{given[0]} needs algorithm='token-bucket', got {algorithm!r}")
    rates = [(kind, per) for kind, per, _ in stated if kind != "concurrent"]
    owners = [rate for rate in rates if rate[0] in TOKEN_KINDS] or rates
    if len(owners) != 1:
        value = burst if burst is not None else floor
        remedy = "give each limit a Limits(...) value of its own" if owners else "state one"
        raise ValueError(
            f"{given[0]}={value!r} belongs to one limit, and {len(owners)} are stated: {remedy}"
        )
    return owners[0]
