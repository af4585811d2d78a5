"""The commands that judge, compare and explain, by their exit status and what they print."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from fake_provider import Limits, Trace
from pytest_ratelimit.__main__ import main
from pytest_ratelimit._findings import CODES
from tests.pytest_ratelimit.simulation import attempt

QUIET = Trace(attempts=(attempt(),), limits=Limits(requests_per_minute=5), ended_at=1.0)


def lockstep():
    """Six callers that are refused together and retry together, a second later, four times."""
    rows = []
    for caller in range(6):
        for number in range(1, 5):
            rows.append(
                attempt(
                    caller=f"agent {caller}",
                    call=caller,
                    unit=f"unit {caller}",
                    attempt=number,
                    layer="first" if number == 1 else "code",
                    arrived_at=float(number),
                    ended_at=float(number),
                    status=429,
                    reason="requests_per_minute",
                    room=0.0,
                    charged=0.0,
                    output_at=None,
                )
            )
    rows.sort(key=lambda a: a.arrived_at)
    rows = [replace(a, index=index) for index, a in enumerate(rows)]
    return Trace(attempts=tuple(rows), limits=Limits(requests_per_minute=1), ended_at=9.0)


@pytest.fixture
def dumped(tmp_path):
    """Write a trace to a file and return its path."""

    def dump(trace, name="t.jsonl"):
        path = tmp_path / name
        trace.dump(path)
        return str(path)

    return dump


def test_findings_are_status_1_and_printed_in_full(dumped, capsys):
    """What fails is printed with evidence and remedy, and named in the last line."""
    assert main(["check", dumped(lockstep())]) == 1
    out = capsys.readouterr().out
    assert "RL101 synchronized-retries: " in out
    assert "  Remedy: " in out
    last = out.splitlines()[-1]
    assert last.startswith("failed: RL101, ")
    assert "24 attempts of 6 calls by 6 callers" in out


def test_a_clean_trace_is_status_0(dumped, capsys):
    """A run in which nothing was refused fails, unless that is accepted."""
    path = dumped(QUIET)
    assert main(["check", path]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("failed: RL902")
    assert main(["check", path, "--allow-quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("passed: ")


def test_no_request_is_never_an_all_clear(dumped, capsys):
    """An empty trace fails as RL903, whatever is accepted."""
    path = dumped(Trace(elsewhere=("GET /x to 127.0.0.1",)))
    assert main(["check", path, "--allow-quiet"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("RL903 no-request-seen")
    assert "GET /x to 127.0.0.1" in out
    assert out.splitlines()[-1] == "failed: RL903"
    assert main(["check", path, "--ignore", "RL903: why"]) == 2


def test_an_accepted_code_does_not_fail(dumped, capsys):
    """Every code can be accepted with a reason, and then does not count."""
    path = dumped(lockstep())
    main(["check", path, "--json"])
    failed = json.loads(capsys.readouterr().out)["failed"]
    ignored = [word for code in failed for word in ("--ignore", f"{code}: a load test")]
    assert main(["check", path, *ignored]) == 0
    assert main(["check", path, *ignored, "--strict"]) == 1


def test_json_is_one_object(dumped, capsys):
    """A program reads the verdict without parsing text."""
    assert main(["check", dumped(lockstep()), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] is False
    assert (told["attempts"], told["calls"], told["refused"]) == (24, 6, 24)
    assert {"code", "severity", "summary", "evidence", "remedy"} <= set(told["findings"][0])


@pytest.mark.parametrize(
    ("text", "says"),
    [(None, "No such file"), ("", "empty"), ("{}\n", "not a trace header"), ("a\nb\n", "line 1")],
)
def test_what_is_no_trace_is_status_2(tmp_path, capsys, text, says):
    """A file that is not there, empty or something else is an error of one line."""
    path = tmp_path / "t.jsonl"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert main(["check", str(path)]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


def test_a_torn_last_line_is_left_out_and_said(dumped, capsys):
    """The file of a killed server is judged by what is whole in it."""
    path = dumped(lockstep())
    with open(path, "r+", encoding="utf-8") as file:  # noqa: PTH123
        text = file.read()
        file.seek(0)
        file.truncate()
        file.write(text[:-40])
    assert main(["check", path]) == 1
    captured = capsys.readouterr()
    assert "23 attempts" in captured.out
    assert "the last line is not whole" in captured.err


def test_a_corrupt_line_in_the_middle_is_status_2(dumped, capsys):
    """A trace with a hole in it is no basis for a verdict."""
    path = dumped(lockstep())
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        lines = file.read().splitlines(keepends=True)
    lines[3] = "{broken\n"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.writelines(lines)
    assert main(["check", path]) == 2
    assert "line 4" in capsys.readouterr().err


def test_a_trace_can_come_by_standard_input(monkeypatch, capsys):
    """A dash reads what is piped in."""
    buffer = io.StringIO()
    QUIET.dump(buffer)
    monkeypatch.setattr("sys.stdin", io.StringIO(buffer.getvalue()))
    assert main(["check", "-", "--allow-quiet"]) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--alpha", "2"], "alpha must be"),
        (["--ignore", "RL999: why"], "unknown code 'RL999'"),
        (["--ignore", "RL101:"], "must give a reason"),
        (["--ignore", "RL101=why"], "--ignore must be CODE: REASON, such as 'RL301: the job sheds"),
        (["--ignore", "RL101"], "got 'RL101'"),
    ],
)
def test_a_wrong_option_is_status_2(dumped, capsys, words, says):
    """The error names the option, the value and what is allowed."""
    assert main(["check", dumped(QUIET), *words]) == 2
    assert says in capsys.readouterr().err


def test_compare_says_what_a_change_did(dumped, capsys):
    """Figures before and after stand side by side; findings went, stayed or came."""
    before, after = dumped(lockstep(), "before.jsonl"), dumped(QUIET, "after.jsonl")
    assert main(["compare", before, after, "--allow-quiet"]) == 0
    out = capsys.readouterr().out
    rows = {line.split("  ")[0]: line.split() for line in out.splitlines() if "  " in line}
    assert rows["attempts"] == ["attempts", "24", "1", "-96%"]
    assert rows["refusals"] == ["refusals", "24", "0", "-100%"]
    assert "gone  error   RL101 synchronized-retries" in out


def test_compare_fails_on_what_is_new(dumped, capsys):
    """A finding that the change brought is status 1, one that was there before is not."""
    bad, good = dumped(lockstep(), "bad.jsonl"), dumped(QUIET, "good.jsonl")
    assert main(["compare", good, bad]) == 1
    assert "new  error   RL101" in capsys.readouterr().out
    assert main(["compare", bad, bad, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["findings"]["new"] == []
    assert "RL101" in told["findings"]["kept"]
    assert told["figures"]["attempts"] == {"before": 24, "after": 24}
    assert main(["compare", bad, "nowhere.jsonl"]) == 2


@pytest.mark.parametrize("code", CODES)
def test_explain_says_what_the_reference_says(capsys, code):
    """Every code is explained, by its number in any case or by its name."""
    assert main(["explain", code.lower()]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{code} {CODES[code].name}\n\n")
    assert "**Remedy.**" in text
    assert main(["explain", CODES[code].name]) == 0
    assert capsys.readouterr().out == text


def test_explain_lists_all_and_knows_no_others(capsys):
    """All codes can be listed; a slip names those that there are."""
    assert main(["explain", "all"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(CODES)
    assert main(["explain", "RL999"]) == 2
    assert "RL101" in capsys.readouterr().err
