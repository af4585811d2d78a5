"""Schemas: every answer, stream and error is held strictly against the SDKs' own types.

The types are those that the SDKs parse the answers into: no list of them is kept here. Which
endpoints there are is asked of the dialects, so that a new one without a call is a failure.
"""

from __future__ import annotations

import base64
import json
import time
import typing
from collections import Counter

import anthropic
import openai
import pytest
from anthropic.types import ErrorResponse, RawMessageStreamEvent, shared
from openai.types import ErrorObject

from fake_provider import Answer, FakeProvider, Fault
from fake_provider._wire import DIALECTS
from fake_provider._wire._bedrock_ask import _PATH as BEDROCK_PATH
from fake_provider._wire._gemini_ask import _VERBS as GEMINI_VERBS
from fake_provider._wire._named import names_of
from fake_provider._wire._openai_paths import MANAGED
from tests.fake_provider.clients import load
from tests.fake_provider.wire.asking import GENERATE, STREAM
from tests.fake_provider.wire.schemas import leaves, unknown, unknown_members, watched
from tests.fake_provider.wire.wiring import frames

SAID = [{"role": "user", "content": "hello"}]
CHAT = {"model": "gpt-5", "messages": SAID}
MESSAGE = {"model": "claude-sonnet-5", "max_tokens": 60, "messages": SAID}
FAMILY = [name for name in DIALECTS if hasattr(DIALECTS[name], "forms")]
CONTENTS = {
    "text": Answer(text="Two words."),
    "tools": Answer(text="Let me see.", tool_calls=[("look_up", {"key": 'a "b"'}), ("stop", {})]),
}
BOTH = pytest.mark.parametrize("content", CONTENTS)
# Fields that an API has and the type of the SDK that is used here has not.
UNTYPED = {
    # OpenAI's API tells whether it keeps a response.
    "responses": {".store", ".response.store"},
    # OpenRouter tells who served the model; the SDK is OpenAI's.
    "openrouter": {".provider"},
}


def exhaust(stream):
    return list(stream)


def batches(client, upload):
    """Make, list, read and cancel a batch of one request, and read the results of another."""
    make = upload(client)
    made, other = make(), make()
    client.batches.list()
    client.batches.cancel(other.id)
    time.sleep(200)
    client.batches.retrieve(other.id)
    return client.batches.retrieve(made.id)


def openai_batches(client):
    """A file of one line, and batches of it."""
    line = '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":%s}'
    body = '{"model":"gpt-5","messages":[{"role":"user","content":"hello"}]}'

    def upload(client):
        file = client.files.create(file=("in.jsonl", (line % body).encode()), purpose="batch")
        return lambda: client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )

    batches(client, upload)


def openai_files(client):
    """Upload, list, read and delete a file."""
    file = client.files.create(file=("a.bin", b"a"), purpose="user_data")
    client.files.list()
    client.files.retrieve(file.id)
    client.files.delete(file.id)


# By form: what asks for it, with a client of OpenAI's or one like it.
FORMS = {
    "chat": lambda c: (
        c.chat.completions.create(**CHAT),
        exhaust(c.chat.completions.create(**CHAT, stream=True)),
    ),
    "responses": lambda c: (
        c.responses.create(model="gpt-5", input="hello"),
        exhaust(c.responses.create(model="gpt-5", input="hello", stream=True)),
    ),
    "count_tokens": lambda c: c.responses.input_tokens.count(model="gpt-5", input="hello"),
    "embeddings": lambda c: (
        # The SDK's type is of what it has made of base64, which it asks for unless told otherwise.
        c.embeddings.create(model="e", input="a", encoding_format="float"),
        c.embeddings.create(model="e", input=["a", "b"], encoding_format="float"),
    ),
    "models": lambda c: (c.models.list(), [c.models.retrieve(m.id) for m in c.models.list().data]),
    "files": openai_files,
    "batches": openai_batches,
}


def anthropic_batches(client):
    """Batches of one request."""
    messages = client.messages

    def upload(_client):
        return lambda: messages.batches.create(requests=[{"custom_id": "a", "params": MESSAGE}])

    done = batches(messages, upload)
    assert exhaust(messages.batches.results(done.id))
    messages.batches.delete(done.id)


ANTHROPIC = {
    "generate": lambda c: (
        c.messages.create(**MESSAGE),
        exhaust(c.messages.create(**MESSAGE, stream=True)),
    ),
    "count_tokens": lambda c: c.messages.count_tokens(model="m", messages=SAID),
    "models": lambda c: (c.models.list(), [c.models.retrieve(m.id) for m in c.models.list()]),
    "batches": anthropic_batches,
}


