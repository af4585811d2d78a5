"""Service time: draws from a seed, and how they are spread over an answer's parts."""

from __future__ import annotations

import random
import statistics

import anthropic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_provider import FakeProvider, Fault, ServiceTime
from fake_provider._service import service_time
from fake_provider._wire._shapes import Chunk, Reply

CLIENT = anthropic.Anthropic(api_key="test", max_retries=0)
PLAIN = Reply(200, (), (Chunk(b"body"),))
REFUSAL = Reply(429, (), (Chunk(b"no"),))


def stream(*output_tokens):
    """Return a stream: a frame, pieces of so many tokens, a frame."""
    pieces = (Chunk(b"piece", tokens) for tokens in output_tokens)
    return Reply(200, (), (Chunk(b"start"), *pieces, Chunk(b"stop")), stream=True)


def seconds(model, reply, seed=0):
    waits = model.waits(reply, random.Random(seed))
    return [wait for wait, _ in waits] if reply.stream else waits


def served(count, *, meanwhile=lambda: None, **options):
    """Return how long each of so many answers through the real SDK took."""
    with FakeProvider(**options) as provider:
        for number in range(count):
            meanwhile()
            CLIENT.messages.create(
                model="claude-sonnet-5",
                max_tokens=16,
                messages=[{"role": "user", "content": f"{number}"}],
            )
    return [a.ended_at - a.arrived_at for a in provider.trace.attempts]


def test_a_number_of_seconds_is_a_constant():
    """A latency of 0.75 takes 0.75 s, every time."""
    assert service_time(0.75) == ServiceTime(mean=0.75)
    assert served(3, latency=0.75) == [0.75] * 3


def test_no_service_time_takes_no_time():
    """At a latency of 0 the answer has left when the request has come."""
    assert served(2, latency=0) == [0.0] * 2
    assert seconds(ServiceTime(mean=0.0, cv=3.0), PLAIN) == 0.0


def test_draws_come_from_the_provider_s_seed():
    """One seed draws the same service times in every run, another seed draws others."""
    model = ServiceTime(mean=2.0, cv=0.5)
    first = served(4, latency=model, seed=3)
    assert first == served(4, latency=model, seed=3)
    assert first != served(4, latency=model, seed=4)
    assert len(set(first)) == 4


def test_draws_do_not_depend_on_what_the_code_under_test_draws():
    """The service times are nobody else's random numbers."""
    model = ServiceTime(mean=2.0, cv=0.5)
    undisturbed = served(3, latency=model, seed=3)
    assert served(3, latency=model, seed=3, meanwhile=random.random) == undisturbed


@pytest.mark.parametrize("cv", [0.1, 0.5, 1.5])
def test_draws_have_the_mean_and_the_variation_that_are_stated(cv):
    """20,000 draws come within five standard errors of both moments; none is negative."""
    model = ServiceTime(mean=2.0, cv=cv)
    rng = random.Random(7)
    drawn = [model.waits(PLAIN, rng) for _ in range(20_000)]
    mean = statistics.fmean(drawn)
    assert mean == pytest.approx(2.0, abs=5 * 2.0 * cv / 20_000**0.5)
    assert statistics.pstdev(drawn) / mean == pytest.approx(cv, rel=0.25)
    assert min(drawn) > 0


def test_a_constant_draws_nothing():
    """Where there is no variation the generator stays where it is."""
    rng = random.Random(1)
    before = rng.getstate()
    ServiceTime(mean=5.0).waits(PLAIN, rng)
    assert rng.getstate() == before


def test_a_plain_answer_waits_before_its_status_line():
    """All of the time is before the status line; the body comes with it."""
    assert seconds(ServiceTime(mean=3.0, first_token=1.0, tokens_per_second=9.0), PLAIN) == 3.0


def test_a_stream_waits_for_its_first_token_and_then_by_its_rate():
    """Frames take no time; each piece after the first waits for its own tokens."""
    model = ServiceTime(mean=9.0, first_token=3.0, tokens_per_second=4.0)
    assert seconds(model, stream(2, 2, 6)) == [3.0, 0.0, 0.0, 0.5, 1.5, 0.0]


def test_a_stream_without_a_first_token_time_waits_the_mean():
    """`first_token` is the mean where it is not stated, 0 where it is 0."""
    assert seconds(ServiceTime(mean=3.0), stream(2, 2)) == [3.0, 0.0, 0.0, 0.0, 0.0]
    assert seconds(ServiceTime(mean=3.0, first_token=0.0), stream(2))[0] == 0.0


def test_a_refusal_takes_its_own_time():
    """A refusal is quick unless it is said to take time."""
    assert seconds(ServiceTime(mean=9.0), REFUSAL) == 0.0
    assert seconds(ServiceTime(mean=9.0, cv=1.0, refusal=0.2), REFUSAL) == 0.2


def test_a_refusal_s_time_passes_through_the_sdk():
    """The attempt ends after the refusal's time, from which its hint counts."""
    with FakeProvider(latency=ServiceTime(refusal=0.25)) as provider:
        provider.script([Fault(headers={"retry-after": "7"})])
        with pytest.raises(anthropic.RateLimitError):
            CLIENT.messages.create(
                model="claude-sonnet-5", max_tokens=1, messages=[{"role": "user", "content": "x"}]
            )
        (attempt,) = provider.trace.refused
    assert (attempt.arrived_at, attempt.ended_at, attempt.hint) == (0.0, 0.25, 7.0)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    pieces=st.lists(st.integers(0, 50), max_size=8),
    mean=st.floats(0, 100),
    cv=st.floats(0, 3),
    rate=st.none() | st.floats(0.1, 1_000),
)
def test_every_part_is_sent_once_in_order_after_a_wait_that_is_not_negative(pieces, mean, cv, rate):
    """Whatever the model, the parts of a stream come as they are, and take their tokens' time."""
    reply = stream(*pieces)
    waits = ServiceTime(mean=mean, cv=cv, tokens_per_second=rate).waits(reply, random.Random(0))
    assert [chunk for _, chunk in waits] == [None, *reply.chunks]
    assert all(wait >= 0 for wait, _ in waits)
    spoken = [tokens for tokens in pieces if tokens]
    expected = sum(spoken[1:]) / rate if rate is not None else 0.0
    assert sum(wait for wait, _ in waits[1:]) == pytest.approx(expected)
