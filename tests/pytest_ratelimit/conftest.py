"""Fixtures of the tests of the plugin."""

from __future__ import annotations

from pathlib import Path

# Imported here because pytester forgets what a nested run imported, and these take seconds.
import httpx  # noqa: F401
import hypothesis  # noqa: F401
import pytest
import respx  # noqa: F401

import fake_provider._mockers
import fake_provider._provider  # noqa: F401
import pytest_ratelimit._asserts  # noqa: F401
from tests.pytest_ratelimit import gated

PLUGINS = ("-p", "pytest_ratelimit.plugin", "-p", "no:cacheprovider")


@pytest.fixture
def suite(pytester, monkeypatch):
    """Run test files that can import `client`, and return pytester's result."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeconftest("")
    pytester.makepyfile(client=gated.CLIENT)

    def run(source, *args, ini="", subprocess=False):
        if source is not None:
            pytester.makepyfile(test_it=source)
        pytester.makepyprojecttoml(f"[tool.pytest.ini_options]\n{ini}")
        start = pytester.runpytest_subprocess if subprocess else pytester.runpytest
        return start(*PLUGINS, *args)

    return run
