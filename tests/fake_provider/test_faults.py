"""Scripts through the real SDK: what they see, what they answer, and what their mistakes are."""

from __future__ import annotations

import random
import time
from contextlib import suppress

import anthropic
import openai
import pytest
from tenacity import retry, stop_after_attempt, wait_fixed

from fake_provider import FakeProvider, Fault, ProviderError, caller
from fake_provider._script import as_script

CLIENT = anthropic.Anthropic(api_key="test", max_retries=0)
QUOTA = {"error": {"message": "pay", "type": "insufficient_quota", "code": "insufficient_quota"}}
SPEND = {
    "type": "error",
    "error": {
        "type": "rate_limit_error",
        "message": "You have reached your limit",
        "details": {"error_code": "enforced_spend_limit_reached"},
    },
}


def body(text="hello", **more):
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-sonnet-5", "max_tokens": 16, "messages": messages, **more}


def ask(text="hello", client=CLIENT, **more):
    return client.messages.create(**body(text, **more))


def statuses(provider, requests, client=CLIENT):
    """Return the statuses that so many requests are answered with."""
    for number in range(requests):
        with suppress(anthropic.APIStatusError):
            ask(f"{number}", client)
    return [a.status for a in provider.trace.attempts]


def test_a_sequence_answers_one_request_each():
    """None leaves a request to the limits, and so does the end of the sequence."""
    with FakeProvider() as provider:
        provider.script([Fault(), None, Fault(status=529)])
        assert statuses(provider, 5) == [429, 200, 529, 200, 200]


def test_a_function_answers_by_what_it_sees():
    """A script is told when, who, what and how often; the attempt counts from 1."""
    seen = []

    def script(arrival):
        seen.append(arrival)
        return Fault() if arrival.attempt == 1 else None

    with FakeProvider() as provider:
        provider.script(script)
        time.sleep(2)
        with caller("agent"):
            for _ in range(2):
                statuses(provider, 1)
    first, second = seen
    assert (first.at, first.number, first.nth, first.caller, first.attempt) == (2, 0, 0, "agent", 1)
    assert (second.at, second.number, second.nth, second.attempt) == (2, 1, 1, 2)
    assert first.body["messages"][0]["content"] == "0"


def test_several_scripts_are_asked_in_order():
    """The first that has an answer gives it; one that has none costs the next nothing."""
    with FakeProvider() as provider:
        provider.script([None, Fault(status=529), None])
        provider.script([Fault(status=429), Fault(status=503)])
        assert statuses(provider, 4) == [429, 529, 503, 200]


def test_scripts_come_before_the_limits_and_charge_nothing():
    """A scripted answer is not asked of the limits: room and charge say so."""
    with FakeProvider(requests_per_minute=1) as provider:
        provider.script([Fault(), Fault(status=529)])
        assert statuses(provider, 4) == [429, 529, 200, 429]
    scripted, overloaded, served, refused = provider.trace.attempts
    assert (scripted.reason, overloaded.reason) == ("scripted", "overloaded")
    assert (scripted.room, scripted.charged) == (None, 0.0)
    assert served.room == 1.0
    assert refused.reason == "requests_per_minute"


@pytest.mark.parametrize("status", [503, 529])
def test_an_overload_is_refused_for_that_reason(status):
    """529 and 503 are refusals that no limit caused."""
    with FakeProvider() as provider:
        provider.script([Fault(status=status)])
        with pytest.raises(anthropic.InternalServerError):
            ask()
        (attempt,) = provider.trace.refused
    assert (attempt.reason, attempt.terminal, attempt.room) == ("overloaded", False, None)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
def test_an_error_that_no_wait_can_cure_is_terminal(status):
    """It is no refusal, and says that retrying is in vain."""
    with FakeProvider() as provider:
        provider.script([Fault(status=status)])
        with pytest.raises(anthropic.APIStatusError):
            ask()
        (attempt,) = provider.trace.attempts
    assert attempt.terminal
    assert not attempt.refused


