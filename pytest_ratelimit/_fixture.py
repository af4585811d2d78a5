"""Fixture: the provider that a test's markers describe."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_ratelimit import _options
from pytest_ratelimit._options import OPTIONS

if TYPE_CHECKING:
    from fake_provider import FakeProvider
    from pytest_ratelimit._accepted import Accepted

NAME = "fake_provider"


@dataclass(frozen=True, slots=True)
class Opened:
    """The provider of a test.

    Args:
        provider: The provider.
        accepts: What the test accepts.
        asked_for: False where only `ratelimit_autouse` opened it.
    """

    provider: FakeProvider
    accepts: Accepted
    asked_for: bool


OPENED = pytest.StashKey[Opened]()
_unasked = pytest.StashKey[bool]()


def pull_in(item: pytest.Item) -> None:
    """Make a test use the fixture, as if it had asked for it first.

    A marked test does; with `ratelimit_autouse` every test does, but for those of Hypothesis:
    their examples would share one trace.
    """
    names = getattr(item, "fixturenames", None)
    if names is None or NAME in names:
        return
    if item.get_closest_marker("ratelimit"):
        names.insert(0, NAME)
    elif item.config.stash[OPTIONS].autouse and not _has_examples(item):
        item.stash[_unasked] = True
        names.insert(0, NAME)


def _has_examples(item: pytest.Item) -> bool:
    """Tell whether Hypothesis runs the test, or no function is behind it."""
    function = getattr(item, "obj", None)
    return function is None or getattr(function, "is_hypothesis_test", False)


@contextmanager
def provider_for(item: pytest.Item) -> Iterator[FakeProvider]:
    """Open the provider for a test.

    Args:
        item: The test.

    Raises:
        pytest.fail.Exception: An argument of the marker is wrong; the message names it, its value
            and what is allowed, and where the test is.
    """
    from pytest_ratelimit._accepted import accepting

    provider, accepts = _read_markers(item)
    if accepts.declared:
        item.add_report_section("setup", "ratelimit", "\n".join(accepts.declared) + "\n")
    item.stash[OPENED] = Opened(provider, accepts, not item.stash.get(_unasked, False))
    with accepting(accepts), provider:
        yield provider


def _read_markers(item: pytest.Item) -> tuple[FakeProvider, Accepted]:
    """Return what markers and settings describe, or fail the test at its own line."""
    from fake_provider import FakeProvider
    from pytest_ratelimit._accepted import Accepted
    from pytest_ratelimit._marker import merge

    source = f"{item.config.inipath}: ratelimit settings"
    try:
        stated = _options.keywords(item.config)
        if stated:  # on their own first: a marker is not to be blamed for them
            settings = merge([((), stated)])
            FakeProvider(**settings.provider)
            Accepted(**settings.judge)
        source = f"{_location(item)}: @pytest.mark.ratelimit"
        markers = [(mark.args, mark.kwargs) for mark in item.iter_markers("ratelimit")]
        settings = merge([*markers, ((), stated)])
        return FakeProvider(*settings.limits, **settings.provider), Accepted(**settings.judge)
    except (TypeError, ValueError) as error:
        message = f"{source}: {error}"
    # Outside the except block, so that no traceback of ours stands above the message.
    pytest.fail(message, pytrace=False)


def _location(item: pytest.Item) -> str:
    """Return path and line of the test's decorators, as an editor opens them."""
    path, line, _ = item.location
    function = getattr(item, "function", None)
    if function is not None:
        line = inspect.getsourcelines(inspect.unwrap(function))[1] - 1
    return f"{path}:{(line or 0) + 1}"
