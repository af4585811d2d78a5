"""Driver: makes the calls of many callers, in tasks or in threads, under one provider."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Literal

from fake_provider._callers import caller
from fake_provider._faults import Fault
from fake_provider._provider import FakeProvider
from fake_provider._script import Arrival
from fake_provider._stated import one_of
from fake_provider._trace import Trace
from fake_provider.virtual_time import RunStopped

Sdk = Literal["anthropic", "openai"]
# A function of the user's that makes one call: sync or async, of an SDK client or of nothing.
Work = Callable[..., object]

_CLIENTS = {"anthropic": "Anthropic", "openai": "OpenAI"}


@dataclass(frozen=True)
class _Row:
    """Calls to make, one after the other.

    Args:
        name: The name of their caller.
        start_s: Virtual seconds at which the first begins.
        calls: How many.
    """

    name: str
    start_s: float
    calls: int


def drive(
    work: Work,
    provider: FakeProvider,
    starts: Sequence[float],
    sdk: Sdk,
    script: Callable[[Arrival], Fault | None] | None = None,
    *,
    callers: int | None = None,
    calls: int = 1,
) -> Trace:
    """Make the calls that start at these instants, and return the trace.

    Args:
        work: Makes one call; sync or async, of an SDK client or of nothing.
        provider: The provider, not yet open.
        starts: Virtual seconds at which each call begins, in order.
        sdk: The SDK whose client `work` takes.
        script: What is asked before the limits, if anything.
        callers: How many callers take turns; one for each start if None.
        calls: How many calls are made from each start on, one after the other.

    Raises:
        TypeError: `work` is not a function of one client or of nothing.
        ValueError: The SDK is unknown.
        Exception: What `work` raised, if none of its requests reached the provider.
    """
    __tracebackhide__ = True
    one_of("sdk", sdk, _CLIENTS)
    takes_client = _takes_client(work)
    turns = len(starts) if callers is None else callers
    rows = [_Row(f"caller-{n % turns}", start, calls) for n, start in enumerate(starts)]
    errors: list[Exception] = []
    # Where the provider stops the run, the trace says so.
    with suppress(RunStopped), provider:
        if script is not None:
            provider.script(script)
        if _is_async(work):
            _run(_async_calls(work, rows, sdk if takes_client else None, errors))
        else:
            _sync_calls(work, rows, sdk if takes_client else None, errors)
    trace = provider.trace
    if not trace.attempts and errors:
        raise errors[0]
    return trace


def _takes_client(work: Work) -> bool:
    """Return True if a function takes a client, False if it takes nothing."""
    __tracebackhide__ = True
    allowed = "work must be a function of one SDK client or of nothing"
    if inspect.iscoroutine(work):
        work.close()  # it is never awaited, and the error says why
        raise TypeError(f"{allowed}, got {work!r}: pass the function, and do not call it")
    if not callable(work):
        raise TypeError(f"{allowed}, got {work!r}")
    try:
        parameters = inspect.signature(work).parameters.values()
    except ValueError:
        raise TypeError(f"{allowed}, got {work!r}, whose arguments are not known") from None
    required = [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    keyword = any(parameter.kind is parameter.KEYWORD_ONLY for parameter in required)
    if len(required) > 1 or keyword:
        raise TypeError(f"{allowed}, got {work!r}, which needs {len(required)} arguments")
    return bool(required)


def _is_async(work: Work) -> bool:
    """Return True if calling the function gives a coroutine."""
    call = type(work).__call__ if not inspect.isroutine(work) else work
    return inspect.iscoroutinefunction(work) or inspect.iscoroutinefunction(call)


def _refuse_awaitable(work: Work, result: object) -> None:
    """Raise if a function that is not async has returned a coroutine, which nobody awaits."""
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError(
            f"work returned a coroutine and is no async function: define {work!r} by async def"
        )


def _client(sdk: Sdk, *, asynchronous: bool) -> Any:
    """Return a default client of an SDK; its key and address are in the environment."""
    import importlib

    return getattr(importlib.import_module(sdk), "Async" * asynchronous + _CLIENTS[sdk])()


def _run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, in a thread of its own where this one runs a loop already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(main)
        return
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, main).result()


async def _async_calls(
    work: Work, rows: Sequence[_Row], sdk: Sdk | None, errors: list[Exception]
) -> None:
    """Make the calls, each in a task of its own."""
    async with AsyncExitStack() as stack:
        arguments: tuple[Any, ...] = ()
        if sdk is not None:
            arguments = (await stack.enter_async_context(_client(sdk, asynchronous=True)),)

        async def make(row: _Row) -> None:
            await asyncio.sleep(row.start_s)
            with caller(row.name):
                for _ in range(row.calls):
                    try:
                        await work(*arguments)  # type: ignore[misc]  # a coroutine function
                    except Exception as error:  # noqa: BLE001 - giving up is what is probed
                        errors.append(error)

        await asyncio.gather(*(make(row) for row in rows))


def _sync_calls(work: Work, rows: Sequence[_Row], sdk: Sdk | None, errors: list[Exception]) -> None:
    """Make the calls, each in a thread of its own."""
    with ExitStack() as stack:
        arguments: tuple[Any, ...] = ()
        if sdk is not None:
            arguments = (stack.enter_context(_client(sdk, asynchronous=False)),)

        def make(row: _Row) -> None:
            with caller(row.name):
                for _ in range(row.calls):
                    try:
                        _refuse_awaitable(work, work(*arguments))
                    except Exception as error:  # noqa: BLE001 - giving up is what is probed
                        errors.append(error)

        threads = []
        began = time.monotonic()
        for row in rows:
            pause = began + row.start_s - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            threads.append(threading.Thread(target=make, args=(row,), name=row.name))
            threads[-1].start()
        for thread in threads:
            thread.join()
