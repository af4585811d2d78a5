"""On the real clock findings say what times are good to; a late server's are none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_ratelimit import FindingsError, assert_no, assert_well_behaved, check
from pytest_ratelimit._tolerance import SATURATED_S, TIMED, judged, tolerance
from tests.pytest_ratelimit.test_commands import QUIET, lockstep

REAL = replace(lockstep(), clock="real", resolution=0.012)
SATURATED = replace(REAL, resolution=SATURATED_S)


def test_findings_on_timing_say_the_tolerance():
    """Resolution and the hold on hints are part of the evidence, on the real clock alone."""
    line = "Times are real: good to 12 ms, and hints are held to within 20 ms."
    found = check(REAL)
    assert tolerance(REAL) == line
    assert {f.code for f in found if f.evidence[-1:] == (line,)} == {
        f.code for f in found if f.code in TIMED
    }
    assert not any("Times are real" in str(finding) for finding in check(lockstep()))


def test_the_least_resolution_is_5_ms():
    """A server that was never late still shares its machine."""
    assert "good to 5 ms" in tolerance(replace(REAL, resolution=1e-6))


def test_a_saturated_server_makes_the_verdict_inconclusive():
    """What rests on timing is RL901 and no defect, and still does not pass."""
    codes = {f.code for f in check(REAL) if f.severity == "error"}
    assert "RL106" in codes
    found = {f.code: f for f in check(SATURATED)}
    assert not set(found) & TIMED
    assert found["RL901"].severity == "error"
    assert "RL113 retry-storm" in str(found["RL901"])
    with pytest.raises(FindingsError, match=r"^RL901 inconclusive: the server was late by"):
        assert_well_behaved(SATURATED)


def test_a_policy_cannot_be_asserted_on_a_saturated_server():
    """A named assertion on timing is inconclusive, and one on counts still judges."""
    with pytest.raises(FindingsError, match="RL901 inconclusive"):
        assert_no(SATURATED, "RL106")
    assert not judged(SATURATED)["RL102"].judged
    assert judged(SATURATED)["RL111"].judged


def test_a_saturated_server_that_refused_nothing_says_that():
    """Where there was nothing to judge, lateness is not the reason."""
    quiet = replace(QUIET, clock="real", resolution=1.0)
    assert [f.code for f in check(quiet)] == ["RL902"]
