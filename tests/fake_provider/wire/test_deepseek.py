"""DeepSeek: its answers, and refusals by concurrency alone, through OpenAI's SDK."""

from __future__ import annotations

import asyncio

import openai
import pytest

from fake_provider import FakeProvider, Fault
from fake_provider._wire._answer import PLAIN, TEXT
from fake_provider._wire._deepseek import DeepSeek
from fake_provider._wire._shapes import Ask, Ids, Moment, Usage
from tests.fake_provider.wire.wiring import NOW, extras

DIALECT = DeepSeek()
CHAT = {"model": "deepseek-chat", "messages": [{"role": "user", "content": "hello"}]}
ASK = Ask("generate", "deepseek-chat", None, True, 5, {}, "/chat/completions")
WAY = {"base_url": "https://api.deepseek.com", "api_key": "k"}


def client(**options):
    return openai.OpenAI(**{**WAY, "max_retries": 0, **options})


def test_the_sdk_reads_a_completion_and_a_stream():
    """With and without `/v1`, and through a comment that keeps the connection open."""
    with FakeProvider() as provider:
        completion = client().chat.completions.create(**CHAT)
        v1 = client(base_url="https://api.deepseek.com/v1")
        stream = v1.chat.completions.create(**CHAT, stream=True)
        texts = [choice.delta.content for chunk in stream for choice in chunk.choices]
    assert completion.choices[0].message.content == "".join(texts) == TEXT
    assert extras(completion) == []
    assert {attempt.dialect for attempt in provider.trace.attempts} == {"deepseek"}
    reply = DIALECT.served(Moment(ASK, (), Ids(0), NOW), PLAIN, Usage(1, 1))
    assert reply.chunks[0].data == b": keep-alive\n\n"


def test_requests_at_once_are_limited_and_nothing_names_a_wait():
    """Of three at once one is refused, without a hint; the SDK backs off by itself."""
    with FakeProvider(concurrent_requests=2, latency=1.0) as provider:

        async def main():
            sdk = openai.AsyncOpenAI(**WAY, max_retries=5)
            await asyncio.gather(*(sdk.chat.completions.create(**CHAT) for _ in range(3)))

        asyncio.run(main())
    refused = [attempt for attempt in provider.trace.attempts if attempt.refused]
    assert refused
    assert {(a.reason, a.hint) for a in refused} == {("concurrent_requests", None)}
    assert sum(attempt.succeeded for attempt in provider.trace.attempts) == 3


def test_a_refusal_carries_no_header_of_limits():
    """Neither limits nor waits are stated, whatever refused."""
    with FakeProvider(requests_per_minute=1):
        client().chat.completions.create(**CHAT)
        with pytest.raises(openai.RateLimitError, match="too quickly") as caught:
            client().chat.completions.create(**CHAT)
    headers = caught.value.response.headers
    assert not {name for name in headers if "ratelimit" in name or "retry" in name}


@pytest.mark.parametrize(
    ("status", "type_", "text"),
    [
        (401, "authentication_error", "Authentication Fails"),
        (402, "unknown_error", "Insufficient Balance"),
        (503, "service_unavailable_error", "The server is overloaded"),
    ],
)
def test_the_sdk_reads_every_error(status, type_, text):
    """Status leads to the SDK's exception, the type is read from the body."""
    with FakeProvider() as provider:
        provider.script([Fault(status=status)])
        with pytest.raises(openai.APIStatusError, match=text) as caught:
            client().chat.completions.create(**CHAT)
    assert (caught.value.status_code, caught.value.type) == (status, type_)


def test_too_large_names_no_wait():
    """The trace knows that no wait helps; the answer does not say so."""
    with FakeProvider(tokens_per_minute=8) as provider, pytest.raises(openai.RateLimitError):
        client().chat.completions.create(**CHAT)
    assert (provider.trace.attempts[0].reason, provider.trace.attempts[0].hint) == (
        "too-large",
        None,
    )
