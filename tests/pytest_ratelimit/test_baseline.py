"""The baseline: what an existing project accepts until it is repaired."""

from __future__ import annotations

import json

import pytest

from pytest_ratelimit._baseline import REASON, Baseline
from pytest_ratelimit._findings import Finding
from pytest_ratelimit._report import Judged, Verdict
from tests.pytest_ratelimit.gated import SUITE

GATE = "ratelimit_gate = true\n"
SILENT = "def test_silent(fake_provider):\n    pass"
WRITE = ("--ratelimit-baseline=known.json", "--ratelimit-write-baseline")


def verdict(nodeid, *codes, accepted=None):
    """Return a verdict with these findings, errors but for notes of RL9."""
    severity = {"RL901": "note", "RL902": "note"}
    findings = (Finding(code=c, severity=severity.get(c, "error"), summary="x") for c in codes)
    judged = tuple(Judged(finding=finding, accepted=accepted) for finding in findings)
    return Verdict(nodeid=nodeid, attempts=1, findings=judged)


def test_a_suite_adopts_the_gate_and_fails_on_what_is_new(suite, pytester):
    """Written once, the baseline lets the findings there are pass; a new one fails its test."""
    written = suite(SUITE, *WRITE, ini=GATE)
    written.assert_outcomes(passed=5)
    written.stdout.fnmatch_lines(["ratelimit: gate on, *, writes the baseline *known.json instead"])
    written.stdout.fnmatch_lines(["! The baseline *known.json accepts 11 findings."])
    ini = GATE + "ratelimit_baseline = 'known.json'\n"
    kept = suite(SUITE.replace(SILENT, SILENT.replace("pass", "ask()")), ini=ini)
    kept.assert_outcomes(passed=5)
    kept.stdout.fnmatch_lines(["ratelimit: gate on, *, 11 accepted in known.json"])
    new = SUITE.replace(
        "def test_quiet(fake_provider):\n    ask()", "@LIMITS\ndef test_quiet():\n    lockstep()"
    )
    failed = suite(new.replace(SILENT, SILENT.replace("pass", "ask()")), ini=ini)
    failed.assert_outcomes(passed=4, failed=1)
    failed.stdout.fnmatch_lines(["FAILED test_it.py::test_quiet - *RL101 *"])


def test_what_is_repaired_is_named(suite):
    """A code that is accepted and no longer found is to be taken off."""
    suite(SUITE, *WRITE, ini=GATE)
    source = SUITE.replace('    ask("two")\n', "")
    result = suite(source, "--ratelimit-baseline=known.json", "-k", "twice", ini=GATE)
    result.stdout.fnmatch_lines(
        ["! Repaired, so take it off the baseline: RL201 in *test_twice, *"]
    )


def test_silence_cannot_be_accepted(suite, pytester):
    """RL903 is not written, and fails as before."""
    suite(SUITE, *WRITE, ini=GATE)
    tests = json.loads((pytester.path / "known.json").read_text())["tests"]
    assert list(tests) == ["test_it.py::test_lockstep", "test_it.py::test_twice"]
    result = suite(SUITE, "--ratelimit-baseline=known.json", ini=GATE)
    result.assert_outcomes(passed=4, failed=1)


def test_tests_that_did_not_run_keep_their_entries():
    """A run of a part of the suite replaces the entries of that part alone."""
    before = Baseline({"a": ("RL101",), "b": ("RL102",), "c": ("RL103",)})
    after = before.replaced_by([verdict("a", "RL112", "RL902"), verdict("b")])
    assert after.codes == {"a": ("RL112",), "c": ("RL103",)}


def test_what_the_baseline_accepts_is_kept_and_what_a_marker_accepts_is_not_taken():
    """A finding that the marker accepts with a reason needs no entry."""
    after = Baseline().replaced_by(
        [verdict("a", "RL101", accepted=REASON), verdict("b", "RL101", accepted="a load test")]
    )
    assert after.codes == {"a": ("RL101",)}


def test_a_baseline_is_read_as_it_was_written(tmp_path):
    """Whatever is in a test's name."""
    baseline = Baseline({'test "x"[é-\n]': ("RL101", "RL112"), "b": ("RL102",)})
    baseline.dump(tmp_path / "deep" / "known.json")
    assert Baseline.load(tmp_path / "deep" / "known.json") == Baseline(baseline.codes)
    Baseline().dump(tmp_path / "none.json")
    assert len(Baseline.load(tmp_path / "none.json")) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 1}',
        '{"version": 2, "tests": {}}',
        '{"version": 1, "tests": []}',
        '{"version": 1, "tests": {"a": ["RL999"]}}',
        '{"version": 1, "tests": {"a": 5}}',
    ],
)
def test_a_file_that_is_no_baseline_is_named(tmp_path, text):
    """The error names the file and shows what one looks like."""
    path = tmp_path / "known.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"known.json is no baseline: \{\"version\": 1"):
        Baseline.load(path)
