"""The gate: a test fails for what its code sent, once, where and when pytest expects it."""

from __future__ import annotations

import pytest

from tests.pytest_ratelimit.gated import SUITE

HEAD = "from client import *\n"
LIMITS = "@pytest.mark.ratelimit(tokens_per_minute=1_000_000, tokens_per_request=400_000)\n"
LOCKSTEP = f"{HEAD}{LIMITS}def test_lockstep():\n    lockstep()\n"
GATE = "ratelimit_gate = true\n"


def test_without_the_gate_nothing_is_judged_and_nothing_is_printed(suite):
    """A suite that asks for no verdict gets none, and no line more."""
    result = suite(SUITE)
    result.assert_outcomes(passed=5)
    assert "ratelimit" not in result.stdout.str().split("collected")[1]
    result.stdout.no_fnmatch_line("ratelimit: *")


def test_the_gate_fails_a_test_once_in_its_call(suite):
    """An error is one failure of the test itself, whose first line names code and count."""
    result = suite(LOCKSTEP, ini=GATE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "ratelimit: gate on, fails on errors",
            "RL101 synchronized-retries: 10 of 10 waiting callers *",
            "*Remedy: *",
            "FAILED test_it.py::test_lockstep - Failed: RL101 synchronized-*",
        ]
    )
    assert "_gate.py" not in result.stdout.str()


def test_errors_and_silence_fail_and_the_rest_is_listed(suite):
    """RL903 fails where the test asked for the provider; RL902 and warnings are only listed."""
    result = suite(SUITE, ini=GATE)
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*= ratelimit =*",
            "4 tests judged, 45 attempts, 41 refused: 9 errors, 3 warnings, 1 note.",
            "test_it.py::test_lockstep",
            "  error   RL101 *",
            "test_it.py::test_silent",
            "  error   RL903 no-request-seen: *",
            "note    RL902 not-exercised: 1 test",
        ]
    )


def test_strict_fails_on_warnings_too(suite):
    """What passes with a warning fails with `ratelimit_strict`, and with the option."""
    source = f"{HEAD}@pytest.mark.ratelimit(requests_per_minute=1)\ndef test_it():\n"
    source += "    assert ask('1').status_code + ask('2').status_code == 629\n"
    suite(source, ini=GATE).assert_outcomes(passed=1)
    for result in (
        suite(source, ini=GATE + "ratelimit_strict = true"),
        suite(source, "--ratelimit-gate", "--ratelimit-strict"),
    ):
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            ["FAILED test_it.py::test_it - Failed: RL201 budget-overrun: *"]
        )


@pytest.mark.parametrize(
    ("options", "ini", "failed"),
    [
        ((), "", 0),
        (("--ratelimit-gate",), "", 1),
        ((), GATE, 1),
        (("--no-ratelimit-gate",), GATE, 0),
        (("-o", "ratelimit_gate=false"), GATE, 0),
        (("-o", "ratelimit_gate=true"), "", 1),
    ],
)
def test_the_command_line_wins_over_the_settings(suite, options, ini, failed):
    """The gate is on if the command line says so, or if it says nothing and the settings do."""
    result = suite(LOCKSTEP, *options, ini=ini)
    result.assert_outcomes(failed=failed, passed=1 - failed)
    assert ("ratelimit: gate on" in result.stdout.str()) == bool(failed)


@pytest.mark.parametrize("strict", ["True", "False"])
def test_an_expected_failure_is_one(suite, strict):
    """`xfail` takes the gate's failure as the test's, strict or not."""
    source = LOCKSTEP.replace(LIMITS, f"{LIMITS}@pytest.mark.xfail(strict={strict})\n")
    suite(source, ini=GATE).assert_outcomes(xfailed=1)


def test_a_strict_expected_failure_that_the_gate_passes_fails(suite):
    """A repaired test under a strict `xfail` says that it is repaired."""
    source = f"{HEAD}@pytest.mark.xfail(strict=True)\ndef test_it(fake_provider):\n    ask()\n"
    suite(source, ini=GATE).assert_outcomes(failed=1)


