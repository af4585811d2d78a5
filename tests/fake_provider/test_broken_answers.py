"""Answers that break in the middle, through the real SDKs: events, cuts, stalls and garbage."""

from __future__ import annotations

import asyncio
import json
import time

import aiohttp
import anthropic
import httpx2
import openai
import pytest

from fake_provider import Answer, FakeProvider, Fault, ServiceTime

MESSAGES = [{"role": "user", "content": "hello"}]
CLAUDE = {"model": "claude-sonnet-5", "max_tokens": 64, "messages": MESSAGES}
GPT = {"model": "gpt-5", "messages": MESSAGES}
CUTS = (httpx2.RemoteProtocolError, openai.APIConnectionError)


def read_messages(client, texts):
    """Read a streamed message to its end."""
    with client.messages.stream(**CLAUDE) as stream:
        texts.extend(stream.text_stream)


def read_completion(client, texts):
    """Read a streamed completion to its end."""
    for chunk in client.chat.completions.create(stream=True, **GPT):
        texts.extend(choice.delta.content or "" for choice in chunk.choices)


STREAMS = pytest.mark.parametrize(
    ("read", "make"),
    [(read_messages, anthropic.Anthropic), (read_completion, openai.OpenAI)],
    ids=["anthropic", "openai"],
)


@STREAMS
def test_an_error_event_ends_a_stream_of_status_200(read, make):
    """Two pieces arrive, then the SDK raises; the attempt has status 200 and a reason."""
    texts = []
    with FakeProvider() as provider:
        provider.script([Fault(status=529, after=2)])
        with pytest.raises((anthropic.APIStatusError, openai.APIError)):
            read(make(max_retries=3), texts)
    assert len([text for text in texts if text]) == 2
    (attempt,) = provider.trace.attempts
    assert (attempt.status, attempt.reason) == (200, "overloaded")
    assert attempt.output_at is not None
    assert not attempt.succeeded
    assert not attempt.refused


def test_the_anthropic_sdk_takes_an_error_event_for_status_200():
    """It raises APIStatusError of status 200, which no retry decorator for 529 sees."""
    with FakeProvider() as provider:
        provider.script([Fault(status=529, after=0)])
        with pytest.raises(anthropic.APIStatusError, match="Overloaded") as raised:
            read_messages(anthropic.Anthropic(), [])
    assert raised.value.status_code == 200
    assert not isinstance(raised.value, anthropic.InternalServerError)


@STREAMS
def test_a_cut_ends_the_connection_in_the_middle(read, make):
    """The SDK raises where the provider cuts, its own error or its library's."""
    texts = []
    with FakeProvider() as provider:
        provider.script([Fault(kind="cut", after=1)])
        with pytest.raises(CUTS):
            read(make(max_retries=3), texts)
    assert len([text for text in texts if text]) == 1
    (attempt,) = provider.trace.attempts
    assert (attempt.status, attempt.reason, attempt.cancelled_at) == (200, "cut", None)


def test_a_plain_answer_that_is_cut_is_a_connection_error_and_retried():
    """The SDK retries a connection that ends before the answer came."""
    with FakeProvider() as provider:
        provider.script([Fault(kind="cut"), None])
        message = anthropic.Anthropic(max_retries=1).messages.create(**CLAUDE)
    assert message.stop_reason == "end_turn"
    first, second = provider.trace.attempts
    assert (first.reason, first.output_at) == ("cut", None)
    assert (second.call, second.attempt) == (first.call, 2)


@STREAMS
def test_a_stall_is_a_pause_in_the_stream(read, make):
    """All of the answer arrives, so many seconds later."""
    texts = []
    with FakeProvider(latency=1.0) as provider:
        provider.script([Fault(kind="stall", after=3, seconds=20.0)])
        read(make(), texts)
        assert time.time() == pytest.approx(provider.trace.started_at + 21.0)
    assert "".join(texts) == "This is a fixed answer from a fake provider."
    assert provider.trace.attempts[0].succeeded


def test_a_stall_longer_than_the_client_s_patience_is_its_timeout():
    """The read timeout is raised at its own instant, and the attempt is cancelled then."""
    with FakeProvider(latency=0.0) as provider:
        provider.script([Fault(kind="stall", after=1, seconds=60.0)])
        with pytest.raises(httpx2.ReadTimeout):
            read_messages(anthropic.Anthropic(timeout=5.0, max_retries=0), [])
    assert provider.trace.attempts[0].cancelled_at == 5.0


def test_a_plain_answer_stalls_before_it_comes():
    """Without a stream all of the pause is before the answer."""
    with FakeProvider(latency=ServiceTime(mean=1.0)) as provider:
        provider.script([Fault(kind="stall", seconds=4.0)])
        anthropic.Anthropic().messages.create(**CLAUDE)
    assert provider.trace.attempts[0].ended_at == 5.0


@STREAMS
def test_garbage_in_a_stream_cannot_be_read(read, make):
    """The framing holds and the JSON inside does not: the SDK raises a decoding error."""
    with FakeProvider() as provider:
        provider.script([Fault(kind="garbage", after=1)])
        with pytest.raises((json.JSONDecodeError, ValueError)):
            read(make(max_retries=0), [])
    assert provider.trace.attempts[0].reason == "garbage"


