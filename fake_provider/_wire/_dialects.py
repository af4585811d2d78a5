"""Dialects: what one is, those there are, and which of them answers a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fake_provider._wire._anthropic import Anthropic
from fake_provider._wire._azure import Azure
from fake_provider._wire._bedrock import Bedrock
from fake_provider._wire._deepseek import DeepSeek
from fake_provider._wire._gemini import Gemini
from fake_provider._wire._groq import Groq
from fake_provider._wire._mistral import Mistral
from fake_provider._wire._openai import OpenAI
from fake_provider._wire._openrouter import OpenRouter
from fake_provider._wire._vertex import Vertex

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from fake_provider._wire._named import Name
    from fake_provider._wire._shapes import (
        Ask,
        Chunk,
        Content,
        Failure,
        Ids,
        Moment,
        Refusal,
        Reply,
        Request,
        Shelf,
        Usage,
    )


class Dialect(Protocol):
    """A provider's way to ask and to answer: pure functions from values to values.

    `wall_ns` is POSIX time in nanoseconds on the clock that the code under test sees: every
    date in an answer comes from it. `ids` is where every identifier is drawn from.
    """

    @property
    def name(self) -> str:
        """The dialect's name, such as `"anthropic"`."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The provider's own hosts, lower case, without port; `*` stands for any part."""

    @property
    def env(self) -> Mapping[str, str]:
        """The variables that its SDK reads, with the official base URL and a key of no use."""

    @property
    def named(self) -> Mapping[Name, Failure]:
        """The errors that a script calls by name, by that name; not those of every dialect."""

    def owns(self, path: str) -> bool:
        """Return True for a path that this dialect serves, whatever precedes it."""

    def api_key(self, request: Request) -> str:
        """Return the API key that a request carries, empty if it carries none."""

    def model_class(self, model: str) -> str:
        """Return the group of models that shares its limits with `model`."""

    def parse(self, request: Request) -> Ask:
        """Return what a request asks for.

        Raises:
            BadRequest: No wait can cure it: 400, 401 or 404.
        """

    def served(self, moment: Moment, content: Content, usage: Usage) -> Reply:
        """Return the 200: one body, or the stream if the request asked for one.

        Args:
            moment: What was asked for, and the levels after admission.
            content: What to answer; embeddings have none of it.
            usage: What was charged.
        """

    def managed(self, request: Request, shelf: Shelf, ids: Ids, wall_ns: int) -> Reply:
        """Return the answer of an endpoint that runs no model, such as a list of models.

        Args:
            request: The request, which has been parsed before.
            shelf: What the provider keeps of one API key, such as its batches.
            ids: Source of identifiers.
            wall_ns: POSIX nanoseconds now.
        """

    def counted(self, moment: Moment, input_tokens: int) -> Reply:
        """Return the answer of the token-counting endpoint."""

    def refused(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the 429 of a limit that a wait can satisfy."""

    def too_large(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the refusal of a cost above the limit's capacity, which names no wait."""

    def error(self, failure: Failure, ids: Ids, wall_ns: int) -> Reply:
        """Return any other error, in the dialect's shape.

        Args:
            failure: The error.
            ids: Source of identifiers.
            wall_ns: POSIX nanoseconds now.
        """

    def stream_error(self, ask: Ask, failure: Failure, ids: Ids, sent: int) -> Chunk:
        """Return an error as an event inside a stream whose status line was 200.

        Args:
            ask: What was asked for.
            failure: The error, with the status that it would have had.
            ids: Source of identifiers.
            sent: Chunks of the stream that have been sent before.
        """


EVERY: tuple[Dialect, ...] = (
    Anthropic(),
    Azure(),
    Bedrock(),
    DeepSeek(),
    Gemini(),
    Groq(),
    Mistral(),
    OpenAI(),
    OpenRouter(),
    Vertex(),
)
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in EVERY}


# Their hosts go with a region, and all of them are answered in this process: only a server needs
# to be pointed at.
_REGIONAL = ("bedrock", "vertex")
# Variables beside which a dialect's own are left out: they choose another account or service.
_NOT_BESIDE = {
    "gemini": ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI"),
}


def variables(present: Container[str], dialect: str | None = None) -> dict[str, str]:
    """Return the variables that point the SDKs at the provider, with their values.

    Those of Azure are among them if they are wanted: with both OpenAI's and Azure's key set, the
    client of the module `openai` refuses to choose. Those of Gemini are left out where its SDK is
    told to use Vertex AI: a key would come before the project. Those of hosts with a region are
    left out always: here they are answered whatever the region.

    Args:
        present: Names of variables that are set already; one of Azure's own says it is wanted.
        dialect: The one dialect that is answered in, if there is one.
    """
    azure = DIALECTS["azure"]
    wanted = dialect == azure.name or any(
        name in present for name in azure.env if name.startswith("AZURE_")
    )
    return {
        name: value
        for known in DIALECTS.values()
        if known.name not in _REGIONAL and (known is not azure or wanted)
        if not any(other in present for other in _NOT_BESIDE.get(known.name, ()))
        for name, value in known.env.items()
    }
