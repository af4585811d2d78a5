"""The pytest plugin: one marker, one fixture; no logic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fake_provider import FakeProvider


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker (https://docs.pytest.org/en/stable/reference/reference.html#hooks)."""
    config.addinivalue_line(
        "markers",
        "ratelimit(*limits, tokens_per_minute=None, requests_per_minute=None, window=60.0, ...): "
        "the limits that fake_provider enforces, and how it answers",
    )


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
