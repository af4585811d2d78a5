"""Commands whose reader leaves early end without a word."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fake_provider._pipe import LEFT


@pytest.mark.parametrize(
    "command",
    [
        ["fake_provider", "presets"],
        ["pytest_ratelimit", "explain", "all"],
        ["pytest_ratelimit", "explain", "RL112"],
    ],
    ids=" ".join,
)
def test_a_reader_that_leaves_ends_a_command_quietly(command):
    """A pipe that nobody reads any more is no error of the command's."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == LEFT


def test_a_reader_that_stays_gets_everything():
    """The status is the command's own, and the last line has arrived."""
    command = [sys.executable, "-m", "pytest_ratelimit", "explain", "all"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].startswith("RL903")
