"""Limit: how many requests or tokens a window admits, and the algorithm that enforces it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["requests", "input_tokens", "output_tokens", "tokens", "count_tokens", "concurrent"]
Algorithm = Literal[
    "sliding-window",
    "token-bucket",
    "leaky-bucket",
    "fixed-window",
    "calendar-day",
    "acceleration",
]
Charge = Literal["actual", "max-tokens", "larger", "reserve", "delivered"]
Sharing = Literal["key+model", "key", "model", "all"]

MINUTE_S = 60.0
DAY_S = 86_400.0
TOKEN_KINDS = ("tokens", "input_tokens", "output_tokens")
BUCKETS = ("token-bucket", "leaky-bucket")
# OpenAI asks to grow by at most half at a time (its guide to rate limits, read 2026-11-25).
DEFAULT_GROWTH = 1.5
DEFAULT_ZONE = "UTC"


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
        algorithm: `"sliding-window"`, `"token-bucket"`, `"leaky-bucket"`, `"fixed-window"`,
            `"calendar-day"` or `"acceleration"`.
        burst: Capacity of a token bucket, in the limit's own unit; amount x window / per if None.
        floor: Lowest level to which refused attempts can charge a bucket (0 or below);
            minus the capacity if None.
        charge_rejected: Share of a refused attempt's cost that is charged, from 0 to 1.
        charge: What of an attempt's tokens is charged, and when: `"actual"`, `"max-tokens"`,
            `"larger"`, `"reserve"` or `"delivered"`, see Limits.
        charge_cached: Share of the input tokens read from a cache that is charged, from 0 to 1.
        output_factor: Tokens charged for one output token, at least 1.
        scope: What has a count of its own: `"key+model"`, `"key"`, `"model"` or `"all"`.
        models: Model classes that it holds for; empty for all.
        except_models: Model classes that it does not hold for.
        growth: Most that the usage of a window may be, in usages of the window before;
            for `"acceleration"` alone.
        timezone: IANA name of the zone whose midnights begin a `"calendar-day"`.
    """

    kind: Kind
    amount: int
    per: float = MINUTE_S
    window: float = MINUTE_S
    algorithm: Algorithm = "sliding-window"
    burst: int | None = None
    floor: int | None = None
    charge_rejected: float = 0.0
    charge: Charge = "actual"
    charge_cached: float = 0.0
    output_factor: int = 1
    scope: Sharing = "key+model"
    models: tuple[str, ...] = ()
    except_models: tuple[str, ...] = ()
    growth: float = DEFAULT_GROWTH
    timezone: str = DEFAULT_ZONE

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

    @property
    def refills(self) -> bool:
        """True for a bucket, which admits a little all the time, and not a window at once."""
        return self.algorithm in BUCKETS

    @property
    def follows_the_date(self) -> bool:
        """True if its windows begin at instants of the wall clock."""
        return self.algorithm in ("fixed-window", "calendar-day")

    def holds_for(self, model_class: str) -> bool:
        """Tell whether requests for a model class are charged against this limit.

        Args:
            model_class: The group of models that shares its limits with the model requested.
        """
        if model_class in self.except_models:
            return False
        return not self.models or model_class in self.models

    def pool(self, key: str, model_class: str) -> tuple[str | None, str | None]:
        """Return what shares one count of this limit with a key and a model class.

        Args:
            key: The API key, or what stands for it.
            model_class: The group of models that shares its limits with the model requested.

        Returns:
            Key and model class, each None where the limit counts all of them together.
        """
        return (
            key if self.scope in ("key+model", "key") else None,
            model_class if self.scope in ("key+model", "model") else None,
        )

    def __str__(self) -> str:
        """Return the limit as its statement, with what tells it from one of that keyword alone."""
        notes = []
        if self.burst is not None or self.window not in (MINUTE_S, self.per):
            notes.append(f"{self.capacity:_} at once")
        if notes or self.algorithm != "sliding-window":
            notes.insert(0, self.algorithm)
        notes += [f"for {', '.join(self.models)}"] if self.models else []
        notes += ["for other models"] if self.except_models else []
        return f"{self.name}={self.amount:_}" + (f" ({', '.join(notes)})" if notes else "")
