"""Groq: its answers, refusals and errors, through its SDK where that is installed."""

from __future__ import annotations

import openai
import pytest

from fake_provider import Answer, FakeProvider, Fault
from fake_provider._limiters import Level
from fake_provider._limits import Limits
from fake_provider._wire._answer import PLAIN, TEXT
from fake_provider._wire._groq import Groq
from fake_provider._wire._shapes import Ask, Hint, Ids, Moment, Refusal, Usage
from tests.fake_provider.wire.wiring import NOW, body, extras, loaded

groq = pytest.importorskip("groq")

DIALECT = Groq()
MODEL = "openai/gpt-oss-120b"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
ASK = Ask("generate", MODEL, None, False, 5, {}, "/openai/v1/chat/completions")
REQUESTS, TOKENS = Limits(requests_per_day=1_000, algorithm="token-bucket") + Limits(
    tokens_per_minute=8_000, algorithm="token-bucket"
)
# The report: 5,803 tokens used of 8,000, and 5,313 requested.
LEVELS = (Level(REQUESTS, 998, 172_800_000_000), Level(TOKENS, 2_197, 43_522_500_000))


def client(**options):
    return groq.Groq(**{"max_retries": 0, **options})


def test_the_sdk_reads_a_completion_of_its_own_types_alone():
    """Text, usage and Groq's own field arrive, and nothing that the SDK does not know."""
    with FakeProvider() as provider:
        completion = client().chat.completions.create(**CHAT)
    assert completion.choices[0].message.content == TEXT
    assert completion.usage.total_tokens == 52
    assert completion.x_groq.id.startswith("req_")
    assert extras(completion) == []
    (attempt,) = provider.trace.attempts
    assert (attempt.dialect, attempt.host) == ("groq", "api.groq.com")


def test_the_sdk_reads_a_stream_of_text_and_tools():
    """The pieces join; name and arguments are whole; usage comes with the last chunk."""
    answer = Answer(text="Let me see.", tool_calls=[("look_up", {"key": 'a "b"'})])
    with FakeProvider() as provider:
        provider.script([answer])
        chunks = list(client().chat.completions.create(**CHAT, stream=True))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == "Let me see."
    (call,) = [call for delta in deltas for call in delta.tool_calls or ()]
    assert (call.function.name, call.function.arguments) == ("look_up", '{"key": "a \\"b\\""}')
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    assert chunks[-1].usage.completion_tokens == 50
    assert [extras(chunk) for chunk in chunks] == [[]] * len(chunks)


def test_models_are_listed():
    """The list is no attempt."""
    with FakeProvider() as provider:
        assert MODEL in {model.id for model in client().models.list().data}
        assert provider.trace.attempts == ()


def test_a_refusal_is_worded_and_headed_as_reported():
    """The report's own figures: what is used and requested, the wait, and Go's durations."""
    hint = Hint("seconds", 23.37)
    reply = DIALECT.refused(Moment(ASK, LEVELS, Ids(0), NOW), Refusal(TOKENS, hint, 5_313))
    assert body(reply).decode() == (
        '{"error":{"message":"Rate limit reached for model `openai/gpt-oss-120b` in organization '
        "`org_01fakeprovider` service tier `on_demand` on tokens per minute (TPM): Limit 8000, "
        "Used 5803, Requested 5313. Please try again in 23.37s. Need more tokens? Upgrade to Dev "
        'Tier today at https://console.groq.com/settings/billing","type":"tokens",'
        '"code":"rate_limit_exceeded"}}'
    )
    headers = dict(reply.headers)
    assert headers["retry-after"] == "24"
    stated = {name: value for name, value in headers.items() if name.startswith("x-ratelimit")}
    assert stated == {
        "x-ratelimit-limit-requests": "1000",
        "x-ratelimit-limit-tokens": "8000",
        "x-ratelimit-remaining-requests": "998",
        "x-ratelimit-remaining-tokens": "2197",
        "x-ratelimit-reset-requests": "2m52.8s",
        "x-ratelimit-reset-tokens": "43.522s",
    }
    assert headers["x-request-id"].startswith("req_")
    assert headers["x-groq-region"]


def test_tokens_are_those_of_the_minute():
    """A limit on tokens per day is stated by the refusal that it causes, not by headers."""
    (day,) = Limits(tokens_per_day=9_000)
    levels = (Level(TOKENS, 2_197, 0), Level(day, 5, 0))
    headers = dict(DIALECT.served(Moment(ASK, levels, Ids(0), NOW), PLAIN, Usage(1, 1)).headers)
    assert headers["x-ratelimit-limit-tokens"] == "8000"
    assert "retry-after" not in headers


