"""Streams and timeouts through the real SDK: when each part comes, and who gave up when."""

from __future__ import annotations

import asyncio
import time

import anthropic
import httpx2
import pytest
import trio

from fake_provider import FakeProvider, Fault, ServiceTime

CLIENT = anthropic.Anthropic(api_key="test", max_retries=0)
# The first token after 2 s, then 10 tokens a second: 40 tokens in 8 pieces of 5.
PACED = ServiceTime(mean=9.0, first_token=2.0, tokens_per_second=10.0)
INSTANTS = [2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5]


def body(text="hello"):
    return {
        "model": "claude-sonnet-5",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": text}],
    }


def async_client(**options):
    return anthropic.AsyncAnthropic(api_key="test", **{"max_retries": 0, **options})


def run_asyncio(main):
    return asyncio.run(main())


def on_each_library(test):
    return pytest.mark.parametrize("run", [run_asyncio, trio.run], ids=["asyncio", "trio"])(test)


def only(provider):
    (attempt,) = provider.trace.attempts
    return attempt


def test_each_piece_of_a_stream_comes_at_its_instant():
    """First token after its own time, then so many tokens a second; the trace agrees."""
    with FakeProvider(latency=PACED, output_tokens=40) as provider:
        with CLIENT.messages.stream(**body()) as events:
            texts = [provider.clock.elapsed() for event in events if event.type == "text"]
            usage = events.get_final_message().usage
        attempt = only(provider)
    assert texts == INSTANTS
    assert usage.output_tokens == 40
    assert (attempt.arrived_at, attempt.output_at, attempt.ended_at) == (0.0, 2.0, 5.5)
    assert attempt.stream
    assert attempt.succeeded


@on_each_library
def test_each_piece_of_an_asynchronous_stream_comes_at_its_instant(run):
    """The instants are the same on either async library."""
    texts = []

    async def main():
        async with async_client().messages.stream(**body()) as events:
            texts.extend([provider.clock.elapsed() async for _ in events.text_stream])

    with FakeProvider(latency=PACED, output_tokens=40) as provider:
        run(main)
        attempt = only(provider)
    assert texts == INSTANTS
    assert (attempt.output_at, attempt.ended_at, attempt.cancelled_at) == (2.0, 5.5, None)


def test_twelve_streams_run_side_by_side():
    """Each of twelve streams has its own clockwork, and together they take as long as one."""

    async def read(client, number):
        async with client.messages.stream(**body(f"{number}")) as events:
            return [provider.clock.elapsed() async for _ in events.text_stream]

    async def main():
        client = async_client()
        return await asyncio.gather(*(read(client, number) for number in range(12)))

    with FakeProvider(latency=PACED, output_tokens=40) as provider:
        assert asyncio.run(main()) == [INSTANTS] * 12


def test_without_a_rate_a_stream_comes_at_once():
    """Where no tokens per second are stated, every piece comes with the first."""
    with FakeProvider(latency=3.0, output_tokens=40) as provider:
        with CLIENT.messages.stream(**body()) as events:
            texts = [provider.clock.elapsed() for _ in events.text_stream]
        attempt = only(provider)
    assert texts == [3.0] * 8
    assert (attempt.output_at, attempt.ended_at) == (3.0, 3.0)


def test_an_answer_that_is_no_stream_comes_in_one_piece_after_the_mean():
    """`first_token` and `tokens_per_second` are of streams alone."""
    with FakeProvider(latency=PACED, output_tokens=40) as provider:
        CLIENT.messages.create(**body())
        attempt = only(provider)
    assert (attempt.output_at, attempt.ended_at) == (9.0, 9.0)


def test_a_stream_closed_early_is_cancelled_after_output():
    """Who closes a stream in its middle has cancelled then, and had output before."""
    with FakeProvider(latency=PACED, output_tokens=40) as provider:
        with CLIENT.messages.stream(**body()) as events:
            for number, _ in enumerate(events.text_stream):
                if number == 2:
                    break
            time.sleep(0.25)
        attempt = only(provider)
    assert (attempt.output_at, attempt.ended_at, attempt.cancelled_at) == (2.0, 3.25, 3.25)
    assert attempt.status == 200
    assert not attempt.succeeded


@on_each_library
def test_an_asynchronous_stream_closed_early_is_cancelled_after_output(run):
    """Leaving the block of an async stream is the same."""

    async def main():
        async with async_client().messages.stream(**body()) as events:
            async for _ in events.text_stream:
                break

    with FakeProvider(latency=PACED, output_tokens=40) as provider:
        run(main)
        attempt = only(provider)
    assert (attempt.output_at, attempt.cancelled_at) == (2.0, 2.0)


def test_a_stream_closed_before_any_output_was_cancelled_without():
    """The status line is no output."""
    with FakeProvider(latency=PACED, output_tokens=40) as provider:
        CLIENT.messages.create(stream=True, **body()).close()
        attempt = only(provider)
    assert (attempt.output_at, attempt.cancelled_at) == (None, 2.0)


