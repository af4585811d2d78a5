"""Lineage, frames and calls: who started whom, who waits for whom, and what a stack tells."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import time
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import anthropic
import anyio
import pytest
import trio

from fake_provider import FakeProvider, Fault, caller
from fake_provider._calls import Calls
from fake_provider._frames import Relation, Stack
from fake_provider._lineage import Lineage, has_ended

CLIENT = anthropic.Anthropic(api_key="test", max_retries=0)


def body(text):
    return {
        "model": "claude-sonnet-5",
        "max_tokens": 16,
        "messages": [{"role": "user", "content": text}],
    }


def ask(text="hello"):
    CLIENT.messages.create(**body(text))


async def ask_async(text="hello"):
    await anthropic.AsyncAnthropic(api_key="test", max_retries=0).messages.create(**body(text))


def trace_of(run, script=None):
    """Return the trace of what a function does."""
    with FakeProvider() as provider:
        if script is not None:
            provider.script(script)
        run()
        return provider.trace


# ---------------------------------------------------------------------- who waits for whom


async def awaited():
    await ask_async()


async def in_a_task():
    await asyncio.create_task(ask_async())


async def in_wait_for():
    await asyncio.wait_for(ask_async(), 99)


async def in_shield():
    await asyncio.shield(ask_async())


async def in_gather():
    await asyncio.gather(ask_async())


async def in_wait():
    await asyncio.wait([asyncio.create_task(ask_async())])


async def in_task_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(ask_async())


async def in_timeout():
    async with asyncio.timeout(99):
        await ask_async()


async def in_as_completed():
    for future in asyncio.as_completed([ask_async()]):
        await future


async def in_to_thread():
    await asyncio.to_thread(ask)


async def in_executor():
    await asyncio.get_running_loop().run_in_executor(None, ask)


async def in_anyio_thread():
    await anyio.to_thread.run_sync(ask)


async def in_anyio_group():
    async with anyio.create_task_group() as group:
        group.start_soon(ask_async)


async def nested():
    await asyncio.create_task(in_a_task())


@pytest.mark.parametrize(
    "main",
    [
        awaited,
        in_a_task,
        in_wait_for,
        in_shield,
        in_gather,
        in_wait,
        in_task_group,
        in_timeout,
        in_as_completed,
        in_to_thread,
        in_executor,
        in_anyio_thread,
        in_anyio_group,
        nested,
    ],
)
def test_a_task_that_is_only_awaited_is_its_parent(main):
    """Whatever makes the task or thread, the main task made the call, by the thread's name."""
    assert trace_of(lambda: asyncio.run(main())).callers == ("MainThread",)


async def in_a_nursery():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_async)


async def in_a_trio_thread():
    await trio.to_thread.run_sync(ask)


@pytest.mark.parametrize(
    "main",
    [
        awaited,
        in_a_nursery,
        in_a_trio_thread,
        in_anyio_thread,
        in_anyio_group,
    ],
)
def test_a_trio_task_that_is_only_awaited_is_its_parent(main):
    """The main task of trio is called as that of asyncio is: by its thread."""
    assert trace_of(lambda: trio.run(main)).callers == ("MainThread",)


def test_an_abandoned_thread_is_a_caller_of_its_own():
    """When trio's task goes on without its thread, what the thread sends is not the task's."""

    def late():
        time.sleep(5)
        ask("late")

    async def main():
        with trio.move_on_after(1):
            await trio.to_thread.run_sync(late, abandon_on_cancel=True)
        await ask_async("soon")
        await trio.sleep(9)

    callers = {a.arrived_at: a.caller for a in trace_of(lambda: trio.run(main)).attempts}
    assert callers[1.0] == "MainThread"
    assert callers[5.0] != "MainThread"


def test_kept_threads_are_nobody_s_siblings():
    """A thread that a library keeps idle does not make the next task a caller of its own."""

    async def main():
        await anyio.to_thread.run_sync(time.sleep, 1)
        await asyncio.create_task(ask_async("1"))

    async def in_trio():
        await trio.to_thread.run_sync(time.sleep, 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_async, "1")

    assert trace_of(lambda: asyncio.run(main())).callers == ("MainThread",)
    assert trace_of(lambda: trio.run(in_trio)).callers == ("MainThread",)


def joined():
    worker = threading.Thread(target=ask)
    worker.start()
    worker.join()


def in_a_pool(wait):
    def run():
        with ThreadPoolExecutor(2) as pool:
            wait(pool.submit(ask))

    return run


@pytest.mark.parametrize(
    "run",
    [
        joined,
        in_a_pool(lambda future: future.result()),
        in_a_pool(lambda future: future.exception()),
        in_a_pool(lambda future: concurrent.futures.wait([future])),
        in_a_pool(lambda future: list(concurrent.futures.as_completed([future]))),
        in_a_pool(lambda future: None),
    ],
)
def test_a_thread_that_is_only_waited_for_is_its_parent(run):
    """One thread, or one job of a pool, whose starter waits, is no caller of its own."""
    assert trace_of(run).callers == ("MainThread",)


