"""OpenAI: what its SDK makes of the answers."""

from __future__ import annotations

import httpx2
import openai
import pytest

from fake_provider._limits import Limits
from fake_provider._wire._answer import PLAIN, TEXT
from fake_provider._wire._openai import OpenAI
from fake_provider._wire._shapes import NO_HINT, Failure, Hint, Moment, Refusal, Usage
from tests.fake_provider.wire.wiring import NOW, full, transport

DIALECT = OpenAI()
LIMITS = Limits(tokens_per_minute=30_000)
LEVELS = full(LIMITS)
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}


def sdk(answer):
    """The SDK's client, wired to the dialect, without retries."""
    http_client = httpx2.Client(transport=transport(DIALECT, answer))
    return openai.OpenAI(api_key="k", http_client=http_client, max_retries=0)


def served(ask, ids):
    return DIALECT.served(Moment(ask, LEVELS, ids, NOW), PLAIN, Usage(17, 12))


def refused(ask, ids):
    hint = Hint("seconds", 1.046)
    return DIALECT.refused(Moment(ask, LEVELS, ids, NOW), Refusal(LIMITS.limits[0], hint, 654))


def test_the_sdk_reads_a_completion() -> None:
    """Text, usage and request id arrive in the SDK's own types."""
    completion = sdk(served).chat.completions.create(**BODY)
    assert completion.choices[0].message.content == TEXT
    assert completion.usage.total_tokens == 29
    assert completion._request_id.startswith("req_")


@pytest.mark.parametrize("include_usage", [False, True])
def test_the_sdk_reads_a_stream(include_usage) -> None:
    """The chunks join to the whole text; usage comes last, if it was asked for."""
    chunks = list(
        sdk(served).chat.completions.create(
            **BODY, stream=True, stream_options={"include_usage": include_usage}
        )
    )
    texts = [choice.delta.content for chunk in chunks for choice in chunk.choices]
    assert "".join(text for text in texts if text) == TEXT
    usages = [chunk.usage.total_tokens for chunk in chunks if chunk.usage]
    assert usages == ([29] if include_usage else [])


def test_the_sdk_raises_a_rate_limit_error() -> None:
    """Code, type, request id and headers of a refusal are those that were rendered."""
    with pytest.raises(openai.RateLimitError, match=r"Please try again in 1\.046s") as caught:
        sdk(refused).chat.completions.create(**BODY)
    error = caught.value
    assert (error.code, error.type) == ("rate_limit_exceeded", "tokens")
    assert error.request_id == error.response.headers["x-request-id"]
    assert error.request_id.startswith("req_")
    assert error.response.headers["retry-after"] == "2"


def test_the_sdk_reads_what_is_too_large_as_a_rate_limit() -> None:
    """The provider gives it the same status and code: only the message tells."""

    def answer(ask, ids):
        return DIALECT.too_large(
            Moment(ask, LEVELS, ids, NOW), Refusal(LIMITS.limits[0], NO_HINT, 30_601)
        )

    with pytest.raises(openai.RateLimitError, match="Request too large for gpt-4o") as caught:
        sdk(answer).chat.completions.create(**BODY)
    assert caught.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("status", "kind", "expected", "code"),
    [
        (429, "insufficient_quota", openai.RateLimitError, "insufficient_quota"),
        (401, None, openai.AuthenticationError, "invalid_api_key"),
        (503, None, openai.InternalServerError, "server_is_overloaded"),
    ],
)
def test_the_sdk_has_a_class_for_each_error(status, kind, expected, code) -> None:
    """Status leads to the SDK's exception, the code is read from the body."""
    with pytest.raises(expected) as caught:
        sdk(
            lambda ask, ids: DIALECT.error(Failure(status, kind), ids, NOW)
        ).chat.completions.create(**BODY)
    assert caught.value.code == code


def test_the_sdk_is_told_of_a_malformed_request() -> None:
    """400 and 404 come back as the SDK's own exceptions."""
    client = sdk(served)
    with pytest.raises(openai.BadRequestError, match="must be at least 1"):
        client.chat.completions.create(**BODY, max_tokens=0)
    with pytest.raises(openai.NotFoundError, match="Invalid URL"):
        client.completions.create(model="gpt-4o", prompt="hello")
