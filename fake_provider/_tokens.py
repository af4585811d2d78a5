"""Tokens: what an attempt is charged against each limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fake_provider._limits import Kind, whole_number

CHARACTERS_PER_TOKEN = 4
DEFAULT_OUTPUT_TOKENS = 50

Tokens = int | Callable[[Mapping[str, Any]], int]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one attempt is charged: one request and its tokens.

    Args:
        input_tokens: Input tokens, 0 or more.
        output_tokens: Output tokens, 0 or more.
    """

    input_tokens: int
    output_tokens: int

    def of(self, kind: Kind) -> int:
        """Return the cost against a limit of this kind, in the limit's unit."""
        if kind == "tokens":
            return self.input_tokens + self.output_tokens
        if kind == "input_tokens":
            return self.input_tokens
        if kind == "output_tokens":
            return self.output_tokens
        return 1


@dataclass(frozen=True, slots=True)
class CostModel:
    """How many tokens a request costs.

    Args:
        tokens_per_request: Total tokens of a request, input and output together: a whole number,
            or a function of the decoded body that returns one. None estimates the input as
            characters / 4 and adds the output.
        output_tokens: Output tokens of an answer: a whole number, or a function of the body; 50,
            or `max_tokens` if that is less, if None. A stated total includes them.

    Raises:
        TypeError: A number is not one.
        ValueError: A number is negative.
    """

    tokens_per_request: Tokens | None = None
    output_tokens: Tokens | None = None

    def __post_init__(self) -> None:
        for name in ("tokens_per_request", "output_tokens"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                whole_number(name, value, at_least=0)

    def cost(self, body: Mapping[str, Any], characters: int, max_tokens: int | None) -> Cost:
        """Return the cost of a request.

        Args:
            body: The decoded body.
            characters: Characters of prompt.
            max_tokens: Output tokens that the request allows, if it says so; 0 for one whose
                answer has none.

        Returns:
            The cost in input and output tokens.

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
            return Cost(max(1, -(-characters // CHARACTERS_PER_TOKEN)), output)
        total = _evaluate("tokens_per_request", self.tokens_per_request, body)
        output = min(output, total)
        return Cost(total - output, output)


def _evaluate(name: str, tokens: Tokens, body: Mapping[str, Any]) -> int:
    """Return the number, calling the user's function where there is one."""
    if callable(tokens):
        try:
            number = tokens(body)
        except Exception as error:
            raise RuntimeError(f"{name}(body) raised {error!r}") from error
        return whole_number(f"{name}(body)", number, at_least=0)
    return int(tokens)