async def two_gathered():
    await asyncio.gather(ask_async("1"), ask_async("2"))


async def two_in_a_group():
    async with anyio.create_task_group() as group:
        group.start_soon(ask_async, "1")
        group.start_soon(ask_async, "2")


async def one_beside_the_parent():
    task = asyncio.create_task(ask_async("1"))
    await ask_async("2")
    await task


def two_threads():
    workers = [threading.Thread(target=ask, args=(text,)) for text in "12"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def two_jobs():
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, "12"))


@pytest.mark.parametrize(
    "run",
    [
        lambda: asyncio.run(two_gathered()),
        lambda: asyncio.run(two_in_a_group()),
        lambda: trio.run(two_in_a_group),
        lambda: asyncio.run(one_beside_the_parent()),
        two_threads,
        two_jobs,
    ],
)
def test_tasks_and_threads_side_by_side_are_callers_of_their_own(run):
    """Two that work at the same time are two callers."""
    assert len(trace_of(run).callers) == 2


def test_a_caller_stays_one_when_its_siblings_end_before_it():
    """Who had siblings when it first asked is a caller of its own to the end."""

    async def worker(number):
        for _ in range(number):
            await ask_async(f"{number}")

    async def main():
        await asyncio.gather(*(worker(number) for number in (1, 3)))

    trace = trace_of(lambda: asyncio.run(main()))
    assert Counter(a.caller for a in trace.attempts) == {"task 1": 1, "task 2": 3}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("same", [False, True])
def test_a_fleet_that_sends_from_anyio_s_threads_is_a_fleet_of_its_tasks(backend, same):
    """Four tasks that retry in borrowed threads make four calls of three attempts each."""

    async def worker(number):
        for _ in range(4):
            try:
                await anyio.to_thread.run_sync(ask, "same" if same else f"{number}")
            except anthropic.RateLimitError:
                await anyio.sleep(1 + number / 10)
            else:
                return

    async def main():
        async with anyio.create_task_group() as group:
            for number in range(4):
                group.start_soon(worker, number)

    trace = trace_of(
        lambda: anyio.run(main, backend=backend), lambda a: Fault() if a.at < 2 else None
    )
    assert [len(call.attempts) for call in trace.calls] == [3] * 4
    assert len(trace.callers) == 4


# ---------------------------------------------------------------------- names


def named_by_block(name):
    with caller(name):
        ask("the same")


def named_by_header(name):
    CLIENT.messages.create(**body("the same"), extra_headers={"X-Caller": name})


@pytest.mark.parametrize("ask_as", [named_by_block, named_by_header])
def test_two_named_callers_in_one_thread_share_no_call(ask_as):
    """What one agent gave up is not retried by the next that asks the same in its thread."""

    def run():
        with pytest.raises(anthropic.RateLimitError):
            ask_as("first")
        ask_as("second")

    trace = trace_of(run, [Fault()])
    assert [[a.caller for a in call.attempts] for call in trace.calls] == [["first"], ["second"]]


NAMED = [
    in_a_pool(lambda future: future.result()),
    joined,
    lambda: asyncio.run(in_executor()),
    lambda: asyncio.run(in_to_thread()),
    lambda: asyncio.run(in_anyio_thread()),
    lambda: trio.run(in_anyio_thread),
    lambda: trio.run(in_a_trio_thread),
]


@pytest.mark.parametrize("run", NAMED)
def test_a_name_holds_for_a_thread_that_is_only_waited_for(run):
    """What counts as its parent is called as its parent is, at any depth."""

    def named():
        with caller("agent"):
            run()

    assert trace_of(named).callers == ("agent",)

    def named_above():
        with caller("agent"), ThreadPoolExecutor(1) as pool:
            pool.submit(run).result()

    assert trace_of(named_above).callers == ("agent",)


def test_a_name_holds_for_no_thread_that_works_beside_its_starter():
    """Two jobs at a time are callers of their own, so they are not called alike."""

    def run():
        with caller("agent"):
            two_jobs()

    assert trace_of(run).callers == ("thread 1", "thread 2")


def test_a_name_holds_for_tasks_started_inside():
    """A named task names what it starts; a name inside a name is the inner one."""

    async def main():
        with caller("outer"):
            task = asyncio.create_task(ask_async("1"))
            with caller("inner"):
                await ask_async("2")
            await task
        await ask_async("3")

    trace = trace_of(lambda: asyncio.run(main()))
    assert sorted(a.caller for a in trace.attempts) == ["MainThread", "inner", "outer"]


