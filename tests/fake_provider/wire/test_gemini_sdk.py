"""Gemini: what google-genai makes of the answers, and what it does with the wait."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from fake_provider import Answer, FakeProvider, Fault

genai = pytest.importorskip("google.genai")
errors = pytest.importorskip("google.genai.errors")
types = pytest.importorskip("google.genai.types")

# It makes a subclass of aiohttp's session, which that discourages.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

MODEL = "gemini-2.5-flash"
ASKED = {"model": MODEL, "contents": "What is new?"}


def retrying(**options):
    """A client that retries, which google-genai does not unless it is told to."""
    retry = types.HttpRetryOptions(**options)
    return genai.Client(http_options=types.HttpOptions(retry_options=retry))


def test_the_sdk_reads_content_and_usage():
    """Text, reason, model and the tokens that were charged arrive in the SDK's own types."""
    with FakeProvider() as provider, genai.Client() as client:
        answer = client.models.generate_content(**ASKED)
    (attempt,) = provider.trace.attempts
    assert answer.text == "This is a fixed answer from a fake provider."
    assert answer.candidates[0].finish_reason == "STOP"
    assert answer.model_version == MODEL
    usage = answer.usage_metadata
    assert usage.prompt_token_count == attempt.input_tokens == 3
    assert usage.candidates_token_count == attempt.output_tokens == 50
    assert usage.total_token_count == attempt.tokens
    assert (attempt.dialect, attempt.model, attempt.succeeded) == ("gemini", MODEL, True)


def test_the_sdk_reads_a_stream():
    """The parts join to the text, and the last one has the usage."""
    with FakeProvider() as provider, genai.Client() as client:
        parts = list(client.models.generate_content_stream(**ASKED))
    assert "".join(part.text for part in parts) == "This is a fixed answer from a fake provider."
    assert len(parts) == 8
    assert parts[-1].usage_metadata.candidates_token_count == 50
    assert provider.trace.attempts[0].stream


def test_the_sdk_reads_a_function_call():
    """Name and arguments come back as the SDK's own object, streamed or not."""
    answer = Answer(tool_calls=[("get_weather", {"city": "Oslo"})])
    with FakeProvider() as provider:
        provider.script([answer, answer])
        client = genai.Client()
        models = client.models
        whole = models.generate_content(**ASKED)
        (part,) = models.generate_content_stream(**ASKED)
    for read in (whole, part):
        (call,) = read.function_calls
        assert (call.name, call.args) == ("get_weather", {"city": "Oslo"})


def test_the_sdk_reads_counts_models_and_embeddings():
    """What runs no model is no attempt; embeddings are one, without output."""
    with FakeProvider(count_tokens_per_minute=1) as provider:
        client = genai.Client()
        models = client.models
        assert models.count_tokens(**ASKED).total_tokens == 3
        with pytest.raises(errors.ClientError, match="RESOURCE_EXHAUSTED"):
            models.count_tokens(**ASKED)
        assert MODEL in [each.name.removeprefix("models/") for each in models.list()]
        assert models.get(model=MODEL).input_token_limit == 1_048_576
        with pytest.raises(errors.ClientError, match="models/gemini-0 is not found"):
            models.get(model="gemini-0")
        assert not provider.trace.attempts
        made = models.embed_content(model="gemini-embedding-001", contents=["a", "b"])
    assert [len(each.values) for each in made.embeddings] == [3072, 3072]
    (attempt,) = provider.trace.attempts
    assert (attempt.output_tokens, attempt.succeeded) == (0, True)


def test_a_refusal_is_the_sdk_s_client_error_with_its_details():
    """The hint is in the body, whole seconds short of the true wait; nothing is retried."""
    with FakeProvider(requests_per_minute=1, latency=0.25) as provider:
        client = genai.Client()
        models = client.models
        models.generate_content(**ASKED)
        with pytest.raises(errors.ClientError) as caught:
            models.generate_content(**ASKED)
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    retry = caught.value.details["error"]["details"][-1]
    assert retry["retryDelay"] == "59s"
    assert "Please retry in 59.75s." in caught.value.message
    refused = provider.trace.attempts[1]
    assert (refused.hint, refused.hint_form, refused.layer) == (59.0, "body", "first")


def test_a_reset_that_this_api_does_not_state_is_no_hint():
    """Where only resets are to be sent, and there are none, the trace names no hint."""
    with FakeProvider(requests_per_minute=1, hint="reset") as provider, genai.Client() as client:
        client.models.generate_content(**ASKED)
        with pytest.raises(errors.ClientError):
            client.models.generate_content(**ASKED)
    refused = provider.trace.attempts[1]
    assert (refused.hint, refused.hint_form) == (None, None)


