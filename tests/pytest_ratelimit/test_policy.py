"""The thresholds, and what a judgement says."""

from __future__ import annotations

import re

import pytest

from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, Policy, inconclusive
from pytest_ratelimit._findings import Finding


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("alpha", 0.0, "above 0 and below 1"),
        ("alpha", 1.0, "above 0 and below 1"),
        ("min_fraction", 1.5, "above 0 and below 1"),
        ("min_callers", 1, "at least 2"),
        ("max_attempts", 1, "at least 2"),
        ("attempts_per_call", 0.0, "above 0"),
        ("retry_reserve", -1.0, "at least 0"),
        ("budget_tokens", 0, "above 0"),
        ("budget_per_s", float("inf"), "above 0"),
        ("max_wait_s", float("nan"), "above 0"),
        ("recovery_share", 1.0, "above 0 and below 1"),
        ("makespan_slack_s", -1.0, "at least 0"),
        ("max_times_ideal", 0.0, "above 0"),
    ],
)
def test_threshold_out_of_its_range(name: str, value: float, allowed: str) -> None:
    """A threshold out of its range is an error that names it, its range and the value."""
    message = f"{name} must be a finite number, {allowed}, got {value!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        Policy(**{name: value})  # type: ignore[arg-type]


def test_alpha_is_stricter_in_virtual_time() -> None:
    """Virtual time has no noise, so that its level can be a hundred times stricter."""
    assert Policy().alpha_for(Trace(clock="virtual")) == 1e-5
    assert Policy().alpha_for(Trace(clock="real")) == 1e-3
    assert Policy(alpha=0.01).alpha_for(Trace(clock="virtual")) == 0.01


def test_verdict_in_one_word() -> None:
    """A judgement is FLAG with an error, note with less, ok if clean and n/a if not judged."""
    error = Finding(code="RL101", severity="error", summary="x")
    warning = Finding(code="RL101", severity="warning", summary="x")
    assert Judgement.of(warning, error).verdict == "FLAG"
    assert Judgement.of(warning).verdict == "note"
    assert Judgement.of(None).verdict == "ok"
    assert Judgement.unjudged("nothing").verdict == "n/a"


def test_inconclusive_names_the_code_and_what_is_missing() -> None:
    """Asking for a verdict on too little evidence is an error that says what it takes."""
    finding = inconclusive("RL102", Judgement.unjudged("it takes 3 delays"))
    assert str(finding) == (
        "RL901 inconclusive: too little evidence to judge RL102 missing-jitter\n"
        "\n"
        "  it takes 3 delays.\n"
        "  Cause: the run did not put the code under test in the situation that the check is "
        "about.\n"
        "  Remedy: lower the limit, raise the number of callers, or script refusals.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL901": "reason"})'
    )
    assert finding.severity == "error"
