"""The plugin: one marker, one fixture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Imported here because pytester forgets what a nested run imported, and the SDKs take seconds.
import anthropic  # noqa: F401
import anyio  # noqa: F401
import pytest
import trio  # noqa: F401

import fake_provider._mockers
import fake_provider._provider  # noqa: F401
import pytest_ratelimit._asserts  # noqa: F401

CLIENT = """
    import anthropic
    import pytest

    def ask(text="hello"):
        client = anthropic.Anthropic(max_retries=0)
        return client.messages.create(
            model="claude-sonnet-5", max_tokens=16, messages=[{"role": "user", "content": text}]
        )
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run a test file that can call `ask()`, and return pytester's result."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run_file(source: str, *args: str) -> pytest.RunResult:
        pytester.makeconftest("")
        pytester.makepyfile(client=CLIENT)
        pytester.makepyfile("from client import *\n\n" + source)
        pytester.makepyprojecttoml(
            "[tool.pytest.ini_options]\nasyncio_default_fixture_loop_scope = 'function'"
        )
        return pytester.runpytest("-p", "pytest_ratelimit.plugin", "-p", "no:cacheprovider", *args)

    return run_file


def test_the_fixture_answers_the_sdk_and_records_a_trace(run):
    """A test that asks for the fixture gets a provider that is open."""
    result = run(
        """
def test_it(fake_provider):
    ask()
    assert [a.status for a in fake_provider.trace.attempts] == [200]
"""
    )
    result.assert_outcomes(passed=1)


def test_the_marker_states_the_limits(run):
    """What the marker says is enforced."""
    result = run(
        """
@pytest.mark.ratelimit(tokens_per_minute=2000, tokens_per_request=1000)
def test_it(fake_provider):
    ask(), ask()
    with pytest.raises(anthropic.RateLimitError):
        ask()
    assert fake_provider.trace.refused[0].reason == "tokens_per_minute"
"""
    )
    result.assert_outcomes(passed=1)


def test_the_nearest_marker_wins_for_each_keyword(run):
    """Function over class over module, keyword by keyword."""
    result = run(
        """
pytestmark = pytest.mark.ratelimit(requests_per_minute=1, latency=1.0, seed=3)

@pytest.mark.ratelimit(requests_per_minute=2, latency=2.0)
class TestIt:
    @pytest.mark.ratelimit(latency=4.0)
    def test_it(self, fake_provider):
        ask()
        ask()
        assert fake_provider.clock.elapsed() == 8.0
        assert fake_provider.trace.seed == 3
"""
    )
    result.assert_outcomes(passed=1)


def test_a_marker_without_the_fixture_pulls_it_in(run):
    """A marked test is covered whether or not it asks for the fixture."""
    result = run(
        """
@pytest.mark.ratelimit(requests_per_minute=1)
def test_it():
    ask()
    with pytest.raises(anthropic.RateLimitError):
        ask()
"""
    )
    result.assert_outcomes(passed=1)


def test_the_fixture_works_in_an_async_test(run):
    """The fixture is synchronous, and is the same under pytest-asyncio and anyio."""
    result = run(
        """
import anyio, asyncio, trio

async def ask_async():
    async with anthropic.AsyncAnthropic(max_retries=0) as client:
        await client.messages.create(
            model="claude-sonnet-5", max_tokens=16, messages=[{"role": "user", "content": "x"}]
        )

@pytest.mark.asyncio
async def test_asyncio(fake_provider):
    await asyncio.gather(*(ask_async() for _ in range(3)))
    assert len(fake_provider.trace.callers) == 3
    assert fake_provider.clock.elapsed() == 0.5

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_anyio(fake_provider, anyio_backend):
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(ask_async)
    assert len(fake_provider.trace.callers) == 3
    assert fake_provider.clock.elapsed() == 0.5
""",
        *("-p", "pytest_asyncio.plugin", "-p", "anyio.pytest_plugin"),
    )
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("tokens_per_minute=0", "tokens_per_minute must be a whole number, at least 1, got 0"),
        (
            "tokens_per_minute=-5",
            "tokens_per_minute must be a whole number, at least 1, got -5",
        ),
        (
            "tokens_per_minute=float('nan')",
            "tokens_per_minute must be a whole number, at least 1, got nan",
        ),
        (
            "token_per_minute=5",
            "unknown keyword 'token_per_minute': did you mean tokens_per_minute?",
        ),
        (
            "preset='anthropic-bild'",
            "preset must be one of anthropic-acceleration, *got 'anthropic-bild'",
        ),
        ("algorithm='leaky'", "algorithm must be one of sliding-window, *, got 'leaky'"),
        ("5", "[*]limits must be Limits(...) values, got 5"),
        ("ignore={'RL999': 'x'}", "ignore names an unknown code 'RL999'*"),
        ("ignore={'RL101': ''}", "ignore['RL101'] must give a reason, got ''"),
    ],
)
def test_a_bad_marker_is_one_clear_error_at_the_test_s_line(run, arguments, message):
    """The error names the argument, its value and what is allowed, and where the test is."""
    result = run(
        f"""
@pytest.mark.ratelimit({arguments})
def test_it(fake_provider):
    pass
"""
    )
    result.assert_outcomes(errors=1)
    pattern = message.replace("[", "[[]") if message.startswith("ignore[") else message
    result.stdout.fnmatch_lines([f"test_a_bad*.py:4: @pytest.mark.ratelimit: {pattern}"])
    assert "Traceback" not in result.stdout.str()
    assert "_fixture.py" not in result.stdout.str()


