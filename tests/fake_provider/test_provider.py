"""The provider's life: what it sets while it is open, and what is left when it has closed."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import datetime as dt
import os
import random
import socket
import threading
import time

import anthropic
import httpcore
import httpcore2
import pytest

from fake_provider import FakeProvider, Fault, Trace
from fake_provider._lineage import Lineage
from fake_provider.virtual_time import RunStopped, VirtualClock, VirtualTimeError, active

CLIENT = anthropic.Anthropic(api_key="test", max_retries=0)
# Everything of the process that an open provider replaces.
REPLACED = [
    (time, "sleep"),
    (time, "monotonic"),
    (socket, "getaddrinfo"),
    (threading.Thread, "start"),
    (concurrent.futures.thread._WorkItem, "__init__"),
    (concurrent.futures.thread._WorkItem, "run"),
    (asyncio.BaseEventLoop, "create_task"),
    (httpcore.ConnectionPool, "handle_request"),
    (httpcore2.ConnectionPool, "handle_request"),
    (httpcore2.AsyncConnectionPool, "handle_async_request"),
]


def ask(text="hello", client=CLIENT):
    return client.messages.create(
        model="claude-sonnet-5", max_tokens=16, messages=[{"role": "user", "content": text}]
    )


def outside():
    """Return all that a provider changes in its process."""
    return (
        dict(os.environ),
        random.getstate(),
        active(),
        *(getattr(owner, name) for owner, name in REPLACED),
    )


@pytest.fixture
def clean(monkeypatch):
    """Put back what a provider that leaks leaves behind."""
    for owner, name in REPLACED:
        monkeypatch.setattr(owner, name, getattr(owner, name))


def test_an_open_provider_answers_the_sdk_as_its_documentation_says():
    """Without key, URL or transport the SDK is answered, half a virtual second later."""
    with FakeProvider() as provider:
        message = ask(client=anthropic.Anthropic())
        assert message.content[0].text
        assert provider.clock.elapsed() == 0.5
        assert [a.status for a in provider.trace.attempts] == [200]


@pytest.mark.parametrize("clock", ["virtual", "real"])
def test_everything_is_put_back(clock, monkeypatch):
    """Environment, random numbers, time, threads, sockets and pools are as they were."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the user's own")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    before = outside()
    with FakeProvider(clock=clock, latency=0):
        assert os.environ["ANTHROPIC_API_KEY"] != "the user's own"
        assert "OPENAI_API_KEY" in os.environ
        ask(), random.random()
    assert outside() == before


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, RunStopped])
def test_everything_is_put_back_when_the_body_raises(error):
    """Whatever ends the block, the process is as it was, and the error gets out."""
    before = outside()

    def body():
        with FakeProvider():
            ask()
            raise error("the body's own")

    with pytest.raises(error, match="the body's own"):
        body()
    assert outside() == before


def boom(*_args, **_kwargs):
    raise RuntimeError("half way")


