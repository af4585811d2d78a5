"""Fixture: the provider that a test's markers describe."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fake_provider import FakeProvider
    from pytest_ratelimit._accepted import Accepted

NAME = "fake_provider"


def pull_in(item: pytest.Item) -> None:
    """Make a marked test use the fixture, as if it had asked for it first."""
    names = getattr(item, "fixturenames", None)
    if names is not None and NAME not in names and item.get_closest_marker("ratelimit"):
        names.insert(0, NAME)


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
    with accepting(accepts), provider:
        yield provider


def _read_markers(item: pytest.Item) -> tuple[FakeProvider, Accepted]:
    """Return what a test's markers describe, or fail the test at its own line."""
    from fake_provider import FakeProvider
    from pytest_ratelimit._accepted import Accepted
    from pytest_ratelimit._marker import merge

    try:
        settings = merge((mark.args, mark.kwargs) for mark in item.iter_markers("ratelimit"))
        return FakeProvider(*settings.limits, **settings.provider), Accepted(**settings.judge)
    except (TypeError, ValueError) as error:
        message = f"{_location(item)}: @pytest.mark.ratelimit: {error}"
    # Outside the except block, so that no traceback of ours stands above the message.
    pytest.fail(message, pytrace=False)


def _location(item: pytest.Item) -> str:
    """Return path and line of the test's decorators, as an editor opens them."""
    path, line, _ = item.location
    function = getattr(item, "function", None)
    if function is not None:
        line = inspect.getsourcelines(inspect.unwrap(function))[1] - 1
    return f"{path}:{(line or 0) + 1}"
