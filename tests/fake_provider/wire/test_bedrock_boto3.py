"""Bedrock: what boto3 makes of the answers, and how it retries."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.config import Config
from botocore.eventstream import ParserError
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    EventStreamError,
    ReadTimeoutError,
)
from botocore.stub import Stubber

from fake_provider import Answer, FakeProvider, Fault
from fake_provider._wire._answer import TEXT

NOVA = "us.amazon.nova-pro-v1:0"
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
TURNS = [{"role": "user", "content": [{"text": "hello"}]}]
ASKED = {"modelId": NOVA, "messages": TURNS}
BODY = json.dumps(
    {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "hello"}],
    }
)
TOOLS = Answer(text="Look:", tool_calls=[("get_weather", {"city": "Oslo"})])


@pytest.fixture(scope="module")
def session():
    """A session with credentials of no use: making one takes most of a test's time."""
    return boto3.Session("AKIDEXAMPLE", "secret", region_name="eu-west-1")


@pytest.fixture
def make(session):
    """Return a client with a configuration; it exists before any provider is opened."""
    return lambda **config: session.client("bedrock-runtime", config=Config(**config))


@pytest.fixture
def client(make):
    """A client that does not retry."""
    return make(retries={"total_max_attempts": 1})


def unknown(shape, value, where=""):
    """What an answer has that a shape of the service's model does not know, or lacks, or types."""
    kinds = {"string": str, "integer": int, "long": int, "structure": dict, "list": list}
    kind = kinds.get(shape.type_name)
    if kind is not None and not isinstance(value, kind):
        return [f"{where} is no {shape.type_name}"]
    if shape.type_name == "list":
        rows = [unknown(shape.member, each, f"{where}.{n}") for n, each in enumerate(value)]
        return [wrong for row in rows for wrong in row]
    if shape.type_name != "structure" or getattr(shape, "is_document_type", False):
        return []
    wrong = [f"{where}.{name} is missing" for name in shape.required_members if name not in value]
    for name, each in value.items():
        member = shape.members.get(name)
        wrong += [f"{where}.{name}"] if member is None else unknown(member, each, f"{where}.{name}")
    return wrong


def raw_body(client, event):
    """Keep the raw bodies that a client's parser gets."""
    bodies = []
    client.meta.events.register(
        f"before-parse.bedrock-runtime.{event}",
        lambda response_dict, **_: bodies.append(response_dict["body"]),
    )
    return bodies


def test_boto3_reads_a_conversation(client):
    """Text, reason and the tokens that were charged arrive, after the provider's time."""
    with FakeProvider(latency=0.5) as provider:
        answer = client.converse(**ASKED)
    (attempt,) = provider.trace.attempts
    assert answer["output"]["message"] == {"role": "assistant", "content": [{"text": TEXT}]}
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"]["inputTokens"] == attempt.input_tokens == 2
    assert answer["usage"]["totalTokens"] == attempt.tokens
    assert (attempt.dialect, attempt.model, attempt.ended_at) == ("bedrock", NOVA, 0.5)
    assert attempt.host == "bedrock-runtime.eu-west-1.amazonaws.com"


@pytest.mark.parametrize("content", [Answer(text="hello"), TOOLS], ids=["text", "tools"])
def test_the_service_s_model_knows_every_field(client, content):
    """The raw body has what the model requires, in the model's types, and nothing else."""
    shape = client.meta.service_model.operation_model("Converse").output_shape
    bodies = raw_body(client, "Converse")
    with FakeProvider() as provider:
        provider.script([content])
        client.converse(**ASKED)
    assert unknown(shape, json.loads(bodies[0])) == []
    assert unknown(shape, {"stopReason": 1, "more": 2, "usage": {}, "metrics": {}}) == [
        ".output is missing",
        ".stopReason is no string",
        ".more",
        ".usage.inputTokens is missing",
        ".usage.outputTokens is missing",
        ".usage.totalTokens is missing",
        ".metrics.latencyMs is missing",
    ]


def test_boto3_reads_a_stream(client):
    """The pieces join to the text, and the usage comes last; every event is in the model."""
    shape = client.meta.service_model.operation_model("ConverseStream").output_shape
    with FakeProvider() as provider:
        events = list(client.converse_stream(**ASKED)["stream"])
    deltas = [each["contentBlockDelta"]["delta"] for each in events if "contentBlockDelta" in each]
    assert "".join(delta["text"] for delta in deltas) == TEXT
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 50
    stream = shape.members["stream"]
    assert [unknown(stream, each) for each in events] == [[]] * len(events)
    assert provider.trace.attempts[0].stream