def openai_client(dialect):
    """The SDK's client of a dialect: its own, or OpenAI's where it has none to validate by."""
    if dialect == "azure":
        return openai.AzureOpenAI(
            api_key="k", azure_endpoint="https://r.openai.azure.com", api_version="2024-10-21"
        )
    if dialect == "groq":
        return load("groq").Groq(api_key="k")
    urls = {
        "deepseek": "https://api.deepseek.com",
        "openrouter": "https://openrouter.ai/api/v1",
    }
    return openai.OpenAI(api_key="k", base_url=urls.get(dialect))


def check(seen, known=frozenset()):
    """Hold what an SDK has parsed against its types."""
    assert seen
    for kind, texts in seen:
        assert texts
        for text in texts:
            assert set(unknown(kind, text)) <= known, (kind, text)


@BOTH
@pytest.mark.parametrize(
    ("dialect", "form"),
    [(name, form) for name in FAMILY if name != "mistral" for form in DIALECTS[name].forms],
)
def test_what_the_openai_family_answers_is_what_the_sdk_s_types_know(dialect, form, content):
    """No field is missing, of another type, or unknown, in answers and in each part of a stream."""
    if dialect == "groq" and form == "responses":
        pytest.skip("Groq's SDK has no type of a response; OpenAI's is what it renders")
    seen = []
    with FakeProvider(cached_tokens=2, cache_written_tokens=1) as provider:
        provider.script(CONTENTS[content])
        FORMS[form](watched(openai_client(dialect), seen))
    check(seen, UNTYPED.get(form, set()) | UNTYPED.get(dialect, set()))


def test_every_form_of_the_openai_family_is_asked_for():
    """A form that a dialect learns has a call here."""
    assert set().union(*(DIALECTS[name].forms for name in FAMILY)) == set(FORMS)
    assert set(MANAGED) < set(FORMS)


@BOTH
@pytest.mark.parametrize("endpoint", ANTHROPIC)
def test_what_anthropic_answers_is_what_the_sdk_s_types_know(endpoint, content):
    """The same of the Messages API, models and batches."""
    seen = []
    with FakeProvider(cached_tokens=2, cache_written_tokens=1) as provider:
        provider.script(CONTENTS[content])
        ANTHROPIC[endpoint](watched(anthropic.Anthropic(), seen))
    check(seen)


@BOTH
def test_claude_on_vertex_answers_what_the_sdk_s_types_know(content):
    """Messages, streams and counts are those of the Messages API."""
    seen = []
    with FakeProvider() as provider:
        provider.script(CONTENTS[content])
        sdk = anthropic.AnthropicVertex(region="r", project_id="p", access_token="t")
        client = watched(sdk, seen)
        ANTHROPIC["generate"](client)
        ANTHROPIC["count_tokens"](client)
    check(seen)


@BOTH
def test_claude_on_bedrock_answers_what_the_sdk_s_types_know(content):
    """A message, and each event of its stream but for the metrics of the last."""
    seen, url = [], GENERATE["bedrock"].url.replace("converse", "invoke-with-response-stream")
    with FakeProvider() as provider:
        provider.script(CONTENTS[content])
        sdk = anthropic.AnthropicBedrock(api_key="k", aws_region="us-east-1")
        watched(sdk, seen).messages.create(**MESSAGE)
        sent = GENERATE["bedrock"]._replace(url=url, body=GENERATE["vertex"].body).send()
    check(seen)
    for _, payload in frames(sent.content):
        event = json.loads(base64.b64decode(payload["bytes"]))
        event.pop("amazon-bedrock-invocationMetrics", None)
        assert unknown(RawMessageStreamEvent, json.dumps(event)) == []


# ------------------------------------------------------------------ Mistral, Gemini, Bedrock