@pytest.mark.parametrize("status", [408, 409, 500, 502, 504])
def test_an_error_that_is_no_refusal_is_neither_refused_nor_terminal(status):
    """Errors on the way are the script's, and may be retried."""
    with FakeProvider() as provider:
        provider.script([Fault(status=status)])
        with pytest.raises(anthropic.APIStatusError):
            ask()
        (attempt,) = provider.trace.attempts
    assert (attempt.reason, attempt.terminal, attempt.refused) == ("scripted", False, False)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(body=QUOTA), "insufficient_quota"),
        (Fault(body=SPEND), "enforced_spend_limit_reached"),
        (Fault(body={"error": {"type": "billing_error"}}), "billing_error"),
        (Fault(status=503, body=QUOTA), "insufficient_quota"),
    ],
)
def test_a_bill_is_terminal_and_no_queue(fault, reason):
    """A 429 whose code says quota is refused for that code, and no wait can cure it."""
    with FakeProvider() as provider:
        provider.script([fault])
        with pytest.raises(anthropic.APIStatusError):
            ask()
        (attempt,) = provider.trace.attempts
    assert (attempt.reason, attempt.terminal) == (reason, True)


DAILY = "Rate limit reached for gpt-x on requests per day (RPD): Limit 200, Used 200, Requested 1."


@pytest.mark.parametrize(
    ("fault", "terminal"),
    [
        (Fault(headers={"x-should-retry": "false"}), True),
        (Fault(status=500, headers={"X-Should-Retry": "false"}), True),
        (Fault(headers={"x-should-retry": "false", "retry-after": "20"}), False),
        (Fault(status=400, headers={"x-should-retry": "true"}), False),
        (Fault(body={"error": {"message": DAILY}}), True),
        (Fault(body={"error": {"message": DAILY}}, headers={"retry-after": "7"}), True),
        (Fault(body={"error": {"message": f"{DAILY} Please try again in 8.64s."}}), False),
        (Fault(body={"error": {"message": f"{DAILY} Please try again in 7m12s."}}), False),
        (Fault(body={"error": {"message": f"{DAILY} Please try again in 23h59m0s."}}), True),
        (Fault(body={"error": {"message": "Too many tokens per day, please wait"}}), True),
        (Fault(status=400, body={"error": {"message": "tell me of a day"}}), True),
        (Fault(body={"error": {"message": "once in a day, per minute"}}), False),
    ],
)
def test_what_an_answer_says_of_retrying_counts_more_than_its_status(fault, terminal):
    """The provider's word on retrying, and a quota of the whole day, decide what is terminal."""
    with FakeProvider() as provider:
        provider.script([fault])
        with pytest.raises(anthropic.APIStatusError):
            ask()
        (attempt,) = provider.trace.attempts
    assert attempt.terminal is terminal


@pytest.mark.parametrize(
    "text", ["", "upstream connect error", "{}", '{"error": null}', '{"error": "busy"}', "[]", "5"]
)
def test_a_body_that_is_no_error_object_is_just_a_scripted_refusal(text):
    """Gateways answer with whatever they like; the SDK still sees a 429."""
    with FakeProvider() as provider:
        provider.script([Fault(body=text)])
        with pytest.raises(anthropic.RateLimitError) as caught:
            ask()
        (attempt,) = provider.trace.attempts
    assert caught.value.response.text == text
    assert (attempt.reason, attempt.terminal) == ("scripted", False)


def test_the_dialect_s_own_body_and_headers_are_what_a_fault_does_not_state():
    """A fault without a body reads as the provider's own error; stated headers replace its own."""
    with FakeProvider() as provider:
        provider.script([Fault(status=529, headers={"Request-Id": "mine", "x-extra": "1"})])
        with pytest.raises(anthropic.InternalServerError) as caught:
            ask()
    response = caught.value.response
    assert response.json()["error"]["type"] == "overloaded_error"
    assert response.headers.get_list("request-id") == ["mine"]
    assert response.headers["x-extra"] == "1"