def test_a_refused_stream_is_an_error_before_the_first_part():
    """The status line is 429, not a stream."""
    with FakeProvider(requests_per_minute=1) as provider:
        client = genai.Client()
        models = client.models
        models.generate_content(**ASKED)
        with pytest.raises(errors.ClientError, match="429 RESOURCE_EXHAUSTED"):
            list(models.generate_content_stream(**ASKED))
    assert not provider.trace.attempts[1].stream


def test_a_retrying_sdk_ignores_the_delay_and_backs_off_by_itself():
    """The delay says 59 s and more; the waits are 1 and 2 s, with up to 1 s of jitter on each."""
    with FakeProvider(requests_per_minute=1, latency=0.0) as provider, retrying(attempts=3) as one:
        one.models.generate_content(**ASKED)
        with pytest.raises(errors.ClientError):
            one.models.generate_content(**ASKED)
    _, *retried = provider.trace.attempts
    first, second, third = times = [attempt.arrived_at for attempt in retried]
    assert [attempt.hint for attempt in retried] == [int(60.0 - time) for time in times]
    assert 1.0 <= second - first <= 2.0
    assert 2.0 <= third - second <= 3.0
    assert [attempt.attempt for attempt in retried] == [1, 2, 3]


def test_an_overload_is_the_sdk_s_server_error_and_retried_if_told_to():
    """503 UNAVAILABLE, without a wait."""
    with FakeProvider() as provider, genai.Client() as plain, retrying(attempts=2) as told:
        provider.script([Fault(status=503), Fault(status=503), None])
        with pytest.raises(errors.ServerError, match="503 UNAVAILABLE") as caught:
            plain.models.generate_content(**ASKED)
        assert told.models.generate_content(**ASKED).text
    assert caught.value.message == "The model is overloaded. Please try again later."
    assert [attempt.reason for attempt in provider.trace.attempts[:2]] == ["overloaded"] * 2
    assert provider.trace.attempts[0].hint is None


def test_a_quota_of_a_day_names_a_wait_that_does_not_help():
    """A client that obeys the delay of a day's quota is refused again, and again."""
    with FakeProvider(requests_per_day=1, latency=0.0) as provider:
        client = genai.Client()
        models = client.models
        models.generate_content(**ASKED)
        for _ in range(2):
            provider.clock.advance(7.5)
            with pytest.raises(errors.ClientError) as caught:
                models.generate_content(**ASKED)
            violation = caught.value.details["error"]["details"][1]["violations"][0]
            assert violation["quotaId"].startswith("GenerateRequestsPerDay")
    assert [attempt.hint for attempt in provider.trace.attempts[1:]] == [52.0, 45.0]


def test_an_error_in_the_middle_of_a_stream_is_raised_with_its_own_status():
    """Two parts arrive, then the SDK raises what the error says, whatever the status line said."""
    parts = []
    with FakeProvider() as provider, genai.Client() as client:
        provider.script([Fault(status=503, after=2)])
        with pytest.raises(errors.ServerError, match="503 UNAVAILABLE"):
            parts += [part.text for part in client.models.generate_content_stream(**ASKED)]
    (attempt,) = provider.trace.attempts
    assert (attempt.status, attempt.reason) == (200, "overloaded")


def test_gemini_on_vertex_is_answered_by_its_path():
    """The same answers on a host of Vertex AI, and a refusal of one sentence without a wait."""
    credentials = pytest.importorskip("google.oauth2.credentials").Credentials("token")
    with FakeProvider(requests_per_minute=1) as provider:
        client = genai.Client(
            vertexai=True, project="p", location="us-central1", credentials=credentials
        )
        assert client.models.generate_content(**ASKED).text
        with pytest.raises(errors.ClientError, match="Resource exhausted"):
            client.models.generate_content(**ASKED)
    first, second = provider.trace.attempts
    assert first.host == "us-central1-aiplatform.googleapis.com"
    assert (first.dialect, first.key, second.hint) == ("gemini", second.key, None)
    assert first.model == MODEL