STEPS = {
    "interception": ("fake_provider._intercept.intercept", boom),
    "the clock": (f"{VirtualClock.__module__}.VirtualClock.__enter__", boom),
    "the guard": ("fake_provider._guard.guard", boom),
    "the environment": ("fake_provider._guard.environment", boom),
    "the lineage": (f"{Lineage.__module__}.Lineage._watch_asyncio", boom),
    "the wall clock": (f"{VirtualClock.__module__}.VirtualClock.now", boom),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_provider_that_cannot_open_leaves_nothing_behind(step, monkeypatch, clean):
    """Whichever step of opening fails, those before it are undone."""
    before = outside()
    with monkeypatch.context() as patch:
        patch.setattr(*STEPS[step])
        with pytest.raises(RuntimeError, match="half way"):
            FakeProvider().__enter__()
    assert outside() == before


def test_two_virtual_clocks_are_an_error_and_the_first_provider_goes_on():
    """A second provider cannot open on a virtual clock of its own, and disturbs nothing."""
    before = outside()
    with FakeProvider() as provider:
        with pytest.raises(VirtualTimeError, match="open in this process already"):
            FakeProvider().__enter__()
        ask()
        assert len(provider.trace.attempts) == 1
    assert outside() == before


def test_an_open_provider_cannot_be_opened_again(clean, monkeypatch):
    """Opening twice is an error, after which closing once puts everything back."""
    for name in FakeProvider().env:
        monkeypatch.setenv(name, "the user's own")
    before = outside()
    provider = FakeProvider(clock="real", latency=0)
    with provider:
        ask()
        with pytest.raises(RuntimeError, match="open"), provider:
            pass
        assert len(provider.trace.attempts) == 1
    assert outside() == before


def test_random_numbers_come_from_the_seed_while_the_provider_is_open():
    """Two runs with one seed draw the same, another seed draws others."""

    def draws(seed):
        with FakeProvider(seed=seed):
            return [random.random() for _ in range(3)]

    assert draws(1) == draws(1) != draws(2)


def test_ids_come_from_the_seed():
    """Two runs with one seed answer with the same ids, another seed with others."""

    def ids(seed):
        with FakeProvider(seed=seed):
            return [ask().id for _ in range(2)]

    assert ids(1) == ids(1) != ids(2)


def test_two_runs_give_one_trace():
    """Opened again, a provider does the same again: same attempts, same instants."""
    provider = FakeProvider(requests_per_minute=2)

    def run():
        with provider:
            for number in range(3):
                try:
                    ask(f"{number}")
                except anthropic.RateLimitError:
                    time.sleep(random.random())
        return provider.trace

    assert run() == run()


def test_the_wall_clock_starts_where_it_is_told():
    """`start` is what the code under test sees, and what the trace says it started at."""
    with FakeProvider(start="2027-03-04T05:06:07+00:00") as provider:
        assert dt.datetime.now(dt.UTC).isoformat() == "2027-03-04T05:06:07+00:00"
        ask()
    assert provider.trace.started_at == dt.datetime(2027, 3, 4, 5, 6, 7, tzinfo=dt.UTC).timestamp()


def test_a_trace_does_not_change_with_later_attempts():
    """What was read is frozen; what is read later has more."""
    with FakeProvider() as provider:
        empty = provider.trace
        ask()
        one = provider.trace
        ask()
        assert [len(t.attempts) for t in (empty, one, provider.trace)] == [0, 1, 2]


def test_a_trace_read_while_an_attempt_is_served_says_so():
    """An attempt in flight has no end and has not succeeded yet."""
    with FakeProvider() as provider:
        worker = threading.Thread(target=ask)
        worker.start()
        time.sleep(0.2)
        (served,) = provider.trace.attempts
        worker.join()
        (ended,) = provider.trace.attempts
    assert (served.ended_at, ended.ended_at) == (None, 0.5)
    assert ended.succeeded


def test_an_attempt_in_flight_has_not_succeeded():
    """Served to the end is what succeeded means."""
    with FakeProvider() as provider:
        worker = threading.Thread(target=ask)
        worker.start()
        time.sleep(0.2)
        (served,) = provider.trace.attempts
        worker.join()
    assert not served.succeeded


def test_the_trace_after_closing_is_frozen():
    """After the block every reading is one and the same trace, clock and all."""
    with FakeProvider() as provider:
        ask()
        time.sleep(3)
    trace = provider.trace
    assert trace is provider.trace
    assert trace.ended_at == 3.5
    assert trace.makespan == 0.5


def test_a_provider_that_was_never_open_has_an_empty_trace():
    """There is a trace to read before anything has happened."""
    assert FakeProvider(seed=4).trace == Trace(seed=4)


def test_a_provider_opened_again_starts_an_empty_trace():
    """Attempts, charges and what was seen elsewhere belong to one opening."""
    provider = FakeProvider(requests_per_minute=1)
    with provider:
        ask()
    with provider:
        assert provider.trace.attempts == ()
        assert provider.clock.elapsed() == 0.0
        ask()
    assert [a.status for a in provider.trace.attempts] == [200]


def test_reset_forgets_attempts_charges_and_scripts_while_the_clock_goes_on():
    """After `reset` the limits are untouched, scripts are gone, and time is not."""
    with FakeProvider(requests_per_minute=1) as provider:
        provider.script(lambda arrival: Fault(status=529) if arrival.number else None)
        ask()
        with pytest.raises(anthropic.APIStatusError):
            ask()
        provider.reset()
        assert provider.trace.attempts == ()
        ask()
        trace = provider.trace
    assert [(a.status, a.arrived_at) for a in trace.attempts] == [(200, 0.5)]
    assert trace.makespan == 0.5


def test_an_attempt_in_flight_at_a_reset_is_forgotten_with_the_rest():
    """Its end touches neither the new trace nor the new limits."""
    with FakeProvider(concurrent_requests=1) as provider:
        worker = threading.Thread(target=ask)
        worker.start()
        time.sleep(0.1)
        provider.reset()
        worker.join()
        assert provider.trace.attempts == ()
        ask()
    assert [a.room for a in provider.trace.attempts] == [1.0]


def test_a_client_built_before_is_answered_and_one_built_inside_has_no_other_way():
    """Opening decides, not the construction of a client."""
    with FakeProvider() as provider:
        ask()
        ask(client=anthropic.Anthropic(max_retries=0))
        assert len(provider.trace.attempts) == 2


def test_the_transport_is_a_door_of_its_own():
    """A client around `.transport` and `.base_url` is answered like any other."""
    with FakeProvider(latency=2.0) as provider:
        http = anthropic.DefaultHttpxClient(transport=provider.transport)
        client = anthropic.Anthropic(base_url=provider.base_url, http_client=http, api_key="k")
        assert ask(client=client).content[0].text
        assert provider.clock.elapsed() == 2.0
        assert provider.trace.attempts[0].host == "fake-provider.test"


def test_the_environment_variables_are_those_that_are_set():
    """`.env` is what another process needs, and what this one has while the provider is open."""
    with FakeProvider() as provider:
        assert {name: os.environ[name] for name in provider.env} == provider.env
    assert {"ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "OPENAI_API_KEY"} <= set(provider.env)


def test_counting_tokens_is_no_attempt_and_takes_no_time():
    """The token counter has a limit of its own, and neither trace nor clock notice it."""
    prompt = {"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "x" * 400}]}
    with FakeProvider(requests_per_minute=1, count_tokens_per_minute=2) as provider:
        assert CLIENT.messages.count_tokens(**prompt).input_tokens == 100
        ask()
        CLIENT.messages.count_tokens(**prompt)
        with pytest.raises(anthropic.RateLimitError):
            CLIENT.messages.count_tokens(**prompt)
        assert provider.clock.elapsed() == 0.5
    assert [a.status for a in provider.trace.attempts] == [200]


@pytest.mark.parametrize(
    "costs", [{}, {"tokens_per_request": 1_000, "output_tokens": 16}], ids=["estimated", "stated"]
)
def test_a_count_is_what_the_same_request_is_charged(costs):
    """The token counter foretells the input tokens of the answer's usage."""
    prompt = {"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "x" * 400}]}
    with FakeProvider(**costs):
        counted = CLIENT.messages.count_tokens(**prompt).input_tokens
        assert CLIENT.messages.create(max_tokens=16, **prompt).usage.input_tokens == counted
