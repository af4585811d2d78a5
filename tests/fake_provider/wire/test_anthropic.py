"""Anthropic: what a request asks for, and the whole answer."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fake_provider._limiters import Level
from fake_provider._limits import Limits
from fake_provider._wire._answer import PLAIN, TEXT
from fake_provider._wire._anthropic import Anthropic
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
from tests.fake_provider.wire.wiring import NOW, S, body, loaded

many = settings(max_examples=200, deadline=None, derandomize=True, database=None)

DIALECT = Anthropic()
ASK = Ask("generate", "claude-opus-4-6", 100, False, 5, {})
STREAM = ASK._replace(stream=True)
INPUT, OUTPUT, REQUESTS = Limits(
    input_tokens_per_minute=30_000, output_tokens_per_minute=8_000, requests_per_minute=50
)

BODY = {
    "model": "claude-opus-4-6",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hello"}],
}
HEADERS = {"x-api-key": "sk-ant-test", "anthropic-version": "2023-06-01"}


def request(changes=(), headers=HEADERS, path="/v1/messages", method="POST", raw=None):
    """A request, valid but for the changes; a change to None takes the field out."""
    fields = {**BODY, **dict(changes)}
    fields = {name: value for name, value in fields.items() if value is not None}
    encoded = json.dumps(fields).encode() if raw is None else raw
    return Request(method, "api.anthropic.com", path, headers, encoded)


def test_a_request_is_read_into_terms_that_no_dialect_owns() -> None:
    """Endpoint, model, reserved tokens, streaming and characters come from the body."""
    ask = DIALECT.parse(request({"stream": True}))
    expected = Ask("generate", "claude-opus-4-6", 100, True, 5, {**BODY, "stream": True})
    assert ask == expected


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
@pytest.mark.parametrize("key", [{"x-api-key": "k"}, {"authorization": "Bearer k"}])
def test_both_versions_and_both_ways_to_send_a_key_are_accepted(version, key) -> None:
    """SDKs before 2.0 send X-Api-Key and 2023-06-01, later ones a bearer key and 2026-10-21."""
    headers = {**key, "anthropic-version": version}
    assert DIALECT.parse(request(headers=headers)).model == "claude-opus-4-6"
    assert DIALECT.api_key(request(headers=headers)) == "k"


def test_counting_tokens_needs_no_max_tokens() -> None:
    """The counting endpoint takes a message without max_tokens, behind a gateway's prefix too."""
    path = "/anthropic/v1/messages/count_tokens"
    ask = DIALECT.parse(request({"max_tokens": None}, path=path))
    assert (ask.endpoint, ask.max_tokens) == ("count_tokens", None)


def test_characters_are_those_of_text_wherever_it_is() -> None:
    """System, blocks, tool results and tools count; roles, types, ids and images do not."""
    blocks = [
        {"type": "text", "text": "abc"},
        {"type": "image", "source": {"type": "base64", "data": "x" * 1_000}},
        {"type": "tool_result", "tool_use_id": "toolu_01", "content": [{"text": "defg"}]},
    ]
    ask = DIALECT.parse(
        request(
            {
                "system": [{"type": "text", "text": "12345"}],
                "messages": [{"role": "user", "content": blocks}],
                "tools": [{"name": "t", "description": "uv", "input_schema": {"type": "object"}}],
            }
        )
    )
    assert ask.characters == 3 + 4 + 5 + 1 + 2


BAD_FIELDS = [
    ({"model": None}, "model: Field required"),
    ({"model": 3}, "model: Input should be a valid string"),
    ({"model": ""}, "model: String should have at least 1 character"),
    ({"messages": None}, "messages: Field required"),
    ({"messages": "hello"}, "messages: Input should be a valid list"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"messages": ["hello"]}, "messages.0: Input should be a valid object"),
    ({"messages": [{"content": "hello"}]}, "messages.0.role: Field required"),
    ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    (
        {"messages": [BODY["messages"][0], {"role": "user", "content": 7}]},
        "messages.1.content: Input should be a valid string or list",
    ),
    ({"max_tokens": None}, "max_tokens: Field required"),
    ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
    ({"stream": "yes"}, "stream: Input should be a valid boolean"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_FIELDS)