def test_a_fault_speaks_the_dialect_of_its_request():
    """One script answers both SDKs, each in its own shape."""
    with FakeProvider() as provider:
        provider.script(lambda _arrival: Fault(status=500))
        with pytest.raises(anthropic.InternalServerError) as theirs:
            ask()
        with pytest.raises(openai.InternalServerError) as ours:
            openai.OpenAI(max_retries=0).chat.completions.create(
                model="gpt-x", messages=[{"role": "user", "content": "hello"}]
            )
    assert theirs.value.response.json()["type"] == "error"
    assert "type" not in ours.value.response.json()


OWN = {
    "id": "msg_own",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5",
    "content": [{"type": "text", "text": "as scripted"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 2},
}


def test_a_script_may_give_the_answer_itself():
    """Status 200 with a body of its own is what the application reads, in the usual time."""
    with FakeProvider() as provider:
        provider.script([Fault(status=200, body=OWN)])
        assert ask().content[0].text == "as scripted"
        (attempt,) = provider.trace.attempts
        assert provider.clock.elapsed() == 0.5
    assert attempt.succeeded
    assert attempt.reason is None


def test_a_script_may_let_a_request_through_that_the_limits_would_refuse():
    """Status 200 without a body is the dialect's own answer, whatever the limits say."""
    with FakeProvider(requests_per_minute=1) as provider:
        provider.script([None, Fault(status=200)])
        assert statuses(provider, 2) == [200, 200]


STREAM = (
    'event: message_start\ndata: {"type":"message_start","message":'
    '{"id":"m","type":"message","role":"assistant","model":"m","content":[],'
    '"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
    'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    '"content_block":{"type":"text","text":""}}\n\n'
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    '"delta":{"type":"text_delta","text":"as scripted"}}\n\n'
    'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def test_a_script_may_give_the_stream_itself():
    """A scripted body of a stream is sent as it is."""
    with FakeProvider() as provider:
        provider.script([Fault(status=200, body=STREAM)])
        with CLIENT.messages.stream(**body()) as events:
            assert "".join(events.text_stream) == "as scripted"
        (attempt,) = provider.trace.attempts
    assert attempt.output_at == 0.5


BEGUN = STREAM[: STREAM.index("event: content_block_start")]
DELIVERED = STREAM[: STREAM.index("event: message_stop")]
OVERLOAD = (
    'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
)


@pytest.mark.parametrize(
    ("text", "reason", "output_at", "terminal"),
    [
        (DELIVERED + OVERLOAD, "overloaded", 0.5, False),
        (OVERLOAD, "overloaded", None, False),
        (
            STREAM[: STREAM.index("event: content_block_start")] + OVERLOAD,
            "overloaded",
            None,
            False,
        ),
        (OVERLOAD.replace("overloaded_error", "api_error"), "scripted", None, False),
        (OVERLOAD.replace("overloaded_error", "billing_error"), "billing_error", None, True),
    ],
    ids=["after output", "at once", "before output", "another error", "a bill"],
)
def test_a_stream_that_a_script_wrote_fails_where_it_says_so(text, reason, output_at, terminal):
    """An error event in a scripted stream is a failure, after output or before any."""
    with FakeProvider() as provider:
        provider.script([Fault(status=200, body=text)])
        with pytest.raises(anthropic.APIStatusError), CLIENT.messages.stream(**body()) as events:
            list(events.text_stream)
        (attempt,) = provider.trace.attempts
    assert (attempt.status, attempt.succeeded, attempt.refused) == (200, False, False)
    assert (attempt.reason, attempt.output_at, attempt.terminal) == (reason, output_at, terminal)


def test_a_chat_stream_s_first_role_is_no_output():
    """A scripted stream of OpenAI's that breaks off after the role has delivered nothing."""
    role = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
    error = 'data: {"error":{"type":"server_error","code":"server_error","message":"x"}}\n\n'
    with FakeProvider() as provider:
        provider.script([Fault(status=200, body=role + error)])
        stream = openai.OpenAI(api_key="test").chat.completions.create(
            model="gpt-x", messages=[{"role": "user", "content": "hello"}], stream=True
        )
        with pytest.raises(openai.APIError):
            list(stream)
        (attempt,) = provider.trace.attempts
    assert (attempt.output_at, attempt.succeeded) == (None, False)


@pytest.mark.parametrize("source", [5, None])
def test_a_script_that_is_neither_function_nor_sequence_is_named(source):
    """The mistake is named at once."""
    with pytest.raises(TypeError, match="script must be a function of an Arrival, a Fault, an"):
        FakeProvider().script(source)


@pytest.mark.parametrize("source", ["429", b"429", {"status": 429}, [429], [Fault(), "429"]])
def test_a_sequence_of_something_else_is_named(source):
    """A sequence that holds no faults is a mistake at once, not at the request that meets it."""
    with pytest.raises(TypeError, match="script must be a function of an Arrival, a Fault, an"):
        as_script(source)


def raises(_argument):
    raise KeyError("the user's own")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (raises, "script .*raises.*the user's own"),
        (lambda _: 429, "script .*429"),
        (lambda _: "busy", "script .*'busy'"),
        (lambda _: Fault, "script .*Fault"),
    ],
)
def test_a_script_that_fails_is_named(script, expected):
    """What a script raises, or returns for nonsense, is the provider's error and names it."""
    with FakeProvider() as provider:
        provider.script(script)
        with pytest.raises(ProviderError, match=expected):
            ask(client=anthropic.Anthropic(api_key="test", max_retries=3))


