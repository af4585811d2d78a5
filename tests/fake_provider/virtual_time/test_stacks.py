"""The frames of all threads, read while rubbish waits to be collected."""

from __future__ import annotations

import gc
import sys
import threading

import pytest

from fake_provider.virtual_time._stacks import current_frames


@pytest.mark.parametrize("collects", [True, False])
def test_reading_frames_collects_no_garbage(monkeypatch, collects):
    """A collection in the middle would block the process; afterwards all is as it was."""
    seen = []
    real = sys._current_frames

    def spy():
        seen.append(gc.isenabled())
        return real()

    monkeypatch.setattr(sys, "_current_frames", spy)
    if not collects:
        gc.disable()
    try:
        frames = current_frames()
        assert gc.isenabled() is collects
    finally:
        gc.enable()
    assert seen == [False]
    assert threading.get_ident() in frames
