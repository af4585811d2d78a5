"""Probes: put a function that calls an LLM into the situations in which clients fail."""

from __future__ import annotations

import asyncio
import inspect
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Literal

from fake_provider import Arrival, FakeProvider, Fault, ServiceTime, Trace, caller
from fake_provider.virtual_time import RunStopped

Sdk = Literal["anthropic", "openai"]
# A function of the user's that makes one call: sync or async, of an SDK client or of nothing.
Work = Callable[..., object]

_CLIENTS = {"anthropic": "Anthropic", "openai": "OpenAI"}
_TOKENS = 1_000
_SERVICE_S = 0.5
# One caller in three is admitted at once: enough to serve, and too few for the rest to see.
_ADMITTED = 3
_RESET_S = 30.0
_OUTAGE_FROM_S, _OUTAGE_S, _AFTER_S = 60.0, 30.0, 100.0
_PERIOD_S = 4.0
_LOAD = 0.7


def policy_probe(
    work: Work,
    *,
    callers: int = 8,
    hint: float | None = None,
    sdk: Sdk = "anthropic",
    seed: int = 0,
    stop_after: float = 3_600.0,
) -> Trace:
    """Refuse every attempt for ever: how does the code wait, and does it give up?

    All callers start together and make one call each, so that jitter, growth and bounds of their
    delays can be judged (RL102, RL104, RL106, RL107, RL111, RL112).

    Args:
        work: Makes one call; sync or async, of an SDK client or of nothing.
        callers: Callers, at least 2; 12 where a jitter of 5 % must be told from none.
        hint: Seconds that each refusal asks to wait (RL103), above 0; None sends no hint.
        sdk: The SDK whose client `work` takes, `"anthropic"` or `"openai"`.
        seed: Seed of the random numbers.
        stop_after: Virtual seconds after which the run is stopped, above 0.

    Returns:
        The trace; `trace.stopped` says so if the run was stopped.

    Raises:
        TypeError: `work` is not a function of one client or of nothing.
        ValueError: An argument is out of its range.
        Exception: What `work` raised, if none of its requests reached the provider.
    """
    if hint is not None and not (hint > 0 and math.isfinite(hint)):
        raise ValueError(f"hint must be a finite number of seconds above 0, got {hint!r}")
    headers = {} if hint is None else {"retry-after": f"{hint:g}"}
    refusal = Fault(status=429, headers=headers)
    provider = FakeProvider(seed=seed, stop_after=stop_after)
    return _drive(work, provider, [0.0] * _at_least_two(callers), sdk, lambda _: refusal)


def herd_probe(
    work: Work,
    *,
    callers: int = 8,
    charge_rejected: float = 0.0,
    sdk: Sdk = "anthropic",
    seed: int = 0,
    stop_after: float = 3_600.0,
) -> Trace:
    """Start all callers at once against a limit that admits a third of them (RL101, RL113).

    The limit is a token bucket that admits one more call every half a second.

    Args:
        work: Makes one call, as for `policy_probe`.
        callers: Callers, at least 2.
        charge_rejected: Share of a refused attempt's cost that is charged, from 0 to 1.
        sdk: As for `policy_probe`.
        seed: Seed of the random numbers.
        stop_after: Virtual seconds after which the run is stopped, above 0.

    Returns:
        The trace.

    Raises:
        TypeError: As for `policy_probe`.
        ValueError: An argument is out of its range.
        Exception: As for `policy_probe`.
    """
    starts = [0.0] * _at_least_two(callers)
    provider = _bucket(callers, charge_rejected=charge_rejected, seed=seed, stop_after=stop_after)
    return _drive(work, provider, starts, sdk)