def test_a_malformed_field_is_a_400_that_names_it(changes, message) -> None:
    """A field that is missing or of the wrong type is named in the message."""
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse(request(changes))
    bad = caught.value
    assert (bad.status, bad.kind, bad.message) == (400, "invalid_request_error", message)


BAD_REQUESTS = [
    ({"path": "/v1/complete"}, 404, "not_found_error", "Not found"),
    ({"method": "GET"}, 404, "not_found_error", "Not found"),
    (
        {"headers": {"anthropic-version": "2023-06-01", "authorization": "Basic k"}},
        401,
        "authentication_error",
        "x-api-key header is required",
    ),
    (
        {"headers": {"x-api-key": "k"}},
        400,
        "invalid_request_error",
        "anthropic-version: header is required",
    ),
    (
        {"headers": {"x-api-key": "k", "anthropic-version": "2"}},
        400,
        "invalid_request_error",
        'anthropic-version: "2" is not a valid version',
    ),
    (
        {"raw": b"{"},
        400,
        "invalid_request_error",
        (
            "The request body is not valid JSON: Expecting property name enclosed in double "
            "quotes: line 1 column 2 (char 1)"
        ),
    ),
    (
        {"raw": b"[]"},
        400,
        "invalid_request_error",
        "The request body is not valid JSON: it is not an object",
    ),
    (
        {"raw": b"[" * 200_000},
        400,
        "invalid_request_error",
        "The request body is not valid JSON: it is nested too deeply",
    ),
]


@pytest.mark.parametrize(("how", "status", "kind", "message"), BAD_REQUESTS)
def test_what_no_wait_can_cure_is_refused_at_once(how, status, kind, message) -> None:
    """Path, key, version and JSON are looked at before any limit is."""
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse(request(**how))
    bad = caught.value
    assert (bad.status, bad.kind, bad.message) == (status, kind, message)


@many
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_body_whatever_breaks_the_parser(raw) -> None:
    """Bytes that are no request are a 400, never another exception."""
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse(request(raw=raw))
    assert caught.value.status == 400


CLASSES = {
    "claude-fable-5": "claude-fable-5",
    "claude-fable-5-2": "claude-fable-5",
    "claude-opus-4-6": "claude-opus-4",
    "claude-opus-4-20250514": "claude-opus-4",
    "claude-sonnet-4-5-20250929": "claude-sonnet-4",
    "claude-opus-5": "claude-opus-5",
    "claude-opus-5-20260801": "claude-opus-5",
    "claude-opus-5-5": "claude-opus-5-5",
    "claude-sonnet-5": "claude-sonnet-5",
    "claude-sonnet-5-5": "claude-sonnet-5-5",
    "claude-haiku-4-5-20251001": "claude-haiku-4-5",
    "claude-3-5-haiku-latest": "claude-haiku-3-5",
    "claude-3-5-haiku-20241022": "claude-haiku-3-5",
    "claude-opus-40": "claude-opus-40",
    "my-model-20260101": "my-model-20260101",
}


@pytest.mark.parametrize(("model", "group"), CLASSES.items())
def test_models_of_a_family_share_a_class_and_others_have_their_own(model, group) -> None:
    """The family decides, a snapshot follows its model, an unknown model stands alone."""
    assert DIALECT.model_class(model) == group


LEVELS = (Level(INPUT, 29_400, S), Level(OUTPUT, 7_600, 3 * S), Level(REQUESTS, 49, S))


def refused(ask, ids):
    hint = Hint("seconds", 57.5)
    return DIALECT.refused(Moment(ask, LEVELS, ids, NOW), Refusal(INPUT, hint, 30_000))