def test_boto3_reads_a_tool_call(client):
    """Name and arguments, in one piece and streamed."""
    with FakeProvider() as provider:
        provider.script([TOOLS, TOOLS])
        answer = client.converse(**ASKED)
        events = list(client.converse_stream(**ASKED)["stream"])
    text, tool = answer["output"]["message"]["content"]
    assert (text["text"], tool["toolUse"]["name"]) == ("Look:", "get_weather")
    assert tool["toolUse"]["input"] == {"city": "Oslo"}
    assert answer["stopReason"] == "tool_use"
    deltas = [each["contentBlockDelta"]["delta"] for each in events if "contentBlockDelta" in each]
    assert json.loads(deltas[-1]["toolUse"]["input"]) == {"city": "Oslo"}


def test_boto3_reads_a_model_s_own_message(client):
    """The body is Anthropic's, whole and in the chunks of a stream; headers count tokens."""
    with FakeProvider():
        answer = client.invoke_model(modelId=CLAUDE, body=BODY)
        message = json.loads(answer["body"].read())
        streamed = client.invoke_model_with_response_stream(modelId=CLAUDE, body=BODY)
        events = [json.loads(each["chunk"]["bytes"]) for each in streamed["body"]]
    assert message["content"] == [{"type": "text", "text": TEXT}]
    assert answer["contentType"] == streamed["contentType"] == "application/json"
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-bedrock-output-token-count"] == "50"
    deltas = [each["delta"]["text"] for each in events if each["type"] == "content_block_delta"]
    assert "".join(deltas) == TEXT
    assert "amazon-bedrock-invocationMetrics" in events[-1]


def test_boto3_reads_a_count(client):
    """A count is no attempt."""
    with FakeProvider() as provider:
        counted = client.count_tokens(modelId=NOVA, input={"converse": {"messages": TURNS}})
        inner = {"invokeModel": {"body": BODY.encode()}}
        assert client.count_tokens(modelId=CLAUDE, input=inner)["inputTokens"] == 2
    assert counted["inputTokens"] == 2
    assert not provider.trace.attempts


def test_a_refusal_is_a_throttling_exception(client):
    """Class, code, message, status and request id are those that were rendered."""
    with FakeProvider(tokens_per_minute=60) as provider:
        client.converse(**ASKED)
        with pytest.raises(client.exceptions.ThrottlingException) as caught:
            client.converse(**ASKED)
    response = caught.value.response
    assert response["Error"] == {
        "Message": "Too many tokens, please wait before trying again.",
        "Code": "ThrottlingException",
    }
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert len(response["ResponseMetadata"]["RequestId"]) == 36
    refused = provider.trace.attempts[1]
    assert (refused.reason, refused.hint, refused.refused) == ("tokens_per_minute", None, True)


def test_boto3_retries_within_seconds_by_a_counter_of_its_own(make):
    """Three attempts of one call, at most 1 and 2 s apart: long before the limit has room."""
    with FakeProvider(requests_per_minute=1, latency=0.0) as provider:
        client = make(retries={"mode": "standard"})
        client.converse(**ASKED)
        with pytest.raises(client.exceptions.ThrottlingException) as caught:
            client.converse(**ASKED)
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 2
    _, *refused = provider.trace.attempts
    assert [(a.layer, a.sdk_retry, a.attempt) for a in refused] == [
        ("first", 0, 1),
        ("sdk", 1, 2),
        ("sdk", 2, 3),
    ]
    first, second, third = [attempt.arrived_at for attempt in refused]
    assert 0.0 < second - first <= 1.0
    assert 0.0 < third - second <= 2.0


def test_boto3_obeys_aws_s_own_header(make):
    """A wait of milliseconds is obeyed as far as 5 s above the backoff, and recorded in full."""
    with FakeProvider(requests_per_minute=1, latency=0.0, hint="ms") as provider:
        client = make(retries={"mode": "standard", "total_max_attempts": 2})
        client.converse(**ASKED)
        provider.clock.advance(57.0)
        client.converse(**ASKED)
    _, refused, served = provider.trace.attempts
    assert (refused.hint, refused.hint_form) == (3.0, "ms")
    assert served.arrived_at >= 60.0
    assert served.succeeded


