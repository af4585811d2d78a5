"""The pytest plugin: options, one marker, one fixture; no logic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fake_provider import FakeProvider


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings and the options of the command line."""
    from pytest_ratelimit._options import register

    register(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and what this run asks for beside."""
    from pytest_ratelimit._run import prepare

    prepare(config)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say that the gate is on; nothing while it is off."""
    from pytest_ratelimit._run import header

    return header(config)


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Pull the fixture in where a test has the marker and does not ask for the fixture."""
    from pytest_ratelimit._fixture import pull_in

    pull_in(item)


@pytest.fixture
def fake_provider(request: pytest.FixtureRequest) -> Iterator[FakeProvider]:
    """A fake LLM provider that enforces the limits of @pytest.mark.ratelimit on a virtual clock."""
    from pytest_ratelimit._fixture import provider_for

    with provider_for(request.node) as provider:
        yield provider