@pytest.mark.parametrize(
    ("name", "function", "expected"),
    [
        ("tokens_per_request", lambda _: "many", r"tokens_per_request\(body\) must be a whole"),
        ("tokens_per_request", lambda _: None, r"tokens_per_request\(body\) must be .* got None"),
        ("output_tokens", lambda _: -1, r"output_tokens\(body\) must be .* at least 0, got -1"),
        ("tokens_per_request", raises, "tokens_per_reques"),
        ("output_tokens", raises, "output_tokens"),
    ],
)
def test_a_function_of_the_body_that_fails_is_named(name, function, expected):
    """A cost that is none is the provider's error, and names the keyword."""
    with FakeProvider(**{name: function}), pytest.raises(ProviderError, match=expected):
        ask(client=anthropic.Anthropic(api_key="test", max_retries=3))


def test_a_failing_function_is_no_connection_error_and_is_called_once():
    """The SDK neither wraps it nor retries it, and its cause is kept."""
    calls = []

    def fails(arrival):
        calls.append(arrival)
        raise ValueError("the user's own")

    with FakeProvider() as provider:
        provider.script(fails)
        with pytest.raises(ProviderError) as caught:
            ask(client=anthropic.Anthropic(api_key="test", max_retries=3))
    assert len(calls) == 1
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_attempt_that_could_not_be_answered_has_not_succeeded():
    """The trace does not count a request that ended in the provider's own error as served."""
    with FakeProvider() as provider:
        provider.script(raises)
        with pytest.raises(ProviderError):
            ask()
        assert not any(a.succeeded for a in provider.trace.attempts)


def test_a_script_may_look_at_the_trace():
    """A script that decides by what has happened so far reads it from the provider."""
    with FakeProvider() as provider:
        provider.script(lambda _: Fault() if len(provider.trace.refused) < 2 else None)
        assert statuses(provider, 4) == [429, 429, 200, 200]


def test_the_number_of_a_body_counts_equal_bodies_only():
    """`nth` is 0 for a body that has not arrived before, whatever call it belongs to."""
    seen = []

    @retry(stop=stop_after_attempt(3), wait=wait_fixed(1), reraise=True)
    def ask_with_a_nonce():
        ask(metadata={"user_id": f"{random.random()}"})

    def script(arrival):
        seen.append((arrival.nth, arrival.attempt))
        return Fault() if arrival.number < 2 else None

    with FakeProvider() as provider:
        provider.script(script)
        ask_with_a_nonce()
    assert seen == [(0, 1), (0, 2), (0, 3)]


def test_the_number_of_a_body_counts_from_the_beginning():
    """`nth` counts the requests that arrived before the script was added."""
    seen = []
    with FakeProvider() as provider:
        ask()
        provider.script(lambda arrival: seen.append((arrival.number, arrival.nth)))
        ask()
    assert seen == [(1, 1)]
