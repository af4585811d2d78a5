"""Subject: the thing that is audited, and the function that makes one call with it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

from fake_provider._driver import Sdk, Work
from pytest_ratelimit._audit._policies import around, ask_plainly


class SubjectError(Exception):
    """What was named cannot be audited; the message says why, and what can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is audited.

    Args:
        name: `package.module:name`, as the user wrote it.
        how: How it is called, in a few words.
        work: Makes one call; sync or async, of an SDK client or of nothing.
        sdk: The SDK whose client `work` takes.
        codes: The codes that it answers for; None for all.
    """

    name: str
    how: str
    work: Work
    sdk: Sdk
    codes: frozenset[str] | None = None


def load(name: str, sdk: Sdk | None = None) -> Subject:
    """Import what a name stands for, and decide how it makes a call.

    Args:
        name: `package.module:name`, the name with dots for attributes.
        sdk: The SDK whose client a function takes; None goes by the parameter's name and
            annotation, and is Anthropic's where these do not say.

    Raises:
        SubjectError: There is no such thing, or it makes no call.
    """
    module, _, path = name.partition(":")
    if not (module and path):
        raise SubjectError(f"name must be package.module:callable, got {name!r}")
    try:
        found = attrgetter(path)(importlib.import_module(module))
    except Exception as error:
        raise SubjectError(f"cannot import {name}: {type(error).__name__}: {error}") from error
    return as_subject(found, name, sdk)


def as_subject(found: Any, name: str, sdk: Sdk | None = None) -> Subject:
    """Decide how an object makes a call.

    Args:
        found: A function, a retry library's policy or a part of one, or an SDK client or its class.
        name: What to call it.
        sdk: As for `load`.

    Raises:
        SubjectError: It makes no call.
    """
    own = _client_sdk(found)
    if own is not None:
        return _of_client(found, name, own)
    policy = around(found, sdk or "anthropic")
    if policy is not None:
        return Subject(name=name, sdk=sdk or "anthropic", **policy._asdict())
    if not callable(found) or inspect.isclass(found):
        raise SubjectError(
            f"{name} must be a function of one SDK client or of nothing, a policy of tenacity, "
            f"backoff or stamina, or an SDK client, got {found!r}"
        )
    return _of_function(found, name, sdk)


def _of_function(found: Work, name: str, sdk: Sdk | None) -> Subject:
    """Return the subject that calls a function."""
    try:
        parameters = [p for p in inspect.signature(found).parameters.values() if _required(p)]
    except ValueError:
        raise SubjectError(f"{name} is {found!r}, whose arguments are not known") from None
    if len(parameters) > 1 or any(p.kind is p.KEYWORD_ONLY for p in parameters):
        given = ", ".join(p.name for p in parameters)
        raise SubjectError(
            f"{name} must take one SDK client or nothing, got a function of ({given}): name one "
            "that fills them in, such as functools.partial or a wrapper"
        )
    if not parameters:
        return Subject(name=name, how="called with no argument", work=found, sdk=sdk or "anthropic")
    (parameter,) = parameters
    if parameter.name == "self":
        raise SubjectError(f"{name} is a method without its object: name that of an instance")
    chosen = sdk or _sdk_of(parameter)
    return Subject(name=name, how=f"called with a client of {chosen}", work=found, sdk=chosen)


def _required(parameter: inspect.Parameter) -> bool:
    """Return True if a call must give this argument."""
    variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not variadic


def _sdk_of(parameter: inspect.Parameter) -> Sdk:
    """Return the SDK that a parameter names, in its annotation or its name."""
    annotation = parameter.annotation
    module = getattr(annotation, "__module__", "") if inspect.isclass(annotation) else ""
    text = f"{module} {annotation} {parameter.name}".lower()
    return "openai" if "openai" in text else "anthropic"


# ---------------------------------------------------------------------- SDK clients


def _client_sdk(found: Any) -> Sdk | None:
    """Return the SDK of a client or of a client's class, None for anything else."""
    kind = found if inspect.isclass(found) else type(found)
    modules = {base.__module__.partition(".")[0] for base in kind.__mro__}
    if not (hasattr(kind, "with_options") and hasattr(kind, "post")):
        return None
    if "anthropic" in modules:
        return "anthropic"
    return "openai" if "openai" in modules else None


def _of_client(found: Any, name: str, sdk: Sdk) -> Subject:
    """Return the subject that asks one plain question with a client of the user's."""
    kind: Any = found if inspect.isclass(found) else type(found)

    @cache
    def client() -> Any:
        # A class is called once the provider has set the key that it asks for.
        return found() if inspect.isclass(found) else found

    asynchronous = inspect.iscoroutinefunction(kind.post)
    how = f"a plain call of {kind.__name__}'s own retries"
    return Subject(name=name, how=how, work=_asker(client, sdk, asynchronous=asynchronous), sdk=sdk)


def _asker(client: Callable[[], Any], sdk: Sdk, *, asynchronous: bool) -> Work:
    """Return a function of nothing that asks one question."""
    if asynchronous:

        async def ask_async() -> None:
            await ask_plainly(client(), sdk)

        return ask_async

    def ask() -> None:
        ask_plainly(client(), sdk)

    return ask