@BOTH
@pytest.mark.parametrize("form", DIALECTS["mistral"].forms)
def test_what_mistral_answers_is_what_its_sdk_s_types_know(form, content):
    """The types are those that its methods say they return."""
    sdk = load("mistralai.client").Mistral(api_key="k")
    methods = {
        "chat": (sdk.chat.complete, GENERATE["mistral"], sdk.chat.stream, STREAM["mistral"]),
        "embeddings": (sdk.embeddings.create, _mistral("embeddings", model="m", input=["a"])),
        "models": (sdk.models.list, _mistral("models")),
    }
    method, asked, *streamed = methods[form]
    with FakeProvider() as provider:
        provider.script(CONTENTS[content])
        assert unknown(_returned(method), asked.send().text) == []
        for stream, asked in zip(streamed[::2], streamed[1::2], strict=True):
            (event,) = typing.get_args(_returned(stream))
            kind = typing.get_type_hints(event)["data"]
            texts = [line[6:] for line in asked.send().text.splitlines() if "data: {" in line]
            assert [name for text in texts for name in unknown(kind, text)] == []


def _mistral(path, **body):
    """A request to another endpoint of Mistral's."""
    return GENERATE["mistral"]._replace(url=f"https://api.mistral.ai/v1/{path}", body=body or None)


def _returned(method):
    """The type that a method says it returns."""
    return typing.get_type_hints(method)["return"]


@BOTH
def test_what_gemini_answers_is_what_its_sdk_s_types_know(content):
    """Answers and parts of streams as they are; what the SDK rewrites loses no value on its way."""
    types = load("google.genai.types")
    answer = types.GenerateContentResponse
    with FakeProvider(cached_tokens=2) as provider:
        provider.script(CONTENTS[content])
        assert unknown(answer, GENERATE["gemini"].send().text) == []
        events = STREAM["gemini"].send().text.splitlines()
    texts = [line[6:] for line in events if line.startswith("data: ")]
    assert texts
    assert [name for text in texts for name in unknown(answer, text)] == []


GEMINI = {
    "countTokens": ({"contents": [{"parts": [{"text": "a"}]}]}, "CountTokensResponse"),
    "embedContent": ({"content": {"parts": [{"text": "a"}]}}, "EmbedContentResponse"),
    "batchEmbedContents": (
        {"requests": [{"content": {"parts": [{"text": "a"}]}}] * 2},
        "EmbedContentResponse",
    ),
}


@pytest.mark.parametrize("verb", GEMINI)
def test_what_gemini_s_sdk_rewrites_loses_no_value(verb):
    """Counts and embeddings are read from other names than the type's: every value arrives."""
    models = load("google.genai.models")
    body, kind = GEMINI[verb]
    converters = {
        "CountTokensResponse": models._CountTokensResponse_from_mldev,
        "EmbedContentResponse": models._EmbedContentResponse_from_mldev,
    }
    url = GENERATE["gemini"].url.replace("generateContent", verb)
    with FakeProvider():
        told = GENERATE["gemini"]._replace(url=url, body=body).send().json()
    told.pop("promptTokensDetails", None)  # the API has it, the SDK leaves it
    # The SDK itself asks for embeddings in batches, and its converter reads a list of them.
    read = {"embeddings": [told["embedding"]]} if "embedding" in told else told
    assert Counter(leaves(converters[kind](read, None))) == Counter(leaves(told))


def test_what_gemini_s_sdk_rewrites_of_vertex_s_embeddings_loses_no_value():
    """Vectors, the tokens of each and the characters of all arrive."""
    models = load("google.genai.models")
    url = (
        "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/"
        "models/text-embedding-005:predict"
    )
    body = {"instances": [{"content": "a"}, {"content": "b"}]}
    with FakeProvider():
        told = GENERATE["openai"]._replace(url=url, body=body).send().json()
    read = models._EmbedContentResponse_from_vertex(told, None)
    assert Counter(leaves(read)) == Counter(leaves(told))


def test_every_verb_of_gemini_is_asked_for():
    """A verb that the dialect learns has a call here."""
    assert {"generateContent", "streamGenerateContent", *GEMINI} == set(GEMINI_VERBS)


@pytest.fixture(scope="module")
def operations():
    """The operations of Bedrock's service model, by the verb of their path."""
    session = load("botocore.session").get_session()
    model = session.get_service_model("bedrock-runtime")
    found = {}
    for name in model.operation_names:
        operation = model.operation_model(name)
        found[operation.http["requestUri"].rpartition("/")[2]] = operation
    return found


