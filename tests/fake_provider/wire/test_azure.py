"""Azure OpenAI: by deployment and by the v1 API, through the real SDK."""

from __future__ import annotations

import json
import re

import openai
import pytest
from openai.types.chat import ChatCompletion

from fake_provider import FakeProvider, Fault
from fake_provider._limiters import Level
from fake_provider._limits import Limits
from fake_provider._wire._answer import PLAIN, TEXT
from fake_provider._wire._azure import Azure
from fake_provider._wire._shapes import Ask, BadRequest, Hint, Ids, Moment, Refusal, Request, Usage
from tests.fake_provider.wire.wiring import NOW, body, full, loaded, strict

DIALECT = Azure()
PATH = "/openai/deployments/gpt-4.1-nano/chat/completions"
ASK = Ask("generate", "gpt-4.1-nano", None, False, 5, {}, f"{PATH}?2023-05-15")
TOKENS, REQUESTS = LIMITS = Limits(tokens_per_minute=30_000, requests_per_minute=180)
MESSAGES = [{"role": "user", "content": "hello"}]
GPT = {"model": "gpt-5", "messages": MESSAGES}


def client(**options):
    """A client of a resource, by deployment."""
    given = {"api_key": "k", "api_version": "2024-10-21", "max_retries": 0, **options}
    return openai.AzureOpenAI(**{"azure_endpoint": "https://my-res.openai.azure.com", **given})


def v1_client(**options):
    """OpenAI's own client, of a resource's v1 API."""
    url = "https://my-res.openai.azure.com/openai/v1/"
    return openai.OpenAI(**{"base_url": url, "api_key": "k", "max_retries": 0, **options})


def refused(hint=None, violated=TOKENS, levels=None, ask=ASK):
    hint = hint or Hint("seconds", 44.25)
    levels = full(LIMITS) if levels is None else levels
    return DIALECT.refused(Moment(ask, levels, Ids(0), NOW), Refusal(violated, hint, 9))


@pytest.mark.parametrize("make", [client, v1_client])
def test_the_sdk_reads_a_completion_and_a_stream(make):
    """Both APIs answer in OpenAI's form; the model that has limits is the deployment."""
    with FakeProvider() as provider:
        completion = make().chat.completions.create(**GPT)
        stream = make().chat.completions.create(**GPT, stream=True)
        pieces = [choice.delta.content for chunk in stream for choice in chunk.choices]
    assert completion.choices[0].message.content == TEXT
    assert "".join(piece or "" for piece in pieces) == TEXT
    assert [(a.dialect, a.model) for a in provider.trace.attempts] == [("azure", "gpt-5")] * 2
    strict(ChatCompletion, completion.model_dump())


def test_responses_embeddings_and_models_are_served_as_well():
    """Through either API."""
    with FakeProvider() as provider:
        assert v1_client().responses.create(model="gpt-5", input="hello").output_text == TEXT
        assert client().responses.create(model="gpt-5", input="hello").output_text == TEXT
        vectors = client().embeddings.create(model="ada", input="hello", dimensions=4)
        assert len(vectors.data[0].embedding) == 4
        assert list(v1_client().models.list())
    assert [attempt.model for attempt in provider.trace.attempts] == ["gpt-5", "gpt-5", "ada"]


def test_the_variables_that_the_sdk_reads_are_set_where_azure_is_meant():
    """A client without arguments reaches the provider, whatever the real endpoint was."""
    with FakeProvider(dialect="azure") as provider:
        openai.AzureOpenAI(max_retries=0).chat.completions.create(**GPT)
    (attempt,) = provider.trace.attempts
    assert attempt.host == "fake-provider.openai.azure.com"


def test_a_refusal_is_worded_as_reported():
    """Deployment, region, operation, version and wait, as a report of December 2025 has them."""
    assert loaded(refused()) == {
        "error": {
            "code": "429",
            "message": (
                "Your requests to gpt-4.1-nano for gpt-4.1-nano in East US 2 have exceeded the "
                "token rate limit for your current AIServices S0 pricing tier. This request was "
                "for ChatCompletions_Create under Azure OpenAI API version 2023-05-15. Please "
                "retry after 45 seconds. To increase your default rate limit, visit: "
                "https://aka.ms/oai/quotaincrease."
            ),
        }
    }
    assert body(refused()).startswith(b'{"error":{"code":"429","message":"Your requests')


def test_a_refusal_for_requests_is_of_the_call_rate_limit():
    """The v1 API names itself where there is no version."""
    ask = ASK._replace(target="/openai/v1/responses?v1")
    message = loaded(refused(violated=REQUESTS, ask=ask))["error"]["message"]
    assert "have exceeded the call rate limit" in message
    assert "for Responses_Create under Azure OpenAI API version v1." in message


def test_a_refusal_states_limits_and_waits_in_whole_seconds():
    """Two forms of the wait, and resets that are plain numbers."""
    levels = (Level(TOKENS, 0, 44_250_000_000), Level(REQUESTS, 170, 3_400_000_000))
    headers = dict(refused(levels=levels).headers)
    for name in ("apim-request-id", "x-request-id"):
        assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", headers.pop(name))
    assert headers == {
        "date": "Fri, 27 Feb 2026 12:52:07 GMT",
        "content-type": "application/json",
        "content-length": str(len(body(refused()))),
        "x-ms-region": "East US 2",
        "x-ms-deployment-name": "gpt-4.1-nano",
        "policy-id": "DeploymentRatelimit-Token",
        "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
        "x-content-type-options": "nosniff",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "45",
        "x-ratelimit-limit-requests": "180",
        "x-ratelimit-remaining-requests": "170",
        "x-ratelimit-reset-requests": "4",
        "retry-after": "45",
        "retry-after-ms": "44250",
    }


