"""Service time: how long the provider works on an attempt before and while it answers."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fake_provider._stated import real_number

if TYPE_CHECKING:
    from fake_provider._wire._shapes import Chunk, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTime:
    """A model of the provider's service time; draws are log-normal and come from its seed.

    Args:
        mean: Mean seconds from a request to its answer, or to the first token of a stream where
            `first_token` is not stated; 0 or more.
        cv: Coefficient of variation of that time; 0 makes it constant.
        first_token: Mean seconds to the first token of a stream; `mean` if None.
        tokens_per_second: Output tokens of a stream per second; None sends them all at once.
        refusal: Seconds from a request to its refusal; 0 or more.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of its range.
    """

    mean: float = 0.5
    cv: float = 0.0
    first_token: float | None = None
    tokens_per_second: float | None = None
    refusal: float = 0.0

    def __post_init__(self) -> None:
        real_number("mean", self.mean, "seconds", low=0.0)
        real_number("cv", self.cv, "(standard deviation / mean)", low=0.0)
        real_number("refusal", self.refusal, "seconds", low=0.0)
        if self.first_token is not None:
            real_number("first_token", self.first_token, "seconds", low=0.0)
        if self.tokens_per_second is not None:
            real_number("tokens_per_second", self.tokens_per_second, "tokens per second", above=0.0)

    def waits(self, reply: Reply, rng: random.Random) -> float | list[tuple[float, Chunk | None]]:
        """Return the seconds to wait before the whole answer, or before each part of a stream.

        Args:
            reply: The answer.
            rng: Where the draws come from.

        Returns:
            Seconds; for a stream, and an answer that is cut, pairs of seconds and the chunk to send
            after them, of which the first is the status line.
        """
        first = self.refusal if reply.status != 200 else self._first(reply, rng)
        if reply.stream or reply.cut:
            return [(first, None), *self._pieces(reply)]
        return first + sum([chunk.stall_s for chunk in reply.chunks])

    def draw(self, rng: random.Random) -> float:
        """Return the seconds that one whole answer takes.

        Args:
            rng: Where the draw comes from.
        """
        return self._draw(self.mean, rng)

    def _first(self, reply: Reply, rng: random.Random) -> float:
        """Return the seconds before the first part of a served answer."""
        if reply.stream and self.first_token is not None:
            return self._draw(self.first_token, rng)
        return self.draw(rng)

    def _pieces(self, reply: Reply) -> Iterator[tuple[float, Chunk]]:
        """Yield each chunk with its own wait; the first token's wait is before the status line."""
        waited = False
        for chunk in reply.chunks:
            wait = 0.0
            if self.tokens_per_second is not None and chunk.output_tokens:
                wait = chunk.output_tokens / self.tokens_per_second if waited else 0.0
                waited = True
            yield wait + chunk.stall_s, chunk

    def _draw(self, mean: float, rng: random.Random) -> float:
        """Return one service time in seconds."""
        if not self.cv or not mean:
            return mean
        variance = math.log1p(self.cv**2)
        return mean * math.exp(rng.gauss(-variance / 2, math.sqrt(variance)))


def service_time(latency: object) -> ServiceTime:
    """Return the model that the keyword `latency` states: seconds, or a model.

    Raises:
        TypeError: It is neither a number nor a ServiceTime.
        ValueError: It is a negative number of seconds.
    """
    if isinstance(latency, ServiceTime):
        return latency
    return ServiceTime(mean=real_number("latency", latency, "seconds", low=0.0))
