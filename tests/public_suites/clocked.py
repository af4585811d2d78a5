"""A pytest plugin that opens a virtual clock around each test."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from fake_provider.virtual_time import VirtualClock

virtual_s: list[float] = []
warnings: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Run the test in virtual time; its fixtures stay in real time."""
    with VirtualClock() as clock:
        try:
            return (yield)
        finally:
            virtual_s.append(clock.elapsed())
            warnings.extend(f"{item.name}: {warning}" for warning in clock.warnings)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell how much virtual time passed, and which borders of it were crossed."""
    for warning in warnings:
        terminalreporter.line(f"border: {warning}")
    terminalreporter.line(f"{sum(virtual_s):.1f} virtual seconds in {len(virtual_s)} tests")