@pytest.mark.parametrize(
    ("form", "named"),
    [
        ("ms", {"retry-after-ms": "44250"}),
        ("date", {"retry-after": "Fri, 27 Feb 2026 12:52:52 GMT"}),
        ("reset", {}),
        ("none", {}),
    ],
)
def test_another_form_of_hint_stands_alone(form, named):
    """Both headers are the usual form; of none, neither the body nor the resets tell."""
    reply = refused(Hint(form, 44.25))
    headers = dict(reply.headers)
    assert {name: headers[name] for name in headers if name.startswith("retry-after")} == named
    assert ("x-ratelimit-reset-tokens" in headers) == (form != "none")
    assert (b"Please retry after" in body(reply)) == (form != "none")


def test_an_admitted_answer_states_limits_without_resets():
    """What remains is told with every answer."""
    headers = dict(
        DIALECT.served(Moment(ASK, full(LIMITS), Ids(0), NOW), PLAIN, Usage(1, 1)).headers
    )
    assert headers["x-ratelimit-remaining-tokens"] == "30000"
    assert not {name for name in headers if "reset" in name or "retry" in name}


def test_the_sdk_waits_as_many_milliseconds_as_it_is_told():
    """The milliseconds come before the seconds, so the retry is not rounded up."""
    with FakeProvider(requests_per_minute=1, latency=0.0) as provider:
        sdk = client(max_retries=1)
        sdk.chat.completions.create(**GPT)
        provider.clock.advance(0.25)
        sdk.chat.completions.create(**GPT)
    _, refused_attempt, retry = provider.trace.attempts
    assert (refused_attempt.hint, refused_attempt.hint_form) == (59.75, "ms")
    assert retry.arrived_at - refused_attempt.arrived_at == 59.75


def test_a_request_that_can_never_fit_is_told_to_wait_a_day_and_the_sdk_gives_up():
    """86,400 seconds are above what the SDK waits: one attempt, and an error at once."""
    with FakeProvider(tokens_per_minute=10) as provider:
        with pytest.raises(openai.RateLimitError, match="retry after 86400 seconds") as caught:
            client(max_retries=5).chat.completions.create(**GPT)
        assert provider.clock.elapsed() == pytest.approx(0.0, abs=1.0)
    assert caught.value.response.headers["retry-after"] == "86400"
    (attempt,) = provider.trace.attempts
    assert (attempt.reason, attempt.terminal) == ("too-large", True)


def test_the_sdk_raises_a_rate_limit_error_whose_code_is_a_string():
    """The code is the status as text, and there is no type."""
    with FakeProvider(requests_per_minute=1):
        client().chat.completions.create(**GPT)
        with pytest.raises(openai.RateLimitError, match="call rate limit") as caught:
            client().chat.completions.create(**GPT)
    assert (caught.value.code, caught.value.type) == ("429", None)


@pytest.mark.parametrize(
    ("path", "query", "headers", "status", "message"),
    [
        (PATH, "", {"api-key": "k"}, 404, "Resource not found"),
        ("/openai/v1/images", "", {"api-key": "k"}, 404, "Resource not found"),
        (PATH, "api-version=2024-10-21", {}, 401, "Access denied due to invalid subscription key"),
    ],
)
def test_what_no_wait_can_cure_is_refused_at_once(path, query, headers, status, message):
    """Version, path and key are looked at before any limit is."""
    request = Request("POST", "r.openai.azure.com", path, headers, json.dumps(GPT).encode(), query)
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse(request)
    assert caught.value.status == status
    assert caught.value.message.startswith(message)


def test_a_token_of_entra_id_is_a_key_as_well():
    """A bearer token identifies the caller where there is no `api-key`."""
    token = {"authorization": "Bearer t"}
    for headers, key in ((token, "t"), ({**token, "api-key": "k"}, "k")):
        assert DIALECT.api_key(Request("POST", "r.openai.azure.com", "/", headers, b"")) == key


@pytest.mark.parametrize(
    ("status", "error", "code", "text"),
    [
        (401, openai.AuthenticationError, "401", "Access denied"),
        (429, openai.RateLimitError, "429", "Requests to this deployment"),
        (503, openai.InternalServerError, "503", "System is experiencing high demand"),
    ],
)
def test_the_sdk_has_a_class_for_each_error(status, error, code, text):
    """Scripted errors have Azure's shape and words."""
    with FakeProvider() as provider:
        provider.script([Fault(status=status)])
        with pytest.raises(error, match=text) as caught:
            client().chat.completions.create(**GPT)
    assert caught.value.code == code


def test_an_error_of_the_model_s_api_is_worded_as_openai_s():
    """A malformed request is refused by what is behind the gateway."""
    with FakeProvider(), pytest.raises(openai.BadRequestError, match="at least 1") as caught:
        client().chat.completions.create(**GPT, max_tokens=0)
    assert caught.value.type == "invalid_request_error"
