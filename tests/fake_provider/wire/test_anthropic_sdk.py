"""Anthropic: what its SDK makes of the answers."""

from __future__ import annotations

import anthropic
import httpx2
import pytest
from anthropic.types.shared.enforced_spend_limit_reached_error import (
    EnforcedSpendLimitReachedError,
)
from anthropic.types.shared.ramp_limit_exceeded_error import RampLimitExceededError

from fake_provider._limits import Limits
from fake_provider._wire._answer import PLAIN, TEXT
from fake_provider._wire._anthropic import Anthropic
from fake_provider._wire._shapes import NO_HINT, Failure, Hint, Moment, Refusal, Usage
from tests.fake_provider.wire.wiring import NOW, full, transport

DIALECT = Anthropic()
LIMITS = Limits(input_tokens_per_minute=30_000, requests_per_minute=50)
LEVELS = full(LIMITS)
BODY = {
    "model": "claude-opus-4-6",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hello"}],
}


def sdk(answer, **options):
    """The SDK's client, wired to the dialect; no retries unless asked for."""
    http_client = httpx2.Client(transport=transport(DIALECT, answer))
    options = {"api_key": "k", "max_retries": 0, **options}
    return anthropic.Anthropic(http_client=http_client, **options)


def served(ask, ids):
    return DIALECT.served(Moment(ask, LEVELS, ids, NOW), PLAIN, Usage(17, 12))


def refused(ask, ids):
    hint = Hint("seconds", 57.5)
    return DIALECT.refused(Moment(ask, LEVELS, ids, NOW), Refusal(LIMITS.limits[0], hint, 20_000))


def test_the_sdk_reads_a_message() -> None:
    """Text, usage and request id arrive in the SDK's own types."""
    message = sdk(served).messages.create(**BODY)
    assert message.content[0].text == TEXT
    assert (message.usage.input_tokens, message.usage.output_tokens) == (17, 12)
    assert message.stop_reason == "end_turn"
    assert message._request_id.startswith("req_011C")


def test_the_sdk_reads_a_stream() -> None:
    """The helper collects the whole text and the final usage."""
    with sdk(served).messages.stream(**BODY) as stream:
        texts = list(stream.text_stream)
        message = stream.get_final_message()
    assert "".join(texts) == TEXT
    assert len(texts) == 8
    assert (message.usage.input_tokens, message.usage.output_tokens) == (17, 12)


def test_the_sdk_reads_raw_events_in_order() -> None:
    """`stream=True` yields every event but the ping, which the SDK skips."""
    kinds = [event.type for event in sdk(served).messages.create(**BODY, stream=True)]
    deltas = ["content_block_delta"] * 8
    assert kinds == [
        "message_start",
        "content_block_start",
        *deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_the_sdk_reads_a_count() -> None:
    """The counting endpoint's number arrives."""
    client = sdk(lambda ask, ids: DIALECT.counted(Moment(ask, (), ids, NOW), ask.characters))
    counted = client.messages.count_tokens(model="claude-opus-4-6", messages=BODY["messages"])
    assert counted.input_tokens == 5


def test_the_sdk_raises_a_rate_limit_error() -> None:
    """Type, request id, body and headers of a refusal are those that were rendered."""
    with pytest.raises(anthropic.RateLimitError) as caught:
        sdk(refused).messages.create(**BODY)
    error = caught.value
    assert error.type == "rate_limit_error"
    assert error.request_id == error.body["request_id"]
    assert error.response.headers["retry-after"] == "58"


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (529, None, anthropic.OverloadedError),
        (500, None, anthropic.InternalServerError),
        (429, "enforced_spend_limit_reached", EnforcedSpendLimitReachedError),
        (429, "ramp_limit_exceeded", RampLimitExceededError),
    ],
)
def test_the_sdk_has_a_class_for_each_error(status, kind, expected) -> None:
    """Status and code lead to the SDK's own exception."""
    client = sdk(lambda ask, ids: DIALECT.error(Failure(status, kind), ids, NOW))
    with pytest.raises(expected) as caught:
        client.messages.create(**BODY)
    assert type(caught.value) is expected


def test_the_sdk_does_not_retry_what_is_too_large() -> None:
    """A 413 is one request, whatever the retries allowed."""
    seen = []

    def answer(ask, ids):
        seen.append(ask)
        return DIALECT.too_large(
            Moment(ask, LEVELS, ids, NOW), Refusal(LIMITS.limits[0], NO_HINT, 30_601)
        )

    with pytest.raises(anthropic.ContentTooLargeError):
        sdk(answer, max_retries=5).messages.create(**BODY)
    assert len(seen) == 1


def test_the_sdk_is_told_of_a_malformed_request() -> None:
    """400 and 404 come back as the SDK's own exceptions."""
    client = sdk(served)
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Input should be"):
        client.messages.create(**{**BODY, "max_tokens": 0})
    with pytest.raises(anthropic.NotFoundError):
        client.get("/v1/files", cast_to=object)


def test_the_sdk_is_told_that_its_key_is_missing() -> None:
    """A request without a key comes back as the SDK's AuthenticationError."""
    omit = {"Authorization": anthropic.omit, "X-Api-Key": anthropic.omit}
    with pytest.raises(anthropic.AuthenticationError):
        sdk(served).messages.create(**BODY, extra_headers=omit)
