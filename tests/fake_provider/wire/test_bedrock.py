"""Bedrock: requests, frames and errors; and the client that anthropic ships for it."""

from __future__ import annotations

import base64
import json
import struct

import anthropic
import pytest

from fake_provider import Answer, FakeProvider, Fault
from fake_provider._limits import Limits
from fake_provider._wire._answer import PLAIN, TEXT
from fake_provider._wire._bedrock import Bedrock
from fake_provider._wire._eventstream import event, exception, frame
from fake_provider._wire._shapes import (
    Ask,
    BadRequest,
    Failure,
    Hint,
    Ids,
    Moment,
    Refusal,
    Request,
    Usage,
)
from tests.fake_provider.wire.wiring import NOW, body, frames, full, loaded

DIALECT = Bedrock()
HOST = "bedrock-runtime.us-east-1.amazonaws.com"
NOVA = "us.amazon.nova-pro-v1:0"
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
SIGNED = {
    "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260227/us-east-1/bedrock/"
    "aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=0123abcd"
}
CONVERSATION = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
MESSAGE = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hello"}],
}
ASKED = {"model": CLAUDE, "max_tokens": 64, "messages": MESSAGE["messages"]}
CONVERSE = Ask("generate", NOVA, None, False, 5, CONVERSATION, "converse")
INVOKE = CONVERSE._replace(model=CLAUDE, target="invoke")


def request(given, verb="converse", headers=SIGNED, model=NOVA, method="POST"):
    """A request with this body."""
    raw = given if isinstance(given, bytes) else json.dumps(given).encode()
    return Request(method, HOST, f"/model/{model}/{verb}", headers, raw)


# ---------------------------------------------------------------- requests


def test_a_request_is_read_into_terms_that_no_dialect_owns():
    """The path names the model and whether to stream; text alone is counted."""
    image = {"image": {"format": "png", "source": {"bytes": "A" * 99}}}
    given = {
        "messages": [{"role": "user", "content": [{"text": "hello"}, image]}],
        "system": [{"text": "be brief"}],
        "inferenceConfig": {"maxTokens": 9},
    }
    assert DIALECT.parse(request(CONVERSATION)) == CONVERSE
    ask = DIALECT.parse(request(given, "converse-stream"))
    assert (ask.max_tokens, ask.stream, ask.characters) == (9, True, 5 + 8 + len("png"))
    ask = DIALECT.parse(request(MESSAGE, "invoke", model=CLAUDE))
    assert (ask.model, ask.max_tokens, ask.characters) == (CLAUDE, 64, 5)


@pytest.mark.parametrize(
    "given",
    [
        {"converse": CONVERSATION},
        {"invokeModel": {"body": base64.b64encode(json.dumps(MESSAGE).encode()).decode()}},
    ],
)
def test_a_count_is_of_a_conversation_or_of_a_message(given):
    """Either way the text is what is counted."""
    ask = DIALECT.parse(request({"input": given}, "count-tokens"))
    assert (ask.endpoint, ask.characters, ask.stream) == ("count_tokens", 5, False)
    assert loaded(DIALECT.counted(Moment(ask, (), Ids(0), NOW), 2)) == {"inputTokens": 2}


def test_a_key_is_the_access_key_of_a_signature_or_an_api_key():
    """The signature itself differs from one request to the next."""
    assert DIALECT.api_key(request({})) == "AKIDEXAMPLE"
    assert DIALECT.api_key(request({}, headers={"authorization": "Bearer k"})) == "k"
    assert DIALECT.api_key(request({}, headers={})) == ""


def test_a_profile_has_limits_of_its_own():
    """Limits are of a model or of an inference profile; a resource name is that of its profile."""
    arn = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{CLAUDE}"
    assert DIALECT.model_class(arn) == CLAUDE
    assert DIALECT.model_class(CLAUDE) != DIALECT.model_class(CLAUDE.removeprefix("us."))