def test_the_test_s_own_failure_wins(suite):
    """Where the test fails by itself its failure stands, and the findings are a section."""
    result = suite(f"{LOCKSTEP}    assert 1 == 2\n", ini=GATE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E * assert 1 == 2", "*- ratelimit findings -*", "RL101 *", "FAILED * assert 1 == 2"]
    )


def test_findings_that_the_failure_shows_are_not_repeated(suite):
    """After a failed `assert_well_behaved` the section holds only what it left out."""
    source = LOCKSTEP.replace("test_lockstep()", "test_lockstep(fake_provider)")
    source += "    from pytest_ratelimit import assert_no\n"
    source += "    assert_no(fake_provider.trace, 'RL101')\n"
    text = suite(source, ini=GATE).stdout.str()
    assert "RL102" in text.split("- ratelimit findings -")[1].split("= ratelimit =")[0]
    assert "RL101" not in text.split("- ratelimit findings -")[1].split("= ratelimit =")[0]


def test_a_skipped_test_stays_skipped(suite):
    """A test that skips itself after its requests is skipped."""
    suite(f"{LOCKSTEP}    pytest.skip('late')\n", ini=GATE).assert_outcomes(skipped=1)


def test_what_comes_after_the_test_is_a_section_and_no_failure(suite):
    """The verdict is on a snapshot at the end of the call; later attempts are told apart."""
    source = f"""{HEAD}
@pytest.fixture
def late(fake_provider):
    yield
    lockstep()
    raise RuntimeError("so that the section shows")

@pytest.mark.ratelimit(tokens_per_minute=1_000_000, tokens_per_request=400_000)
def test_it(late):
    ask()
"""
    result = suite(source, ini=GATE)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*- ratelimit attempts after the test -*", "* attempts reached the provider after *"]
    )
    result.stdout.fnmatch_lines(["1 test judged, 1 attempt, 0 refused: 1 note."])


@pytest.mark.parametrize(
    ("marker", "options", "ini"),
    [
        ('ignore={"RL201": "two", "RL301": "one"}', (), ""),
        ("", ("--ratelimit-ignore", "RL301: one", "--ratelimit-ignore=RL201:two"), ""),
        ("", (), 'ratelimit_ignore = ["RL301: one", "RL201: two"]'),
        ("", ("--ratelimit-ignore", "RL301: one"), 'ratelimit_ignore = ["RL201: two"]'),
    ],
)
def test_a_code_is_accepted_on_the_marker_in_the_settings_or_on_the_command_line(
    suite, marker, options, ini
):
    """An accepted code neither fails nor is listed."""
    marker = f"@pytest.mark.ratelimit(requests_per_minute=1, {marker})"
    source = f"{HEAD}{marker}\ndef test_it():\n    ask('1'), ask('2')\n"
    result = suite(source, "--ratelimit-strict", *options, ini=GATE + ini)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*= ratelimit =*")


def test_settings_are_the_farthest_marker(suite):
    """Function over class over module over settings, keyword by keyword."""
    source = f"""{HEAD}
class TestIt:
    pytestmark = pytest.mark.ratelimit(latency=2.0)

    def test_it(self, fake_provider):
        ask("1"), ask("2")
        assert fake_provider.clock.elapsed() == 4.0
        assert [limit.amount for limit in fake_provider.limits] == [7]
        assert fake_provider.trace.seed == 3

    @pytest.mark.ratelimit(requests_per_minute=1, seed=4)
    def test_near(self, fake_provider):
        assert [limit.amount for limit in fake_provider.limits] == [1]
        assert fake_provider.trace.seed == 4
"""
    ini = "ratelimit_requests_per_minute = 7\nratelimit_latency = 9.5\nratelimit_seed = 3\n"
    suite(source, ini=ini).assert_outcomes(passed=2)


