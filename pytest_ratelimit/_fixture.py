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
_open: list[FakeProvider] = []

_SHARED = """\
{location}: fake_provider would be shared by every example of @given, and so would its trace.
Open one inside the test, for each example; it takes the keywords of the marker:

    with FakeProvider(requests_per_minute=10) as provider:
        ...
        assert_well_behaved(provider.trace)

To share one on purpose, suppress HealthCheck.function_scoped_fixture."""


def current() -> FakeProvider:
    """Return the provider of the running test, where no argument can bring it.

    For `unittest.TestCase` and `@pytest.mark.usefixtures("fake_provider")`: what the fixture
    `fake_provider` of the running test is.

    Returns:
        The provider, which is open.

    Raises:
        LookupError: The running test does not use the fixture, or no test is running.
    """
    if not _open:
        raise LookupError(
            "no test that uses the fixture fake_provider is running: mark the test or its class "
            'with @pytest.mark.ratelimit(...) or @pytest.mark.usefixtures("fake_provider")'
        )
    return _open[-1]


def pull_in(item: pytest.Item) -> None:
    """Make a test use the fixture, as if it had asked for it first.

    A marked test does; with `ratelimit_autouse` every test does. A test of Hypothesis does only
    where the marker is its own: its examples would share one trace.
    """
    names = getattr(item, "fixturenames", None)
    if names is None or NAME in names:
        return
    marker = item.get_closest_marker("ratelimit")
    if _has_examples(item) and marker not in item.own_markers:
        return
    if marker:
        names.insert(0, NAME)
    elif item.config.stash[OPTIONS].autouse and getattr(item, "obj", None) is not None:
        item.stash[_unasked] = True
        names.insert(0, NAME)


def _has_examples(item: pytest.Item) -> bool:
    """Tell whether Hypothesis runs the test, each example in a call of its own."""
    return getattr(getattr(item, "obj", None), "is_hypothesis_test", False)


def _shares_on_purpose(item: pytest.Item) -> bool:
    """Tell whether a test of Hypothesis says that its examples may share a fixture."""
    settings = getattr(item.obj, "_hypothesis_internal_use_settings", None)  # type: ignore[attr-defined]
    suppressed = getattr(settings, "suppress_health_check", ())
    return "function_scoped_fixture" in {check.name for check in suppressed}


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

    if _has_examples(item) and not _shares_on_purpose(item):
        pytest.fail(_SHARED.format(location=_location(item)), pytrace=False)
    provider, accepts = _read_markers(item)
    if accepts.declared:
        item.add_report_section("setup", "ratelimit", "\n".join(accepts.declared) + "\n")
    item.stash[OPENED] = Opened(provider, accepts, not item.stash.get(_unasked, False))
    with accepting(accepts), provider:
        _open.append(provider)
        try:
            yield provider
        finally:
            _open.remove(provider)


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
