"""Stops: code that would never end is ended, and says so, whatever it catches."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic
import httpx2
import pytest
import trio

from fake_provider import AttemptLimit, FakeProvider, Fault, caller
from fake_provider.virtual_time import RunStopped, VirtualTimeLimit

# Whatever goes on when the provider has closed must not reach a provider.
NOWHERE = "http://provider.invalid"
CLIENT = anthropic.Anthropic(api_key="test", max_retries=0, base_url=NOWHERE)
FEW = 25
# A step is a sleep of so many seconds; None is none.
STEPS = [None, 1.0]
# Set when a test has ended, for the threads that it could not stop.
ENOUGH = threading.Event()


@pytest.fixture
def few(monkeypatch):
    """Stop a call after a few attempts, so that a test takes little real time."""
    monkeypatch.setattr("fake_provider._intake.MAX_ATTEMPTS", FEW)


@pytest.fixture(autouse=True)
def _clean():
    """Do not let a run that was not stopped well stand in the way of the next test."""
    ENOUGH.clear()
    before = threading.enumerate()
    yield
    ENOUGH.set()
    for thread in threading.enumerate():
        if thread not in before and thread.name.startswith("ThreadPoolExecutor"):
            thread.join()


def body(text="hello"):
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-sonnet-5", "max_tokens": 16, "messages": messages}


def hammer(step=None, text="hello"):
    """Ask for ever, and swallow every Exception."""
    while not ENOUGH.is_set():
        try:
            CLIENT.messages.create(**body(text))
        except Exception:
            if step is not None:
                time.sleep(step)


async def hammer_async(sleep, step=None, text="hello"):
    """Do what `hammer` does in an async library."""
    client = anthropic.AsyncAnthropic(api_key="test", max_retries=0, base_url=NOWHERE)
    while True:
        try:
            await client.messages.create(**body(text))
        except Exception:
            if step is not None:
                await sleep(step)


def hammer_in_threads(step=None):
    """Hammer from three threads of a pool."""
    with ThreadPoolExecutor(3) as pool:
        for number in range(3):
            pool.submit(hammer, step, f"{number}")


def hammer_in_task(step=None):
    asyncio.run(hammer_async(asyncio.sleep, step))


def hammer_in_tasks(step=None):
    """Hammer from three tasks, whose errors are gathered."""

    async def main():
        calls = (hammer_async(asyncio.sleep, step, f"{number}") for number in range(3))
        await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(main())


def hammer_in_trio(step=None):
    trio.run(hammer_async, trio.sleep, step)


def hammer_in_nursery(step=None):
    """Hammer from three trio tasks."""

    async def main():
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(hammer_async, trio.sleep, step, f"{number}")

    trio.run(main)


HAMMERS = [
    hammer,
    hammer_in_threads,
    hammer_in_task,
    hammer_in_tasks,
    hammer_in_trio,
    hammer_in_nursery,
]


def always_refused(**options):
    provider = FakeProvider(latency=0.5, **options)
    provider.script(lambda _arrival: Fault())
    return provider


def stop_of(endless, *args):
    """Return what ends a call that has no end; a nursery puts it into a group."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        endless(*args)
    error = caught.value
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    return error


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("endless", HAMMERS)
def test_a_call_without_an_end_is_stopped_and_the_trace_says_whose(endless, step, few):
    """Too many attempts of one call end the run, whatever the code catches, asleep or not."""
    with always_refused() as provider:
        stop = stop_of(endless, step)
        during = provider.trace.stopped
    trace = provider.trace
    assert type(stop) is AttemptLimit
    assert f" made {FEW + 1} attempts in " in str(stop)
    assert max(len(call.attempts) for call in trace.calls) == FEW + 1
    first = next(a.caller for a in trace.attempts if a.reason == "stopped")
    assert during.startswith(f"one call of {first} made {FEW + 1} attempts in ")
    assert trace.stopped == during


def test_the_bound_is_a_thousand_attempts():
    """The thousandth attempt is answered, the next one ends the run."""
    with always_refused() as provider:
        limit = pytest.raises(AttemptLimit, match="one call of agent 7 made 1,001 attempts")
        with limit, caller("agent 7"):
            hammer(1.0)
        attempts = provider.trace.attempts
    assert [a.reason for a in attempts] == ["scripted"] * 1_000 + ["stopped"]
    assert provider.clock.elapsed() == 1_000.0


def test_a_stop_is_no_exception():
    """No retry loop around `except Exception` swallows it; a caller who wants to can."""
    assert issubclass(AttemptLimit, RunStopped)
    assert not issubclass(AttemptLimit, Exception)