def named_threads(*names):
    def run():
        for name in names:
            workers = [threading.Thread(target=ask, args=(name,), name=name) for name in names]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return run


def test_threads_of_one_name_are_numbered():
    """The user's names are kept, and made unique."""
    trace = trace_of(named_threads("worker", "worker", "writer"))
    assert trace.callers == ("worker", "worker 2", "writer")


def test_a_number_that_is_taken_is_not_given_again():
    """Three threads are three callers, whatever the user calls them."""
    assert len(set(trace_of(named_threads("worker", "worker 2", "worker")).callers)) == 3


# ---------------------------------------------------------------------- calls


def test_a_call_ends_with_its_success():
    """The same question after an answer is a new call, for a unit of its own."""
    trace = trace_of(lambda: (ask(), ask()))
    assert [len(call.attempts) for call in trace.calls] == [1, 1]
    assert len({call.unit for call in trace.calls}) == 2


def test_another_question_after_a_failure_is_a_new_call():
    """A caller that gives up and asks something else has made two calls."""

    def run():
        with pytest.raises(anthropic.RateLimitError):
            ask("one")
        ask("two")

    assert [len(call.attempts) for call in trace_of(run, [Fault()]).calls] == [1, 1]


def test_requests_to_two_endpoints_are_no_retries_of_each_other():
    """Another path is another question, whatever the bodies."""

    def run():
        for path in ("/v1/files", "/v1/skills"):
            with pytest.raises(anthropic.NotFoundError):
                CLIENT.get(path, cast_to=object)

    assert [len(call.attempts) for call in trace_of(run).calls] == [1, 1]


def test_a_worker_started_later_takes_up_the_unit_that_was_given_up():
    """The work of a thread that has ended is claimed by the next one that asks the same."""

    def run():
        for _ in range(2):
            worker = threading.Thread(target=quiet)
            beside = threading.Thread(target=time.sleep, args=(9,))
            worker.start(), beside.start()
            worker.join(), beside.join()

    trace = trace_of(run, [Fault()])
    assert [(call.unit == trace.calls[0].unit) for call in trace.calls] == [True, True]
    assert len(trace.callers) == 2


def quiet():
    try:
        ask()
    except anthropic.RateLimitError:
        return


