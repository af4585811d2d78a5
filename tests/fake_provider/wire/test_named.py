"""Named answers: what each dialect says to a script that calls an answer by its name."""

from __future__ import annotations

import anthropic
import openai
import pytest

from fake_provider import FakeProvider, Fault, ProviderError
from fake_provider._wire import DIALECTS
from fake_provider._wire._named import NAMES, TERMINAL, names_of
from tests.fake_provider.wire.asking import GENERATE

KNOWN = [(dialect, name) for dialect in DIALECTS for name in names_of(DIALECTS[dialect])]
UNKNOWN = sorted({(dialect, name) for dialect in DIALECTS for name in NAMES} - set(KNOWN))
LIMITS = {"tokens_per_minute": 1_000, "requests_per_minute": 10}
# What tells a client how long to wait, or where the limits stand.
TELLING = ("retry", "ratelimit")

# By dialect and name: status, and what the answer's text has in it. Source: the providers' pages
# on errors, and public reports, as the dialects' own modules say; read 2026-11-25.
EXPECTED = {
    ("anthropic", "acceleration"): (429, '"error_code":"ramp_limit_exceeded"'),
    ("anthropic", "concurrency"): (429, "Number of concurrent connections has exceeded your rate"),
    ("anthropic", "insufficient-quota"): (400, "Your credit balance is too low"),
    ("anthropic", "overloaded"): (
        529,
        '{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"}',
    ),
    ("anthropic", "spend-cap"): (429, '"error_code":"enforced_spend_limit_reached"'),
    ("anthropic", "too-large"): (413, '"type":"request_too_large"'),
    ("anthropic", "windowless"): (
        429,
        '{"type":"error","error":{"type":"rate_limit_error","message":"Error"}',
    ),
    ("azure", "concurrency"): (429, '{"error":{"code":"429","message":"'),
    ("azure", "overloaded"): (503, "System is experiencing high demand"),
    ("azure", "too-large"): (429, "Please retry after 86400 seconds."),
    ("azure", "windowless"): (429, '{"error":{"code":"429","message":"'),
    ("bedrock", "concurrency"): (429, "Too many requests, please wait before trying again."),
    ("bedrock", "insufficient-quota"): (400, "exceeds the service quota for your account."),
    ("bedrock", "overloaded"): (503, "Bedrock is unable to process your request."),
    ("bedrock", "too-large"): (429, "Too many tokens, please wait before trying again."),
    ("bedrock", "windowless"): (429, "Too many requests, please wait before trying again."),
    ("deepseek", "concurrency"): (429, "You are sending requests too quickly."),
    ("deepseek", "insufficient-quota"): (402, "Insufficient Balance"),
    ("deepseek", "overloaded"): (503, "The server is overloaded due to high traffic."),
    ("deepseek", "too-large"): (429, "You are sending requests too quickly."),
    ("deepseek", "windowless"): (429, "You are sending requests too quickly."),
    ("gemini", "concurrency"): (429, '"status": "RESOURCE_EXHAUSTED"'),
    ("gemini", "overloaded"): (503, "The model is overloaded. Please try again later."),
    ("gemini", "too-large"): (429, '"status": "RESOURCE_EXHAUSTED"'),
    ("gemini", "windowless"): (429, '"status": "RESOURCE_EXHAUSTED"'),
    ("groq", "concurrency"): (429, '"code":"rate_limit_exceeded"'),
    ("groq", "overloaded"): (503, "The model is currently over capacity."),
    ("groq", "too-large"): (413, "Request too large for model `some-model`"),
    ("groq", "windowless"): (429, '"code":"rate_limit_exceeded"'),
    ("mistral", "concurrency"): (429, '"type":"rate_limited","param":null,"code":"1300"'),
    ("mistral", "overloaded"): (
        429,
        '"type":"service_tier_capacity_exceeded","param":null,"code":"3505"',
    ),
    ("mistral", "too-large"): (429, '"code":"1300"'),
    ("mistral", "windowless"): (429, '"code":"1300"'),
    ("openai", "acceleration"): (429, '"code": "slow_down"'),
    ("openai", "concurrency"): (429, "on concurrent requests: Limit 1, Used 1, Requested 1."),
    ("openai", "insufficient-quota"): (429, '"code": "insufficient_quota"'),
    ("openai", "overloaded"): (503, '"code": "server_is_overloaded"'),
    ("openai", "spend-cap"): (429, '"code": "organization_spend_limit_exceeded"'),
    ("openai", "too-large"): (429, "Limit 51, Requested 52. The input or output tokens must be"),
    ("openai", "windowless"): (429, '"code": "rate_limit_exceeded"'),
    ("openrouter", "concurrency"): (429, "Rate limit exceeded: "),
    ("openrouter", "insufficient-quota"): (402, "Insufficient credits."),
    ("openrouter", "overloaded"): (503, "No instances available"),
    ("openrouter", "too-large"): (429, "Rate limit exceeded"),
    ("openrouter", "windowless"): (429, "Rate limit exceeded"),
    ("vertex", "concurrency"): (429, '"status": "RESOURCE_EXHAUSTED"'),
    ("vertex", "overloaded"): (529, '"type":"overloaded_error","message":"Overloaded"'),
    ("vertex", "too-large"): (429, '"status": "RESOURCE_EXHAUSTED"'),
    ("vertex", "windowless"): (429, '"status": "RESOURCE_EXHAUSTED"'),
}


