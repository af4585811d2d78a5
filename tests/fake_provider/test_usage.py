"""Usage: what an answer reports is what was charged, in every dialect, cache included."""

from __future__ import annotations

import base64
import json

import pytest

from fake_provider import FakeProvider, Limits
from fake_provider._wire import DIALECTS
from tests.fake_provider.wire.asking import GENERATE, STREAM
from tests.fake_provider.wire.wiring import frames

GIVEN, READ, WRITTEN, MADE = 1_000, 600, 150, 40
COST = {
    "tokens_per_request": GIVEN + MADE,
    "output_tokens": MADE,
    "cached_tokens": READ,
    "cache_written_tokens": WRITTEN,
}
MESSAGES, CHAT = ("anthropic", "vertex"), ("azure", "deepseek", "groq", "openai", "openrouter")
# What tells of tokens that were written to a cache.
TELLS_WRITTEN = (*MESSAGES, "azure", "bedrock", "openai")


def counts(dialect, told):
    """All input tokens, those read from and written to a cache, and the output of a usage."""
    if dialect in MESSAGES:
        read, written = told["cache_read_input_tokens"], told["cache_creation_input_tokens"]
        return told["input_tokens"] + read + written, read, written, told["output_tokens"]
    if dialect == "bedrock":
        read, written = told["cacheReadInputTokens"], told["cacheWriteInputTokens"]
        given, made = told["inputTokens"] + read + written, told["outputTokens"]
        assert told["totalTokens"] == given + made
        return given, read, written, made
    if dialect == "gemini":
        assert told["totalTokenCount"] == told["promptTokenCount"] + told["candidatesTokenCount"]
        read = told.get("cachedContentTokenCount", 0)
        return told["promptTokenCount"], read, 0, told["candidatesTokenCount"]
    assert told["total_tokens"] == told["prompt_tokens"] + told["completion_tokens"]
    details = told.get("prompt_tokens_details", {})
    read, written = details.get("cached_tokens", 0), details.get("cache_write_tokens", 0)
    return told["prompt_tokens"], read, written, told["completion_tokens"]


def usage_of(value):
    """The usage of an answer, or of a part of one."""
    return value.get("usage") or value.get("usageMetadata")


def last_usage(dialect, response):
    """The last usage that a stream reports."""
    if dialect == "bedrock":
        parts = [payload for _, payload in frames(response.content)]
    else:
        lines = [line[6:] for line in response.text.splitlines() if line.startswith("data: {")]
        parts = [json.loads(line) for line in lines]
    return [usage_of(part) for part in parts if usage_of(part)][-1]


def expected(dialect):
    read = 0 if dialect == "mistral" else READ
    return GIVEN, read, WRITTEN if dialect in TELLS_WRITTEN else 0, MADE


@pytest.mark.parametrize("dialect", DIALECTS)
def test_usage_is_what_was_charged(dialect):
    """Plain and streamed, every number of it, and no more is charged than the limit counts."""
    limits = Limits(input_tokens_per_minute=GIVEN) + Limits(
        output_tokens_per_minute=2 * MADE, algorithm="token-bucket"
    )
    with FakeProvider(limits, **COST) as provider:
        plain, streamed = GENERATE[dialect].send(), STREAM[dialect].send()
        refused = GENERATE[dialect].send()
        attempts = provider.trace.attempts
    assert counts(dialect, usage_of(plain.json())) == expected(dialect)
    assert counts(dialect, last_usage(dialect, streamed)) == expected(dialect)
    assert [(a.input_tokens, a.output_tokens) for a in attempts] == [(GIVEN, MADE)] * 3
    # What is read from a cache is exempt: two requests of 400 fit, a third one does not.
    assert [a.status for a in attempts] == [200, 200, 429]
    assert refused.status_code == 429


@pytest.mark.parametrize(("share", "admitted"), [(0.0, 3), (1.0, 1)])
def test_the_share_of_a_cache_is_the_limit_s(share, admitted):
    """Tokens read from it are exempt or charged, and reported all the same."""
    with FakeProvider(
        Limits(input_tokens_per_minute=1_200, charge_cached=share), **COST
    ) as provider:
        answers = [GENERATE["anthropic"].send() for _ in range(4)]
        assert len(provider.trace.refused) == 4 - admitted
    assert answers[0].json()["usage"]["cache_read_input_tokens"] == READ


def test_invoke_counts_the_cache_in_its_headers():
    """The body is Anthropic's; headers and the last frame's metrics count apart."""
    url = GENERATE["bedrock"].url.replace("converse", "invoke")
    body = GENERATE["vertex"].body
    with FakeProvider(**COST):
        whole = GENERATE["bedrock"]._replace(url=url, body=body).send()
        url += "-with-response-stream"
        streamed = GENERATE["bedrock"]._replace(url=url, body=body).send()
    counted = {name.removeprefix("x-amzn-bedrock-"): value for name, value in whole.headers.items()}
    assert counted["input-token-count"] == str(GIVEN - READ - WRITTEN)
    assert counted["cache-read-input-token-count"] == str(READ)
    assert counted["cache-write-input-token-count"] == str(WRITTEN)
    assert whole.json()["usage"]["cache_creation"]["ephemeral_5m_input_tokens"] == WRITTEN
    _, last = frames(streamed.content)[-1]
    metrics = json.loads(base64.b64decode(last["bytes"]))["amazon-bedrock-invocationMetrics"]
    assert metrics["inputTokenCount"] == GIVEN - READ - WRITTEN
    assert metrics["cacheReadInputTokenCount"] == READ
