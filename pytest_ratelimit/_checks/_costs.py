"""Costs: what attempts cost against a limit."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from fake_provider._limit import TOKEN_KINDS
from fake_provider._tokens import Cost, price

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fake_provider._attempt import Attempt
    from fake_provider._limits import Limit

_RESERVING = ("max-tokens", "larger", "reserve")


def cost(attempt: Attempt, limit: Limit) -> int:
    """Return what an attempt costs against a limit, in the limit's unit.

    That is what it reserves where limits are charged so, and what its answer costs otherwise.
    """
    return _pricing(limit)(attempt) if limit.holds_for(attempt.model_class) else 0


def costs(attempts: Sequence[Attempt], limit: Limit) -> list[int]:
    """Return what each of some attempts costs against a limit, in the limit's unit."""
    held = {model: limit.holds_for(model) for model in {a.model_class for a in attempts}}
    pricing = _pricing(limit)
    if all(held.values()):
        return list(map(pricing, attempts))
    return [pricing(attempt) if held[attempt.model_class] else 0 for attempt in attempts]


def _pricing(limit: Limit) -> Callable[[Attempt], int]:
    """Return what tells the cost of an attempt that a limit holds for."""
    factor = limit.output_factor
    if limit.kind in TOKEN_KINDS and limit.charge in _RESERVING:
        priced = price(limit)
        return lambda a: priced(Cost(a.input_tokens, a.output_tokens, a.max_tokens))
    if limit.kind == "input_tokens":
        return attrgetter("input_tokens")
    if limit.kind == "output_tokens":
        return lambda a: a.output_tokens * factor
    if limit.kind == "tokens":
        return lambda a: a.input_tokens + a.output_tokens * factor
    return _one


def _one(_attempt: Attempt) -> int:
    """Return the cost of an attempt where requests are counted."""
    return 1
