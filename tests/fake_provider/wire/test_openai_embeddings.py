"""OpenAI: embeddings, through the real SDK and by hand."""

from __future__ import annotations

import base64
import json
import math
from array import array

import openai
import pytest
from openai.types import CreateEmbeddingResponse

from fake_provider import FakeProvider
from fake_provider._wire._openai import OpenAI
from fake_provider._wire._openai_embeddings import vector
from fake_provider._wire._shapes import BadRequest, Content, Ids, Moment, Request, Usage
from tests.fake_provider.wire.wiring import NOW, loaded, strict

DIALECT = OpenAI()
SMALL = "text-embedding-3-small"


def parsed(**fields):
    raw = json.dumps({"model": SMALL, **fields}).encode()
    headers = {"authorization": "Bearer k"}
    return DIALECT.parse(Request("POST", "api.openai.com", "/v1/embeddings", headers, raw))


def embed(**fields):
    with FakeProvider() as provider:
        answer = openai.OpenAI().embeddings.create(**{"model": SMALL, **fields})
    return answer, provider.trace.attempts[0]


def test_the_sdk_decodes_a_vector_of_each_input():
    """The SDK asks for base64 by itself and reads floats; order and usage hold."""
    answer, attempt = embed(input=["hello", "there"])
    assert [row.index for row in answer.data] == [0, 1]
    assert {len(row.embedding) for row in answer.data} == {1_536}
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == attempt.input_tokens == 3
    assert answer.data[0].embedding == pytest.approx(vector("hello", 1_536).tolist())


def test_a_vector_depends_on_the_text_alone_and_has_length_one():
    """Equal texts have equal vectors in every run; others differ, and all have length 1."""
    one, same, other = (
        embed(input=text, dimensions=64)[0].data[0].embedding for text in ("a", "a", "b")
    )
    assert one == same != other
    assert len(one) == 64
    assert math.fsum(number * number for number in one) == pytest.approx(1.0, abs=1e-6)
    assert abs(math.fsum(a * b for a, b in zip(one, other, strict=True))) < 0.5


def test_both_encodings_carry_the_same_numbers():
    """Base64 is 32-bit floats, low byte first; `float` is a list of numbers."""
    replies = [
        DIALECT.served(
            Moment(parsed(input="hello", dimensions=8, encoding_format=encoding), (), Ids(0), NOW),
            Content(""),
            Usage(2, 0),
        )
        for encoding in ("float", "base64")
    ]
    floats, encoded = (loaded(reply)["data"][0]["embedding"] for reply in replies)
    assert array("f", base64.b64decode(encoded)).tolist() == floats
    strict(CreateEmbeddingResponse, loaded(replies[0]))


@pytest.mark.parametrize("output_tokens", [None, 400])
def test_no_output_is_charged(output_tokens):
    """An embedding has no output, whatever an answer is said to have."""
    with FakeProvider(tokens_per_minute=100, output_tokens=output_tokens) as provider:
        openai.OpenAI(max_retries=0).embeddings.create(model=SMALL, input="x" * 400)
    (attempt,) = provider.trace.attempts
    assert (attempt.status, attempt.input_tokens, attempt.output_tokens) == (200, 100, 0)


def test_tokens_may_stand_for_text():
    """An array of tokens is one input, and costs one token each."""
    ask = parsed(input=[1, 2, 3])
    assert (ask.endpoint, ask.characters) == ("embed", 12)
    reply = DIALECT.served(Moment(ask, (), Ids(0), NOW), Content(""), Usage(3, 0))
    assert len(loaded(reply)["data"]) == 1
    assert len(parsed(input=[[1, 2], [3]]).body["input"]) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Missing required parameter: 'input'."),
        ({"input": ""}, "'$.input' is invalid. Please check the API reference."),
        ({"input": [{}]}, "'$.input' is invalid. Please check the API reference."),
        ({"input": []}, "Invalid 'input': expected from 1 to 2048 items."),
        ({"input": "a", "dimensions": 0}, "Invalid value for 'dimensions': must be at least 1."),
        (
            {"input": "a", "encoding_format": "hex"},
            "Invalid value for 'encoding_format': must be 'float' or 'base64'.",
        ),
    ],
)
def test_a_malformed_field_is_a_400_that_names_it(fields, message):
    """What cannot be embedded is refused before any limit is asked."""
    with pytest.raises(BadRequest) as caught:
        parsed(**fields)
    assert (caught.value.status, caught.value.message) == (400, message)


def test_the_sdk_waits_for_the_hint_and_succeeds():
    """A refused embedding is retried after the wait that the header names."""
    with FakeProvider(requests_per_minute=1, latency=0.0) as provider:
        client = openai.OpenAI(max_retries=1)
        for _ in range(2):
            client.embeddings.create(model=SMALL, input="hello")
    _, refused, retry = provider.trace.attempts
    assert (refused.status, refused.hint) == (429, 60.0)
    assert retry.arrived_at - refused.arrived_at == 60.0