def test_the_marker_is_listed(run):
    """`pytest --markers` shows the marker with its signature first."""
    result = run("", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.ratelimit(*limits, tokens_per_minute=None,*"])


def test_what_is_no_trace_fails_at_the_line_of_the_test(run):
    """The report of a forgotten `.trace`, or function, has no frame but the test's own."""
    result = run(
        """
from pytest_ratelimit import assert_well_behaved, policy_probe

def test_a_trace(fake_provider):
    assert_well_behaved(fake_provider)

def test_a_function():
    policy_probe(None)
"""
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            ">*assert_well_behaved(fake_provider)",
            "E*TypeError: trace must be a Trace, got a FakeProvider: pass its .trace",
            ">*policy_probe(None)",
            "E*TypeError: work must be a function of one SDK client or of nothing, got None",
        ]
    )
    assert result.stdout.str().count("\n>") == 2


def test_the_summary_of_a_failure_begins_with_the_code(run, monkeypatch):
    """pytest's short summary cuts lines off: the code and the name come first."""
    monkeypatch.setenv("COLUMNS", "160")
    result = run(
        """
from pytest_ratelimit import assert_well_behaved

def test_it(fake_provider):
    assert_well_behaved(fake_provider.trace)
""",
        "-rf",
    )
    result.stdout.fnmatch_lines(["FAILED *::test_it - pytest_ratelimit.FindingsError: RL903 no-*"])


def test_what_a_test_declares_is_in_the_report_of_its_failure(run):
    """A policy and an accepted code, with its reason, stand beside the failure."""
    result = run(
        """
from pytest_ratelimit import Policy

@pytest.mark.ratelimit(ignore={"RL101": "a load test"}, policy=Policy(burst_declared=True))
def test_it(fake_provider):
    assert False

@pytest.mark.ratelimit(policy={"burst_declared": True})
def test_slip(fake_provider):
    pass
"""
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*@pytest.mark.ratelimit: policy must be a Policy, such as *, got {'burst_declared'*",
            "*Captured ratelimit setup*",
            "Judged by burst_declared=True",
            "RL101 is accepted: a load test",
        ]
    )


def test_environment_and_random_are_put_back(run):
    """After the test the SDKs' variables and `random` are as they were."""
    result = run(
        """
import os, random

def test_before():
    os.environ.pop("ANTHROPIC_API_KEY", None)
    random.seed(5)

def test_it(fake_provider):
    assert os.environ["ANTHROPIC_API_KEY"]
    random.random()

def test_after():
    assert "ANTHROPIC_API_KEY" not in os.environ
    after = random.random()
    random.seed(5)
    assert random.random() == after
"""
    )
    result.assert_outcomes(passed=3)


HEAVY = ("asyncio", "httpx", "httpx2", "respx", "freezegun", "anthropic", "openai", "fake_provider")

OWN = ["", "._fixture", "._options", "._run", ".plugin"]


def test_loading_the_plugin_imports_nothing_heavy(pytester):
    """Until the fixture is used, the plugin brings nothing into a run that pytest has not."""
    pytester.makepyfile(
        f"""
import sys

def test_it():
    assert [name for name in {HEAVY!r} if name in sys.modules] == []
    own = sorted(name for name in sys.modules if name.startswith("pytest_ratelimit"))
    assert [name.removeprefix("pytest_ratelimit") for name in own] == {OWN!r}
"""
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    root = str(Path(__file__).parents[2])  # this checkout, whatever is installed
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": root}
    result = subprocess.run(
        [*command, "-p", "pytest_ratelimit.plugin"],
        cwd=pytester.path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in result.stdout, result.stdout + result.stderr
