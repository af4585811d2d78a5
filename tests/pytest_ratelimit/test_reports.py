"""Reports: one model on the terminal and in files, the same with workers and without."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from pytest_ratelimit._findings import Finding
from pytest_ratelimit._report import Judged, Summary, Verdict
from pytest_ratelimit._report._markdown import render as markdown
from pytest_ratelimit._report._terminal import lines
from tests.pytest_ratelimit.gated import SUITE
from tests.pytest_ratelimit.simulation import attempt, trace_of

GATE = "ratelimit_gate = true\n"
FILES = [f"--ratelimit-report=out/report.{form}" for form in ("json", "md", "html")]
XDIST = ("-p", "xdist.plugin", "-n")
TRACE = trace_of(attempt(), attempt(call=1, arrived_at=3.0, ended_at=4.0))


def verdict(nodeid="test_a.py::test_x", *findings, accepted=None, attempts=2):
    """Return a verdict with these findings."""
    judged = tuple(Judged.of(finding, TRACE, accepted) for finding in findings)
    return Verdict(nodeid=nodeid, outcome="passed", attempts=attempts, findings=judged)


def found(code="RL101", severity="error", **changes):
    """Return a finding."""
    stated = {"summary": "12 of 12", "evidence": ("seen",), "remedy": "do", "attempts": (0, 1)}
    return Finding(code=code, severity=severity, **{**stated, **changes})


def section(result):
    """Return the lines of pytest's summary that are the plugin's."""
    out = result.outlines
    (begin,) = [n for n, line in enumerate(out) if line.strip("= ") == "ratelimit"]
    rest = out[begin + 1 :]
    end = next(n for n, line in enumerate(rest) if line.startswith("==="))
    return rest[:end]


def files(pytester):
    """Return what was written, by name."""
    return {path.name: path.read_text() for path in (pytester.path / "out").iterdir()}


def test_a_verdict_is_the_same_after_its_way_between_processes():
    """Text carries everything."""
    one = verdict("a", found(p=1e-9), found("RL902", "note", attempts=()), accepted="why")
    one = Verdict.of("a[é]", TRACE, one.findings, "<svg/>")
    assert Verdict.load(one.dump()) == one


def test_the_json_has_the_documented_shape(suite, pytester):
    """An object with `tests`, each with `nodeid`, counts and findings with their whole text."""
    suite(SUITE, *FILES, ini=GATE)
    report = json.loads(files(pytester)["report.json"])
    assert list(report) == ["version", "gate", "strict", "headline", "notes", "totals", "tests"]
    by_name = {test["nodeid"].rpartition("::")[2]: test for test in report["tests"]}
    assert list(by_name) == ["test_lockstep", "test_quiet", "test_silent", "test_twice"]
    lockstep = by_name["test_lockstep"]
    assert (lockstep["attempts"], lockstep["refused"], lockstep["retries"]) == (42, 40, 30)
    assert (lockstep["outcome"], by_name["test_quiet"]["outcome"]) == ("failed", "passed")
    first = lockstep["findings"][0]
    assert (first["code"], first["severity"], first["accepted"]) == ("RL101", "error", None)
    assert first["summary"].startswith("10 of 10 waiting callers")
    assert all(first[name] for name in ("evidence", "cause", "remedy", "accept", "attempts"))
    assert first["between_s"] == [1.0, 3.0]
    assert report["totals"] == {
        "tests": 4,
        "tests_without_requests": 0,
        "calls": 15,
        "attempts": 45,
        "retries": 30,
        "refused": 41,
        "errors": 9,
        "warnings": 3,
        "notes": 1,
        "accepted": 0,
    }


def test_a_report_needs_no_gate(suite, pytester):
    """Without the gate everything is written and nothing fails."""
    result = suite(SUITE, *FILES)
    result.assert_outcomes(passed=5)
    assert set(files(pytester)) == {"report.json", "report.md", "report.html"}
    assert json.loads(files(pytester)["report.json"])["gate"] is False


def test_no_data_and_nothing_found_never_read_the_same():
    """On the terminal, in JSON and in Markdown."""
    nothing, clean = Summary.of([]), Summary.of([verdict()])
    silent = Summary.of([verdict(attempts=0)])
    assert lines(nothing) == ["No data: no test sent a request through fake_provider."]
    assert lines(silent) == [
        "No data: no test sent a request through fake_provider (1 test had it open)."
    ]
    assert lines(clean) == []
    assert clean.headline == "1 test judged, 2 attempts, 0 refused: nothing found."
    assert nothing.headline.replace("_", "&#95;") in markdown(nothing)
    assert nothing.headline == nothing.row()["headline"]
    assert clean.headline in markdown(clean)


def test_a_note_is_said_though_nothing_was_found():
    """A clean run with a crashed worker is no clean run."""
    summary = Summary.of([verdict()], notes=("A worker crashed.",))
    assert lines(summary)[-1] == "! A worker crashed."
    assert "> A worker crashed." in markdown(summary)


def test_the_markdown_is_whole():
    """Headline, table, details, notes; nothing in a name is markup."""
    summary = Summary.of(
        [
            verdict("test_a.py::test_x[a|b*c<d>]", found(cause="`x`")),
            verdict("b", found("RL902", "note")),
        ]
    )
    assert markdown(summary) == MARKDOWN


NAME = "test&#95;a.py::test&#95;x&#91;a&#124;b&#42;c&lt;d&gt;&#93;"
MARKDOWN = f"""\
## Rate limit

