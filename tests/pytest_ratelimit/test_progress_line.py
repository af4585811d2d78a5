"""The progress line: on a terminal only, and gone at the end."""

from __future__ import annotations

import io
import sys

import pytest

from pytest_ratelimit._progress import following

STEPS = [("auditing a", 1), ("auditing b", 2)]


class Terminal(io.StringIO):
    """A standard error at which somebody looks."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_each_step_and_nothing_afterwards(monkeypatch):
    """Each text replaces the one before, and the last leaves an empty line."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(following(STEPS)) == [1, 2]
    shown = sys.stderr.getvalue().split("\r\x1b[K")
    assert shown == ["", "auditing a (1 of 2)", "auditing b (2 of 2)", ""]


def test_a_step_that_fails_leaves_no_line(monkeypatch):
    """An error message begins on an empty line."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(ZeroDivisionError):
        [1 // (step - 1) for step in following(STEPS)]
    assert sys.stderr.getvalue().endswith("\r\x1b[K")


def test_a_file_gets_nothing(capsys):
    """Where the standard error is no terminal, as in CI, nothing is written."""
    assert list(following(STEPS)) == [1, 2]
    assert capsys.readouterr() == ("", "")
