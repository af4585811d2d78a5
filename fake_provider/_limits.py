"""Limits: a set of limits that hold at once, as a user states them, and every mistake named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

from fake_provider._limit import (
    BUCKETS,
    DAY_S,
    DEFAULT_GROWTH,
    DEFAULT_ZONE,
    MINUTE_S,
    TOKEN_KINDS,
    Algorithm,
    Charge,
    Kind,
    Limit,
    Sharing,
)
from fake_provider._stated import MOST, one_of, real_number, whole_number

# Whoever needs limits needs the words that they are stated in.
__all__ = [
    "DAY_S",
    "MINUTE_S",
    "TOKEN_KINDS",
    "Algorithm",
    "Charge",
    "Kind",
    "Limit",
    "Limits",
    "Sharing",
]

ALGORITHMS: tuple[str, ...] = get_args(Algorithm)
CHARGES: tuple[str, ...] = get_args(Charge)
SCOPES: tuple[str, ...] = get_args(Sharing)


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
        algorithm: `"sliding-window"` (an exact log), `"token-bucket"` (continuous refill),
            `"leaky-bucket"` (the same, seen as use that drains), `"fixed-window"` (starts at
            multiples of the window on the wall clock), `"calendar-day"` (starts at midnight) or
            `"acceleration"` (what a window's usage may be depends on the window before).
        burst: Capacity of the token bucket, in the unit of the one token limit (of the one
            request limit where there is no token limit).
        floor: Lowest level, 0 or below, to which refused attempts can charge that bucket.
        charge_rejected: Share of a refused attempt's cost that is charged, from 0 to 1.
        charge: What of its tokens an attempt is charged: `"actual"`, what the answer will cost,
            at admission; `"max-tokens"`, input and `max_tokens`; `"larger"`, the larger of the
            two; `"reserve"`, input and `max_tokens` until the answer has ended, and then what it
            did cost; `"delivered"`, the input at admission and the output at the end.
        charge_cached: Share of the input tokens read from a cache that is charged, from 0 to 1.
        output_factor: Tokens charged for one output token of an answer, a whole number of at
            least 1.
        scope: What has a count of its own: each key with each model class (`"key+model"`), each
            key for all models (`"key"`), each model class for all keys (`"model"`), or nothing:
            one count for all (`"all"`).
        growth: For `"acceleration"`: the most that a window's usage may be, in usages of the
            window before, above 1; the capacity is always allowed.
        timezone: For `"calendar-day"`: IANA name of the zone whose midnights count.

    Raises:
        TypeError: An argument is of the wrong type, or a keyword is unknown.
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
        charge: Charge = "actual",
        charge_cached: float = 0.0,
        output_factor: int = 1,
        scope: Sharing = "key+model",
        growth: float = DEFAULT_GROWTH,
        timezone: str = DEFAULT_ZONE,
    ) -> None:
        shares = "shares of the cost"
        settings: dict[str, Any] = {
            "window": real_number("window", window, "seconds", above=0.0),
            "algorithm": one_of("algorithm", algorithm, ALGORITHMS),
            "charge_rejected": real_number(
                "charge_rejected", charge_rejected, shares, low=0.0, high=1.0
            ),
            "charge": one_of("charge", charge, CHARGES),
            "charge_cached": real_number("charge_cached", charge_cached, shares, low=0.0, high=1.0),
            "output_factor": whole_number("output_factor", output_factor),
            "scope": one_of("scope", scope, SCOPES),
            "growth": real_number("growth", growth, "usages of the window before", above=1.0),
            "timezone": _checked_zone(timezone),
        }
        rates = (
            _Rate("tokens", MINUTE_S, tokens_per_minute),
            _Rate("input_tokens", MINUTE_S, input_tokens_per_minute),
            _Rate("output_tokens", MINUTE_S, output_tokens_per_minute),
            _Rate("requests", MINUTE_S, requests_per_minute),
            _Rate("requests", DAY_S, requests_per_day),
            _Rate("tokens", DAY_S, tokens_per_day),
            _Rate("concurrent", MINUTE_S, concurrent_requests),
            _Rate("count_tokens", MINUTE_S, count_tokens_per_minute),
        )
        stated = [rate for rate in rates if rate.amount is not None]
        _check_together(settings)
        owner = _burst_owner(stated, burst=burst, floor=floor, algorithm=settings["algorithm"])
        limits = [
            _limit(
                rate,
                settings,
                burst=burst if rate is owner else None,
                floor=floor if rate is owner else None,
            )
            for rate in stated
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
    def by_model(cls, models: Mapping[str, Limits], default: Limits | None = None) -> Limits:
        """Return limits that differ from one model class to the next.

        Args:
            models: Limits by model class, such as `{"claude-haiku-4-5": Limits(...)}`.
            default: Limits of every other model class; none if None.

        Raises:
            TypeError: A model class is not text, or its limits are not Limits.
        """
        limits: list[Limit] = []
        for name, own in models.items():
            if not isinstance(name, str) or not isinstance(own, Limits):
                raise TypeError(f"models must map model classes to Limits(...), got {models!r}")
            limits += (replace(limit, models=(name,)) for limit in own)
        if default is not None:
            limits += (replace(limit, except_models=tuple(models)) for limit in default)
        return cls.of(limits)

    @classmethod
    def preset(cls, name: str) -> Limits:
        """Return a provider's published limits.

        Args:
            name: Name of the preset, such as `"anthropic-build"`.

        Raises:
            ValueError: There is no preset of that name; the message lists those there are.
        """
        from fake_provider._presets import PRESETS

        one_of("preset", name, sorted(PRESETS))
        return PRESETS[name].limits

    def __add__(self, other: Limits) -> Limits:
        if not isinstance(other, Limits):
            return NotImplemented
        return Limits.of(self.limits + other.limits)

    def __iter__(self) -> Iterator[Limit]:
        return iter(self.limits)

    def __len__(self) -> int:
        return len(self.limits)

    def __repr__(self) -> str:
        return f"<Limits {', '.join(map(str, self.limits)) or 'none'}>"


class _Rate(NamedTuple):
    """One amount as a user states it."""

    kind: Kind
    per: float
    amount: int | None


def _limit(rate: _Rate, settings: Mapping[str, Any], *, burst: object, floor: object) -> Limit:
    """Validate one amount, and build its limit."""
    kind, per, amount = rate
    name = Limit(kind=kind, amount=1, per=per).name
    number = whole_number(name, amount)
    if kind == "concurrent":
        return Limit(kind=kind, amount=number, scope=settings["scope"])
    daily = per == DAY_S
    if settings["algorithm"] == "calendar-day" and not daily:
        raise ValueError(
            f"algorithm='calendar-day' needs a limit per day, got {name}={number:,}: "
            "give it a Limits(...) value of its own"
        )
    limit = Limit(
        kind=kind,
        amount=number,
        per=per,
        burst=None if burst is None else whole_number("burst", burst),
        floor=None if floor is None else whole_number("floor", floor, at_least=-MOST, at_most=0),
        **{**settings, "window": DAY_S if daily else settings["window"]},
    )
    if limit.capacity < 1:
        raise ValueError(
            f"{name}={number:,} over window={limit.window:g} s admits less than one of its "
            f"{limit.unit}: raise {name} or the window"
        )
    return limit


def _check_together(settings: Mapping[str, Any]) -> None:
    """Raise for a setting that the algorithm or the way to charge leaves without effect."""
    for name, default, algorithm in (
        ("growth", DEFAULT_GROWTH, "acceleration"),
        ("timezone", DEFAULT_ZONE, "calendar-day"),
    ):
        if settings[name] != default and settings["algorithm"] != algorithm:
            raise ValueError(f"{name} needs algorithm={algorithm!r}, got {settings['algorithm']!r}")
    if settings["output_factor"] > 1 and settings["charge"] in ("max-tokens", "larger"):
        raise ValueError(
            f"output_factor={settings['output_factor']} needs a charge for the output of the "
            f"answer, got charge={settings['charge']!r}"
        )


def _burst_owner(
    stated: list[_Rate], *, burst: object, floor: object, algorithm: str
) -> _Rate | None:
    """Return which of the stated rates `burst` and `floor` belong to."""
    given = [name for name, value in (("burst", burst), ("floor", floor)) if value is not None]
    if not given:
        return None
    if algorithm != "token-bucket" and (burst is not None or algorithm not in BUCKETS):
        raise ValueError(f"{given[0]} needs algorithm='token-bucket', got {algorithm!r}")
    rates = [rate for rate in stated if rate.kind != "concurrent"]
    owners = [rate for rate in rates if rate.kind in TOKEN_KINDS] or rates
    if len(owners) != 1:
        value = burst if burst is not None else floor
        remedy = "give each limit a Limits(...) value of its own" if owners else "state one"
        raise ValueError(
            f"{given[0]}={value!r} belongs to one limit, and {len(owners)} are stated: {remedy}"
        )
    return owners[0]


def _checked_zone(name: object) -> str:
    """Return the name of a time zone that this machine knows."""
    from fake_provider._zones import zone

    if not isinstance(name, str):
        raise TypeError(f"timezone must be the IANA name of a zone, got {name!r}")
    zone(name)
    return name
