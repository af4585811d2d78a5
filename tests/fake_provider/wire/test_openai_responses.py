"""OpenAI: the Responses API, plain, streamed and refused, through the real SDK."""

from __future__ import annotations

import json

import openai
import pytest
from openai.types import responses
from openai.types.responses import Response
from pydantic import TypeAdapter

from fake_provider import Answer, FakeProvider, Fault
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
from tests.fake_provider.wire.wiring import NOW, SECOND, body, extras, full, loaded, strict

DIALECT = OpenAI()
PATH = "/v1/responses"
ASK = Ask("generate", "gpt-5", None, False, 5, {"model": "gpt-5", "input": "hello"}, PATH)
GPT = {"model": "gpt-5", "input": "hello"}
# The API tells whether it keeps a response; the SDK's type does not know the field.
STORE = (".store",)
EVENT = TypeAdapter(responses.ResponseStreamEvent)
TOOLS = Answer(text="Let me see.", tool_calls=[("look_up", {"key": 'a "b"'}), ("stop", {})])


def client(**options):
    return openai.OpenAI(**{"max_retries": 0, **options})


def request(changes=(), method="POST", path=PATH):
    fields = {name: value for name, value in {**GPT, **dict(changes)}.items() if value is not None}
    headers = {"authorization": "Bearer k"}
    return Request(method, "api.openai.com", path, headers, json.dumps(fields).encode())


def test_a_request_is_read_into_terms_that_no_dialect_owns():
    """Instructions and input count as prompt; the output that it allows is reserved."""
    ask = DIALECT.parse(
        request({"instructions": "abc", "max_output_tokens": 40, "stream": True, "tools": []})
    )
    assert (ask.endpoint, ask.model, ask.max_tokens, ask.stream, ask.characters) == (
        "generate",
        "gpt-5",
        40,
        True,
        8,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": None}, "Missing required parameter: 'input'."),
        ({"input": 5}, "Invalid type for 'input': expected a string or an array of input items."),
        ({"model": None}, "you must provide a model parameter"),
        ({"max_output_tokens": 0}, "Invalid value for 'max_output_tokens': must be at least 1."),
        ({"stream": "yes"}, "Invalid type for 'stream': expected a boolean."),
    ],
)
def test_a_malformed_field_is_a_400_that_names_it(changes, message):
    """A field that is missing or of the wrong type is named in the message."""
    with pytest.raises(BadRequest) as caught:
        DIALECT.parse(request(changes))
    assert (caught.value.status, caught.value.message) == (400, message)


def test_the_whole_answer_has_every_field_that_is_documented():
    """Identity, time, output, usage, and what is repeated of the request, in the SDK's types."""
    reply = DIALECT.served(Moment(ASK, (), Ids(0), NOW), PLAIN, Usage(17, 12))
    whole = strict(Response, loaded(reply), STORE)
    assert whole.id.startswith("resp_")
    assert (whole.object, whole.status, whole.created_at) == ("response", "completed", SECOND)
    (message,) = whole.output
    assert (message.type, message.role, message.status) == ("message", "assistant", "completed")
    assert message.id.startswith("msg_")
    (part,) = message.content
    assert (part.type, part.text, part.annotations) == ("output_text", TEXT, [])
    assert loaded(reply)["usage"] == {
        "input_tokens": 17,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 12,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 29,
    }
    assert {"error", "incomplete_details", "instructions", "metadata", "parallel_tool_calls"} <= (
        loaded(reply).keys()
    )
    assert (whole.store, whole.truncation, whole.tool_choice) == (True, "disabled", "auto")


def test_what_the_request_said_is_repeated():
    """Instructions, metadata and the like come back; a null is what is usual."""
    said = {**GPT, "instructions": "Be brief.", "metadata": {"a": "b"}, "top_p": None}
    reply = DIALECT.served(Moment(ASK._replace(body=said), (), Ids(0), NOW), PLAIN, Usage(1, 1))
    whole = loaded(reply)
    assert (whole["instructions"], whole["metadata"], whole["top_p"]) == (
        "Be brief.",
        {"a": "b"},
        1.0,
    )


def test_the_sdk_reads_a_response():
    """Text and usage arrive in the SDK's own types."""
    with FakeProvider(tokens_per_minute=1_000) as provider:
        answer = client().responses.create(**GPT)
    assert answer.output_text == TEXT
    assert answer.usage.total_tokens == 52
    assert answer._request_id.startswith("req_")
    (attempt,) = provider.trace.attempts
    assert (attempt.model, attempt.input_tokens, attempt.output_tokens) == ("gpt-5", 2, 50)


def test_a_stream_has_the_documented_events_in_order_and_numbered():
    """Names, numbers and fields of every event, each valid in the SDK's types."""
    reply = DIALECT.served(
        Moment(ASK._replace(stream=True), (), Ids(0), NOW), TOOLS.content, Usage(9, 7)
    )
    kinds = []
    for number, chunk in enumerate(reply.chunks):
        name, data = chunk.data.decode().removesuffix("\n\n").split("\n")
        event = EVENT.validate_python(json.loads(data.removeprefix("data: ")))
        unknown = [f".response{name}" for name in STORE] if hasattr(event, "response") else []
        assert extras(event) == unknown
        assert (name, event.sequence_number) == (f"event: {event.type}", number)
        kinds.append(event.type.removeprefix("response."))
    text = ["content_part.added", *["output_text.delta"] * 3, "output_text.done"]
    call = [f"function_call_arguments.{end}" for end in ("delta", "done")]
    added, done = "output_item.added", "output_item.done"
    assert kinds == [
        *("created", "in_progress"),
        *(added, *text, "content_part.done", done),
        *(added, *call, done),
        *(added, *call, done),
        "completed",
    ]
    assert sum(chunk.output_tokens for chunk in reply.chunks) == 7
    assert b"[DONE]" not in body(reply)
    assert dict(reply.headers)["content-type"] == "text/event-stream; charset=utf-8"


