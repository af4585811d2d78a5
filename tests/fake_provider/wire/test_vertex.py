"""Vertex: Claude on Vertex AI, through the client that anthropic ships for it."""

from __future__ import annotations

import json

import anthropic
import pytest

from fake_provider import Answer, FakeProvider, Fault
from fake_provider._limits import Limits
from fake_provider._wire._anthropic_clouds import own_name
from fake_provider._wire._shapes import (
    Ask,
    BadRequest,
    Failure,
    Hint,
    Ids,
    Moment,
    Refusal,
    Request,
)
from fake_provider._wire._vertex import Vertex
from tests.fake_provider.wire.wiring import NOW, full, loaded

pytest.importorskip("google.auth")

DIALECT = Vertex()
MODEL = "claude-sonnet-4-5@20250929"
PATH = f"/v1/projects/p/locations/us-east5/publishers/anthropic/models/{MODEL}:rawPredict"
ASK = Ask("generate", MODEL, 64, False, 5, {}, PATH)
TURNS = [{"role": "user", "content": "hello"}]
ASKED = {"model": MODEL, "max_tokens": 64, "messages": TURNS}
TEXT = "This is a fixed answer from a fake provider."


def client(region="us-east5", **options):
    """The client, with a token of no use."""
    return anthropic.AnthropicVertex(
        region=region, project_id="p", access_token="t", **{"max_retries": 0, **options}
    )


def test_the_client_reads_a_message_with_ids_of_this_cloud():
    """Text and usage are Anthropic's; the trace has host, model and class of Vertex AI."""
    with FakeProvider() as provider:
        message = client().messages.create(**ASKED)
    (attempt,) = provider.trace.attempts
    assert message.content[0].text == TEXT
    assert message.id.startswith("msg_vrtx_01")
    assert message.model == "claude-sonnet-4-5-20250929"
    assert message.usage.output_tokens == attempt.output_tokens == 50
    assert (attempt.dialect, attempt.host) == ("vertex", "us-east5-aiplatform.googleapis.com")
    assert (attempt.model, attempt.model_class) == (MODEL, "claude-sonnet-4-5")
    assert attempt.max_tokens == 64


def test_the_client_reads_a_stream_and_tools():
    """The same events as Anthropic's own; tool ids are of this cloud."""
    with FakeProvider() as provider:
        provider.script([Answer(text="Look:", tool_calls=[("get_weather", {"city": "Oslo"})])])
        with client().messages.stream(**ASKED) as stream:
            message = stream.get_final_message()
    text, use = message.content
    assert (text.text, use.name, use.input) == ("Look:", "get_weather", {"city": "Oslo"})
    assert use.id.startswith("toolu_vrtx_01")
    assert provider.trace.attempts[0].stream


def test_the_client_reads_a_count():
    """The model of a count is in the body; it is no attempt."""
    with FakeProvider() as provider:
        counted = client().messages.count_tokens(model=MODEL, messages=TURNS)
    assert counted.input_tokens == 2
    assert not provider.trace.attempts


def test_a_refusal_names_the_quota_and_no_wait():
    """The SDK backs off by itself, and its counter is read."""
    with FakeProvider(requests_per_minute=1, latency=0.0) as provider:
        sdk = client(max_retries=2)
        sdk.messages.create(**ASKED)
        with pytest.raises(anthropic.RateLimitError) as caught:
            sdk.messages.create(**ASKED)
    assert caught.value.body["error"] == {
        "code": 429,
        "message": "Quota exceeded for aiplatform.googleapis.com/"
        "online_prediction_requests_per_base_model with base model: anthropic-claude-sonnet-4-5. "
        "Please submit a quota increase request. "
        "https://cloud.google.com/vertex-ai/docs/generative-ai/quotas-genai.",
        "status": "RESOURCE_EXHAUSTED",
    }
    _, *refused = provider.trace.attempts
    assert [(a.layer, a.hint) for a in refused] == [("first", None), ("sdk", None), ("sdk", None)]
    assert 0.375 <= refused[1].arrived_at - refused[0].arrived_at <= 0.5


