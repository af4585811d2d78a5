"""Suites whose tests take no fixture by argument, and tests that Hypothesis runs many times."""

from __future__ import annotations

import pytest

import pytest_ratelimit
from pytest_ratelimit import current

CLIENT = """
    import asyncio
    import time
    import unittest

    import httpx
    import pytest
    from fake_provider import FakeProvider
    from hypothesis import HealthCheck, given, settings, strategies as st
    from pytest_ratelimit import current

    URL = "https://api.anthropic.com/v1/messages"
    MESSAGES = [{"role": "user", "content": "hello"}]
    ASKED = {
        "json": {"model": "claude-sonnet-5", "max_tokens": 16, "messages": MESSAGES},
        "headers": {"x-api-key": "key", "anthropic-version": "2023-06-01"},
    }

    def ask():
        return httpx.post(URL, **ASKED).status_code

    async def ask_async():
        async with httpx.AsyncClient() as client:
            return (await client.post(URL, **ASKED)).status_code

    many = settings(max_examples=5, deadline=None, database=None, derandomize=True)
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run a test file, and return pytester's result."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run_file(source: str, *args: str) -> pytest.RunResult:
        pytester.makepyfile(client=CLIENT)
        pytester.makepyfile("from client import *\n\n" + source)
        return pytester.runpytest("-p", "pytest_ratelimit.plugin", "-p", "no:cacheprovider", *args)

    return run_file


def test_a_marked_case_of_unittest_is_covered_from_its_set_up_on(run):
    """The class's marker holds for each method, a method's own comes first, `setUp` included."""
    result = run(
        """
@pytest.mark.ratelimit(requests_per_minute=2)
class TestIt(unittest.TestCase):
    def setUp(self):
        self.assertEqual(ask(), 200)

    def test_the_class(self):
        self.assertEqual([ask(), ask()], [200, 429])
        time.sleep(3600)
        self.assertEqual(current().clock.elapsed(), 3601.0)

    @pytest.mark.ratelimit(requests_per_minute=1)
    def test_the_method(self):
        self.assertEqual(ask(), 429)

    def tearDown(self):
        self.assertEqual(current().trace.attempts[0].status, 200)
"""
    )
    result.assert_outcomes(passed=2)


def test_an_async_case_of_unittest_is_covered(run):
    """`IsolatedAsyncioTestCase` runs its loop in virtual time, set-up and clean-up included."""
    result = run(
        """
@pytest.mark.ratelimit(requests_per_minute=2)
class TestIt(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        assert await ask_async() == 200

    async def test_it(self):
        answers = await asyncio.gather(ask_async(), ask_async())
        assert sorted(answers) == [200, 429]
        await asyncio.sleep(3600)
        assert current().clock.elapsed() == 3601.0

    async def asyncTearDown(self):
        assert len(current().trace.attempts) == 3
"""
    )
    result.assert_outcomes(passed=1)


def test_a_fixture_that_is_used_and_not_named_is_current(run):
    """`usefixtures` opens it; helpers find it where no argument reaches, also in other threads."""
    result = run(
        """
import threading

@pytest.mark.usefixtures("fake_provider")
def test_it(request):
    ask()
    found = []
    worker = threading.Thread(target=lambda: found.append(current()))
    worker.start()
    worker.join()
    assert found == [request.getfixturevalue("fake_provider")]
    assert len(current().trace.attempts) == 1
"""
    )
    result.assert_outcomes(passed=1)


def test_without_the_fixture_nothing_is_current():
    """The error says how a test gets a provider."""
    with pytest.raises(LookupError, match=r"no test that uses the fixture .*usefixtures"):
        current()


def test_current_is_the_very_function_of_the_package():
    """Its name is public, and stands for one function."""
    assert pytest_ratelimit.current is current


SHARED = "*test_*.py:*: fake_provider would be shared by every example of @given*"


@pytest.mark.parametrize(
    "test",
    [
        "@many\n@given(n=st.integers())\ndef test_it(fake_provider, n): ask()",
        "@pytest.mark.ratelimit(seed=1)\n@many\n@given(st.integers())\ndef test_it(n): ask()",
        """
class TestIt(unittest.TestCase):
    @pytest.mark.usefixtures("fake_provider")
    @given(st.integers())
    def test_it(self, n): ask()
""",
    ],
    ids=["argument", "marker", "unittest"],
)
def test_examples_that_would_share_a_provider_are_told_of_the_context_manager(run, test):
    """The message stands at the test, shows what to write, and comes before the first example."""
    result = run(test)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([SHARED, "*with FakeProvider(requests_per_minute=10) as provider:"])
    result.stdout.no_fnmatch_line("*HealthCheck*FailedHealthCheck*")


def test_examples_may_share_a_provider_on_purpose(run):
    """Whoever suppresses Hypothesis's own check gets one trace of all examples."""
    result = run(
        """
@settings(many, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers())
def test_it(fake_provider, n):
    assert ask() == 200
"""
    )
    result.assert_outcomes(passed=1)


def test_a_marker_of_a_whole_module_leaves_examples_alone(run):
    """A test of Hypothesis in a marked module opens its own provider, for each example."""
    result = run(
        """
pytestmark = pytest.mark.ratelimit(requests_per_minute=1)

@many
@given(n=st.integers())
def test_examples(n):
    with FakeProvider(requests_per_minute=1) as provider:
        assert [ask(), ask()] == [200, 429]
        assert len(provider.trace.attempts) == 2

def test_others():
    assert [ask(), ask()] == [200, 429]
"""
    )
    result.assert_outcomes(passed=2)


def test_a_second_provider_inside_a_test_is_told_of_the_first(run):
    """One virtual clock a process: the error names the fixture that has opened it."""
    result = run("def test_it(fake_provider):\n    with FakeProvider(): ask()")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *open in this process already*the fixture fake_provider*"])


def test_after_a_failed_test_nothing_is_current(run):
    """A test that fails gives its provider up like any other."""
    result = run(
        """
def test_fails(fake_provider):
    ask()
    raise AssertionError

def test_next():
    with pytest.raises(LookupError):
        current()
"""
    )
    result.assert_outcomes(passed=1, failed=1)