@pytest.mark.parametrize(
    ("given", "status", "kind", "message"),
    [
        (request({}, headers={}), 403, "MissingAuthenticationTokenException", "Missing Auth"),
        (request({}, verb="rerank"), 404, "UnknownOperationException", ""),
        (request({}, method="GET"), 404, "UnknownOperationException", ""),
        (request(b"{"), 400, "SerializationException", "The body is not valid JSON"),
        (request({}), 400, "ValidationException", "A conversation must start with a user"),
        (request({"messages": ["x"]}), 400, "ValidationException", "The value at messages.0"),
        (
            request({**CONVERSATION, "inferenceConfig": {"maxTokens": 0}}),
            400,
            "ValidationException",
            "1 validation error detected",
        ),
        (request({}, "invoke"), 400, "ValidationException", "Malformed input request"),
        (
            request({**MESSAGE, "max_tokens": 0}, "invoke"),
            400,
            "ValidationException",
            "max_tokens: Input should be",
        ),
        (request({}, "count-tokens"), 400, "ValidationException", "The value at input"),
        (
            request({"input": {"invokeModel": {"body": "?"}}}, "count-tokens"),
            400,
            "ValidationException",
            "The value at input.invokeModel.body",
        ),
    ],
)
def test_a_malformed_request_is_refused_in_the_api_s_words(given, status, kind, message):
    """Path and method come first, then the key, then the body."""
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse(given)
    assert (caught.value.status, caught.value.kind) == (status, kind)
    assert caught.value.message.startswith(message)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(requests_per_minute=9), "Too many requests, please wait before trying again."),
        (Limits(tokens_per_minute=9), "Too many tokens, please wait before trying again."),
        (Limits(tokens_per_day=9), "Too many tokens per day, please wait before trying again."),
    ],
)
def test_a_refusal_has_the_reported_fields(limits, message):
    """Status, exception and wording; the body is compact, and no header names a wait."""
    (limit,) = limits
    hint = Hint("seconds", 12.5)
    reply = DIALECT.refused(Moment(CONVERSE, full(limits), Ids(0), NOW), Refusal(limit, hint, 1))
    headers = dict(reply.headers)
    assert reply.status == 429
    assert body(reply).decode() == f'{{"message":"{message}"}}'
    assert headers["x-amzn-errortype"] == "ThrottlingException"
    assert headers["content-type"] == "application/json"
    assert len(headers["x-amzn-requestid"]) == 36
    assert not [name for name in headers if "retry" in name]


@pytest.mark.parametrize(
    ("form", "expected"),
    [("ms", [("x-amz-retry-after", "12500")]), ("none", []), ("reset", [])],
)
def test_a_wait_that_is_asked_for_is_named_as_aws_names_it(form, expected):
    """A test may ask what botocore does with its own header."""
    limits = Limits(requests_per_minute=9)
    hint = Hint(form, 12.5)
    (limit,) = limits
    reply = DIALECT.refused(Moment(CONVERSE, full(limits), Ids(0), NOW), Refusal(limit, hint, 1))
    assert [pair for pair in reply.headers if "retry" in pair[0]] == expected


@pytest.mark.parametrize(
    ("status", "kind", "name", "message"),
    [
        (503, None, "ServiceUnavailableException", "Bedrock is unable to process your request."),
        (424, None, "ModelErrorException", "The system encountered an unexpected error"),
        (408, None, "ModelTimeoutException", "Model has timed out"),
        (429, "ModelNotReadyException", "ModelNotReadyException", "Model is not ready"),
        (400, "ServiceQuotaExceededException", "ServiceQuotaExceededException", "Your request"),
        (500, None, "InternalServerException", "The system encountered an unexpected error"),
        (403, None, "AccessDeniedException", "You don't have access"),
        (502, None, "ServiceUnavailableException", "Bedrock is unable"),
    ],
)
def test_every_exception_has_its_status_and_wording(status, kind, name, message):
    """A header names the exception, the body says what is wrong."""
    reply = DIALECT.error(Failure(status, kind), Ids(0), NOW)
    assert dict(reply.headers)["x-amzn-errortype"] == name
    assert loaded(reply)["message"].startswith(message)


# ---------------------------------------------------------------- answers


def test_the_whole_answer_is_pinned():
    """Body of a conversation's 200, byte for byte."""
    reply = DIALECT.served(Moment(CONVERSE, (), Ids(0), NOW), PLAIN, Usage(17, 12))
    assert body(reply).decode() == (
        '{"metrics":{"latencyMs":500},"output":{"message":{"content":[{"text":"'
        f'{TEXT}"}}],"role":"assistant"}}}},"stopReason":"end_turn","usage":{{"inputTokens":17,'
        '"outputTokens":12,"totalTokens":29,"cacheReadInputTokens":0,"cacheWriteInputTokens":0}}'
    )


def test_a_frame_is_that_of_the_specification():
    """Lengths, checksum, headers, payload, checksum: pinned byte for byte."""
    assert frame({}, b"").hex() == "000000100000000005c248eb7d98c8ff"
    pinned = frame({"a": "b"}, b"{}")
    assert pinned[:8] == struct.pack(">II", 12 + 6 + 2 + 4, 6)
    assert pinned[12:18] == b"\x01a\x07\x00\x01b"
    assert pinned[18:20] == b"{}"
    assert frames(event("chunk", {"a": 1})) == [
        (
            {
                ":event-type": "chunk",
                ":content-type": "application/json",
                ":message-type": "event",
            },
            {"a": 1},
        )
    ]
    ((headers, payload),) = frames(exception("throttlingException", "wait"))
    assert headers[":message-type"] == "exception"
    assert headers[":exception-type"] == "throttlingException"
    assert payload == {"message": "wait"}