def test_the_message_states_the_time_that_the_call_took(few):
    """A call that began late is not blamed for the time before it."""
    with always_refused():
        time.sleep(5_000)
        with pytest.raises(AttemptLimit, match=rf"made {FEW + 1} attempts in {FEW}\.000 s"):
            hammer(1.0)


@pytest.mark.parametrize("endless", HAMMERS)
def test_a_run_without_an_end_stops_after_its_virtual_time(endless):
    """Whatever waits, waits no longer than `stop_after`."""
    with always_refused(stop_after=20.0) as provider:
        stop = stop_of(endless, 1.0)
        assert provider.clock.elapsed() == 20.0
    assert type(stop) is VirtualTimeLimit
    assert str(stop).startswith("the run would have passed its limit of 20 s")
    assert len(provider.trace.attempts) in (21, 3 * 21)


@pytest.mark.parametrize("options", [{}, {"stop_after": 20.0}])
def test_threads_of_a_stopped_run_end_with_it(options, few):
    """No thread goes on in real time, where its requests would leave this machine."""
    before = threading.enumerate()
    with always_refused(**options):
        stop_of(hammer_in_threads, 1.0)
    assert [thread.name for thread in threading.enumerate() if thread not in before] == []


def test_calls_that_succeed_without_an_end_stop_after_their_virtual_time():
    """Service time alone brings an endless loop over served calls to its end."""
    with FakeProvider(stop_after=20.0, latency=0.5) as provider, pytest.raises(VirtualTimeLimit):
        hammer()
    assert len(provider.trace.attempts) == 41


@pytest.mark.parametrize("endless", HAMMERS)
def test_the_time_limit_is_in_the_trace_when_it_leaves_the_block(endless):
    """An error that leaves the block says in its first line why the run was stopped."""
    provider = always_refused(stop_after=20.0)

    def run():
        with provider:
            endless(1.0)

    stop_of(run)
    assert provider.trace.stopped.startswith("the run would have passed its limit of 20 s")
    assert "\n" not in provider.trace.stopped


@pytest.mark.parametrize("endless", HAMMERS)
def test_the_time_limit_is_in_the_trace_wherever_it_is_caught(endless):
    """The error of a test does not leave its fixture's block: the trace knows all the same."""
    with always_refused(stop_after=20.0) as provider:
        stop_of(endless, 1.0)
        during = provider.trace.stopped
    assert during is not None
    assert provider.trace.stopped == during


@pytest.mark.parametrize("endless", [hammer_in_trio, hammer_in_nursery])
@pytest.mark.parametrize("options", [{}, {"stop_after": 20.0}])
def test_trio_runs_again_after_a_run_was_stopped(endless, options, few):
    """One stopped run does not break those that come after it in the process."""
    with always_refused(**options):
        stop_of(endless, 1.0)
    assert trio.run(trio.sleep, 0) is None


@pytest.mark.parametrize("endless", [hammer, hammer_in_threads, hammer_in_tasks])
def test_a_provider_opens_again_after_a_run_was_stopped(endless, few):
    """A stop belongs to one opening."""
    provider = always_refused()
    for _ in range(2):
        with provider:
            with pytest.raises(AttemptLimit):
                endless(1.0)
            assert provider.trace.stopped is not None
    with provider:
        assert provider.trace.stopped is None


class StillRunningError(BaseException):
    """The code under test has gone on for longer than any bound."""


MANY = 1_500
HEADERS = {"x-api-key": "test", "anthropic-version": "2023-06-01"}


def nonces(post):
    """Ask with a nonce in each body, without a pause."""
    for number in range(MANY):
        post("/v1/messages", body(f"{number}"))
    raise StillRunningError


def questions(post):
    """Ask one question, without a pause."""
    for _ in range(MANY):
        post("/v1/messages", body())
    raise StillRunningError


def counts(post):
    """Count the tokens of one prompt, without a pause."""
    prompt = body()
    del prompt["max_tokens"]
    for _ in range(MANY):
        post("/v1/messages/count_tokens", prompt)
    raise StillRunningError


@pytest.mark.parametrize(
    ("endless", "options", "script"),
    [
        (nonces, {}, [Fault()] * MANY),
        (questions, {"latency": 0}, []),
        (counts, {"count_tokens_per_minute": 1}, []),
    ],
)
def test_a_loop_that_takes_no_virtual_time_is_stopped(endless, options, script, monkeypatch):
    """Requests without number at one instant end the run, be they calls of their own or none."""
    monkeypatch.setattr("fake_provider._intake.MAX_AT_ONCE", MANY // 2)
    with FakeProvider(**options) as provider:
        provider.script(script)
        client = httpx2.Client(
            base_url=provider.base_url, transport=provider.transport, headers=HEADERS
        )
        with client, pytest.raises(RunStopped):
            endless(lambda path, content: client.post(path, json=content))
        assert provider.trace.stopped is not None