def test_thresholds_are_settings_and_keywords_of_the_marker(suite):
    """A threshold that the settings or the marker state holds for the gate and the assertions."""
    source = f"""{HEAD}
from pytest_ratelimit import assert_no

@pytest.mark.ratelimit(requests_per_minute=1)
def test_settings(fake_provider):
    one_waits(), one_waits()
    assert_no(fake_provider.trace, "RL111")

@pytest.mark.ratelimit(requests_per_minute=1, max_wait_s=90.0)
def test_marker(fake_provider):
    one_waits(), one_waits()
    assert_no(fake_provider.trace, "RL111")
"""
    result = suite(source, ini="ratelimit_max_wait_s = 30.0")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["E *RL111 unbounded-retries: 1 retry came after a wait above 30 s*"]
    )


def test_autouse_covers_a_suite_without_an_edit(suite):
    """Every test that sends requests is judged; those that send none are left alone."""
    source = f"{HEAD}def test_lockstep():\n    lockstep()\n\ndef test_none():\n    pass\n"
    ini = GATE + "ratelimit_autouse = true\nratelimit_tokens_per_minute = 1_000_000\n"
    ini += "ratelimit_tokens_per_request = 400_000\n"
    result = suite(source, ini=ini)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["ratelimit: gate on, fails on errors, every test"])
    result.stdout.fnmatch_lines(["1 test judged, 42 attempts, *"])
    result.stdout.no_fnmatch_line("*RL903*")


def test_autouse_leaves_tests_of_hypothesis_alone(suite):
    """Examples that shared one trace would be judged as one run: such tests are not covered."""
    source = f"""{HEAD}
from hypothesis import given, settings, strategies as st

@settings(deadline=None)
@given(st.none())
def test_it(nothing):
    with pytest.raises(httpx.HTTPError):
        httpx.get("http://127.0.0.1:9/")
"""
    ini = GATE + "ratelimit_autouse = true\n"
    result = suite(source, ini=ini)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["No data: no test sent a request through fake_provider."])


def test_no_data_is_not_a_clean_run(suite):
    """Where no test sent anything the section says so; where nothing is found it is silent."""
    silent = suite("def test_it():\n    pass\n", ini=GATE)
    silent.stdout.fnmatch_lines(["No data: no test sent a request through fake_provider."])
    source = f"{HEAD}@pytest.mark.ratelimit(ignore={{'RL902': 'quiet on purpose'}})\n"
    source += "def test_it(fake_provider):\n    ask()\n"
    clean = suite(source, ini=GATE)
    clean.assert_outcomes(passed=1)
    clean.stdout.no_fnmatch_line("*= ratelimit =*")


@pytest.mark.parametrize(
    ("ini", "options", "message"),
    [
        ("ratelimit_gate = 'perhaps'", (), "*perhaps*"),
        ("ratelimit_seed = 'x'", (), "*ratelimit_seed*'x'*"),
        ("", ("--ratelimit-report", "x.pdf"), "*must end in .md, .json or .html, got 'x.pdf'"),
        ("", ("--ratelimit-write-baseline",), "*needs --ratelimit-baseline=FILE"),
        ("", ("--ratelimit-baseline", "none.json"), "*there is no baseline *none.json: write it*"),
    ],
)
def test_a_bad_option_is_one_clear_error(suite, ini, options, message):
    """The error says which option, its value and what is allowed."""
    result = suite(f"{HEAD}def test_it(fake_provider):\n    ask()\n", *options, ini=ini)
    text = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in text
    assert result.ret != 0
    (result.stderr if "ERROR" in result.stderr.str() else result.stdout).fnmatch_lines([message])


@pytest.mark.parametrize(
    ("ini", "message"),
    [
        ("ratelimit_tokens_per_minute = 0", "tokens_per_minute must be a whole number, *, got 0"),
        ("ratelimit_max_attempts = 1", "max_attempts must be a finite number, at least 2, got 1"),
        ("ratelimit_ignore = ['RL301']", 'ratelimit_ignore must be lines such as "RL301: why", *'),
        ("ratelimit_ignore = ['RL999: x']", "ignore names an unknown code 'RL999'*"),
    ],
)
def test_a_setting_out_of_its_range_is_blamed_on_the_settings(suite, ini, message):
    """The error names the file of the settings and not the test's marker."""
    result = suite(f"{HEAD}def test_it(fake_provider):\n    ask()\n", ini=ini)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*pyproject.toml: ratelimit settings: {message}"])
