"""Frameworks over OpenAI's SDK: their requests are answered, their waits are on the clock.

Each runs in a process of its own, by the first interpreter that has it: this one, or one of those
that the variable RATELIMIT_PYTHONS lists (paths, separated by colons). What none of them has is
skipped, and the reason says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.fake_provider.sdks.frameworks import PACKAGES, TEXT, WAIT_S

ROOT = Path(__file__).parents[3]
PYTHONS = (sys.executable, *filter(None, os.environ.get("RATELIMIT_PYTHONS", "").split(":")))
# Requests of one call that is refused for ever. Source: measured with the releases of 2026-11-25.
ATTEMPTS = {"instructor": 3, "langchain": 3, "litellm": 3, "llama-index": 12, "pydantic-ai": 3}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run(python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an interpreter in the checkout."""
    return subprocess.run(
        [python, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@cache
def observed(name: str) -> dict:
    """What a framework does; skips where no interpreter has it."""
    package = PACKAGES[name]
    look = f"import importlib.metadata as m; m.version({package!r}); m.version('openai')"
    python = next((each for each in PYTHONS if run(each, "-c", look).returncode == 0), None)
    if python is None:
        pytest.skip(f"{package} is not installed for any of {', '.join(PYTHONS)}")
    done = run(python, "-m", "tests.fake_provider.sdks.frameworks", name)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", PACKAGES)
def test_a_refused_request_is_retried_after_the_wait_and_answered(name):
    """One refusal, a wait as long as the hint in virtual time, and the scripted text."""
    seen = observed(name)
    assert seen["text"] == TEXT
    assert seen["statuses"] == [429, 200]
    assert seen["gaps"] == [WAIT_S]


@pytest.mark.parametrize("name", PACKAGES)
def test_one_call_makes_as_many_requests_as_its_layers_multiply_to(name):
    """Nothing but refusals ends in an error, after a number of requests that is known."""
    seen = observed(name)
    assert seen["refused"] == ATTEMPTS[name]
    assert seen["calls"] == 1
    assert seen["error"] is not None
    assert seen["elsewhere"] == []