def reset_probe(
    work: Work,
    *,
    callers: int = 8,
    sdk: Sdk = "anthropic",
    seed: int = 0,
    stop_after: float = 3_600.0,
) -> Trace:
    """Tell callers that start one by one to wait for one common reset (RL101, RL102).

    Each is refused with a hint until 30 s after the start of the run, which is different for each
    of them, and ends at the same instant for all. From then on the limit of `herd_probe` decides.

    Args:
        work: Makes one call, as for `policy_probe`.
        callers: Callers, at least 2; they start a second apart.
        sdk: As for `policy_probe`.
        seed: Seed of the random numbers.
        stop_after: Virtual seconds after which the run is stopped, above 0.

    Returns:
        The trace.

    Raises:
        TypeError: As for `policy_probe`.
        ValueError: An argument is out of its range.
        Exception: As for `policy_probe`.
    """
    # All of them have started well before the reset, however many there are.
    step_s = min(1.0, _RESET_S / 2 / _at_least_two(callers))
    starts = [number * step_s for number in range(callers)]

    def until_reset(arrival: Arrival) -> Fault | None:
        if arrival.at >= _RESET_S:
            return None
        left_ms = math.ceil((_RESET_S - arrival.at) * 1_000)
        return Fault(
            status=429,
            headers={"retry-after-ms": str(left_ms), "retry-after": str(-(-left_ms // 1_000))},
        )

    provider = _bucket(callers, seed=seed, stop_after=stop_after)
    return _drive(work, provider, starts, sdk, until_reset)


def outage_probe(
    work: Work,
    *,
    callers: int = 8,
    charge_rejected: float = 1.0,
    sdk: Sdk = "anthropic",
    seed: int = 0,
    stop_after: float = 3_600.0,
) -> Trace:
    """Answer 529 for 30 s to callers that ask for 70 % of a limit: do they recover (RL304)?

    Each caller begins a call every four seconds, whether or not its last one has ended, for 60 s
    before the outage and 100 s after it.

    Args:
        work: Makes one call, as for `policy_probe`.
        callers: Callers, at least 2.
        charge_rejected: Share of a refused attempt's cost that is charged, from 0 to 1. Source:
            OpenAI counts refused requests against the limit (platform.openai.com, 2026-11-25).
        sdk: As for `policy_probe`.
        seed: Seed of the random numbers.
        stop_after: Virtual seconds after which the run is stopped, above 0.

    Returns:
        The trace.

    Raises:
        TypeError: As for `policy_probe`.
        ValueError: An argument is out of its range.
        Exception: As for `policy_probe`.
    """
    step_s = _PERIOD_S / _at_least_two(callers)
    until_s = _OUTAGE_FROM_S + _OUTAGE_S + _AFTER_S
    starts = [number * step_s for number in range(round(until_s / step_s))]
    overloaded = Fault(status=529)

    def down(arrival: Arrival) -> Fault | None:
        out = _OUTAGE_FROM_S <= arrival.at < _OUTAGE_FROM_S + _OUTAGE_S
        return overloaded if out else None

    per_minute = 60 * _TOKENS / step_s / _LOAD
    provider = FakeProvider(
        tokens_per_request=_TOKENS,
        tokens_per_minute=math.ceil(per_minute),
        algorithm="token-bucket",
        burst=math.ceil(per_minute / 60) + _TOKENS,
        charge_rejected=charge_rejected,
        latency=_SERVICE_S,
        seed=seed,
        stop_after=stop_after,
    )
    return _drive(work, provider, starts, sdk, down, callers=callers)


def _at_least_two(callers: int) -> int:
    """Return the number of callers, or raise the one error that names what is allowed."""
    if isinstance(callers, bool) or not isinstance(callers, int) or callers < 2:
        raise ValueError(f"callers must be a whole number, at least 2, got {callers!r}")
    return callers


def _bucket(
    callers: int, *, seed: int, stop_after: float, charge_rejected: float = 0.0
) -> FakeProvider:
    """Return a provider that admits a third of the callers at once, and two more a second."""
    return FakeProvider(
        tokens_per_request=_TOKENS,
        tokens_per_minute=120 * _TOKENS,
        algorithm="token-bucket",
        burst=max(1, callers // _ADMITTED) * _TOKENS,
        charge_rejected=charge_rejected,
        latency=ServiceTime(mean=_SERVICE_S),
        seed=seed,
        stop_after=stop_after,
    )


@dataclass(frozen=True)
class _Call:
    """One call to make.

    Args:
        name: The name of its caller.
        start_s: Virtual seconds at which it begins.
    """

    name: str
    start_s: float


def _drive(
    work: Work,
    provider: FakeProvider,
    starts: Sequence[float],
    sdk: Sdk,
    script: Callable[[Arrival], Fault | None] | None = None,
    *,
    callers: int | None = None,
) -> Trace:
    """Make the calls that start at these instants, callers in turn, and return the trace."""
    if sdk not in _CLIENTS:
        raise ValueError(f"sdk must be one of {', '.join(_CLIENTS)}, got {sdk!r}")
    takes_client = _takes_client(work)
    turns = len(starts) if callers is None else callers
    calls = [_Call(f"caller-{n % turns}", start) for n, start in enumerate(starts)]
    errors: list[Exception] = []
    # Where the provider stops the run, the trace says so.
    with suppress(RunStopped), provider:
        if script is not None:
            provider.script(script)
        if _is_async(work):
            asyncio.run(_async_calls(work, calls, sdk if takes_client else None, errors))
        else:
            _sync_calls(work, calls, sdk if takes_client else None, errors)
    trace = provider.trace
    if not trace.attempts and errors:
        raise errors[0]
    return trace


def _takes_client(work: Work) -> bool:
    """Return True if a function takes a client, False if it takes nothing."""
    allowed = "work must be a function of one SDK client or of nothing"
    if not callable(work):
        raise TypeError(f"{allowed}, got {work!r}")
    required = [
        parameter
        for parameter in inspect.signature(work).parameters.values()
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


def _client(sdk: Sdk, *, asynchronous: bool) -> Any:
    """Return a default client of an SDK; its key and address are in the environment."""
    import importlib

    return getattr(importlib.import_module(sdk), "Async" * asynchronous + _CLIENTS[sdk])()


async def _async_calls(
    work: Work, calls: Sequence[_Call], sdk: Sdk | None, errors: list[Exception]
) -> None:
    """Make the calls, each in a task of its own."""
    async with AsyncExitStack() as stack:
        arguments: tuple[Any, ...] = ()
        if sdk is not None:
            arguments = (await stack.enter_async_context(_client(sdk, asynchronous=True)),)

        async def make(call: _Call) -> None:
            await asyncio.sleep(call.start_s)
            with caller(call.name):
                try:
                    await work(*arguments)  # type: ignore[misc]  # a coroutine function
                except Exception as error:  # noqa: BLE001 - giving up is what is probed
                    errors.append(error)

        await asyncio.gather(*(make(call) for call in calls))


def _sync_calls(
    work: Work, calls: Sequence[_Call], sdk: Sdk | None, errors: list[Exception]
) -> None:
    """Make the calls, each in a thread of its own."""
    with ExitStack() as stack:
        arguments: tuple[Any, ...] = ()
        if sdk is not None:
            arguments = (stack.enter_context(_client(sdk, asynchronous=False)),)

        def make(call: _Call) -> None:
            with caller(call.name):
                try:
                    work(*arguments)
                except Exception as error:  # noqa: BLE001 - giving up is what is probed
                    errors.append(error)

        threads = []
        began = time.monotonic()
        for call in calls:
            pause = began + call.start_s - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            threads.append(threading.Thread(target=make, args=(call,), name=call.name))
            threads[-1].start()
        for thread in threads:
            thread.join()