def test_garbage_is_as_long_as_what_it_spoils():
    """The length that was stated holds, so that a client reads the answer to its end."""

    async def main():
        async with aiohttp.ClientSession(headers={"authorization": "Bearer k"}) as session:
            url = "https://api.openai.com/v1/chat/completions"
            async with session.post(url, json=GPT) as response:
                return await response.read(), int(response.headers["content-length"])

    with FakeProvider() as provider:
        provider.script([Fault(kind="garbage")])
        body, length = asyncio.run(main())
    assert len(body) == length
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_what_breaks_in_the_middle_has_been_admitted_and_charged():
    """The limits come first: a refused request has no middle to break in."""
    with FakeProvider(requests_per_minute=1) as provider:
        provider.script(lambda arrival: Fault(kind="cut", after=1))
        for _ in range(2):
            with pytest.raises((httpx2.RemoteProtocolError, anthropic.RateLimitError)):
                read_messages(anthropic.Anthropic(max_retries=0), [])
    broken, refused = provider.trace.attempts
    assert (broken.status, broken.charged, broken.reason) == (200, 1.0, "cut")
    assert (refused.status, refused.reason) == (429, "requests_per_minute")


@STREAMS
def test_a_fault_after_more_pieces_than_there_are_breaks_at_the_end(read, make):
    """A stream that is shorter than the fault expects still breaks."""
    with FakeProvider() as provider:
        provider.script([Fault(kind="cut", after=10_000)])
        with pytest.raises(CUTS):
            read(make(max_retries=0), [])


def test_a_code_words_the_error_in_the_provider_s_manner():
    """A bill has the provider's own text, and no wait cures it."""
    with FakeProvider() as provider:
        provider.script([Fault(code="insufficient_quota")])
        with pytest.raises(openai.RateLimitError, match="check your plan and billing details"):
            openai.OpenAI(max_retries=0).chat.completions.create(**GPT)
    (attempt,) = provider.trace.attempts
    assert (attempt.status, attempt.reason, attempt.terminal) == (429, "insufficient_quota", True)


def test_an_answer_calls_tools_in_both_dialects():
    """Name and arguments come back as the SDKs' own objects; the run ends for the tools."""
    answer = Answer(tool_calls=[("get_weather", {"city": "Oslo"})])
    with FakeProvider() as provider:
        provider.script([answer, answer])
        message = anthropic.Anthropic().messages.create(**CLAUDE)
        completion = openai.OpenAI().chat.completions.create(**GPT)
    (use,) = message.content
    assert (use.type, use.name, use.input) == ("tool_use", "get_weather", {"city": "Oslo"})
    assert message.stop_reason == "tool_use"
    (call,) = completion.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "get_weather",
        {"city": "Oslo"},
    )
    assert completion.choices[0].message.content is None
    assert completion.choices[0].finish_reason == "tool_calls"


def test_an_answer_streams_text_and_tools_in_both_dialects():
    """Streams accumulate to the same text, tool and arguments, whatever is in the text."""
    text = 'Line "one"\n\tand 100 % more \u2013 two  spaces.'
    answer = Answer(text=text, tool_calls=[("look_up", {"key": 'a "b"'}), ("stop", {})])
    with FakeProvider() as provider:
        provider.script([answer, answer])
        with anthropic.Anthropic().messages.stream(**CLAUDE) as stream:
            message = stream.get_final_message()
        with openai.OpenAI().chat.completions.stream(**GPT) as stream:
            completion = stream.get_final_completion().choices[0].message
    said, *uses = message.content
    assert said.text == completion.content == text
    assert [(use.name, use.input) for use in uses] == [("look_up", {"key": 'a "b"'}), ("stop", {})]
    calls = completion.tool_calls
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("look_up", {"key": 'a "b"'}),
        ("stop", {}),
    ]


def test_an_answer_is_given_only_where_the_limits_admit():
    """A scripted content does not lift a limit, and the next request gets it."""
    with FakeProvider(requests_per_minute=1) as provider:
        provider.script(lambda arrival: Answer(json={"ok": True}))
        client = anthropic.Anthropic(max_retries=0)
        assert client.messages.create(**CLAUDE).content[0].text == '{"ok": true}'
        with pytest.raises(anthropic.RateLimitError):
            client.messages.create(**CLAUDE)


def test_of_two_scripts_one_may_answer_and_the_other_fail():
    """An answer does not keep a later script from a fault."""
    with FakeProvider() as provider:
        provider.script(lambda arrival: Answer(text="scripted"))
        provider.script([Fault(status=529), None])
        client = anthropic.Anthropic(max_retries=1)
        assert client.messages.create(**CLAUDE).content[0].text == "scripted"
    assert [attempt.status for attempt in provider.trace.attempts] == [529, 200]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({}, ValueError, "an Answer needs text, json or tool_calls, got none of them"),
        ({"text": 7}, TypeError, "text must be a string, got 7"),
        ({"text": "a", "json": {}}, ValueError, "json must be left out beside a text, got {}"),
        ({"json": {1, 2}}, TypeError, "json must be what JSON can write, got {1, 2}"),
        ({"tool_calls": "ab"}, TypeError, "tool_calls must be pairs of a name and a mapping"),
        ({"tool_calls": ["ab"]}, TypeError, "tool_calls must be pairs of a name and a mapping"),
        ({"tool_calls": [("a", {"b": {1}})]}, TypeError, "the arguments of a must be what JSON"),
    ],
)
def test_an_answer_that_cannot_be_given_is_named(arguments, error, text):
    """One clear error names the argument, the value and what is allowed."""
    with pytest.raises(error) as raised:
        Answer(**arguments)
    assert str(raised.value).startswith(text)