def test_a_stream_that_nobody_reads_is_never_ended():
    """A stream that is neither read nor closed is in flight when the provider closes."""
    with FakeProvider(latency=PACED, output_tokens=40) as provider:
        stream = CLIENT.messages.create(stream=True, **body())
        time.sleep(100)
    assert only(provider).ended_at is None
    stream.close()
    assert only(provider).ended_at is None


def timed_out(attempt):
    """Return what a timeout leaves in the trace."""
    return attempt.status, attempt.succeeded, attempt.output_at, attempt.cancelled_at


def test_the_sdk_s_timeout_comes_at_its_virtual_instant():
    """A client that waits 10 s for an answer of 30 s has its own error after 10 s."""
    with FakeProvider(latency=30.0) as provider:
        with pytest.raises(anthropic.APITimeoutError):
            CLIENT.with_options(timeout=10.0).messages.create(**body())
        assert provider.clock.elapsed() == 10.0
        assert timed_out(only(provider)) == (200, False, None, 10.0)


def test_the_clients_own_read_timeout_is_what_counts():
    """httpx2's read timeout decides; its other timeouts have nothing to wait for."""
    patience = httpx2.Timeout(1.0, read=10.0)
    with FakeProvider(latency=9.75) as provider:
        CLIENT.with_options(timeout=patience).messages.create(**body())
        assert provider.clock.elapsed() == 9.75
    with FakeProvider(latency=10.25) as provider:
        with pytest.raises(anthropic.APITimeoutError):
            CLIENT.with_options(timeout=patience).messages.create(**body())
        assert provider.clock.elapsed() == 10.0


@on_each_library
def test_an_asynchronous_timeout_comes_at_its_virtual_instant(run):
    """The async client's error comes after as long, on either async library."""

    async def main():
        await async_client(timeout=10.0).messages.create(**body())

    with FakeProvider(latency=30.0) as provider:
        with pytest.raises(anthropic.APITimeoutError):
            run(main)
        assert provider.clock.elapsed() == 10.0
        assert timed_out(only(provider)) == (200, False, None, 10.0)


async def within_asyncio():
    async with asyncio.timeout(7.0):
        await async_client().messages.create(**body())


async def within_wait_for():
    await asyncio.wait_for(async_client().messages.create(**body()), 7.0)


async def within_trio():
    with trio.fail_after(7.0):
        await async_client().messages.create(**body())


@pytest.mark.parametrize(
    ("run", "main", "error"),
    [
        (run_asyncio, within_asyncio, TimeoutError),
        (run_asyncio, within_wait_for, TimeoutError),
        (trio.run, within_trio, trio.TooSlowError),
    ],
)
def test_a_timeout_around_the_sdk_cancels_the_attempt(run, main, error):
    """A deadline of the code around the SDK ends the attempt at its own instant."""
    with FakeProvider(latency=30.0) as provider:
        with pytest.raises(error):
            run(main)
        assert provider.clock.elapsed() == 7.0
        assert timed_out(only(provider)) == (200, False, None, 7.0)


def test_the_sdk_retries_a_timeout_and_each_attempt_is_cancelled():
    """Every attempt of the call has been given up after the client's patience."""
    client = anthropic.Anthropic(api_key="test", max_retries=2, timeout=10.0)
    with FakeProvider(latency=30.0) as provider:
        with pytest.raises(anthropic.APITimeoutError):
            client.messages.create(**body())
        attempts = provider.trace.attempts
    assert [a.layer for a in attempts] == ["first", "sdk", "sdk"]
    assert {a.call for a in attempts} == {0}
    assert [a.cancelled_at - a.arrived_at for a in attempts] == pytest.approx([10.0] * 3)


def test_a_stream_that_stalls_is_timed_out_between_pieces():
    """A pause longer than the client's patience, in the middle of a stream, is a timeout."""
    slow = ServiceTime(mean=1.0, tokens_per_second=0.5)
    with FakeProvider(latency=slow, output_tokens=40) as provider:
        texts = []

        def read():
            with CLIENT.with_options(timeout=4.0).messages.stream(**body()) as events:
                texts.extend(events.text_stream)

        with pytest.raises(httpx2.ReadTimeout):
            read()
        attempt = only(provider)
    assert (attempt.output_at, attempt.cancelled_at) == (1.0, 5.0)


def refused_stream():
    """Return the attempt that asked for a stream and was refused."""
    with FakeProvider(latency=PACED) as provider:
        provider.script([Fault()])
        with pytest.raises(anthropic.RateLimitError):
            CLIENT.messages.create(stream=True, **body())
        return only(provider)


def test_a_request_for_a_stream_is_refused_at_once():
    """A refusal is one body without service time or output, whatever was asked for."""
    attempt = refused_stream()
    assert attempt.refused
    assert (attempt.ended_at, attempt.output_at) == (0.0, None)


def test_a_refusal_is_not_streamed():
    """`stream` says whether the answer was streamed."""
    assert not refused_stream().stream
