"""OpenRouter: chat completions of other providers' models, refused by it or by them.

Source: openrouter.ai/docs (limits, errors, streaming), and public reports of 2025 and 2026; read
2026-11-25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_provider._limits import DAY_S
from fake_provider._wire._compatible import Compatible, compact
from fake_provider._wire._headers import NS_PER_MS, ceil_div
from fake_provider._wire._shapes import BadRequest, Chunk, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._wire._named import Name
    from fake_provider._wire._shapes import Ask, Ids, Moment, Refusal, Reply

USER = "user_fakeprovider"
PROVIDER = "FakeProvider"
UPSTREAM = "upstream"

_MESSAGES = {
    401: "No auth credentials found",
    402: "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
    429: "Rate limit exceeded",
    502: "Provider returned error",
    503: "No instances available",
}


class OpenRouter(Compatible):
    """The dialect of openrouter.ai."""

    name = "openrouter"
    hosts = ("openrouter.ai",)
    env: Mapping[str, str] = {"OPENROUTER_API_KEY": "sk-or-fake-provider"}
    models = ("anthropic/claude-sonnet-4", "openai/gpt-5", "openrouter/auto")
    names_wait = False
    # OpenRouter states its limits in the body of a refusal.
    states_limits = False
    comment = b": OPENROUTER PROCESSING\n\n"
    named: Mapping[Name, Failure] = {
        "insufficient-quota": Failure(402),
        "overloaded": Failure(503),
    }

    def keyless(self) -> BadRequest:
        """Return the refusal of a request without a key."""
        return BadRequest(401, "401", _MESSAGES[401])

    def refused(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return OpenRouter's own 429, whose body holds the headers that state the limit."""
        level = next(level for level in moment.levels if level.limit == refusal.limit)
        stated = {
            "X-RateLimit-Limit": str(refusal.limit.amount),
            "X-RateLimit-Remaining": str(level.remaining),
        }
        if refusal.hint.form != "none":
            reset = ceil_div(moment.wall_ns + round(refusal.hint.wait_s * 1e9), NS_PER_MS)
            stated["X-RateLimit-Reset"] = str(reset)
        span = "day" if refusal.limit.per == DAY_S else "min"
        message = f"Rate limit exceeded: free-models-per-{span}. "
        body = _body(429, message, {"headers": stated})
        return self._json(
            429, body, self.waits(refusal.hint, moment.wall_ns), moment.ids, moment.wall_ns
        )

    def too_large(self, moment: Moment, refusal: Refusal) -> Reply:  # noqa: ARG002
        """Return the 429 without its metadata: nothing tells that no wait helps."""
        return self._json(429, _body(429, _MESSAGES[429]), (), moment.ids, moment.wall_ns)

    def stream_error(self, ask: Ask, failure: Failure, ids: Ids, sent: int) -> Chunk:  # noqa: ARG002
        """Return a chunk with an error beside choices that end by it."""
        status, kind, *_ = failure
        event = {
            "id": self.completion_id(ids, 0),
            "object": "chat.completion.chunk",
            "created": 0,
            "model": ask.model,
            "provider": PROVIDER,
            "error": {"code": kind or status, "message": _message(status)},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        }
        return Chunk(b"data: %s\n\n" % compact(event))

    def completion_id(self, ids: Ids, created: int) -> str:
        """Return the id of a completion, which begins with its second."""
        return f"gen-{created}-{ids.base58(20)}"

    def beside(self, ids: Ids) -> dict[str, Any]:  # noqa: ARG002
        """Return who served the model."""
        return {"provider": PROVIDER}

    def error_body(self, status: int, kind: str | None, message: str | None) -> bytes:
        """Return an error, whose code is the status; kind `"upstream"` is another provider's."""
        if kind == UPSTREAM:
            raw = (
                "The model is temporarily rate-limited upstream. Please retry shortly, or add "
                "your own key to accumulate your rate limits: "
                "https://openrouter.ai/settings/integrations"
            )
            metadata = {"provider_name": PROVIDER, "raw": message or raw}
            return _body(status, "Provider returned error", metadata)
        return _body(status, message or _message(status))


def _message(status: int) -> str:
    """Return the usual wording of a status."""
    return _MESSAGES.get(status, f"HTTP status {status}")


def _body(status: int, message: str, metadata: dict[str, Any] | None = None) -> bytes:
    """Return an error as OpenRouter writes it."""
    error: dict[str, Any] = {"message": message, "code": status}
    if metadata is not None:
        error["metadata"] = metadata
    return compact({"error": error, "user_id": USER})
