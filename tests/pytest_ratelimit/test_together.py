"""Plugins installed together: each does its work, and the gate's verdict is the same."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.pytest_ratelimit.gated import CLIENT, SUITE

ROOT = Path(__file__).parents[2]
TOGETHER = ("cov", "html", "metadata", "randomly", "repeat", "rerunfailures", "timeout", "xdist")
INSTALLED = {entry.value.partition(".")[0] for entry in entry_points(group="pytest11")}
MISSING = [name for name in TOGETHER if not {name, f"pytest_{name}"} & INSTALLED]

FLAKY = """
import pathlib

@pytest.mark.flaky(reruns=2)
def test_flaky(fake_provider):
    runs = pathlib.Path("runs")
    runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
    ask()
    assert len(runs.read_text()) == 2

@pytest.mark.repeat(3)
def test_repeated(fake_provider):
    ask()
"""


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_all_of_them_in_one_run(pytester, monkeypatch, workers):
    """One failure a test, the last of several runs counts, and other reports have the findings."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, sys.path)]))
    monkeypatch.setenv("PYTEST_ADDOPTS", "")
    pytester.makepyfile(client=CLIENT, test_it=SUITE + FLAKY)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\nratelimit_gate = true")
    files = ("--html=out/other.html", "--junitxml=out/junit.xml")
    ours = "--ratelimit-report=out/report.json"
    result = pytester.runpytest_subprocess(*files, ours, "--timeout=60", "--cov=client", *workers)
    outcomes = result.parseoutcomes()
    assert (outcomes["failed"], outcomes["passed"], outcomes["rerun"]) == (2, 7, 1)
    report = json.loads((pytester.path / "out" / "report.json").read_text())
    tests = {test["nodeid"].partition("::")[2]: test for test in report["tests"]}
    repeated = [f"test_repeated[{n}-3]" for n in (1, 2, 3)]
    assert list(tests) == sorted(
        ["test_flaky", "test_lockstep", "test_quiet", *repeated, "test_silent", "test_twice"]
    )
    assert (tests["test_flaky"]["outcome"], tests["test_flaky"]["attempts"]) == ("passed", 1)
    assert [f["code"] for f in tests["test_lockstep"]["findings"]][:2] == ["RL101", "RL102"]
    assert "RL101 synchronized-retries" in (pytester.path / "out" / "other.html").read_text()
    junit = (pytester.path / "out" / "junit.xml").read_text()
    # The run that was repeated is a case of its own.
    assert junit.count('name="ratelimit_findings"') == len(tests) + 1
    result.stdout.fnmatch_lines(["client.py *%"])
