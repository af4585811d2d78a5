"""OpenAI: what a request asks for, and the whole answers, plain and streamed."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fake_provider._limiters import Level
from fake_provider._limits import Limits
from fake_provider._wire._answer import PLAIN, TEXT
from fake_provider._wire._openai import OpenAI
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
from tests.fake_provider.wire.wiring import NOW, SECOND, body, loaded

many = settings(max_examples=200, deadline=None, derandomize=True, database=None)

DIALECT = OpenAI()
ASK = Ask("generate", "gpt-4o", None, False, 5, {})
STREAM = ASK._replace(stream=True)
WITH_USAGE = STREAM._replace(body={"stream_options": {"include_usage": True}})

TOKENS, REQUESTS = Limits(tokens_per_minute=30_000, requests_per_minute=500)
LEVELS = (Level(TOKENS, 29_971, 58_000_000), Level(REQUESTS, 499, 120_000_000))

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
HEADERS = {"authorization": "Bearer sk-test"}


def request(changes=(), headers=HEADERS, path="/v1/chat/completions", method="POST", raw=None):
    """A request, valid but for the changes; a change to None takes the field out."""
    fields = {**BODY, **dict(changes)}
    fields = {name: value for name, value in fields.items() if value is not None}
    encoded = json.dumps(fields).encode() if raw is None else raw
    return Request(method, "api.openai.com", path, headers, encoded)


def test_a_request_is_read_into_terms_that_no_dialect_owns() -> None:
    """Model, streaming and characters come from the body; nothing is reserved by default."""
    ask = DIALECT.parse(request({"stream": True}))
    read = {**BODY, "stream": True}
    assert ask == Ask("generate", "gpt-4o", None, True, 5, read, "/v1/chat/completions")
    assert DIALECT.api_key(request()) == "sk-test"


def test_the_newer_name_of_max_tokens_comes_first() -> None:
    """Either name reserves output tokens; max_completion_tokens wins."""
    assert DIALECT.parse(request({"max_tokens": 7})).max_tokens == 7
    both = {"max_tokens": 7, "max_completion_tokens": 9}
    assert DIALECT.parse(request(both)).max_tokens == 9


def test_explicit_nulls_are_absent_fields() -> None:
    """The API takes null for a parameter that has a default."""
    raw = json.dumps({**BODY, "max_tokens": None, "stream": None, "stream_options": None})
    ask = DIALECT.parse(request(raw=raw.encode()))
    assert (ask.max_tokens, ask.stream) == (None, False)


BAD_FIELDS = [
    ({"model": None}, "you must provide a model parameter"),
    ({"model": 3}, "Invalid type for 'model': expected a string."),
    ({"messages": None}, "Missing required parameter: 'messages'."),
    ({"messages": "hello"}, "Invalid type for 'messages': expected an array of objects."),
    ({"messages": []}, "Invalid 'messages': empty array. Expected at least 1 message."),
    ({"messages": ["hello"]}, "Invalid type for 'messages[0]': expected an object."),
    ({"messages": [{"content": "a"}]}, "Missing required parameter: 'messages[0].role'."),
    ({"max_tokens": "9"}, "Invalid type for 'max_tokens': expected an integer."),
    ({"max_tokens": True}, "Invalid type for 'max_tokens': expected an integer."),
    (
        {"max_completion_tokens": 0},
        "Invalid value for 'max_completion_tokens': must be at least 1.",
    ),
    ({"stream": "yes"}, "Invalid type for 'stream': expected a boolean."),
    ({"stream_options": 1}, "Invalid type for 'stream_options': expected an object."),
]


@pytest.mark.parametrize(("changes", "message"), BAD_FIELDS)
def test_a_malformed_field_is_a_400_that_names_it(changes, message) -> None:
    """A field that is missing or of the wrong type is named in the message."""
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse(request(changes))
    bad = caught.value
    assert (bad.status, bad.kind, bad.message) == (400, "invalid_request_error", message)


@pytest.mark.parametrize(
    ("how", "status", "message"),
    [
        ({"path": "/v1/images"}, 404, "Invalid URL (POST /v1/images)"),
        ({"method": "GET"}, 404, "Invalid URL (GET /v1/chat/completions)"),
        (
            {"headers": {"authorization": "Basic k"}},
            401,
            (
                "You didn't provide an API key. You need to provide your API key in an "
                "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            ),
        ),
        (
            {"raw": b"[]"},
            400,
            "We could not parse the JSON body of your request: it is not an object",
        ),
    ],
)
def test_what_no_wait_can_cure_is_refused_at_once(how, status, message) -> None:
    """Path, key and JSON are looked at before any limit is."""
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse(request(**how))
    bad = caught.value
    assert (bad.status, bad.kind, bad.message) == (status, "invalid_request_error", message)


@many
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_body_whatever_breaks_the_parser(raw) -> None:
    """Bytes that are no request are a 400, never another exception."""
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse(request(raw=raw))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("model", "group"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4-0613", "gpt-4-0613"),
        ("ft:gpt-4o-2024-08-06:acme::abc", "ft:gpt-4o-2024-08-06:acme::abc"),
    ],
)
def test_a_dated_snapshot_belongs_to_its_model(model, group) -> None:
    """Every model has limits of its own, its snapshots share them."""
    assert DIALECT.model_class(model) == group


def test_the_whole_answer_is_pinned() -> None:
    """Body and headers of a 200, byte for byte."""
    reply = DIALECT.served(Moment(ASK, LEVELS, Ids(0), NOW), PLAIN, Usage(17, 12))
    assert reply.status == 200
    assert not reply.stream
    identity = loaded(reply)["id"]
    assert re.fullmatch("chatcmpl-[1-9A-HJ-NP-Za-km-z]{29}", identity)
    expected = {
        "id": identity,
        "object": "chat.completion",
        "created": SECOND,
        "model": "gpt-4o",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": TEXT,
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 17,
            "completion_tokens": 12,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": "fp_fa4e5e12f0",
    }
    assert body(reply).decode() == json.dumps(expected, indent=2) + "\n"
    headers = dict(reply.headers)
    assert re.fullmatch("req_[0-9a-f]{32}", headers.pop("x-request-id"))
    assert re.fullmatch("[0-9a-f]{16}-ORD", headers.pop("cf-ray"))
    assert headers == {
        "date": "Fri, 27 Feb 2026 12:52:07 GMT",
        "content-type": "application/json",
        "content-length": str(len(body(reply))),
        "access-control-expose-headers": "X-Request-ID",
        "openai-organization": "org-fakeprovider",
        "openai-project": "proj_fakeprovider",
        "openai-version": "2020-10-01",
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "29971",
        "x-ratelimit-reset-tokens": "58ms",
        "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
        "x-content-type-options": "nosniff",
        "server": "cloudflare",
        "cf-cache-status": "DYNAMIC",
    }


def test_the_count_of_tokens_is_one_number() -> None:
    """A count is worded as the Responses API does, and states no limit."""
    reply = DIALECT.counted(Moment(ASK, (), Ids(0), NOW), 14)
    assert (reply.status, loaded(reply)) == (
        200,
        {"object": "response.input_tokens", "input_tokens": 14},
    )
    assert not any("ratelimit" in name for name, _ in reply.headers)


def test_the_whole_stream_is_pinned() -> None:
    """Every chunk of one answer of two tokens, with the usage that was asked for."""
    reply = DIALECT.served(Moment(WITH_USAGE, LEVELS, Ids(0), NOW), PLAIN, Usage(17, 2))
    identity = json.loads(reply.chunks[0].data[6:])["id"]
    start = (
        f'data: {{"id":"{identity}","object":"chat.completion.chunk","created":{SECOND},'
        '"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_fa4e5e12f0",'
    )

    def choice(delta, reason):
        return (
            f'"choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}],'
            '"usage":null}\n\n'
        )

    assert [chunk.data.decode() for chunk in reply.chunks] == [
        start + choice('{"role":"assistant","content":"","refusal":null}', "null"),
        start + choice('{"content":"This is a fixed"}', "null"),
        start + choice('{"content":" answer from a fake provider."}', "null"),
        start + choice("{}", '"stop"'),
        (
            f'{start}"choices":[],"usage":{{"prompt_tokens":17,"completion_tokens":2,'
            '"total_tokens":19,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
            '"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
            '"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}\n\n'
        ),
        "data: [DONE]\n\n",
    ]
    assert [chunk.output_tokens for chunk in reply.chunks] == [0, 1, 1, 0, 0, 0]
    headers = dict(reply.headers)
    assert reply.stream
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["x-ratelimit-remaining-tokens"] == "29971"
    assert "content-length" not in headers


def test_a_stream_without_include_usage_has_none() -> None:
    """The usage field appears only if it was asked for."""
    declined = STREAM._replace(body={"stream_options": {"include_usage": False}})
    for ask in (STREAM, declined):
        reply = DIALECT.served(Moment(ask, (), Ids(0), NOW), PLAIN, Usage(17, 2))
        assert b'"usage"' not in body(reply)
        assert len(reply.chunks) == 5


@many
@given(st.integers(0, 10_000), st.integers(0, 2**32), st.sampled_from([STREAM, WITH_USAGE]))
def test_every_stream_carries_its_tokens_and_the_whole_text(output_tokens, seed, ask) -> None:
    """Chunks add up to the usage, their texts to the plain answer, at most eight of them."""
    reply = DIALECT.served(Moment(ask, (), Ids(seed), NOW), PLAIN, Usage(17, output_tokens))
    *chunks, done = [chunk.data for chunk in reply.chunks]
    assert done == b"data: [DONE]\n\n"
    deltas = [
        choice["delta"].get("content")
        for chunk in chunks
        for choice in json.loads(chunk.removeprefix(b"data: "))["choices"]
    ]
    texts = [text for text in deltas if text]
    assert "".join(texts) == TEXT
    assert 1 <= len(texts) <= 8
    assert sum(chunk.output_tokens for chunk in reply.chunks) == output_tokens


@many
@given(st.text(min_size=1))
@example("\ud800")
def test_any_model_name_is_answered_in_valid_json(model) -> None:
    """Quotes, backslashes, any script and half a surrogate pair survive the round trip."""
    ask = ASK._replace(model=model)
    served = DIALECT.served(Moment(ask, (), Ids(0), NOW), PLAIN, Usage(1, 1))
    assert loaded(served)["model"] == model
    hint = Hint("seconds", 1.0)
    refusal = DIALECT.refused(Moment(ask, LEVELS, Ids(0), NOW), Refusal(TOKENS, hint, 654))
    assert f"reached for {model} in" in loaded(refusal)["error"]["message"]
    for reply in (served, refusal):
        assert dict(reply.headers)["content-length"] == str(len(body(reply)))


def test_two_runs_of_one_seed_render_the_same_bytes() -> None:
    """Nothing but the seed and the given instant goes into an answer."""

    def run(seed):
        ids = Ids(seed)
        return [
            DIALECT.served(Moment(ASK, LEVELS, ids, NOW), PLAIN, Usage(1, 2)),
            DIALECT.served(Moment(WITH_USAGE, LEVELS, ids, NOW), PLAIN, Usage(1, 2)),
            DIALECT.error(Failure(503), ids, NOW),
        ]

    assert run(1) == run(1)
    assert run(1) != run(2)