def test_embeddings_on_vertex_are_predictions():
    """The SDK reads vectors of the length asked for; their tokens add up to what was charged."""
    credentials = pytest.importorskip("google.oauth2.credentials").Credentials("token")
    options = {"vertexai": True, "project": "p", "location": "us-central1"}
    with FakeProvider(tokens_per_request=9) as provider:
        client = genai.Client(**options, credentials=credentials)
        answer = client.models.embed_content(
            model="text-embedding-005", contents=["a", "b"], config={"output_dimensionality": 8}
        )
        usual = client.models.embed_content(model="text-embedding-005", contents=["a"])
    assert [len(each.values) for each in answer.embeddings] == [8, 8]
    assert sum(each.statistics.token_count for each in answer.embeddings) == 9
    assert answer.metadata.billable_character_count == 2
    assert len(usual.embeddings[0].values) == 768
    (attempt, _) = provider.trace.attempts
    assert (attempt.dialect, attempt.input_tokens, attempt.output_tokens) == ("gemini", 9, 0)


@pytest.mark.parametrize("body", [{}, {"instances": []}, {"instances": [{"content": 5}]}])
def test_embeddings_of_nothing_are_malformed(body):
    """400 INVALID_ARGUMENT, as for any other malformed request."""
    host = "https://us-central1-aiplatform.googleapis.com"
    path = "/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict"
    with FakeProvider():
        answer = httpx2.post(f"{host}{path}", json=body, headers={"authorization": "Bearer t"})
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_a_request_without_a_key_is_denied():
    """403 PERMISSION_DENIED, which no wait cures."""
    with FakeProvider() as provider:
        client = genai.Client(http_options={"headers": {"x-goog-api-key": ""}})
        with pytest.raises(errors.ClientError, match="403 PERMISSION_DENIED"):
            client.models.generate_content(**ASKED)
    assert provider.trace.attempts[0].terminal


# ---------------------------------------------------------------- aiohttp, which is its async way


def in_async(work, **options):
    """Have `work(client)` done by the SDK's async client, which uses aiohttp."""

    async def main():
        async with genai.Client(**options).aio as client:
            return await work(client)

    return asyncio.run(main())


def test_the_async_sdk_reads_content_and_a_stream():
    """The same text by way of aiohttp, whole and in parts."""

    async def work(client):
        whole = await client.models.generate_content(**ASKED)
        stream = await client.models.generate_content_stream(**ASKED)
        return whole.text, [part.text async for part in stream]

    with FakeProvider(latency=0.5) as provider:
        text, parts = in_async(work)
        assert provider.clock.elapsed() == 1.0
    assert text == "".join(parts) == "This is a fixed answer from a fake provider."
    assert len(parts) == 8


def test_a_refusal_reaches_the_async_sdk_with_its_details():
    """The same error, hint and attribution as of the sync one."""

    async def work(client):
        await client.models.generate_content(**ASKED)
        with pytest.raises(errors.ClientError) as caught:
            await client.models.generate_content(**ASKED)
        return caught.value.details["error"]["details"][-1]["retryDelay"]

    with FakeProvider(requests_per_minute=1, latency=0.25) as provider:
        assert in_async(work) == "59s"
    assert (provider.trace.attempts[1].hint, provider.trace.attempts[1].status) == (59.0, 429)


def test_the_async_sdk_retries_in_virtual_time():
    """Three attempts of one call, in seconds that nobody waits for."""
    retry = types.HttpOptions(retry_options=types.HttpRetryOptions(attempts=3))

    async def work(client):
        with pytest.raises(errors.ServerError):
            await client.models.generate_content(**ASKED)

    with FakeProvider(latency=0.0) as provider:
        provider.script(lambda arrival: Fault(status=503))
        in_async(work, http_options=retry)
    first, second, third = provider.trace.attempts
    assert [a.attempt for a in (first, second, third)] == [1, 2, 3]
    assert first.call == second.call == third.call
    assert 3.0 <= third.arrived_at <= 5.0


def test_the_async_sdk_s_timeout_is_in_virtual_time():
    """A client that waits 4 s has given up after 4 s."""

    async def work(client):
        with pytest.raises(asyncio.TimeoutError):
            await client.models.generate_content(**ASKED)

    with FakeProvider(latency=3600.0) as provider:
        in_async(work, http_options=types.HttpOptions(timeout=4_000))
    assert provider.trace.attempts[0].cancelled_at == 4.0


def test_tasks_of_one_session_are_callers_of_their_own():
    """Each attempt belongs to the task that made it, not to the one that sends its body."""

    async def work(client):
        async def agent(name):
            for _ in range(2):
                await client.models.generate_content(model=MODEL, contents=name)

        async with asyncio.TaskGroup() as group:
            for name in ("one", "two", "three"):
                group.create_task(agent(name), name=name)

    with FakeProvider() as provider:
        in_async(work)
    callers = [attempt.caller for attempt in provider.trace.attempts]
    assert sorted(callers) == ["one", "one", "three", "three", "two", "two"]
    assert len(provider.trace.calls) == 6