@pytest.mark.parametrize(
    ("limits", "quota"),
    [
        (
            Limits(input_tokens_per_minute=9),
            "online_prediction_input_tokens_per_minute_per_base_model",
        ),
        (
            Limits(output_tokens_per_minute=9),
            "online_prediction_output_tokens_per_minute_per_base_model",
        ),
        (Limits(tokens_per_minute=9), "online_prediction_tokens_per_minute_per_base_model"),
    ],
)
def test_each_limit_has_its_quota(limits, quota):
    """Input, output and all tokens are told apart."""
    (limit,) = limits
    hint = Hint("seconds", 9.0)
    reply = DIALECT.refused(Moment(ASK, full(limits), Ids(0), NOW), Refusal(limit, hint, 1))
    assert f"aiplatform.googleapis.com/{quota} with" in loaded(reply)["error"]["message"]
    assert not [name for name, _ in reply.headers if name.startswith("retry")]


def test_the_endpoint_of_all_regions_says_no_more_than_that_it_is_exhausted():
    """One sentence, on the host without a region."""
    with FakeProvider(requests_per_minute=1) as provider:
        sdk = client("global")
        sdk.messages.create(**ASKED)
        with pytest.raises(anthropic.RateLimitError, match="Resource exhausted"):
            sdk.messages.create(**ASKED)
    assert provider.trace.attempts[0].host == "aiplatform.googleapis.com"


@pytest.mark.parametrize(
    ("status", "kind", "type_"),
    [(529, None, "overloaded_error"), (500, "api_error", "api_error"), (503, None, None)],
)
def test_errors_of_the_model_are_anthropic_s_and_the_rest_google_s(status, kind, type_):
    """An overload is worded by Anthropic, an outage by Google."""
    error = loaded(DIALECT.error(Failure(status, kind), Ids(0), NOW))["error"]
    assert error.get("type") == type_
    assert ("code" in error) == (type_ is None)


def test_an_overload_is_the_sdk_s_own_error_before_a_stream_and_in_it():
    """529 as a status, and as an event inside a stream of status 200."""
    with FakeProvider() as provider:
        provider.script([Fault(status=529), Fault(status=529, after=1)])
        with pytest.raises(anthropic.OverloadedError):
            client().messages.create(**ASKED)
        with (
            pytest.raises(anthropic.APIStatusError, match="Overloaded"),
            client().messages.stream(**ASKED) as stream,
        ):
            stream.get_final_message()
    assert [attempt.reason for attempt in provider.trace.attempts] == ["overloaded"] * 2


@pytest.mark.parametrize(
    ("headers", "changes", "path", "status", "kind"),
    [
        ({}, {}, PATH, 401, "UNAUTHENTICATED"),
        ({"authorization": "Bearer t"}, {"anthropic_version": ""}, PATH, 400, "invalid_request"),
        ({"authorization": "Bearer t"}, {"max_tokens": 0}, PATH, 400, "invalid_request"),
        ({"authorization": "Bearer t"}, {}, "/v1/projects/p/locations", 404, "NOT_FOUND"),
    ],
)
def test_a_malformed_request_is_refused(headers, changes, path, status, kind):
    """By Google where it is Google's, by Anthropic where the body is wrong."""
    body = {"anthropic_version": "vertex-2023-10-16", **ASKED, **changes}
    request = Request("POST", DIALECT.hosts[0], path, headers, json.dumps(body).encode())
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse(request)
    assert caught.value.status == status
    assert caught.value.kind.startswith(kind)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929"),
        ("claude-opus-5", "claude-opus-5"),
        ("amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
    ],
)
def test_a_model_s_own_name_is_without_the_cloud_s_additions(name, own):
    """Region, maker and version go; what is not Claude stays."""
    assert own_name(name) == own
