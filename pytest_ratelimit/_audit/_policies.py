"""Policies: objects of retry libraries, put around a plain call with the SDK's own retries off."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from fake_provider._driver import Sdk, Work
from pytest_ratelimit._checks._text import many

# What a part of a policy answers for; the rest of the loop around it is ours.
_WAIT_CODES = frozenset({"RL101", "RL102", "RL103", "RL104", "RL106", "RL107"})
_STOP_CODES = frozenset({"RL111"})
_RETRY_CODES = frozenset({"RL121"})
_ATTEMPTS = 6
_CURABLE = frozenset({429, 503, 529})
_QUESTION = [{"role": "user", "content": "What changed?"}]
_ANTHROPIC = {"model": "claude-sonnet-5", "max_tokens": 10, "messages": _QUESTION}
_OPENAI = {"model": "gpt-5", "messages": _QUESTION}

# Makes one plain call with a client, and what a policy makes of that.
Asking = Callable[[Any], Any]


class Around(NamedTuple):
    """A policy around a plain call.

    Args:
        how: How it is called, in a few words.
        work: Makes one call with a client.
        codes: The codes that it answers for; None for all.
    """

    how: str
    work: Work
    codes: frozenset[str] | None = None


def around(found: Any, sdk: Sdk) -> Around | None:
    """Put a policy of tenacity, backoff or stamina around a plain call; None if it is none.

    Args:
        found: What may be a policy, or a part of one.
        sdk: The SDK that is asked.
    """
    function = found.func if isinstance(found, partial) else found
    kinds = (function,) if inspect.isroutine(function) else type(function).__mro__
    libraries = {(kind.__module__ or "").partition(".")[0] for kind in kinds}
    if "tenacity" in libraries:
        return _tenacity(found, sdk)
    if "backoff" in libraries:
        return _backoff(found, sdk)
    if "stamina" in libraries:
        return _stamina(found, sdk)
    return None


def ask_plainly(client: Any, sdk: Sdk) -> Any:
    """Make one plain call; a coroutine where the client is asynchronous."""
    if sdk == "openai":
        return client.chat.completions.create(**_OPENAI)
    return client.messages.create(**_ANTHROPIC)


def _is_curable(error: BaseException) -> bool:
    """Return True for an answer that waiting can cure."""
    return getattr(error, "status_code", None) in _CURABLE


def _is_not_curable(error: BaseException) -> bool:
    """Return True for an answer that no wait can cure."""
    return not _is_curable(error)


def _decorated(decorate: Callable[[Asking], Asking], sdk: Sdk) -> Work:
    """Return what a decorator makes of a function that makes a plain call."""

    def ask(client: Any) -> Any:
        return ask_plainly(client.with_options(max_retries=0), sdk)

    decorated = decorate(ask)

    # Of one argument, whatever the library's own wrapper says that it takes.
    def work(client: Any) -> Any:
        return decorated(client)

    return work


def _decorated_async(decorate: Callable[[Asking], Asking], sdk: Sdk) -> Work:
    """Return what a decorator makes of a coroutine function that makes a plain call."""

    async def ask(client: Any) -> Any:
        return await ask_plainly(client.with_options(max_retries=0), sdk)

    decorated = decorate(ask)

    async def work(client: Any) -> Any:
        return await decorated(client)

    return work


def _tenacity(found: Any, sdk: Sdk) -> Around | None:
    """Put a policy of tenacity around a plain call."""
    import tenacity

    if isinstance(found, tenacity.AsyncRetrying):
        work = _decorated_async(lambda ask: lambda client: found.copy()(ask, client), sdk)
        return Around(f"{type(found).__name__} around a plain call, SDK retries off", work)

    # A copy for each call: a policy object keeps statistics of the call that it is in.
    def wrapped(policy: Any) -> Work:
        return _decorated(lambda ask: lambda client: policy.copy()(ask, client), sdk)

    if isinstance(found, tenacity.BaseRetrying):
        how = f"{type(found).__name__} around a plain call, SDK retries off"
        return Around(how, wrapped(found))
    give_up = tenacity.stop_after_attempt(_ATTEMPTS)
    spread = tenacity.wait_random_exponential(multiplier=2, max=60)
    curable = tenacity.retry_if_exception(_is_curable)
    loop = partial(tenacity.Retrying, reraise=True)
    if isinstance(found, tenacity.wait.wait_base):
        policy = loop(wait=found, stop=give_up, retry=curable)
        return Around(_WAIT, wrapped(policy), _WAIT_CODES)
    if isinstance(found, tenacity.stop.stop_base):
        policy = loop(wait=spread, stop=found, retry=curable)
        return Around("a stop around a plain call, full jitter", wrapped(policy), _STOP_CODES)
    if isinstance(found, tenacity.retry_base):
        policy = loop(wait=spread, stop=give_up, retry=found)
        return Around("a condition around a plain call", wrapped(policy), _RETRY_CODES)
    return None


_WAIT = f"a wait around a plain call, {many(_ATTEMPTS, 'attempt')}"


def _backoff(found: Any, sdk: Sdk) -> Around | None:
    """Put a decorator of backoff, or one of its generators of waits, around a plain call."""
    if inspect.isgeneratorfunction(found):
        import backoff

        loop = backoff.on_exception(
            found, Exception, max_tries=_ATTEMPTS, giveup=_is_not_curable, logger=None
        )
        return Around(f"{_WAIT}, full jitter", _decorated(loop, sdk), _WAIT_CODES)
    if _is_decorator(found):
        how = "backoff's decorator around a plain call, SDK retries off"
        return Around(how, _decorated(found, sdk))
    return None


def _stamina(found: Any, sdk: Sdk) -> Around | None:
    """Put a decorator or a caller of stamina around a plain call."""
    import stamina

    callers = (stamina.RetryingCaller, stamina.BoundRetryingCaller)
    async_callers = (stamina.AsyncRetryingCaller, stamina.BoundAsyncRetryingCaller)
    if isinstance(found, callers + async_callers):
        how = f"stamina's {type(found).__name__} around a plain call, SDK retries off"
        # Its condition is bound to it, or told to it at each call.
        is_told = "on" in inspect.signature(type(found).__call__).parameters
        caller: Any = found
        call = partial(caller, _is_curable) if is_told else caller
        decorate = _decorated_async if isinstance(found, async_callers) else _decorated
        return Around(how, decorate(lambda ask: partial(call, ask), sdk))
    if _is_decorator(found):
        how = "stamina's decorator around a plain call, SDK retries off"
        return Around(how, _decorated(found, sdk))
    return None


def _is_decorator(found: Any) -> bool:
    """Tell whether a library's function made this one, to be put on a user's function."""
    return "<locals>" in getattr(found, "__qualname__", "")