def test_an_overload_is_retried_and_gone(make):
    """503 ServiceUnavailableException, then the answer."""
    with FakeProvider() as provider:
        provider.script([Fault(status=503), None])
        assert make(retries={"mode": "standard"}).converse(**ASKED)["stopReason"] == "end_turn"
    first, second = provider.trace.attempts
    assert (first.reason, second.layer, second.call) == ("overloaded", "sdk", first.call)


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (503, None, "ServiceUnavailableException"),
        (424, None, "ModelErrorException"),
        (408, None, "ModelTimeoutException"),
        (429, "ModelNotReadyException", "ModelNotReadyException"),
        (400, "ServiceQuotaExceededException", "ServiceQuotaExceededException"),
        (500, None, "InternalServerException"),
    ],
)
def test_every_exception_has_its_class(client, status, code, name):
    """The service's model has a class for each of them."""
    with FakeProvider() as provider:
        provider.script([Fault(status=status, code=code)])
        with pytest.raises(getattr(client.exceptions, name)):
            client.converse(**ASKED)


def test_a_malformed_request_is_a_validation_exception(client):
    """400, which no wait cures."""
    with FakeProvider() as provider, pytest.raises(client.exceptions.ValidationException) as caught:
        client.converse(modelId=NOVA, messages=[])
    assert "A conversation must start with a user message." in str(caught.value)
    assert provider.trace.attempts[0].terminal


def test_an_exception_inside_a_stream_is_an_event_stream_error(client):
    """Events arrive up to it; the status line was 200."""
    events = []
    with FakeProvider() as provider:
        provider.script([Fault(status=429, after=2)])
        with pytest.raises(EventStreamError, match="throttlingException"):
            events.extend(client.converse_stream(**ASKED)["stream"])
    (attempt,) = provider.trace.attempts
    assert (attempt.status, attempt.reason, attempt.succeeded) == (200, "scripted", False)


@pytest.mark.parametrize("after", [0, 3, 1_000])
def test_garbage_in_a_stream_is_found_by_its_checksum(client, after):
    """Wherever it is, also in the last frame."""
    with FakeProvider() as provider:
        provider.script([Fault(kind="garbage", after=after)])
        with pytest.raises(ParserError, match="Checksum mismatch"):
            list(client.converse_stream(**ASKED)["stream"])


def test_a_read_timeout_is_botocore_s_own_at_its_instant(make):
    """A client that waits 7 s has given up after 7 s of virtual time."""
    client = make(read_timeout=7, retries={"total_max_attempts": 1})
    with FakeProvider(latency=30.0) as provider:
        with pytest.raises(ReadTimeoutError, match="eu-west-1"):
            client.converse(**ASKED)
        assert provider.clock.elapsed() == 7.0
    assert provider.trace.attempts[0].cancelled_at == 7.0


def test_a_cut_is_a_closed_connection_that_boto3_retries(make):
    """The connection ends before the answer; the second attempt gets one."""
    with FakeProvider() as provider:
        provider.script([Fault(kind="cut"), None])
        assert make(retries={"mode": "standard"}).converse(**ASKED)["stopReason"] == "end_turn"
        provider.script([Fault(kind="cut")])
        with pytest.raises(ConnectionClosedError):
            make(retries={"total_max_attempts": 1}).converse(**ASKED)
    assert [attempt.reason for attempt in provider.trace.attempts] == ["cut", None, "cut"]


def test_a_request_with_an_api_key_counts_for_that_key(monkeypatch):
    """The key of `AWS_BEARER_TOKEN_BEDROCK` instead of a signature."""
    with FakeProvider(requests_per_minute=1) as provider:
        for key in ("one", "two"):
            monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
            boto3.Session(region_name="eu-west-1").client("bedrock-runtime").converse(**ASKED)
    first, second = provider.trace.attempts
    assert first.succeeded
    assert second.succeeded
    assert first.key != second.key


def test_what_a_stubber_answers_does_not_come_here(client):
    """botocore's own stubber is asked before the provider."""
    answer = {
        "output": {"message": {"role": "assistant", "content": [{"text": "stubbed"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
        "metrics": {"latencyMs": 1},
    }
    with FakeProvider() as provider, Stubber(client) as stubber:
        stubber.add_response("converse", answer)
        assert client.converse(**ASKED)["output"] == answer["output"]
    assert not provider.trace.attempts


def test_another_service_of_aws_is_none_of_the_provider_s(session):
    """What no provider answers goes where it always went: here to a port that nobody has."""
    storage = session.client(
        "s3", endpoint_url="http://127.0.0.1:9", config=Config(retries={"total_max_attempts": 1})
    )
    with FakeProvider() as provider, pytest.raises(EndpointConnectionError):
        storage.list_buckets()
    assert provider.trace.elsewhere == ()