@pytest.mark.parametrize(("dialect", "name"), KNOWN)
def test_an_answer_is_called_by_its_name(dialect, name):
    """It has the dialect's status and wording, and the attempt says what it was."""
    with FakeProvider(**LIMITS) as provider:
        provider.script(Fault(kind=name))
        response = GENERATE[dialect].send()
        (attempt,) = provider.trace.attempts
    status, text = EXPECTED[dialect, name]
    assert response.status_code == status
    assert text in response.text
    assert (attempt.room, attempt.charged) == (None, 0.0)
    assert attempt.terminal == (name in TERMINAL)
    if name == "overloaded":
        assert attempt.reason == "overloaded"
    elif name not in TERMINAL:
        assert attempt.reason == "scripted"


def test_every_named_answer_is_expected_of_every_dialect_that_has_it():
    """A dialect that learns another answer states what it says."""
    assert set(EXPECTED) == set(KNOWN)
    assert {name for _, name in KNOWN} == set(NAMES)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_windowless_refusal_names_neither_limits_nor_a_wait(dialect):
    """Of what could tell how long to wait, only the advice that it may be retried is left."""
    with FakeProvider(**LIMITS) as provider:
        provider.script(Fault(kind="windowless"))
        response = GENERATE[dialect].send()
        (attempt,) = provider.trace.attempts
    telling = [name for name in response.headers if any(word in name for word in TELLING)]
    assert telling == (["x-should-retry"] if dialect == "anthropic" else [])
    assert attempt.hint is None


@pytest.mark.parametrize("name", ["spend-cap", "insufficient-quota"])
def test_what_no_wait_cures_names_none(name):
    """Neither Anthropic's nor OpenAI's answer has a Retry-After, and the first advises against."""
    with FakeProvider(**LIMITS) as provider:
        provider.script(Fault(kind=name))
        theirs, others = (GENERATE[dialect].send() for dialect in ("anthropic", "openai"))
    assert "retry-after" not in theirs.headers | others.headers
    assert theirs.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(("dialect", "name"), UNKNOWN)
def test_an_answer_that_is_not_known_of_a_provider_is_an_error(dialect, name):
    """The message names the dialect, what it has, and what was asked of it."""
    with FakeProvider() as provider:
        provider.script(Fault(kind=name))
        with pytest.raises(ProviderError, match=f"the dialect {dialect} has .*got '{name}'"):
            GENERATE[dialect].send()


def test_a_named_answer_takes_headers_and_a_body():
    """What is stated replaces the dialect's own, as with any other fault."""
    with FakeProvider() as provider:
        provider.script(Fault(kind="overloaded", headers={"retry-after": "7"}, body="busy"))
        response = GENERATE["anthropic"].send()
        (attempt,) = provider.trace.attempts
    assert (response.status_code, response.text, attempt.hint) == (529, "busy", 7.0)