def test_a_conversation_s_frames_come_in_order():
    """The API's events, the text in pieces, the usage last."""
    ask = CONVERSE._replace(stream=True, target="converse-stream")
    reply = DIALECT.served(Moment(ask, (), Ids(0), NOW), PLAIN, Usage(17, 12))
    assert dict(reply.headers)["content-type"] == "application/vnd.amazon.eventstream"
    kinds = [headers[":event-type"] for headers, _ in frames(body(reply))]
    deltas = ["contentBlockDelta"] * 8
    assert kinds == ["messageStart", *deltas, "contentBlockStop", "messageStop", "metadata"]
    assert sum(chunk.output_tokens for chunk in reply.chunks) == 12
    _, last = frames(body(reply))[-1]
    assert last["usage"]["totalTokens"] == 29


def test_a_message_s_frames_hold_anthropic_s_events():
    """Each in base 64 and none of them a ping; the last one has the metrics."""
    ask = INVOKE._replace(stream=True, target="invoke-with-response-stream")
    reply = DIALECT.served(Moment(ask, (), Ids(0), NOW), PLAIN, Usage(17, 12))
    told = [json.loads(base64.b64decode(each["bytes"])) for _, each in frames(body(reply))]
    assert [each["type"] for each in told[:2]] == ["message_start", "content_block_start"]
    assert "ping" not in [each["type"] for each in told]
    assert told[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 12
    assert dict(reply.headers)["x-amzn-bedrock-content-type"] == "application/json"


def test_a_message_s_headers_count_its_tokens():
    """What was charged, in headers of the answer."""
    headers = dict(DIALECT.served(Moment(INVOKE, (), Ids(0), NOW), PLAIN, Usage(17, 12)).headers)
    assert headers["x-amzn-bedrock-input-token-count"] == "17"
    assert headers["x-amzn-bedrock-output-token-count"] == "12"
    assert headers["x-amzn-bedrock-invocation-latency"] == "500"


# ---------------------------------------------------------------- anthropic's own client


@pytest.fixture
def client(monkeypatch):
    """The client, with credentials of no use."""
    pytest.importorskip("botocore")
    return anthropic.AnthropicBedrock(
        aws_access_key="AKIDEXAMPLE", aws_secret_key="s", aws_region="eu-west-1", max_retries=0
    )


def test_the_client_reads_a_message_with_ids_of_this_cloud(client):
    """Text and usage are Anthropic's; the trace has the region's host and the profile."""
    with FakeProvider() as provider:
        message = client.messages.create(**ASKED)
    (attempt,) = provider.trace.attempts
    assert message.content[0].text == TEXT
    assert message.id.startswith("msg_bdrk_01")
    assert message.model == "claude-sonnet-4-5-20250929"
    assert message.usage.output_tokens == attempt.output_tokens == 50
    assert attempt.host == "bedrock-runtime.eu-west-1.amazonaws.com"
    assert (attempt.dialect, attempt.model) == ("bedrock", CLAUDE)


def test_the_client_reads_a_stream_and_tools(client):
    """The frames are botocore's to take apart, and the events Anthropic's."""
    with FakeProvider() as provider:
        provider.script([Answer(text="Look:", tool_calls=[("get_weather", {"city": "Oslo"})])])
        with client.messages.stream(**ASKED) as stream:
            message = stream.get_final_message()
    text, use = message.content
    assert (text.text, use.name, use.input) == ("Look:", "get_weather", {"city": "Oslo"})
    assert use.id.startswith("toolu_bdrk_01")


def test_a_signed_request_and_one_with_an_api_key_count_separately(client):
    """The key is the access key's id, whatever the signature, or the API key."""
    with FakeProvider(requests_per_minute=1) as provider:
        client.messages.create(**ASKED)
        with pytest.raises(anthropic.RateLimitError, match="Too many requests, please wait"):
            client.messages.create(**ASKED)
        other = anthropic.AnthropicBedrock(api_key="k", aws_region="eu-west-1")
        other.messages.create(**ASKED)
    first, second, third = provider.trace.attempts
    assert first.key == second.key != third.key


def test_an_exception_inside_a_stream_is_the_sdk_s_error(client):
    """The frame of an exception ends a stream of status 200."""
    with FakeProvider() as provider:
        provider.script([Fault(status=429, after=1)])
        with (
            pytest.raises(anthropic.APIStatusError, match="Too many requests"),
            client.messages.stream(**ASKED) as stream,
        ):
            stream.get_final_message()
    (attempt,) = provider.trace.attempts
    assert (attempt.status, attempt.succeeded) == (200, False)