def test_a_worker_that_was_there_before_brings_work_of_its_own():
    """Equal prompts of a fleet that started together are units of their own."""

    def late():
        time.sleep(5)
        ask()

    def run():
        workers = [threading.Thread(target=target) for target in (quiet, late)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    trace = trace_of(run, [Fault()])
    assert len({call.unit for call in trace.calls}) == 2


@pytest.fixture
def calls():
    """Calls of callers that are plain objects."""

    return Calls(Lineage())


class Agent:
    """A caller that can be told apart and forgotten."""


def test_the_sdk_s_counter_continues_a_call_whatever_the_body(calls):
    """A retry by the SDK belongs to its caller's last call, and is the SDK's."""
    agent = Agent()
    first = calls.place(agent, None, "digest", 0, 0)
    calls.ended(first.call, failed=True, now_ns=1)
    second = calls.place(agent, None, "another", 1, 2)
    assert second.call is first.call
    assert (first.layer, second.layer, second.attempt) == ("first", "sdk", 2)


def test_a_retry_of_the_sdk_without_a_first_attempt_is_a_call_of_its_own(calls):
    """A trace that begins in the middle of a call still has an attempt 1."""
    place = calls.place(Agent(), None, "digest", 2, 0)
    assert (place.attempt, place.layer) == (1, "first")


def test_a_retry_of_the_sdk_from_another_scope_finds_its_call(calls):
    """An SDK's retry that comes from an unknown task continues the call that failed last."""
    agent, stranger = Agent(), Agent()
    first = calls.place(agent, None, "digest", 0, 0)
    calls.ended(first.call, failed=True, now_ns=1)
    assert calls.place(stranger, None, "digest", 1, 2).call is first.call


@pytest.mark.parametrize("failed", [False, True])
def test_callers_that_are_gone_are_forgotten(calls, failed):
    """Nothing keeps a task or thread alive that made calls, whether they failed or not."""
    agent = Agent()
    calls.ended(calls.place(agent, None, "digest", 0, 0).call, failed=failed, now_ns=1)
    gone = weakref.ref(agent)
    del agent
    gc.collect()
    assert gone() is None


# ---------------------------------------------------------------------- frames


def here():
    return Stack.capture()


def test_a_stack_is_of_the_code_under_test_alone():
    """Frames of the SDK, the provider and pytest are left out."""
    names = [frame.f_code.co_name for frame in here().frames]
    assert names == ["here", "test_a_stack_is_of_the_code_under_test_alone"]


def stack_of(argument, *more):
    return Stack.capture()


def relation(first, second):
    """Return how one stack stands to another that was captured in the same frame."""
    return second.relation(first)[0]


def test_the_same_call_again_is_a_retry():
    """A frame that calls one function with equal arguments again retries."""
    again = [stack_of("a", [1, {"b": 2}]) for _ in range(2)]
    assert relation(*again) is Relation.RETRY


def test_the_same_function_with_other_arguments_is_new_work():
    """A frame that calls one function with another argument asks the next question."""
    both = [stack_of(argument) for argument in "ab"]
    assert relation(*both) is Relation.NEW


def test_stacks_that_share_nothing_are_new_work():
    """A frame that is gone cannot retry."""
    assert relation(Stack(()), stack_of("a")) is Relation.NEW


def test_one_frame_that_sends_both_is_a_loop():
    """Where the sending frame itself goes on, it is a nonce or the next question."""
    frames = here().frames[1:]
    assert relation(Stack(frames), Stack(frames)) is Relation.LOOP


def test_a_frame_that_sent_first_and_called_then_tells_nothing():
    """Sent from the frame itself and from below it, the two have no common shape."""
    frames = here().frames[1:]
    assert relation(Stack(frames), stack_of("a")) is Relation.UNCLEAR


class Hostile:
    """A user's class whose comparison must not be called."""

    def __eq__(self, other):
        raise AssertionError("compared")

    __hash__ = None


def test_comparing_arguments_calls_no_method_of_the_user_s():
    """Objects are compared by identity; text, numbers and containers by value."""
    one = Hostile()
    same = [stack_of(one, (1, "x")) for _ in range(2)]
    other = [stack_of(each) for each in (one, Hostile())]
    assert relation(*same) is Relation.RETRY
    assert relation(*other) is Relation.NEW


# ---------------------------------------------------------------------- lineage


@pytest.fixture
def lineage():
    """A lineage that is watching."""
    watching = Lineage()
    watching.open()
    yield watching
    watching.close()


def test_a_lineage_puts_back_what_it_replaced():
    """Opening and closing leave threads, pools and loops as they were."""
    item = concurrent.futures.thread._WorkItem
    watched = [
        (threading.Thread, "start"),
        (item, "__init__"),
        (item, "run"),
        (asyncio.BaseEventLoop, "create_task"),
    ]
    before = [getattr(owner, name) for owner, name in watched]
    lineage = Lineage()
    lineage.open()
    assert all(getattr(*each) is not old for each, old in zip(watched, before, strict=True))
    lineage.close()
    assert [getattr(owner, name) for owner, name in watched] == before


def test_the_scope_is_what_runs_now(lineage):
    """A thread, a pool's job, an asyncio task or a trio task."""
    assert lineage.scope() is threading.current_thread()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(lineage.scope)
        assert future.result() is future

    async def on_asyncio():
        return lineage.scope() is asyncio.current_task()

    async def on_trio():
        return lineage.scope() is trio.lowlevel.current_task()

    assert asyncio.run(on_asyncio())
    assert trio.run(on_trio)


def test_scopes_are_born_in_order(lineage):
    """Who was started later was born after; a start that was not seen counts as late."""
    births = []

    async def main():
        early = asyncio.create_task(asyncio.sleep(0))
        births.append(lineage.births)
        late = asyncio.create_task(asyncio.sleep(0))
        await early
        await late
        assert not lineage.born_after(early, births[0])
        assert lineage.born_after(late, births[0])

    asyncio.run(main())
    assert lineage.born_after(object.__new__(Agent), births[0])


def test_a_thread_has_ended_after_it_has_run():
    """A thread that has not begun has not ended."""
    gate = threading.Event()
    worker = threading.Thread(target=gate.wait)
    assert not has_ended(worker)
    worker.start()
    assert not has_ended(worker)
    gate.set()
    worker.join()
    assert has_ended(worker)


def test_a_task_has_ended_when_it_is_done():
    """asyncio tasks and futures of a pool say so themselves; a trio task by its coroutine."""
    seen = []

    async def look(parent):
        seen.append((parent, has_ended(parent)))

    async def on_asyncio():
        await look(asyncio.current_task())

    async def on_trio():
        await look(trio.lowlevel.current_task())

    asyncio.run(on_asyncio())
    trio.run(on_trio)
    assert [during for _, during in seen] == [False, False]
    assert [has_ended(task) for task, _ in seen] == [True, True]


@pytest.mark.parametrize("asked", [False, True])
def test_a_lineage_keeps_no_task_alive(lineage, asked):
    """A task that has ended is collected, with everything that it held."""
    gone = []

    async def child():
        if asked:
            lineage.owner(asyncio.current_task())

    async def main():
        tasks = [asyncio.create_task(child()) for _ in range(2)]
        gone.extend(map(weakref.ref, tasks))
        await asyncio.wait(tasks)

    asyncio.run(main())
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