def test_a_stream_is_overloaded_in_its_middle():
    """With `after` the dialect's error event comes inside a stream that was admitted."""
    with FakeProvider() as provider:
        provider.script(Fault(kind="overloaded", after=2))
        stream = anthropic.Anthropic(max_retries=0).messages.stream
        question = {"role": "user", "content": "hello"}
        with stream(model="claude-sonnet-5", max_tokens=60, messages=[question]) as events:
            assert next(events.text_stream)
            with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
                events.until_done()
        (attempt,) = provider.trace.attempts
    assert (attempt.status, attempt.reason) == (200, "overloaded")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("overloaded", anthropic.OverloadedError),
        ("spend-cap", anthropic.RateLimitError),
        ("acceleration", anthropic.RateLimitError),
        ("too-large", anthropic.APIStatusError),
        ("insufficient-quota", anthropic.BadRequestError),
    ],
)
def test_anthropic_s_sdk_raises_its_own_error(name, error):
    """Status and error code are those by which the SDK tells its errors apart."""
    question = [{"role": "user", "content": "hello"}]
    with FakeProvider() as provider:
        provider.script(Fault(kind=name))
        with pytest.raises(error):
            anthropic.Anthropic(max_retries=0).messages.create(
                model="claude-sonnet-5", max_tokens=60, messages=question
            )


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("acceleration", "slow_down"),
        ("insufficient-quota", "insufficient_quota"),
        ("overloaded", "server_is_overloaded"),
        ("spend-cap", "organization_spend_limit_exceeded"),
        ("too-large", "rate_limit_exceeded"),
    ],
)
def test_openai_s_sdk_reads_the_code(name, code):
    """The parsed error has the code by which a client tells a bill from a queue."""
    with FakeProvider() as provider:
        provider.script(Fault(kind=name))
        with pytest.raises(openai.APIStatusError) as caught:
            openai.OpenAI(max_retries=0).chat.completions.create(
                model="gpt-5", messages=[{"role": "user", "content": "hello"}]
            )
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"status": 500}, "status must be left out where kind is overloaded, got 500"),
        ({"code": "x"}, "code must be left out where kind is overloaded, got 'x'"),
        ({"kind": "spend-cap", "after": 1}, "after must be left out where kind is spend-cap"),
        ({"kind": "overload"}, "kind must be one of error, cut, .*, got 'overload'"),
    ],
)
def test_what_does_not_go_with_a_name_is_named(stated, message):
    """Status and code are the dialect's, and only an overload happens inside a stream."""
    with pytest.raises(ValueError, match=message):
        Fault(**{"kind": "overloaded", **stated})


@pytest.mark.parametrize(
    ("stated", "unit"),
    [
        ({"input_tokens_per_minute": 40}, "input tokens"),
        ({"output_tokens_per_minute": 40}, "output tokens"),
        ({"requests_per_minute": 1}, "requests"),
    ],
)
def test_a_limit_on_acceleration_refuses_in_anthropic_s_words(stated, unit):
    """It names the growth and not the limit, and has the code that the SDK knows."""
    with FakeProvider(
        **stated, algorithm="acceleration", tokens_per_request=60, output_tokens=30
    ) as provider:
        responses = (GENERATE["anthropic"].send() for _ in range(9))
        response = next(each for each in responses if not each.is_success)
        refused = provider.trace.attempts[-1]
    error = response.json()["error"]
    assert error["details"] == {"error_code": "ramp_limit_exceeded"}
    assert error["type"] == "rate_limit_error"
    assert f"maximum usage increase rate for {unit} per minute" in error["message"]
    assert (refused.status, refused.terminal) == (429, False)


def test_a_limit_on_acceleration_refuses_in_openai_s_words():
    """The code is that of a ramp, with the wait and without the limits."""
    with FakeProvider(
        tokens_per_minute=100, algorithm="acceleration", tokens_per_request=60
    ) as provider:
        GENERATE["openai"].send()
        response = GENERATE["openai"].send()
        refused = provider.trace.attempts[-1]
    assert response.json()["error"]["code"] == "slow_down"
    assert float(response.headers["retry-after"]) == refused.hint
    assert not [name for name in response.headers if "ratelimit" in name]
