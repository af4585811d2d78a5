"""Tokens: what an attempt is charged against each limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from fake_provider._limit import TOKEN_KINDS, Limit
from fake_provider._stated import whole_number

CHARACTERS_PER_TOKEN = 4
DEFAULT_OUTPUT_TOKENS = 50

Tokens = int | Callable[[Mapping[str, Any]], int]
Library = Literal["tiktoken"]
LIBRARIES: tuple[Library, ...] = ("tiktoken",)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one attempt costs: one request and its tokens.

    Args:
        input_tokens: All input tokens, 0 or more.
        output_tokens: Output tokens of the answer, 0 or more.
        max_tokens: Output tokens that the request allows; as many as the answer has if None.
        cached_tokens: Those of the input tokens that are read from a cache.
        cache_written_tokens: Those of the input tokens that are written to a cache; they are
            charged like any others.
        estimated_tokens: Input tokens that the provider assumes until the answer has ended;
            their true number if None.
    """

    input_tokens: int
    output_tokens: int
    max_tokens: int | None = None
    cached_tokens: int = 0
    cache_written_tokens: int = 0
    estimated_tokens: int | None = None

    @property
    def allowed_tokens(self) -> int:
        """Output tokens that a reservation counts."""
        return self.output_tokens if self.max_tokens is None else self.max_tokens

    @property
    def expected_tokens(self) -> int:
        """Input tokens that a reservation counts."""
        return self.input_tokens if self.estimated_tokens is None else self.estimated_tokens


Price = Callable[[Cost], int]


def price(limit: Limit) -> Price:
    """Return what an attempt is charged at admission against a limit, in the limit's unit."""
    if limit.kind not in TOKEN_KINDS:
        return _one
    counts_input, counts_output = limit.kind != "output_tokens", limit.kind != "input_tokens"
    uncached = _uncached(limit)

    def added(input_tokens: int, output_tokens: int) -> int:
        return input_tokens * counts_input + output_tokens * counts_output

    if limit.charge == "max-tokens":
        return lambda cost: added(uncached(cost), cost.allowed_tokens)
    if limit.charge == "larger":
        return lambda cost: max(added(uncached(cost), 0), added(0, cost.allowed_tokens))
    if limit.charge == "reserve":
        return lambda cost: added(cost.expected_tokens, cost.allowed_tokens)
    if limit.charge == "delivered":
        # Output that is not known yet is begun only where there is room for some.
        return lambda cost: max(
            1, added(uncached(cost) + cost.expected_tokens - cost.input_tokens, 0)
        )
    return _spent(limit)


def settled_price(limit: Limit) -> Price | None:
    """Return what an attempt is charged once its answer has ended; None if nothing changes."""
    settles = limit.kind in TOKEN_KINDS and limit.charge in ("reserve", "delivered")
    return _spent(limit) if settles else None


def _spent(limit: Limit) -> Price:
    """Return what an answer costs in the end against a limit on tokens."""
    uncached, factor = _uncached(limit), limit.output_factor
    if limit.kind == "input_tokens":
        return uncached
    if limit.kind == "output_tokens":
        return lambda cost: factor * cost.output_tokens
    return lambda cost: uncached(cost) + factor * cost.output_tokens


def _uncached(limit: Limit) -> Price:
    """Return the input tokens of an attempt, those read from a cache at their share."""
    free = 1 - limit.charge_cached

    def uncached(cost: Cost) -> int:
        read = cost.cached_tokens
        return cost.input_tokens - round(free * read) if read else cost.input_tokens

    return uncached


def _one(cost: Cost) -> int:  # noqa: ARG001  (a request is a request)
    """Return what an attempt is charged against a limit on requests."""
    return 1


@dataclass(frozen=True, slots=True)
class CostModel:
    """How many tokens a request costs.

    Args:
        tokens_per_request: Total tokens of a request, input and output together: a whole number,
            or a function of the decoded body that returns one. `"tiktoken"` counts the input
            with that library, None estimates it as characters / 4; both add the output.
        output_tokens: Output tokens of an answer: a whole number, or a function of the body; 50,
            or `max_tokens` if that is less, if None. A stated total includes them.
        cached_tokens: Those of the input tokens that are read from a cache: a whole number, or a
            function of the body; all input tokens at most.
        cache_written_tokens: Those of the others that are written to a cache, likewise.
        estimated_tokens: Input tokens that the provider assumes until the answer has ended,
            where a limit is charged so: a whole number, or a function of the body; their true
            number if None.

    Raises:
        TypeError: A number is not one.
        ValueError: A number is negative.
    """

    tokens_per_request: Tokens | Library | None = None
    output_tokens: Tokens | None = None
    cached_tokens: Tokens = 0
    cache_written_tokens: Tokens = 0
    estimated_tokens: Tokens | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "tokens_per_request" and value in LIBRARIES:
                continue
            if (value is not None or each.default is not None) and not callable(value):
                whole_number(each.name, value, at_least=0)

    @property
    def library(self) -> Library | None:
        """The library that counts the input, None if none does."""
        return self.tokens_per_request if isinstance(self.tokens_per_request, str) else None

    def cost(
        self,
        body: Mapping[str, Any],
        characters: int,
        max_tokens: int | None,
        counted: int | None = None,
    ) -> Cost:
        """Return the cost of a request.

        Args:
            body: The decoded body.
            characters: Characters of prompt.
            max_tokens: Output tokens that the request allows, if it says so; 0 for one whose
                answer has none.
            counted: Input tokens as a library counts them, where one does.

        Returns:
            The cost.

        Raises:
            RuntimeError: A function of the user's raised.
            TypeError: A function of the user's returned something other than a whole number.
            ValueError: A function of the user's returned a negative number.
        """
        if max_tokens == 0:
            output = 0  # an embedding has none, whatever an answer has
        elif self.output_tokens is None:
            output = DEFAULT_OUTPUT_TOKENS
            if max_tokens is not None:
                output = min(output, max_tokens)
        else:
            output = _evaluate("output_tokens", self.output_tokens, body)
        if self.tokens_per_request is None:
            given = characters_as_tokens(characters)
        elif isinstance(self.tokens_per_request, str):
            given = characters_as_tokens(characters) if counted is None else counted
        else:
            total = _evaluate("tokens_per_request", self.tokens_per_request, body)
            output = min(output, total)
            given = total - output
        if self.cached_tokens == self.cache_written_tokens == 0 and self.estimated_tokens is None:
            return Cost(given, output, max_tokens)
        read = min(given, _evaluate("cached_tokens", self.cached_tokens, body))
        written = _evaluate("cache_written_tokens", self.cache_written_tokens, body)
        estimate = None
        if self.estimated_tokens is not None:
            estimate = _evaluate("estimated_tokens", self.estimated_tokens, body)
        return Cost(given, output, max_tokens, read, min(given - read, written), estimate)


def characters_as_tokens(characters: int) -> int:
    """Return the tokens that so many characters are taken for, at least 1."""
    return max(1, -(-characters // CHARACTERS_PER_TOKEN))


def _evaluate(name: str, tokens: Tokens, body: Mapping[str, Any]) -> int:
    """Return the number, calling the user's function where there is one."""
    if callable(tokens):
        try:
            number = tokens(body)
        except Exception as error:
            raise RuntimeError(f"{name}(body) raised {error!r}") from error
        return whole_number(f"{name}(body)", number, at_least=0)
    return int(tokens)
