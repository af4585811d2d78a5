"""Findings and their codes."""

from __future__ import annotations

import dataclasses
import re

import pytest

from pytest_ratelimit._findings import CODES, SEVERITIES, Finding


def test_codes_are_unique_and_well_formed() -> None:
    """Every code is RL and three digits, in order, with a name of its own."""
    assert all(re.fullmatch(r"RL[1-9]\d\d", code) for code in CODES)
    assert list(CODES) == sorted(CODES)
    names = [code.name for code in CODES.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+|starvation|inconclusive", name) for name in names)
    assert all(code.severity in SEVERITIES and code.says for code in CODES.values())


def test_text_of_a_finding() -> None:
    """The text is the title, a blank line, evidence, cause, remedy and how to accept it."""
    finding = Finding(
        code="RL103",
        severity="error",
        summary="2 of 3 retries came early",
        evidence=("First line.", "Second line."),
        cause="the hint is ignored.",
        remedy="wait for it.",
    )
    assert str(finding) == (
        "RL103 ignored-retry-after: 2 of 3 retries came early\n"
        "\n"
        "  First line.\n"
        "  Second line.\n"
        "  Cause: the hint is ignored.\n"
        "  Remedy: wait for it.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL103": "reason"})'
    )


def test_some_codes_are_accepted_in_another_way() -> None:
    """A quiet run is accepted where it is asserted, and silence cannot be accepted."""
    quiet = Finding(code="RL902", severity="note", summary="quiet")
    silent = Finding(code="RL903", severity="error", summary="silent")
    assert quiet.accept == "assert_well_behaved(trace, allow_quiet=True)"
    assert silent.accept == ""
    assert "Accept" not in str(silent)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("code", "RL999", "code must be one of RL101, "),
        ("severity", "fatal", "severity must be one of error, warning, note, got 'fatal'"),
    ],
)
def test_unknown_code_or_severity(field: str, value: str, message: str) -> None:
    """A finding names its code and its severity, or says which there are."""
    fields = {"code": "RL101", "severity": "error", "summary": "x", field: value}
    with pytest.raises(ValueError, match=re.escape(message)):
        Finding(**fields)  # type: ignore[arg-type]


def test_findings_are_values() -> None:
    """A finding cannot be changed, and equals another of the same content."""
    one = Finding(code="RL101", severity="error", summary="x")
    assert one == Finding(code="RL101", severity="error", summary="x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.summary = "y"  # type: ignore[misc]