def test_the_sdk_accumulates_a_stream_of_text_and_tools():
    """Text, names and arguments are whole at the end, in both ways of asking."""
    with FakeProvider() as provider:
        provider.script([TOOLS, TOOLS])
        with client().responses.stream(**GPT) as stream:
            streamed = stream.get_final_response()
        plain = client().responses.create(**GPT)
    for answer in (streamed, plain):
        assert answer.output_text == "Let me see."
        calls = [item for item in answer.output if item.type == "function_call"]
        assert [(call.name, json.loads(call.arguments)) for call in calls] == [
            ("look_up", {"key": 'a "b"'}),
            ("stop", {}),
        ]
        assert all(call.call_id.startswith("call_") for call in calls)


def test_the_sdk_waits_for_the_hint_and_succeeds():
    """A refused response is retried after the whole seconds that the header names."""
    with FakeProvider(requests_per_minute=1, latency=0.0) as provider:
        sdk = client(max_retries=1)
        sdk.responses.create(**GPT)
        sdk.responses.create(**GPT)
    first, refused, retry = provider.trace.attempts
    assert (first.status, refused.status, refused.hint) == (200, 429, 60.0)
    assert retry.arrived_at - refused.arrived_at == 60.0
    assert refused.call == retry.call


def test_a_refusal_is_laid_out_in_two_spaces_and_states_no_limit():
    """Responses were seen refused without the limits' headers; the error's fields are as ever."""
    (limit,) = limits = Limits(tokens_per_minute=30_000)
    hint = Hint("seconds", 1.046)
    reply = DIALECT.refused(Moment(ASK, full(limits), Ids(0), NOW), Refusal(limit, hint, 654))
    names = {name for name, _ in reply.headers}
    assert not any(name.startswith("x-ratelimit") for name in names)
    assert dict(reply.headers)["retry-after"] == "2"
    text = body(reply).decode()
    assert text.startswith('{\n  "error": {\n    "message": "Rate limit reached for gpt-5 in')
    assert "Please try again in 1.046s." in text
    assert (loaded(reply)["error"]["type"], loaded(reply)["error"]["code"]) == (
        "tokens",
        "rate_limit_exceeded",
    )
    assert dict(reply.headers)["content-length"] == str(len(text))


def test_a_hint_by_reset_states_the_limit_all_the_same():
    """Where the reset is the only hint, leaving it out would leave none."""
    (limit,) = limits = Limits(tokens_per_minute=30_000)
    hint = Hint("reset", 1.046)
    reply = DIALECT.refused(Moment(ASK, full(limits), Ids(0), NOW), Refusal(limit, hint, 654))
    assert "x-ratelimit-reset-tokens" in dict(reply.headers)


def test_the_sdk_raises_a_rate_limit_error():
    """Type, code and request id are those that were rendered."""
    with FakeProvider(requests_per_minute=1):
        client().responses.create(**GPT)
        with pytest.raises(openai.RateLimitError, match="Rate limit reached for gpt-5") as caught:
            client().responses.create(**GPT)
    error = caught.value
    assert (error.code, error.type) == ("rate_limit_exceeded", "requests")
    assert error.request_id.startswith("req_")


def test_an_error_in_a_stream_is_an_event_with_the_next_number():
    """The error is nested, as it has been seen, and carries the number after the last event's."""
    chunk = DIALECT.stream_error(ASK, Failure(503), Ids(0), 2)
    name, data = chunk.data.decode().removesuffix("\n\n").split("\n")
    assert name == "event: error"
    assert json.loads(data.removeprefix("data: ")) == {
        "type": "error",
        "sequence_number": 2,
        "error": {
            "message": "Our servers are currently overloaded. Please try again later.",
            "type": "service_unavailable_error",
            "param": None,
            "code": "server_is_overloaded",
        },
    }


def test_the_sdk_raises_the_error_of_a_stream():
    """Two pieces have come by then, and the error has no status: no retry decorator sees it."""
    kinds = []
    with FakeProvider() as provider:
        provider.script([Fault(status=503, after=2)])
        with pytest.raises(openai.APIError, match="currently overloaded") as caught:
            kinds.extend(event.type for event in client().responses.create(**GPT, stream=True))
    assert not isinstance(caught.value, openai.APIStatusError)
    assert kinds.count("response.output_text.delta") == 2
    assert "response.completed" not in kinds
    (attempt,) = provider.trace.attempts
    assert (attempt.status, attempt.reason) == (200, "overloaded")


def test_the_sdk_reads_a_count_of_input_tokens():
    """The counting endpoint is no attempt, and has its number from the same estimate."""
    with FakeProvider() as provider:
        count = client().responses.input_tokens.count(**GPT)
        assert count.input_tokens == 2
        assert provider.trace.attempts == ()
