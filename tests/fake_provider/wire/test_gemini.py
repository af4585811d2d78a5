"""Gemini: requests, the bodies of answers and refusals, field by field."""

from __future__ import annotations

import json

import pytest

from fake_provider._hints import read_hint
from fake_provider._limits import Limits
from fake_provider._wire._answer import PLAIN, TEXT
from fake_provider._wire._gemini import Gemini
from fake_provider._wire._shapes import (
    NO_HINT,
    Ask,
    BadRequest,
    Content,
    Failure,
    Hint,
    Ids,
    Moment,
    Refusal,
    Request,
    ToolCall,
    Usage,
)
from tests.fake_provider.wire.wiring import NOW, body, full, loaded, strict

DIALECT = Gemini()
HOST = "generativelanguage.googleapis.com"
MODEL = "gemini-2.5-flash"
PATH = f"/v1beta/models/{MODEL}:generateContent"
STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent"
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
KEY = {"x-goog-api-key": "k"}
ASK = Ask("generate", MODEL, None, False, 5, CONTENTS, PATH)
LIST = ASK._replace(stream=True, target=STREAM)
SSE = ASK._replace(stream=True, target=f"{STREAM}?alt=sse")
VERTEX = ASK._replace(target=f"/v1/projects/p/locations/l/publishers/google/models/{MODEL}:x")
TOOLS = Content("Look:", (ToolCall("get_weather", '{"city": "Oslo"}'),))
PER_DAY = Limits(requests_per_day=20)


def request(changes=(), path=PATH, headers=KEY, query="", method="POST", raw=None):
    """A request, valid but for the changes."""
    encoded = json.dumps({**CONTENTS, **dict(changes)}).encode() if raw is None else raw
    return Request(method, HOST, path, headers, encoded, query)


def refused(limits=PER_DAY, wait_s=12.941102168, form="seconds", ask=ASK):
    """A refusal by the one limit."""
    (limit,) = limits
    hint = Hint(form, wait_s)
    return DIALECT.refused(Moment(ask, full(limits), Ids(0), NOW), Refusal(limit, hint, 1))


# ---------------------------------------------------------------- requests


def test_a_request_is_read_into_terms_that_no_dialect_owns():
    """The path names the model and whether to stream, the query how; text alone is counted."""
    config = {"generationConfig": {"maxOutputTokens": 9}}
    assert DIALECT.parse(request()) == ASK
    assert DIALECT.parse(request(config)).max_tokens == 9
    assert DIALECT.parse(request(path=STREAM)) == LIST
    assert DIALECT.parse(request(path=STREAM, query="alt=sse")) == SSE


@pytest.mark.parametrize(
    ("changes", "characters"),
    [
        ({"systemInstruction": {"parts": [{"text": "be brief"}]}}, 13),
        ({"system_instruction": {"parts": [{"text": "be brief"}]}}, 13),
        ({"contents": [{"parts": [{"inlineData": {"data": "A" * 99}}, {"text": "hi"}]}]}, 2),
        ({"contents": {"parts": {"text": "hi"}}}, 2),
    ],
)
def test_the_text_of_a_prompt_is_counted(changes, characters):
    """Instructions count, images do not."""
    assert DIALECT.parse(request(changes)).characters == characters


@pytest.mark.parametrize(
    ("headers", "query", "key"),
    [
        (KEY, "", "k"),
        ({}, "alt=sse&key=q", "q"),
        ({"authorization": "Bearer t"}, "", "t"),
        ({}, "alt=sse", ""),
    ],
)
def test_a_key_comes_in_three_ways(headers, query, key):
    """A header of its own, the query, or a token of Vertex AI."""
    assert DIALECT.api_key(request(headers=headers, query=query)) == key


@pytest.mark.parametrize(
    ("given", "status", "kind", "message"),
    [
        ({"headers": {}}, 403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers"),
        ({"raw": b"{"}, 400, "INVALID_ARGUMENT", "Invalid JSON payload received."),
        ({"raw": b"{}"}, 400, "INVALID_ARGUMENT", "* GenerateContentRequest.contents: contents"),
        ({"changes": {"contents": []}}, 400, "INVALID_ARGUMENT", "* GenerateContentRequest"),
        (
            {"changes": {"generationConfig": {"maxOutputTokens": 0}}},
            400,
            "INVALID_ARGUMENT",
            'Invalid value at "generation_config.max_output_tokens"',
        ),
        ({"path": f"/v1beta/models/{MODEL}:embedContent"}, 400, "INVALID_ARGUMENT", "* content"),
        ({"path": "/v1beta/cachedContents"}, 404, "NOT_FOUND", "Requested entity"),
        ({"method": "GET"}, 404, "NOT_FOUND", "Requested entity"),
    ],
)
def test_a_malformed_request_is_refused_in_the_api_s_words(given, status, kind, message):
    """Path and method come first, then the key, then the body."""
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse(request(**given))
    assert (caught.value.status, caught.value.kind) == (status, kind)
    assert caught.value.message.startswith(message)


def test_a_numbered_version_shares_its_model_s_limits():
    """Another model does not."""
    assert DIALECT.model_class("gemini-2.0-flash-001") == "gemini-2.0-flash"
    assert DIALECT.model_class(MODEL) != DIALECT.model_class("gemini-2.5-pro")


# ---------------------------------------------------------------- refusals


def test_a_refusal_of_the_day_has_the_reported_fields():
    """Every field of a public report, with the wait of its message and the floor of it."""
    reply = refused()
    assert reply.status == 429
    message = (
        "You exceeded your current quota, please check your plan and billing details. For more "
        "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. "
        "To monitor your current usage, head to: https://ai.dev/rate-limit. \n* Quota exceeded "
        "for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, "
        "limit: 20, model: gemini-2.5-flash\nPlease retry in 12.941102168s."
    )
    url = "https://ai.google.dev/gemini-api/docs/rate-limits"
    expected = {
        "error": {
            "code": 429,
            "message": message,
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.Help",
                    "links": [{"description": "Learn more about Gemini API quotas", "url": url}],
                },
                {
                    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                    "violations": [
                        {
                            "quotaMetric": (
                                "generativelanguage.googleapis.com/"
                                "generate_content_free_tier_requests"
                            ),
                            "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
                            "quotaDimensions": {"location": "global", "model": MODEL},
                            "quotaValue": "20",
                        }
                    ],
                },
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"},
            ],
        }
    }
    assert body(reply).decode() == json.dumps(expected, indent=2) + "\n"


