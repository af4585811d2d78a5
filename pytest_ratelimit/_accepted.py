"""Accepted: what the test that is running accepts, as its marker states it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pytest_ratelimit._checks import Policy
from pytest_ratelimit._findings import CODES


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a test states about its own verdict.

    Args:
        alpha: Rate of false alarms of the statistical checks; None for the policy's.
        ignore: Codes that are accepted here, each with the reason why.
        policy: Thresholds and declared intentions; None for the defaults.
        thresholds: Single thresholds by their names in Policy; they come before the policy's.

    Raises:
        TypeError: `ignore` is not a mapping of codes to reasons, or `policy` no Policy.
        ValueError: A code is unknown, a reason is empty, or a threshold is out of its range.
    """

    alpha: float | None = None
    ignore: Mapping[str, str] = field(default_factory=dict)
    policy: Policy | None = None
    thresholds: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.policy is not None and not isinstance(self.policy, Policy):
            raise TypeError(
                f"policy must be a Policy, such as Policy(burst_declared=True), got {self.policy!r}"
            )
        if self.alpha is not None:
            real = isinstance(self.alpha, (int, float)) and not isinstance(self.alpha, bool)
            allowed = f"alpha must be a number above 0 and below 1, got {self.alpha!r}"
            if not real:
                raise TypeError(allowed)
            if not 0 < self.alpha < 1:
                raise ValueError(allowed)
        form = 'ignore must map codes to reasons, such as {"RL101": "the job is a load test"}'
        if not isinstance(self.ignore, Mapping):
            raise TypeError(f"{form}, got {self.ignore!r}")
        for code, reason in self.ignore.items():
            if code not in CODES:
                raise ValueError(
                    f"ignore names an unknown code {code!r}; see CODES for those known"
                )
            if CODES[code].accept == "":
                raise ValueError(
                    f"{code} {CODES[code].name} cannot be accepted, got a reason for it"
                )
            if not isinstance(reason, str) or not reason.strip():
                raise ValueError(f"ignore[{code!r}] must give a reason, got {reason!r}")
        # A threshold that is out of its range is an error here, at the marker, and not later.
        _ = self.judged_by

    @property
    def judged_by(self) -> Policy:
        """What the checks judge by: the policy, with what the test states besides."""
        stated = dict(self.thresholds)
        if self.alpha is not None:
            stated["alpha"] = self.alpha
        return replace(self.policy or Policy(), **stated)

    @property
    def declared(self) -> list[str]:
        """What the test states, one line each: for the report of its outcome."""
        judged_by, default = self.judged_by, Policy()
        stated = [
            f"{each.name}={value!r}"
            for each in fields(Policy)
            if (value := getattr(judged_by, each.name)) != getattr(default, each.name)
        ]
        ignored = [f"{code} is accepted: {reason}" for code, reason in self.ignore.items()]
        return [*([f"Judged by {', '.join(stated)}"] if stated else []), *ignored]


_stack: list[Accepted] = [Accepted()]


def accepted() -> Accepted:
    """Return what the running test accepts."""
    return _stack[-1]


@contextmanager
def accepting(what: Accepted) -> Iterator[None]:
    """Accept `what` inside the block."""
    _stack.append(what)
    try:
        yield
    finally:
        _stack.remove(what)