def test_the_whole_answer_is_pinned() -> None:
    """Body and headers of a 200, key for key."""
    reply = DIALECT.served(Moment(ASK, LEVELS, Ids(0), NOW), PLAIN, Usage(17, 12))
    assert reply.status == 200
    assert not reply.stream
    message_id = loaded(reply)["id"]
    assert re.fullmatch("msg_01[1-9A-HJ-NP-Za-km-z]{22}", message_id)
    assert body(reply).decode() == (
        f'{{"model":"claude-opus-4-6","id":"{message_id}","type":"message","role":"assistant",'
        f'"content":[{{"type":"text","text":"{TEXT}"}}],'
        '"stop_reason":"end_turn","stop_sequence":null,'
        '"usage":{"input_tokens":17,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
        '"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},'
        '"output_tokens":12,"service_tier":"standard","inference_geo":"global"}}'
    )
    headers = dict(reply.headers)
    assert re.fullmatch("req_011C[1-9A-HJ-NP-Za-km-z]{20}", headers.pop("request-id"))
    assert re.fullmatch("[0-9a-f]{16}-ORD", headers.pop("cf-ray"))
    assert headers == {
        "date": "Fri, 27 Feb 2026 12:52:07 GMT",
        "content-type": "application/json",
        "content-length": str(len(body(reply))),
        "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-02-27T12:52:08Z",
        "anthropic-ratelimit-input-tokens-limit": "30000",
        "anthropic-ratelimit-input-tokens-remaining": "29000",
        "anthropic-ratelimit-input-tokens-reset": "2026-02-27T12:52:08Z",
        "anthropic-ratelimit-output-tokens-limit": "8000",
        "anthropic-ratelimit-output-tokens-remaining": "8000",
        "anthropic-ratelimit-output-tokens-reset": "2026-02-27T12:52:10Z",
        "anthropic-ratelimit-tokens-limit": "38000",
        "anthropic-ratelimit-tokens-remaining": "37000",
        "anthropic-ratelimit-tokens-reset": "2026-02-27T12:52:10Z",
        "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "x-robots-tag": "none",
        "server": "cloudflare",
        "cf-cache-status": "DYNAMIC",
    }


def test_the_count_of_tokens_is_one_number() -> None:
    """The counting endpoint answers with input_tokens alone, and no limit's headers."""
    reply = DIALECT.counted(Moment(ASK, (), Ids(0), NOW), 14)
    assert (reply.status, body(reply)) == (200, b'{"input_tokens":14}')
    assert dict(reply.headers)["content-length"] == "19"
    assert not any("ratelimit" in name for name, _ in reply.headers)


@many
@given(st.text(min_size=1))
@example("\ud800")
def test_any_model_name_is_answered_in_valid_json(model) -> None:
    """Quotes, backslashes, any script and half a surrogate pair survive the round trip."""
    ask = ASK._replace(model=model)
    served = DIALECT.served(Moment(ask, (), Ids(0), NOW), PLAIN, Usage(1, 1))
    assert loaded(served)["model"] == model
    refusal = refused(ask, Ids(0))
    assert f"model: {model})" in loaded(refusal)["error"]["message"]
    for reply in (served, refusal):
        assert dict(reply.headers)["content-length"] == str(len(body(reply)))


def test_two_runs_of_one_seed_render_the_same_bytes() -> None:
    """Nothing but the seed and the given instant goes into an answer."""

    def run(seed):
        ids = Ids(seed)
        return [
            DIALECT.served(Moment(ASK, LEVELS, ids, NOW), PLAIN, Usage(1, 2)),
            DIALECT.served(Moment(STREAM, LEVELS, ids, NOW), PLAIN, Usage(1, 2)),
            refused(ASK, ids),
            DIALECT.error(Failure(529), ids, NOW),
        ]

    assert run(1) == run(1)
    assert run(1) != run(2)