**2 tests judged, 4 attempts, 0 refused: 1 error, 1 note.**

| | Test | Finding |
|---|---|---|
| error | <code>{NAME}</code> | **RL101** synchronized-retries: 12 of 12 |

<details>
<summary><b>RL101</b> synchronized-retries in <code>{NAME}</code></summary>

- seen
- **Cause:** &#96;x&#96;
- **Remedy:** do
- **Accept:** <code>&#64;pytest.mark.ratelimit(ignore={{"RL101": "reason"}})</code>

</details>

- RL902 not-exercised: 1 test
"""


def test_markdown_stays_below_what_a_step_summary_may_be():
    """However many tests fail, it is below a MiB."""
    many = [verdict(f"test_{n}", found(evidence=("x" * 500,))) for n in range(2_000)]
    text = markdown(Summary.of(many))
    assert len(text) < 2**20
    assert "The first 100 of 2,000 findings are told in full." in text


def test_figures_are_properties_of_the_test_in_junit_s_file(suite, pytester):
    """Attempts, refusals and codes, once each."""
    suite(SUITE, "--junitxml=junit.xml", ini=GATE)
    cases = ET.parse(pytester.path / "junit.xml").iter("testcase")
    case = next(each for each in cases if each.get("name") == "test_twice")
    properties = [(p.get("name"), p.get("value")) for p in case.iter("property")]
    assert properties == [
        ("ratelimit_attempts", "2"),
        ("ratelimit_refused", "1"),
        ("ratelimit_findings", "RL201 RL301"),
    ]


def test_a_report_that_cannot_be_written_is_an_error(suite, pytester):
    """The run does not end well, and says which file."""
    (pytester.path / "out").write_text("in the way")
    result = suite("def test_it():\n    pass\n", *FILES)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["! Not written: *out*"])


def test_collecting_alone_writes_nothing(suite, pytester):
    """`--collect-only` leaves files and terminal alone."""
    result = suite(SUITE, *FILES, "--collect-only", ini=GATE)
    assert not (pytester.path / "out").exists()
    result.stdout.no_fnmatch_line("*No data*")


def test_workers_change_nothing(suite, pytester):
    """With `-n 4` the findings, the section and every file are those of one process."""
    alone = suite(SUITE, *FILES, ini=GATE, subprocess=True)
    written = files(pytester)
    spread = suite(SUITE, *FILES, *XDIST, "4", ini=GATE, subprocess=True)
    assert spread.parseoutcomes() == alone.parseoutcomes() == {"failed": 2, "passed": 3}
    assert section(spread) == section(alone)
    assert files(pytester) == written


def test_a_crashed_worker_is_reported(suite, pytester):
    """A test whose process dies is named as not judged, on the terminal and in the files."""
    source = SUITE.replace("    pass\n", "    ask()\n    import os\n    os._exit(1)\n", 1)
    result = suite(source, *FILES, *XDIST, "2", ini=GATE, subprocess=True)
    note = "A worker crashed while it ran test_it.py::test_silent: that test was not judged."
    assert f"! {note}" in section(result)
    assert json.loads(files(pytester)["report.json"])["notes"] == [note]
    assert "that test was not judged" in files(pytester)["report.md"]
    assert note in files(pytester)["report.html"]
    assert result.ret != 0


def test_a_crash_in_the_only_test_is_no_clean_run(suite):
    """With nothing judged and a crash, the section says both."""
    source = "import os\ndef test_it(fake_provider):\n    os._exit(1)\n"
    text = section(suite(source, *XDIST, "1", ini=GATE, subprocess=True))
    assert text[0] == "No data: no test sent a request through fake_provider."
    assert text[1].startswith("! A worker crashed while it ran test_it.py::test_it")


def test_a_run_that_is_cut_short_says_so(suite):
    """After an interrupt the tests that did not end count as not judged."""
    source = "from client import *\ndef test_it(fake_provider):\n    raise KeyboardInterrupt\n"
    result = suite(source, ini=GATE, subprocess=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["! The run was cut short: *"])