def test_no_header_names_the_wait_or_the_limits():
    """Neither Retry-After nor x-ratelimit has been seen."""
    names = [name for name, _ in refused().headers]
    assert not [name for name in names if "retry" in name or "limit" in name]
    assert names[:3] == ["date", "content-type", "vary"]


@pytest.mark.parametrize(
    ("wait_s", "message", "delay"),
    [
        (0.5, "Please retry in 500ms.", "0s"),
        (59.999999999, "Please retry in 59.999999999s.", "59s"),
        (61.0, "Please retry in 1m1s.", "61s"),
    ],
)
def test_the_delay_is_the_floor_of_the_message_s(wait_s, message, delay):
    """A client that obeys the delay comes up to a second early."""
    reply = refused(Limits(requests_per_minute=10), wait_s)
    error = loaded(reply)["error"]
    assert error["message"].endswith(message)
    assert error["details"][-1]["retryDelay"] == delay
    assert read_hint(dict(reply.headers), NOW, body(reply)) == (float(delay[:-1]), "body")


def test_a_quota_of_a_day_names_a_short_wait():
    """Six hours to go, and the delay says half a minute: the trap of the free tier."""
    error = loaded(refused(wait_s=6 * 3600 + 30.25))["error"]
    assert error["message"].endswith("Please retry in 30.25s.")
    assert error["details"][-1]["retryDelay"] == "30s"


@pytest.mark.parametrize(
    ("limits", "quota"),
    [
        (
            Limits(requests_per_minute=10),
            "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
        ),
        (
            Limits(input_tokens_per_minute=10),
            "GenerateContentInputTokensPerModelPerMinute-FreeTier",
        ),
        (Limits(tokens_per_day=10), "GenerateContentInputTokensPerModelPerDay-FreeTier"),
    ],
)
def test_each_limit_has_its_quota(limits, quota):
    """The quota's id says what is counted, and over which span."""
    details = loaded(refused(limits))["error"]["details"]
    assert details[1]["violations"][0]["quotaId"] == quota


@pytest.mark.parametrize("form", ["none", "reset", "ms", "date"])
def test_another_form_of_hint_leaves_the_body_s_out(form):
    """A test may ask for a header that this API does not send, or for no hint at all."""
    reply = refused(form=form)
    assert "retry in" not in loaded(reply)["error"]["message"]
    assert len(loaded(reply)["error"]["details"]) == 2
    named = [name for name, _ in reply.headers if name.startswith("retry")]
    assert named == {"ms": ["retry-after-ms"], "date": ["retry-after"]}.get(form, [])


