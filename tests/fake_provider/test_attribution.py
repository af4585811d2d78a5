"""Which caller, call, unit and layer an attempt belongs to, through the real SDK."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import anthropic
import pytest
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from fake_provider import FakeProvider, Fault, Trace, caller

POLICY = {
    "stop": stop_after_attempt(5),
    "wait": wait_fixed(1),
    "retry": retry_if_exception_type(anthropic.RateLimitError),
    "reraise": True,
}


def sync_client(**options):
    return anthropic.Anthropic(api_key="test", **{"max_retries": 0, **options})


def async_client(**options):
    return anthropic.AsyncAnthropic(api_key="test", **{"max_retries": 0, **options})


def body(text, nonce=None):
    metadata = {} if nonce is None else {"metadata": {"user_id": f"nonce {nonce}"}}
    return {
        "model": "claude-sonnet-5",
        "max_tokens": 16,
        "messages": [{"role": "user", "content": text}],
        **metadata,
    }


def refuse_first(times):
    """Refuse the first attempts of every caller, then let the limits decide."""
    seen = Counter()

    def script(arrival):
        seen[arrival.caller] += 1
        return Fault() if seen[arrival.caller] <= times else None

    return script


def shape(trace: Trace):
    """Return, for each call, its caller and the statuses of its attempts."""
    return [(call.caller, [a.status for a in call.attempts]) for call in trace.calls]


def exact(trace: Trace):
    return all(a.attribution == "exact" for a in trace.attempts)


def test_twelve_threads_with_one_identical_prompt_are_twelve_callers():
    """Equal bodies from different workers are different calls, each with its own retries."""
    client = sync_client()

    @retry(**POLICY)
    def ask():
        client.messages.create(**body("the same prompt"))

    with FakeProvider() as provider:
        provider.script(refuse_first(2))
        with ThreadPoolExecutor(12) as pool:
            for future in [pool.submit(ask) for _ in range(12)]:
                future.result()
        trace = provider.trace
    assert len(trace.calls) == len(trace.callers) == 12
    assert [statuses for _, statuses in shape(trace)] == [[429, 429, 200]] * 12
    assert len({a.unit for a in trace.attempts}) == 12
    assert exact(trace)


def test_twelve_tasks_with_one_identical_prompt_are_twelve_callers():
    """Equal bodies from different tasks are different calls, each with its own retries."""

    async def main():
        client = async_client()

        @retry(**POLICY)
        async def ask():
            await client.messages.create(**body("the same prompt"))

        await asyncio.gather(*(ask() for _ in range(12)))

    with FakeProvider() as provider:
        provider.script(refuse_first(2))
        asyncio.run(main())
        trace = provider.trace
    assert [statuses for _, statuses in shape(trace)] == [[429, 429, 200]] * 12
    assert len(trace.callers) == 12
    assert exact(trace)


def decorated(client):
    @retry(**POLICY)
    def ask(text):
        client.messages.create(**body(text, random.random()))

    return ask


def hand_written(client):
    def ask(text):
        for attempt in range(5):
            try:
                return client.messages.create(**body(text, random.random()))
            except anthropic.RateLimitError:
                if attempt == 4:
                    raise
                time.sleep(1)
        return None

    return ask


def around_a_helper(client):
    def send(text):
        return client.messages.create(**body(text, random.random()))

    def ask(text):
        for attempt in range(5):
            try:
                return send(text)
            except anthropic.RateLimitError:
                if attempt == 4:
                    raise
                time.sleep(1)
        return None

    return ask


@pytest.mark.parametrize("policy", [decorated, hand_written, around_a_helper])
def test_a_nonce_in_each_body_hides_no_retry(policy):
    """The retry loop on the stack ties attempts together that share no body."""
    ask = policy(sync_client())

    def worker(number):
        for question in range(3):
            ask(f"worker {number}, question {question}")

    with FakeProvider() as provider:
        provider.script(refuse_first(2))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(worker, range(4)))
        trace = provider.trace
    assert [statuses for _, statuses in shape(trace)] == [
        *([[429, 429, 200]] * 4),
        *([[200]] * 8),
    ]
    assert exact(trace)


def test_questions_that_fail_one_after_another_are_calls_of_their_own():
    """A worker that gives one question up and asks the next has made two calls."""
    client = sync_client()

    @retry(**{**POLICY, "stop": stop_after_attempt(2)})
    def ask(text):
        client.messages.create(**body(text))

    with FakeProvider() as provider:
        provider.script(lambda arrival: Fault() if arrival.at < 100 else None)
        for question in range(3):
            with pytest.raises(anthropic.RateLimitError):
                ask(f"question {question}")
        trace = provider.trace
    assert [statuses for _, statuses in shape(trace)] == [[429, 429]] * 3
    assert exact(trace)


def test_several_questions_with_nonces_in_one_hand_written_loop_are_inferred():
    """Where one frame sends retries and questions, all with nonces, the trace says so."""
    client = sync_client()

    def worker():
        for question in range(6):
            try:
                client.messages.create(**body(f"question {question}", random.random()))
            except anthropic.RateLimitError:
                time.sleep(1)

    with FakeProvider() as provider:
        provider.script([None, Fault(), Fault(), None, Fault(), None])
        worker()
        trace = provider.trace
    refused = [a for a in trace.attempts if a.refused]
    assert {a.attribution for a in refused} == {"inferred"}


def test_failed_jobs_that_are_queued_again_are_new_calls_for_the_same_unit():
    """Another worker that takes up given-up work makes a new call, and the unit stays."""
    client = sync_client()

    @retry(**{**POLICY, "stop": stop_after_attempt(2)})
    def ask(text):
        client.messages.create(**body(text))

    jobs = [f"job {number}" for number in range(6)]
    with FakeProvider() as provider:
        provider.script(lambda arrival: Fault() if arrival.at < 10 else None)
        with ThreadPoolExecutor(6) as pool:
            failed = [
                job
                for job, future in zip(jobs, [pool.submit(ask, job) for job in jobs], strict=True)
                if future.exception()
            ]
        time.sleep(60)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(ask, reversed(failed)))
        trace = provider.trace
    assert failed == jobs
    assert len(trace.calls) == 12
    units = Counter(call.unit for call in trace.calls)
    assert sorted(units.values()) == [2] * 6


def test_equal_jobs_that_are_queued_again_claim_units_first_in_first_out():
    """Re-queued work with equal bodies claims the given-up units one each."""

    async def main():
        client = async_client()

        async def ask():
            await client.messages.create(**body("the same prompt"))

        await asyncio.gather(*(ask() for _ in range(5)), return_exceptions=True)
        await asyncio.sleep(30)
        await asyncio.gather(*(ask() for _ in range(5)))

    with FakeProvider() as provider:
        provider.script(lambda arrival: Fault() if arrival.at < 10 else None)
        asyncio.run(main())
        trace = provider.trace
    assert len(trace.calls) == 10
    first, second = trace.calls[:5], trace.calls[5:]
    assert [call.unit for call in first] == [call.unit for call in second]
    assert len({call.unit for call in first}) == 5


def new_task(client):
    async def ask(text):
        for _ in range(4):
            try:
                request = client.messages.create(**body(text, random.random()))
                return await asyncio.wait_for(asyncio.ensure_future(request), 30)
            except anthropic.RateLimitError:
                await asyncio.sleep(1)
        return None

    return ask


def new_thread(_client):
    client = sync_client()

    def send(text):
        return client.messages.create(**body(text, random.random()))

    async def ask(text):
        for _ in range(4):
            try:
                return await asyncio.to_thread(send, text)
            except anthropic.RateLimitError:
                await asyncio.sleep(1)
        return None

    return ask


@pytest.mark.parametrize("policy", [new_task, new_thread])
def test_a_task_or_thread_made_for_each_attempt_counts_as_who_awaits_it(policy):
    """wait_for and to_thread make a new task or thread an attempt, and hide no caller."""

    async def main():
        client = async_client()
        ask = policy(client)
        await asyncio.gather(*(ask(f"document {number}") for number in range(5)))

    with FakeProvider() as provider:
        provider.script(refuse_first(2))
        asyncio.run(main())
        trace = provider.trace
    assert len(trace.callers) == 5
    assert [statuses for _, statuses in shape(trace)] == [[429, 429, 200]] * 5
    assert exact(trace)


def test_a_pool_with_one_job_at_a_time_counts_as_who_waits_for_it():
    """A thread that runs each attempt in a pool and waits for the result is one caller."""
    client = sync_client()

    def attempt(text):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: client.messages.create(**body(text))).result(timeout=60)

    def worker(text):
        for _ in range(4):
            try:
                attempt(text)
                break
            except anthropic.RateLimitError:
                time.sleep(2)

    with FakeProvider() as provider:
        provider.script(refuse_first(2))
        threads = [threading.Thread(target=worker, args=(f"page {n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        trace = provider.trace
    assert [statuses for _, statuses in shape(trace)] == [[429, 429, 200]] * 3


def test_the_sdk_s_own_retries_are_its_layer():
    """The SDK's counter tells its retries from those of the code around it."""

    @retry(**{**POLICY, "stop": stop_after_attempt(2)})
    def ask():
        client.messages.create(**body("hello"))

    client = sync_client(max_retries=2)
    with FakeProvider() as provider:
        provider.script(lambda _arrival: Fault())
        with pytest.raises(anthropic.RateLimitError):
            ask()
        trace = provider.trace
    assert [a.layer for a in trace.attempts] == ["first", "sdk", "sdk", "code", "sdk", "sdk"]
    assert len(trace.calls) == 1


def test_a_caller_can_be_named():
    """A name given by the test, or by header, is the caller's name."""
    client = sync_client()
    with FakeProvider() as provider:
        with caller("researcher"):
            client.messages.create(**body("a"))
        client.messages.create(**body("b"), extra_headers={"X-Caller": "writer"})
        client.messages.create(**body("c"))
        assert provider.trace.callers == ("researcher", "writer", "MainThread")


@pytest.mark.parametrize(("name", "error"), [("", ValueError), (7, TypeError)])
def test_a_caller_s_name_is_a_string_with_something_in_it(name, error):
    """A bad name is one clear error."""
    with pytest.raises(error, match=r"caller\(name\) must"), caller(name):
        pass


def test_labels_do_not_depend_on_what_ran_before():
    """Two runs in one process give the same callers: made-up names are numbered anew."""

    async def main():
        client = async_client()
        await asyncio.gather(*(client.messages.create(**body(f"{n}")) for n in range(3)))

    labels = []
    for _ in range(2):
        with FakeProvider() as provider:
            asyncio.run(main())
            labels.append(provider.trace.callers)
    assert labels[0] == labels[1] == ("task 1", "task 2", "task 3")
