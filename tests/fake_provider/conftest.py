"""Fixtures that the doors' tests share."""

from __future__ import annotations

import asyncio
import time

import pytest


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list that gets sleeps instead of their being slept; asyncio tasks still take turns."""
    entries: list[str] = []
    take_turns = asyncio.sleep

    async def async_sleep(seconds: float) -> None:
        entries.append(f"sleep {seconds:g}")
        await take_turns(0)

    monkeypatch.setattr(time, "sleep", lambda seconds: entries.append(f"sleep {seconds:g}"))
    monkeypatch.setattr(asyncio, "sleep", async_sleep)
    return entries