def test_a_refused_list_is_a_list_of_one_error():
    """Where the stream would have been a JSON list, so is the refusal."""
    (error,) = loaded(refused(ask=LIST))
    assert error["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert read_hint({}, NOW, body(refused(ask=LIST))) == (12.0, "body")
    assert loaded(refused(ask=SSE))["error"]["code"] == 429


def test_vertex_says_no_more_than_that_it_is_exhausted():
    """One sentence, no quota and no delay: the quota is shared and dynamic."""
    assert loaded(refused(ask=VERTEX)) == {
        "error": {
            "code": 429,
            "message": "Resource exhausted. Please try again later. Please refer to "
            "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more "
            "details.",
            "status": "RESOURCE_EXHAUSTED",
        }
    }


def test_too_large_cannot_be_told_from_any_refusal_but_names_no_wait():
    """The same status and quota; the trace knows better."""
    (limit,) = PER_DAY
    reply = DIALECT.too_large(Moment(ASK, full(PER_DAY), Ids(0), NOW), Refusal(limit, NO_HINT, 99))
    assert reply.status == 429
    assert len(loaded(reply)["error"]["details"]) == 2


@pytest.mark.parametrize(
    ("status", "kind", "expected", "message"),
    [
        (503, None, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        (500, None, "INTERNAL", "An internal error has occurred."),
        (504, None, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
        (418, "TEAPOT", "TEAPOT", "HTTP status 418"),
    ],
)
def test_every_error_has_google_s_shape(status, kind, expected, message):
    """Code, message and the name of the status."""
    error = loaded(DIALECT.error(Failure(status, kind), Ids(0), NOW))["error"]
    assert list(error) == ["code", "message", "status"]
    assert (error["code"], error["status"]) == (status, expected)
    assert error["message"].startswith(message)


@pytest.mark.parametrize(
    "unread",
    [
        b'{"error": {"details": [{"@type": "google.rpc.RetryInfo"}]}}',
        b'{"error": {"details": [{"@type": "google.rpc.RetryInfo", "retryDelay": "soon"}]}}',
        b'{"error": {"details": [{"@type": "google.rpc.RetryInfo", "retryDelay": 9}]}}',
        b'{"error": "google.rpc.RetryInfo"}',
        b"google.rpc.RetryInfo",
        b"[]google.rpc.RetryInfo",
    ],
)
def test_a_delay_that_cannot_be_read_is_no_hint(unread):
    """Whatever a script has put there."""
    assert read_hint({}, NOW, unread) is None


# ---------------------------------------------------------------- answers


def test_the_whole_answer_is_pinned():
    """Body of a 200, field by field, in the order and with the spaces of the API."""
    reply = DIALECT.served(Moment(ASK, (), Ids(0), NOW), PLAIN, Usage(17, 12))
    identity = loaded(reply)["responseId"]
    expected = {
        "candidates": [
            {
                "content": {"parts": [{"text": TEXT}], "role": "model"},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 17,
            "candidatesTokenCount": 12,
            "totalTokenCount": 29,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 17}],
        },
        "modelVersion": MODEL,
        "responseId": identity,
    }
    assert body(reply).decode() == json.dumps(expected, indent=2) + "\n"


@pytest.mark.parametrize("content", [PLAIN, TOOLS], ids=["text", "tools"])
def test_the_sdk_s_type_knows_every_field(content):
    """A model that forbids what it does not know takes the answer and each part of its stream."""
    types = pytest.importorskip("google.genai.types")
    kind = types.GenerateContentResponse
    strict(kind, loaded(DIALECT.served(Moment(ASK, (), Ids(0), NOW), content, Usage(17, 12))))
    for part in loaded(DIALECT.served(Moment(LIST, (), Ids(0), NOW), content, Usage(17, 12))):
        strict(kind, part)


def test_both_forms_of_a_stream_say_the_same():
    """Server-sent events end with CR LF twice and without a mark; a list is one JSON text."""
    events, parts = (
        DIALECT.served(Moment(ask, (), Ids(0), NOW), TOOLS, Usage(17, 12)) for ask in (SSE, LIST)
    )
    assert dict(events.headers)["content-type"] == "text/event-stream"
    assert dict(events.headers)["content-disposition"] == "attachment"
    assert dict(parts.headers)["content-type"] == "application/json; charset=UTF-8"
    lines = body(events).decode().split("\r\n\r\n")
    assert lines.pop() == ""
    assert [json.loads(line.removeprefix("data: ")) for line in lines] == loaded(parts)
    assert "finishReason" not in loaded(parts)[0]["candidates"][0]
    last = loaded(parts)[-1]
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert last["usageMetadata"]["candidatesTokenCount"] == 12
    assert sum(chunk.output_tokens for chunk in events.chunks) == 12


def test_an_error_takes_the_place_of_a_part():
    """In either form the stream can still be read up to its error."""
    for ask, sent in ((LIST, 1), (LIST, 0), (SSE, 1)):
        reply = DIALECT.served(Moment(ask, (), Ids(0), NOW), PLAIN, Usage(1, 9))
        error = DIALECT.stream_error(ask, Failure(503), Ids(0), sent)
        text = (b"".join(chunk.data for chunk in reply.chunks[:sent]) + error.data).decode()
        if ask is SSE:
            text = "[" + text.replace("data: ", "").strip().replace("\r\n\r\n", ",") + "]"
        assert json.loads(text)[-1]["error"]["status"] == "UNAVAILABLE"


def test_embeddings_have_the_length_that_was_asked_for():
    """A single one and a list; equal texts have equal vectors."""

    def asked(path, given):
        ask = DIALECT.parse(request(raw=json.dumps(given).encode(), path=f"/v1beta/models/{path}"))
        assert (ask.endpoint, ask.max_tokens) == ("embed", 0)
        return loaded(DIALECT.served(Moment(ask, (), Ids(0), NOW), PLAIN, Usage(1, 0)))

    content = {"content": {"parts": [{"text": "hello"}]}}
    one = asked("gemini-embedding-001:embedContent", {**content, "outputDimensionality": 8})
    both = asked("gemini-embedding-001:batchEmbedContents", {"requests": [content, content]})
    assert len(one["embedding"]["values"]) == 8
    first, second = both["embeddings"]
    assert first == second
    assert len(first["values"]) == 3072
