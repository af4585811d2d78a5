"""OpenRouter: its answers, its own refusals and those of others, through OpenAI's SDK."""

from __future__ import annotations

import openai
import pytest

from fake_provider import FakeProvider, Fault
from fake_provider._limits import Limits
from fake_provider._wire._answer import PLAIN, TEXT
from fake_provider._wire._openrouter import OpenRouter
from fake_provider._wire._shapes import Ask, Failure, Hint, Ids, Moment, Refusal, Usage
from tests.fake_provider.wire.wiring import NOW, body, extras, full, loaded

DIALECT = OpenRouter()
CHAT = {"model": "openai/gpt-5", "messages": [{"role": "user", "content": "hello"}]}
ASK = Ask("generate", "openai/gpt-5", None, False, 5, {}, "/api/v1/chat/completions")
URL = "https://openrouter.ai/api/v1"


def client(**options):
    return openai.OpenAI(**{"base_url": URL, "api_key": "k", "max_retries": 0, **options})


def test_the_sdk_reads_a_completion_and_who_served_it():
    """Text and usage arrive; the provider's name is the only field that OpenAI has not."""
    with FakeProvider() as provider:
        completion = client().chat.completions.create(**CHAT)
    assert completion.choices[0].message.content == TEXT
    assert completion.id.startswith("gen-")
    assert extras(completion) == [".provider"]
    assert provider.trace.attempts[0].dialect == "openrouter"


def test_a_stream_opens_with_a_comment_that_the_sdk_skips():
    """The line keeps the connection open while another provider is asked."""
    reply = DIALECT.served(Moment(ASK._replace(stream=True), (), Ids(0), NOW), PLAIN, Usage(1, 1))
    assert reply.chunks[0].data == b": OPENROUTER PROCESSING\n\n"
    with FakeProvider():
        stream = client().chat.completions.create(**CHAT, stream=True)
        texts = [choice.delta.content for chunk in stream for choice in chunk.choices]
    assert "".join(texts) == TEXT


@pytest.mark.parametrize(
    ("limits", "span", "amount"),
    [(Limits(requests_per_minute=20), "min", "20"), (Limits(requests_per_day=50), "day", "50")],
)
def test_its_own_refusal_holds_the_headers_in_its_body(limits, span, amount):
    """The body of the documentation, with the reset in milliseconds; no header names a wait."""
    hint = Hint("seconds", 12.5)
    reply = DIALECT.refused(
        Moment(ASK, full(limits), Ids(0), NOW), Refusal(limits.limits[0], hint, 1)
    )
    assert body(reply).decode() == (
        f'{{"error":{{"message":"Rate limit exceeded: free-models-per-{span}. ","code":429,'
        f'"metadata":{{"headers":{{"X-RateLimit-Limit":"{amount}","X-RateLimit-Remaining":'
        f'"{amount}","X-RateLimit-Reset":"{-(-(NOW + 12_500_000_000) // 10**6)}"}}}}}},'
        '"user_id":"user_fakeprovider"}'
    )
    assert not {name for name, _ in reply.headers if "retry" in name or "ratelimit" in name}


def test_no_hint_is_no_reset():
    """The form `none` leaves the reset out of the body as well."""
    limits = Limits(requests_per_minute=20)
    hint = Hint("none", 12.5)
    reply = DIALECT.refused(
        Moment(ASK, full(limits), Ids(0), NOW), Refusal(limits.limits[0], hint, 1)
    )
    assert "X-RateLimit-Reset" not in loaded(reply)["error"]["metadata"]["headers"]


def test_the_sdk_backs_off_by_itself():
    """Nothing names a wait that it reads: it retries within a second, in vain."""
    with FakeProvider(requests_per_minute=1, latency=0.0) as provider:
        sdk = client(max_retries=2)
        sdk.chat.completions.create(**CHAT)
        with pytest.raises(openai.RateLimitError, match="free-models-per-min") as caught:
            sdk.chat.completions.create(**CHAT)
    assert caught.value.code == "429"
    _, first, second, third = provider.trace.attempts
    assert 0.375 <= second.arrived_at - first.arrived_at <= 0.5
    assert 0.75 <= third.arrived_at - second.arrived_at <= 1.0
    assert first.hint is None


def test_another_provider_s_refusal_is_wrapped():
    """Kind `upstream` names the provider and gives its words."""
    reply = DIALECT.error(Failure(429, "upstream"), Ids(0), NOW)
    whole = loaded(reply)
    assert (whole["error"]["message"], whole["error"]["code"]) == ("Provider returned error", 429)
    assert list(whole["error"]["metadata"]) == ["provider_name", "raw"]
    assert "temporarily rate-limited upstream" in whole["error"]["metadata"]["raw"]


def test_an_error_inside_a_stream_is_a_chunk_that_the_sdk_raises():
    """Its choices end by the error; the SDK raises before it hands them on."""
    chunks = []
    with FakeProvider() as provider:
        provider.script([Fault(status=502, after=2)])
        stream = client().chat.completions.create(**CHAT, stream=True)
        with pytest.raises(openai.APIError, match="Provider returned error"):
            chunks.extend(stream)
    assert len([chunk for chunk in chunks if chunk.choices[0].delta.content]) == 2


@pytest.mark.parametrize(
    ("status", "text"),
    [(401, "No auth credentials found"), (402, "Insufficient credits"), (503, "No instances")],
)
def test_the_sdk_reads_every_error(status, text):
    """The code of an error is its status, a number that the SDK hands on as text."""
    with FakeProvider() as provider:
        provider.script([Fault(status=status)])
        with pytest.raises(openai.APIStatusError, match=text) as caught:
            client().chat.completions.create(**CHAT)
    assert (caught.value.status_code, caught.value.code) == (status, str(status))


def test_too_large_cannot_be_told_from_any_refusal():
    """The trace knows that no wait helps; the answer does not say so."""
    limited = FakeProvider(tokens_per_minute=8)
    with limited as provider, pytest.raises(openai.RateLimitError, match="Rate limit exceeded"):
        client().chat.completions.create(**CHAT)
    assert provider.trace.attempts[0].reason == "too-large"