@BOTH
def test_what_bedrock_answers_is_what_botocore_s_service_model_knows(operations, content):
    """A conversation, each event of its stream, and a count; InvokeModel's bodies have no model."""
    asked = GENERATE["bedrock"]
    with FakeProvider(cached_tokens=2, cache_written_tokens=1) as provider:
        provider.script(CONTENTS[content])
        whole = asked.send().json()
        events = frames(STREAM["bedrock"].send().content)
        url = asked.url.replace("converse", "count-tokens")
        count = asked._replace(url=url, body={"input": {"converse": asked.body}}).send().json()
    assert unknown_members(operations["converse"].output_shape, whole) == []
    assert unknown_members(operations["count-tokens"].output_shape, count) == []
    stream = operations["converse-stream"].output_shape.members["stream"]
    for headers, payload in events:
        kind = headers[":event-type"]
        assert unknown_members(stream.members[kind], payload) == [], kind


def test_every_verb_of_bedrock_is_known_of():
    """Those of the path are those above, and InvokeModel's two."""
    verbs = BEDROCK_PATH.pattern.partition("(?P<verb>")[2].partition(")")[0].split("|")
    asked = {"converse", "converse-stream", "count-tokens"}
    assert asked | {"invoke", "invoke-with-response-stream"} == set(verbs)


# ------------------------------------------------------------------ errors

LIMITS = (
    {"requests_per_minute": 1},
    {"tokens_per_minute": 60},
    {"input_tokens_per_minute": 3},
    {"output_tokens_per_minute": 60},
    {"requests_per_day": 1},
    {"tokens_per_minute": 1},  # too large
)


def refusals(dialect):
    """Every refusal, named error and malformed request of a dialect, as responses."""
    for stated in LIMITS:
        with FakeProvider(**stated):
            yield [GENERATE[dialect].send() for _ in range(2)][1]
    for name in names_of(DIALECTS[dialect]):
        with FakeProvider() as provider:
            provider.script(Fault(kind=name))
            yield GENERATE[dialect].send()
    with FakeProvider() as provider:
        provider.script([Fault(status=status) for status in (403, 404, 500, 503)])
        yield from (GENERATE[dialect].send() for _ in range(4))
        yield GENERATE[dialect]._replace(body={"model": "m"}).send()


def check_anthropic(told):
    """Hold an error of Anthropic's against the SDK's types, of which its details have their own.

    Server errors have been seen with details of null, which no type has, and
    `request_too_large` comes from the edge before the API.
    """
    details = told["error"].pop("details", None)
    if details is not None:
        name = "".join(part.capitalize() for part in details["error_code"].split("_"))
        kind = getattr(shared, f"{name}ErrorDetails")
        assert unknown(kind, json.dumps(details)) == []
    if told["error"]["type"] == "request_too_large":
        told["error"]["type"] = "invalid_request_error"
    assert unknown(ErrorResponse, json.dumps(told)) == []


def test_anthropic_s_errors_are_what_the_sdk_s_types_know():
    """Types and codes are of its lists, and nothing is missing."""
    for response in refusals("anthropic"):
        assert not response.is_success
        check_anthropic(response.json())


@pytest.mark.parametrize("dialect", ["openai", "groq", "deepseek"])
def test_errors_of_the_openai_family_are_what_the_sdk_s_type_knows(dialect):
    """Code, message, parameter and type, each of its type; Groq's have no parameter."""
    for response in refusals(dialect):
        assert not response.is_success
        assert unknown(ErrorObject, json.dumps(response.json()["error"])) == []


def test_gemini_s_errors_are_what_its_sdk_parses():
    """Code, status, message and details, and no other field."""
    for response in refusals("gemini"):
        (error,) = response.json().values()
        assert set(error) - {"details"} == {"code", "message", "status"}
        assert error["code"] == response.status_code


def test_bedrock_s_errors_are_exceptions_of_the_service_model(operations):
    """The exception of the header is one of the operation's, with its status and its members."""
    errors = {shape.name: shape for shape in operations["converse"].error_shapes}
    # These are raised by AWS before any operation.
    common = {"ServiceQuotaExceededException", "UnknownOperationException"}
    for response in refusals("bedrock"):
        name = response.headers["x-amzn-errortype"]
        if name in common:
            continue
        shape = errors[name]
        assert response.status_code == shape.metadata["error"]["httpStatusCode"], name
        assert unknown_members(shape, response.json()) == []


@pytest.mark.parametrize("dialect", ["anthropic", "vertex"])
def test_an_error_inside_a_stream_is_what_the_sdk_s_types_know(dialect):
    """It is the error of the API, in an event."""
    with FakeProvider() as provider:
        provider.script(Fault(kind="overloaded", after=1))
        events = STREAM[dialect].send().text.split("\n\n")
    (error,) = [each for each in events if each.startswith("event: error")]
    check_anthropic(json.loads(error.partition("data: ")[2]))
