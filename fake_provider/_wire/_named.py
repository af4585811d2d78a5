"""Named: answers that a script calls by name, whatever the dialect calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from fake_provider._limit import Limit
from fake_provider._limiters import Level
from fake_provider._wire._shapes import NO_HINT, Failure, Refusal

if TYPE_CHECKING:
    from fake_provider._wire._dialects import Dialect
    from fake_provider._wire._shapes import Moment, Reply

Name = Literal[
    "acceleration",
    "concurrency",
    "insufficient-quota",
    "overloaded",
    "spend-cap",
    "too-large",
    "windowless",
]
NAMES: tuple[Name, ...] = get_args(Name)
# What no wait cures.
TERMINAL: frozenset[str] = frozenset({"insufficient-quota", "spend-cap", "too-large"})
# What every dialect can say, for these are refusals by a limit, or say nothing but their status.
_EVERYWHERE: tuple[Name, ...] = ("concurrency", "too-large", "windowless")


def names_of(dialect: Dialect) -> tuple[Name, ...]:
    """Return the names of the answers that a dialect has."""
    return tuple(name for name in NAMES if name in dialect.named or name in _EVERYWHERE)


def named_failure(dialect: Dialect, name: Name) -> Failure:
    """Return what a dialect calls a named answer, a refusal that says nothing if it has no word.

    Raises:
        ValueError: No such answer is known of this provider.
    """
    known = names_of(dialect)
    if name not in known:
        raise ValueError(
            f"kind must be one that the dialect {dialect.name} has ({', '.join(known)}), "
            f"got {name!r}"
        )
    return dialect.named.get(name, Failure(429))


def named_reply(dialect: Dialect, name: Name, moment: Moment, tokens: int) -> Reply:
    """Return a named answer.

    Args:
        dialect: The dialect that was asked in.
        name: The answer's name.
        moment: What was asked for and when; no levels, for the limits were not asked.
        tokens: Tokens that the request costs, which one `"too-large"` exceeds a limit by one with.

    Raises:
        ValueError: No such answer is known of this provider.
    """
    failure = named_failure(dialect, name)
    if name == "too-large" and name not in dialect.named:
        requested = max(tokens, 2)
        limit = Limit(kind="tokens", amount=requested - 1)
        return dialect.too_large(moment, Refusal(limit, NO_HINT, requested))
    if name == "concurrency" and name not in dialect.named:
        limit = Limit(kind="concurrent", amount=1)
        busy = moment._replace(levels=(Level(limit, 0, 0),))
        return dialect.refused(busy, Refusal(limit, NO_HINT, 1))
    return dialect.error(failure, moment.ids, moment.wall_ns)
