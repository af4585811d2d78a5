"""Stops: code that would never end is ended, and says so, whatever it catches."""

from __future__ import annotations

import asyncio
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic
import httpx2
import pytest
import trio

from fake_provider import AttemptLimit, FakeProvider, Fault, caller
from fake_provider.virtual_time import RunStopped, VirtualTimeLimit

CLIENT = anthropic.Anthropic(api_key="test", max_retries=0)
FEW = 40
# A step is a sleep of so many seconds; None is none.
STEPS = [None, 1.0]


@pytest.fixture
def few(monkeypatch):
    """Stop a call after a few attempts, so that a test takes little real time."""
    monkeypatch.setattr("fake_provider._stages.MAX_ATTEMPTS", FEW)


@pytest.fixture(autouse=True)
def _trio_is_usable():
    """Do not let one stopped run of trio stand in the way of the next test."""
    yield
    trio._core._run.GLOBAL_RUN_CONTEXT.__dict__.clear()
    signal.set_wakeup_fd(-1)


def body(text="hello"):
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-sonnet-5", "max_tokens": 16, "messages": messages}


def hammer(step=None, text="hello"):
    """Ask for ever, and swallow every Exception."""
    while True:
        try:
            CLIENT.messages.create(**body(text))
        except Exception:
            if step is not None:
                time.sleep(step)


async def hammer_async(sleep, step=None, text="hello"):
    """Do what `hammer` does in an async library."""
    client = anthropic.AsyncAnthropic(api_key="test", max_retries=0)
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
LOOP_STOPPED = pytest.mark.xfail(
    strict=True,
    reason="asyncio.run raises RuntimeError: Event loop stopped before Future completed",
)


def always_refused(**options):
    provider = FakeProvider(latency=0.5, **options)
    provider.script(lambda _arrival: Fault())
    return provider


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(each, marks=LOOP_STOPPED) if each is hammer_in_task else each
        for each in HAMMERS
    ],
)
def test_a_call_without_an_end_is_stopped(endless, step, few):
    """Too many attempts of one call end the run, whatever the code catches, asleep or not."""
    with always_refused() as provider:
        with pytest.raises(AttemptLimit) as caught:
            endless(step)
        trace = provider.trace
    longest = max(len(call.attempts) for call in trace.calls)
    assert longest == FEW + 1
    assert f" made {FEW + 1} attempts in " in str(caught.value)
    assert trace.stopped is not None
    assert f" made {FEW + 1} attempts in " in trace.stopped


@pytest.mark.parametrize("endless", [each for each in HAMMERS if each is not hammer_in_trio])
@pytest.mark.parametrize("step", STEPS)
def test_the_reason_of_a_stop_stays_in_the_trace(endless, step, few):
    """After the block, too, the trace says why the run was cut short, and by whom."""
    with pytest.raises(BaseException), always_refused() as provider:  # noqa: B017, PT011
        endless(step)
    assert provider.trace.stopped is not None
    culprit = next(c for c in provider.trace.calls if len(c.attempts) == FEW + 1)
    assert provider.trace.stopped.startswith(f"one call of {culprit.caller} made ")


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


@pytest.mark.xfail(strict=True, reason="the message takes the seconds since the trace began")
def test_the_message_states_the_time_that_the_call_took(few):
    """A call that began late is not blamed for the time before it."""
    with always_refused():
        time.sleep(5_000)
        with pytest.raises(AttemptLimit, match=rf"made {FEW + 1} attempts in {FEW}\.000 s"):
            hammer(1.0)


@pytest.mark.xfail(strict=True, reason="the last stop overwrites the first")
def test_the_first_stop_is_the_one_that_is_told(few):
    """The error that ends the run and the trace name the same call."""
    with always_refused() as provider:
        with pytest.raises(AttemptLimit) as caught:
            hammer_in_threads()
        assert provider.trace.stopped == str(caught.value)


@pytest.mark.parametrize("endless", HAMMERS)
def test_a_run_without_an_end_stops_after_its_virtual_time(endless):
    """Whatever waits, waits no longer than `stop_after`."""
    with always_refused(stop_after=20.0) as provider:
        with pytest.raises(VirtualTimeLimit, match="limit of 20 s"):
            endless(1.0)
        assert provider.clock.elapsed() == 20.0
    assert len(provider.trace.attempts) in (21, 3 * 21)


def test_calls_that_succeed_without_an_end_stop_after_their_virtual_time():
    """Service time alone brings an endless loop over served calls to its end."""
    with FakeProvider(stop_after=20.0, latency=0.5) as provider, pytest.raises(VirtualTimeLimit):
        hammer()
    assert len(provider.trace.attempts) == 41


def test_the_time_limit_is_in_the_trace_when_it_leaves_the_block():
    """An error that leaves the block says in its first line why the run was stopped."""
    with pytest.raises(VirtualTimeLimit), always_refused(stop_after=20.0) as provider:
        hammer(1.0)
    assert provider.trace.stopped.startswith("the run would have passed its limit of 20 s")
    assert "\n" not in provider.trace.stopped


@pytest.mark.xfail(
    strict=True, reason="the provider hears of it only if the error leaves the block"
)
def test_the_time_limit_is_in_the_trace_wherever_it_is_caught():
    """The error of a test does not leave its fixture's block: the trace knows all the same."""
    with always_refused(stop_after=20.0) as provider:
        with pytest.raises(VirtualTimeLimit):
            hammer(1.0)
        assert provider.trace.stopped is not None


@pytest.mark.parametrize("endless", [hammer_in_trio, hammer_in_nursery])
@pytest.mark.xfail(strict=True, reason="trio believes that the stopped run is still going on")
def test_trio_runs_again_after_a_run_was_stopped(endless, few):
    """One stopped run does not break those that come after it in the process."""
    with always_refused(), pytest.raises(AttemptLimit):
        endless(1.0)
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


MANY = 4_000
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
@pytest.mark.xfail(
    strict=True,
    raises=StillRunningError,
    reason="only attempts of one call are counted, and no time passes: the loop runs for ever",
)
def test_a_loop_that_takes_no_virtual_time_is_stopped(endless, options, script):
    """Requests without number at one instant end the run, be they calls of their own or none."""
    with FakeProvider(**options) as provider:
        provider.script(script)
        with httpx2.Client(
            base_url=provider.base_url, transport=provider.transport, headers=HEADERS
        ) as client:
            with pytest.raises(RunStopped):
                endless(lambda path, content: client.post(path, json=content))
        assert provider.trace.stopped is not None