def test_too_large_is_a_413_that_the_sdk_does_not_retry():
    """The code is that of any refusal; status and advice tell that no wait helps."""
    limited = FakeProvider(tokens_per_minute=8)
    with (
        limited as provider,
        pytest.raises(groq.APIStatusError, match="please reduce your message size") as caught,
    ):
        client(max_retries=3).chat.completions.create(**CHAT)
    error = caught.value
    assert error.status_code == 413
    assert error.body["error"]["code"] == "rate_limit_exceeded"
    assert error.response.headers["x-should-retry"] == "false"
    assert error.body["error"]["message"].startswith(
        f"Request too large for model `{MODEL}` in organization `org_01fakeprovider` service tier "
        "`on_demand` on tokens per minute (TPM): Limit 8, Requested 52, please reduce"
    )
    (attempt,) = provider.trace.attempts
    assert (attempt.status, attempt.reason, attempt.terminal) == (413, "too-large", True)


@pytest.mark.parametrize("wait", [30.0, 60.0])
def test_the_sdk_waits_as_long_as_it_is_told(wait):
    """Up to 60 s the header is obeyed exactly."""
    with FakeProvider(latency=0.0) as provider:
        provider.script([Fault(headers={"retry-after": f"{wait:g}"})])
        client(max_retries=1).chat.completions.create(**CHAT)
    first, second = provider.trace.attempts
    assert (first.call, first.attempt, second.attempt) == (second.call, 1, 2)
    assert second.arrived_at - first.arrived_at == wait


def test_the_sdk_ignores_a_wait_of_more_than_a_minute():
    """It comes back within half a second, into the same refusal."""
    with FakeProvider(requests_per_day=1, latency=0.0) as provider:
        sdk = client(max_retries=1)
        sdk.chat.completions.create(**CHAT)
        with pytest.raises(groq.RateLimitError, match=r"requests per day \(RPD\): Limit 1, Used 1"):
            sdk.chat.completions.create(**CHAT)
    _, refused, retry = provider.trace.attempts
    assert refused.hint == 86_400.0
    assert 0.3 < retry.arrived_at - refused.arrived_at <= 0.5


@pytest.mark.parametrize(
    ("status", "code", "error", "text"),
    [
        (401, None, "AuthenticationError", "Invalid API Key"),
        (498, None, "APIStatusError", "Flex tier capacity exceeded"),
        (503, None, "InternalServerError", "currently over capacity"),
        (429, None, "RateLimitError", "Rate limit reached"),
    ],
)
def test_the_sdk_has_a_class_for_each_error(status, code, error, text):
    """Scripted errors have Groq's shape and words."""
    with FakeProvider() as provider:
        provider.script([Fault(status=status, code=code)])
        with pytest.raises(getattr(groq, error), match=text):
            client().chat.completions.create(**CHAT)


def test_openai_s_sdk_may_be_pointed_at_groq():
    """Its base URL holds the path that Groq's own SDK adds."""
    with FakeProvider() as provider:
        sdk = openai.OpenAI(base_url="https://api.groq.com/openai/v1", api_key="k")
        assert sdk.chat.completions.create(**CHAT).choices[0].message.content == TEXT
        assert sdk.responses.create(model=MODEL, input="hello").output_text == TEXT
    assert {attempt.dialect for attempt in provider.trace.attempts} == {"groq"}


def test_a_loop_around_the_sdk_is_told_from_the_sdk_s_own():
    """A nonce in the body hides nothing: frames of the SDK are nobody's retry loop."""
    with FakeProvider() as provider:
        provider.script([Fault(), None])
        for nonce in range(2):
            try:
                client().chat.completions.create(**CHAT, user=f"{nonce}")
            except groq.RateLimitError:
                continue
    assert {attempt.attribution for attempt in provider.trace.attempts} == {"inferred"}


def test_a_refusal_of_a_day_names_the_day():
    """Requests of a day are worded as such, with the type of what is counted."""
    hint = Hint("none", 0.0)
    reply = DIALECT.refused(Moment(ASK, LEVELS, Ids(0), NOW), Refusal(REQUESTS, hint, 1))
    error = loaded(reply)["error"]
    assert (
        "on requests per day (RPD): Limit 1000, Used 2, Requested 1. Need more" in error["message"]
    )
    assert error["type"] == "requests"


def test_a_reset_is_cut_to_the_millisecond():
    """75 tokens of 8,000 are back after 562.5 ms, which has been seen as 562ms."""
    levels = (LEVELS[0], Level(TOKENS, 7_925, 562_500_000))
    headers = dict(DIALECT.served(Moment(ASK, levels, Ids(0), NOW), PLAIN, Usage(1, 1)).headers)
    assert headers["x-ratelimit-reset-tokens"] == "562ms"
    assert headers["x-ratelimit-remaining-tokens"] == "7925"
    assert headers["x-ratelimit-reset-requests"] == "2m52.8s"
