"""Mistral: its answers, refusals and errors, through its SDK where that is installed."""

from __future__ import annotations

import json

import openai
import pytest

from fake_provider import Answer, FakeProvider, Fault
from fake_provider._limits import Limits
from fake_provider._wire._answer import PLAIN, TEXT
from fake_provider._wire._mistral import Mistral
from fake_provider._wire._shapes import Ask, Failure, Hint, Ids, Moment, Refusal, Usage
from tests.fake_provider.wire.wiring import NOW, body, extras, full, loaded

DIALECT = Mistral()
MODEL = "mistral-small-latest"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
ASK = Ask("generate", MODEL, None, False, 5, {}, "/v1/chat/completions")
LIMITS = Limits(requests_per_minute=60, tokens_per_minute=500_000, tokens_per_day=9)
TOOLS = Answer(text="Let me see.", tool_calls=[("look_up", {"key": 'a "b"'})])


@pytest.fixture
def sdk():
    """The class of the SDK's client."""
    return pytest.importorskip("mistralai.client").Mistral


def openai_client(**options):
    """OpenAI's SDK, pointed at Mistral."""
    given = {"base_url": "https://api.mistral.ai/v1", "api_key": "k", "max_retries": 0, **options}
    return openai.OpenAI(**given)


def test_the_sdk_reads_a_completion_of_its_own_types_alone(sdk):
    """Text, tools and usage arrive, and nothing that the SDK does not know."""
    with FakeProvider() as provider:
        provider.script([TOOLS])
        completion = sdk(api_key="k").chat.complete(**CHAT)
    message = completion.choices[0].message
    assert message.content == "Let me see."
    (call,) = message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "look_up",
        {"key": 'a "b"'},
    )
    assert len(call.id) == 9
    assert completion.usage.total_tokens == 52
    assert extras(completion) == []
    (attempt,) = provider.trace.attempts
    assert (attempt.dialect, attempt.model) == ("mistral", MODEL)


def test_the_sdk_reads_a_stream(sdk):
    """The pieces join, and usage comes with the last of them."""
    with FakeProvider():
        events = list(sdk(api_key="k").chat.stream(**CHAT))
    texts = [event.data.choices[0].delta.content for event in events]
    assert "".join(text for text in texts if text) == TEXT
    assert events[-1].data.choices[0].finish_reason == "stop"
    assert events[-1].data.usage.completion_tokens == 50
    assert [extras(event.data) for event in events] == [[]] * len(events)


def test_the_sdk_reads_embeddings_and_models(sdk):
    """Vectors are lists of numbers, of which nothing is charged as output."""
    with FakeProvider() as provider:
        vectors = sdk(api_key="k").embeddings.create(model="mistral-embed", inputs=["a", "b"])
        assert "mistral-embed" in {model.id for model in sdk(api_key="k").models.list().data}
    assert [len(row.embedding) for row in vectors.data] == [1_024, 1_024]
    assert extras(vectors) == []
    (attempt,) = provider.trace.attempts
    assert attempt.output_tokens == 0


def test_the_sdk_does_not_retry_unless_it_is_told_to(sdk):
    """One refusal, one error, which carries the body as it came."""
    errors = pytest.importorskip("mistralai.client.errors")
    with FakeProvider(requests_per_minute=1) as provider:
        client = sdk(api_key="k")
        client.chat.complete(**CHAT)
        with pytest.raises(errors.SDKError, match="Rate limit exceeded") as caught:
            client.chat.complete(**CHAT)
    assert caught.value.status_code == 429
    assert json.loads(caught.value.body)["code"] == "1300"
    assert [attempt.status for attempt in provider.trace.attempts] == [200, 429]


def test_a_retrying_sdk_backs_off_by_its_own_intervals(sdk):
    """There is no header to obey: two seconds, times its factor, plus up to a second."""
    retries = pytest.importorskip("mistralai.client.utils.retries")
    backoff = retries.BackoffStrategy(2_000, 60_000, 2.0, 600_000)
    config = retries.RetryConfig("backoff", backoff, retry_connection_errors=False)
    with FakeProvider(latency=0.0) as provider:
        provider.script([Fault(), Fault(), None])
        sdk(api_key="k", retry_config=config).chat.complete(**CHAT)
    times = [attempt.arrived_at for attempt in provider.trace.attempts]
    assert 2.0 <= times[1] - times[0] <= 3.0
    assert 4.0 <= times[2] - times[1] <= 5.0


def test_a_refusal_has_the_reported_bytes_and_names_no_wait():
    """Body of the report; limits of the minute in the headers, without resets."""
    reply = DIALECT.refused(
        Moment(ASK, full(LIMITS), Ids(0), NOW), Refusal(LIMITS.limits[0], Hint("seconds", 1.0), 1)
    )
    assert reply.status == 429
    assert body(reply) == (
        b'{"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,'
        b'"code":"1300","raw_status_code":429}'
    )
    headers = dict(reply.headers)
    assert {
        name: value for name, value in headers.items() if "rate" in name or "retry" in name
    } == {
        "x-ratelimit-limit-req-minute": "60",
        "x-ratelimit-remaining-req-minute": "60",
        "x-ratelimit-limit-tokens-minute": "500000",
        "x-ratelimit-remaining-tokens-minute": "500000",
    }
    assert len(headers["mistral-correlation-id"]) == 32


def test_a_wait_that_is_asked_for_is_named_all_the_same():
    """A test may ask what the SDK does with a header that this provider does not send."""
    reply = DIALECT.refused(
        Moment(ASK, full(LIMITS), Ids(0), NOW), Refusal(LIMITS.limits[0], Hint("ms", 1.5), 1)
    )
    assert dict(reply.headers)["retry-after-ms"] == "1500"


def test_too_large_cannot_be_told_from_any_refusal():
    """The same status and code; the trace knows better."""
    limited = FakeProvider(tokens_per_minute=8)
    with limited as provider, pytest.raises(openai.RateLimitError, match="Rate limit exceeded"):
        openai_client().chat.completions.create(**CHAT)
    (attempt,) = provider.trace.attempts
    assert (attempt.reason, attempt.hint) == ("too-large", None)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, None, {"detail": "Unauthorized"}),
        (
            429,
            "service_tier_capacity_exceeded",
            {
                "object": "error",
                "message": "Service tier capacity exceeded for this model.",
                "type": "service_tier_capacity_exceeded",
                "param": None,
                "code": "3505",
                "raw_status_code": 429,
            },
        ),
    ],
)
def test_every_error_has_mistral_s_shape(status, code, expected):
    """Flat, with the status inside; one without a key has nothing but a word."""
    assert loaded(DIALECT.error(Failure(status, code), Ids(0), NOW)) == expected


def test_a_request_without_a_key_is_unauthorized():
    """The SDK's own error, at once."""
    with FakeProvider(), pytest.raises(openai.AuthenticationError, match="401"):
        openai_client(default_headers={"Authorization": ""}).chat.completions.create(**CHAT)


def test_the_whole_answer_is_pinned():
    """Body of a 200, byte for byte but for its id."""
    reply = DIALECT.served(Moment(ASK, (), Ids(0), NOW), PLAIN, Usage(17, 12))
    identity = loaded(reply)["id"]
    assert len(identity) == 32
    assert body(reply).decode() == (
        f'{{"id":"{identity}","object":"chat.completion","created":{NOW // 10**9},'
        f'"model":"{MODEL}","choices":[{{"index":0,"message":{{"role":"assistant","content":'
        f'"{TEXT}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":17,'
        '"completion_tokens":12,"total_tokens":29}}'
    )
