"""Shapes that every dialect shares: a request as received, what it asks for, a reply."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from fake_provider._limiters import Level
    from fake_provider._limits import Limit

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
# A digit for every byte: not quite even, which no reader of an id can tell, and eight times faster.
_BASE58_OF_BYTE = bytes(ord(BASE58[byte % len(BASE58)]) for byte in range(256))
Endpoint = Literal["generate", "embed", "count_tokens", "manage"]


# What a provider keeps of one API key between requests, by id.
Shelf = dict[str, Any]


class Request(NamedTuple):
    """One HTTP request as a door received it.

    Args:
        method: HTTP method, upper case.
        host: Host name without port, lower case.
        path: Path without query.
        headers: Header values by lower-case name.
        body: The body, read to its end.
        query: The query as it was sent, without the question mark.
    """

    method: str
    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""

    @property
    def bearer(self) -> str:
        """The token of `Authorization: Bearer`, empty without one."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


class Ask(NamedTuple):
    """What a request asks for, in terms that no dialect owns.

    Args:
        endpoint: `"generate"` or `"embed"`; or `"count_tokens"` and `"manage"` (models, batches),
            which are no attempts.
        model: Model as requested.
        max_tokens: Output tokens reserved, if the request says so.
        stream: True if the answer is to be streamed.
        characters: Characters of prompt, for the default estimate of its tokens.
        body: The decoded body.
        target: Path, with the query where the answer depends on it; empty for the dialect's
            usual one.
    """

    endpoint: Endpoint
    model: str
    max_tokens: int | None
    stream: bool
    characters: int
    body: Mapping[str, Any]
    target: str = ""


class ToolCall(NamedTuple):
    """A tool that an answer calls.

    Args:
        name: The tool's name.
        arguments: Its arguments, a JSON object as text.
    """

    name: str
    arguments: str


class Content(NamedTuple):
    """What a served request is answered with, whatever the dialect.

    Args:
        text: The text; it may be empty where tools are called.
        tool_calls: The tools that it calls, in order.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()


class Chunk(NamedTuple):
    """One piece of a streamed answer.

    Args:
        data: Bytes as they leave the provider.
        output_tokens: Output tokens that it delivers; 0 for framing.
        stall_s: Seconds that it is late, beside what its tokens take.
    """

    data: bytes
    output_tokens: int = 0
    stall_s: float = 0.0


class Reply(NamedTuple):
    """An answer, rendered: everything that a door needs to send.

    Args:
        status: HTTP status.
        headers: Header names and values, lower-case names, in order.
        chunks: The body in one piece, or the pieces of a stream.
        stream: True for a stream.
        cut: True where the connection ends after the last chunk, before the answer does.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    chunks: tuple[Chunk, ...]
    stream: bool = False
    cut: bool = False

    @property
    def content(self) -> bytes:
        """All of the body."""
        return b"".join([chunk.data for chunk in self.chunks])


class Usage(NamedTuple):
    """What a served answer reports; it adds up to what was charged.

    Args:
        input_tokens: All input tokens.
        output_tokens: Output tokens.
        cached_tokens: Those of the input tokens that were read from a cache.
        cache_written_tokens: Those of the others that were written to a cache.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_written_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """All input and output tokens."""
        return self.input_tokens + self.output_tokens

    @property
    def new_tokens(self) -> int:
        """Input tokens that no cache was asked about."""
        return self.input_tokens - self.cached_tokens - self.cache_written_tokens


class Hint(NamedTuple):
    """The wait that a refusal names.

    Args:
        form: `"seconds"` (whole, rounded up), `"ms"`, `"date"`, `"reset"` (no Retry-After, only
            the dialect's reset headers) or `"none"` (neither).
        wait_s: Seconds until this request's own cost fits.
    """

    form: Literal["seconds", "ms", "date", "reset", "none"]
    wait_s: float


NO_HINT = Hint("none", 0.0)


class Refusal(NamedTuple):
    """Why a limit refuses.

    Args:
        limit: The limit, of several that refuse the one with the longest wait.
        hint: The wait to name, and how; `NO_HINT` for a cost that can never fit.
        requested: The cost against that limit, in its unit.
    """

    limit: Limit
    hint: Hint
    requested: int


class Failure(NamedTuple):
    """An error that a dialect renders.

    Args:
        status: HTTP status.
        kind: The dialect's error type or code; None for the usual one of the status.
        message: What is wrong; None for the provider's usual wording.
        headers: Headers to add, or to put in place of the dialect's own.
    """

    status: int
    kind: str | None = None
    message: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class BadRequest(Exception):  # noqa: N818  (it is an answer, not a failure of ours)
    """A request that no wait can cure: answered 400, 401, 404 or 413.

    Args:
        status: HTTP status of the answer.
        kind: The dialect's error type.
        message: What is wrong, in the provider's manner.
    """

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


@dataclass(slots=True)
class Ids:
    """Identifiers drawn from the provider's seed, so that two runs show the same ones.

    Args:
        seed: Seed of the provider's random numbers.
    """

    seed: int
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(f"ids {self.seed}")

    def base58(self, length: int) -> str:
        """Return `length` characters of base 58."""
        return self._random.randbytes(length).translate(_BASE58_OF_BYTE).decode()

    def hex(self, length: int) -> str:
        """Return `length` lower-case hexadecimal digits."""
        return f"{self._random.getrandbits(4 * length):0{length}x}"

    def spaces(self, most: int) -> str:
        """Return from 0 to `most` spaces, evenly distributed."""
        return " " * self._random.randrange(most + 1)


class Moment(NamedTuple):
    """What is asked for, and how things stand when it is answered.

    Args:
        ask: What was asked for.
        levels: Every limit's level after the decision, in the order of the limits.
        ids: Source of identifiers.
        wall_ns: POSIX nanoseconds now, on the clock that the code under test sees.
    """

    ask: Ask
    levels: tuple[Level, ...]
    ids: Ids
    wall_ns: int
