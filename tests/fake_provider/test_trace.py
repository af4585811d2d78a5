"""Trace: what can be read off it, and JSON Lines there and back again."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import math
import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_provider import Attempt, Limit, Limits, Trace, TraceError

exact = settings(max_examples=25, deadline=None, derandomize=True, database=None)


def attempt(**changes):
    """Return an attempt that was served after a second, with some fields changed."""
    fields = {
        "index": 0,
        "caller": "agent",
        "call": 0,
        "unit": "unit",
        "attempt": 1,
        "layer": "first",
        "sdk_retry": None,
        "attribution": "exact",
        "key": "0badcafe",
        "host": "api.anthropic.com",
        "dialect": "anthropic",
        "model": "claude-x",
        "model_class": "claude-x",
        "input_tokens": 900,
        "output_tokens": 100,
        "max_tokens": None,
        "arrived_at": 0.0,
        "ended_at": 1.0,
        "status": 200,
        "reason": None,
        "hint": None,
        "hint_form": None,
        "room": 2.0,
        "charged": 1.0,
        "terminal": False,
        "stream": False,
        "output_at": 1.0,
        "cancelled_at": None,
    }
    return Attempt(**{**fields, **changes})


def refusal(**changes):
    """Return an attempt that was refused at once, with some fields changed."""
    fields = {"ended_at": 0.0, "status": 429, "reason": "scripted", "output_at": None}
    return attempt(**{**fields, **changes})


TWO_CALLS = Trace(
    attempts=(
        refusal(index=0, call=0),
        refusal(index=1, call=1, caller="other", unit="other", arrived_at=0.5, ended_at=0.5),
        attempt(index=2, call=0, attempt=2, layer="code", arrived_at=1.0, ended_at=4.0),
        refusal(index=3, call=1, caller="other", unit="other", attempt=2, arrived_at=3.0),
    ),
    limits=Limits(tokens_per_minute=4_000),
    ended_at=9.0,
)


def test_attempts_are_grouped_into_calls_in_order_of_arrival():
    """A call has its attempts, caller, unit and retries, and succeeded if its last attempt did."""
    first, second = TWO_CALLS.calls
    assert [a.index for a in first.attempts] == [0, 2]
    assert [a.index for a in second.retries] == [3]
    assert (first.number, first.caller, first.unit, first.succeeded) == (0, "agent", "unit", True)
    assert (second.caller, second.unit, second.succeeded) == ("other", "other", False)


def test_a_trace_lists_its_retries_refusals_and_callers():
    """Retries are attempts after the first; refusals are 429, 503 and 529 before any output."""
    assert [a.index for a in TWO_CALLS.retries] == [2, 3]
    assert [a.index for a in TWO_CALLS.refused] == [0, 1, 3]
    assert TWO_CALLS.callers == ("agent", "other")


@pytest.mark.parametrize(
    ("changes", "refused", "succeeded"),
    [
        ({}, False, True),
        ({"status": 429, "output_at": None}, True, False),
        ({"status": 503, "output_at": None}, True, False),
        ({"status": 529, "output_at": None}, True, False),
        ({"status": 429, "output_at": 0.5}, False, False),
        ({"status": 500, "output_at": None}, False, False),
        ({"status": 400, "output_at": None, "terminal": True}, False, False),
        ({"cancelled_at": 1.0}, False, False),
        ({"ended_at": None}, False, False),
    ],
)
def test_an_attempt_is_refused_or_succeeded_or_neither(changes, refused, succeeded):
    """Refused is an answer before output; succeeded is served to the end."""
    one = attempt(**changes)
    assert (one.refused, one.succeeded) == (refused, succeeded)


def test_a_call_is_inferred_if_any_of_its_attempts_is():
    """One attempt of which nothing tells where it belongs is enough."""
    doubtful = Trace(attempts=(attempt(), attempt(attempt=2, attribution="inferred")))
    assert doubtful.calls[0].inferred
    assert not TWO_CALLS.calls[0].inferred


def test_the_makespan_runs_from_the_first_arrival_to_the_last_answer():
    """The time before the first arrival and after the last answer is nobody's."""
    late = Trace(attempts=(attempt(arrived_at=5.0, ended_at=7.0),), ended_at=99.0)
    assert (TWO_CALLS.makespan, late.makespan, Trace(ended_at=9.0).makespan) == (4.0, 2.0, 0.0)


def test_an_attempt_in_flight_lasts_until_the_trace_was_read():
    """Without an end of its own, an attempt ends where the trace does."""
    assert Trace(attempts=(attempt(ended_at=None),), ended_at=9.0).makespan == 9.0


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ((), 1.0),
        ((attempt(),), 1.0),
        ((refusal(), refusal(), attempt()), 3.0),
        ((refusal(),), math.inf),
        ((attempt(input_tokens=0, output_tokens=0),), 1.0),
    ],
)
def test_amplification_is_tokens_demanded_per_token_served(attempts, expected):
    """1 where every token was served at first, infinite where none was."""
    assert Trace(attempts=attempts).amplification == expected


def test_a_trace_prints_as_what_it_holds():
    """The representation says how much, in words of the glossary."""
    assert repr(TWO_CALLS) == "<Trace 4 attempts, 3 refused, 2 retries>"
    assert repr(Trace()) == "<Trace 0 attempts, 0 refused, 0 retries>"


def test_a_trace_is_a_frozen_value():
    """It can be compared, hashed, copied and pickled, and not changed."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        TWO_CALLS.attempts = ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        TWO_CALLS.attempts[0].status = 200
    assert len(TWO_CALLS.calls) == 2
    assert copy.deepcopy(TWO_CALLS) == TWO_CALLS == pickle.loads(pickle.dumps(TWO_CALLS))
    assert hash(copy.copy(TWO_CALLS)) == hash(TWO_CALLS)
    assert dataclasses.replace(TWO_CALLS, stopped="x") != TWO_CALLS


# ---------------------------------------------------------------------- JSON Lines

seconds = st.floats(0, 1e9, allow_subnormal=False)
counts = st.integers(0, 10**12)
names = st.text(min_size=1, max_size=20)


@st.composite
def attempts(draw):
    """Draw an attempt with any values that its fields may have."""
    return Attempt(
        index=draw(counts),
        caller=draw(names),
        call=draw(counts),
        unit=draw(names),
        attempt=draw(st.integers(1, 1_001)),
        layer=draw(st.sampled_from(["first", "sdk", "code"])),
        sdk_retry=draw(st.none() | counts),
        attribution=draw(st.sampled_from(["exact", "inferred"])),
        key=draw(names),
        host=draw(names),
        dialect=draw(st.sampled_from(["anthropic", "openai"])),
        model=draw(st.text()),
        model_class=draw(st.text()),
        input_tokens=draw(counts),
        output_tokens=draw(counts),
        max_tokens=draw(st.none() | counts),
        arrived_at=draw(seconds),
        ended_at=draw(st.none() | seconds),
        status=draw(st.integers(200, 599)),
        reason=draw(st.none() | names),
        hint=draw(st.none() | st.floats(-1e9, 1e9)),
        hint_form=draw(st.none() | st.sampled_from(["seconds", "ms", "date", "reset", "body"])),
        room=draw(st.none() | st.floats(0, 1e9) | st.just(math.inf)),
        charged=draw(st.floats(0, 1)),
        terminal=draw(st.booleans()),
        stream=draw(st.booleans()),
        output_at=draw(st.none() | seconds),
        cancelled_at=draw(st.none() | seconds),
    )


LIMITS = st.sampled_from(
    [
        Limits(),
        Limits.preset("anthropic-build"),
        Limits(requests_per_day=9, concurrent_requests=2, count_tokens_per_minute=5),
        Limits(
            tokens_per_minute=9, algorithm="token-bucket", burst=7, floor=-3, charge_rejected=0.5
        ),
        Limits(tokens_per_minute=90_000, window=0.2),
    ]
)
traces = st.builds(
    Trace,
    attempts=st.lists(attempts(), max_size=2).map(tuple),
    limits=LIMITS,
    clock=st.sampled_from(["virtual", "real"]),
    resolution=st.sampled_from([1e-6, 5e-3]),
    ended_at=seconds,
    started_at=st.floats(0, 4e9),
    seed=st.none() | counts,
    stopped=st.none() | st.text(),
    elsewhere=st.lists(st.text(), max_size=3).map(tuple),
)


def lines(trace):
    """Return the lines that a trace is written as."""
    file = io.StringIO()
    trace.dump(file)
    return file.getvalue().splitlines(keepends=True)


@exact
@given(traces)
def test_a_trace_comes_back_as_it_was_written(trace):
    """Whatever a trace holds, dump and load return an equal one, in one line an attempt."""
    written = lines(trace)
    assert len(written) == 1 + len(trace.attempts)
    assert Trace.load(written) == trace


def test_every_line_is_json_that_any_language_reads():
    """No line holds a constant that the standard does not know, and the room comes back."""

    def refuse(constant):
        raise AssertionError(constant)

    unlimited = Trace(attempts=(attempt(room=math.inf),))
    for line in lines(unlimited):
        json.loads(line, parse_constant=refuse)
    assert Trace.load(lines(unlimited)) == unlimited


def test_a_trace_is_read_from_a_path_a_file_or_lines(tmp_path):
    """A path, in either type, an open file and a list of lines are the same source."""
    path = tmp_path / "trace.jsonl"
    TWO_CALLS.dump(path)
    assert Trace.load(path) == Trace.load(str(path)) == Trace.load(lines(TWO_CALLS)) == TWO_CALLS
    with path.open() as file:
        assert Trace.load(file) == TWO_CALLS
    TWO_CALLS.dump(str(path))
    assert Trace.load(path) == TWO_CALLS


def test_blank_lines_are_skipped_and_counted():
    """A blank line is nothing, but the number of a line is where it stands in the file."""
    header, first, *_ = lines(TWO_CALLS)
    assert len(Trace.load(["\n", header, "\n", first, "  \n"]).attempts) == 1
    with pytest.raises(TraceError, match="line 4"):
        Trace.load([header, "\n", first, "{}\n"])


def test_fields_are_written_in_their_documented_order():
    """A reader of the file finds the fields where the documentation of Attempt has them."""
    row = json.loads(lines(TWO_CALLS)[1])
    documented = re.findall(r"^        (\w+): ", Attempt.__doc__, flags=re.MULTILINE)
    assert list(row) == documented


def test_a_file_that_is_not_there_is_an_os_error(tmp_path):
    """A missing file is the system's error, not a trace's."""
    with pytest.raises(FileNotFoundError):
        Trace.load(tmp_path / "none.jsonl")


def broken(source, number):
    """Return the error of reading these lines, which names the line."""
    with pytest.raises(TraceError) as caught:
        Trace.load(source)
    assert f"line {number}:" in str(caught.value)
    return caught.value


ROW = json.loads(lines(TWO_CALLS)[1])


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("{", ""),
        ('{"index": 0', ""),
        (json.dumps(ROW)[:-20], ""),
        ("5", "an attempt is a JSON object"),
        ("[]", "an attempt is a JSON object"),
        ("null", "an attempt is a JSON object"),
        ("{}", "an attempt lacks index, caller"),
        (json.dumps({k: v for k, v in ROW.items() if k != "unit"}), "an attempt lacks unit"),
        (json.dumps({**ROW, "jitter": 1}), "unknown fields jitter"),
        (
            json.dumps({**ROW, "arrived_at": "0"}),
            "arrived_at must be a number of seconds, at least 0, got '0'",
        ),
        (json.dumps({**ROW, "status": True}), "status must be an HTTP status, got True"),
        (json.dumps({**ROW, "call": None}), "call must be a whole number, at least 0, got None"),
        ("\ufffd\ufffd", ""),
    ],
)
def test_a_corrupt_line_is_named_and_what_came_before_is_kept(line, named):
    """The message has the line's number and the fault; the error has the attempts before it."""
    header, *rows = lines(TWO_CALLS)
    error = broken([header, *rows[:2], f"{line}\n", *rows[2:]], 4)
    assert named in str(error)
    assert "2 attempts before it were read" in str(error)
    assert error.trace.attempts == TWO_CALLS.attempts[:2]
    assert error.trace.limits == TWO_CALLS.limits


def test_a_last_line_that_was_cut_off_loses_nothing_else(tmp_path):
    """A file that ends in the middle of a line, as a killed run leaves it, is read up to there."""
    path = tmp_path / "trace.jsonl"
    TWO_CALLS.dump(path)
    path.write_text(path.read_text()[:-30])
    error = broken(path, 5)
    assert str(path) in str(error)
    assert error.trace.attempts == TWO_CALLS.attempts[:3]


@pytest.mark.parametrize(
    "header", ["{}", "[]", '{"trace": 2}', '{"trace": "1"}', json.dumps(ROW), '"trace"']
)
def test_a_first_line_that_is_no_header_is_named(header):
    """A trace begins with its header, of the one format that there is."""
    error = broken([f"{header}\n", *lines(TWO_CALLS)[1:]], 1)
    assert 'not a trace header; it begins {"trace": 1, ...}' in str(error)
    assert error.trace == Trace()


@pytest.mark.parametrize("content", ["", "\n\n", " \n"])
def test_an_empty_file_is_named(content, tmp_path):
    """A file without a header says that it is empty."""
    path = tmp_path / "trace.jsonl"
    path.write_text(content)
    with pytest.raises(TraceError, match="empty; a trace begins with a header line") as caught:
        Trace.load(path)
    assert caught.value.trace == Trace()


def test_bytes_that_are_no_text_are_a_corrupt_line(tmp_path):
    """A binary file is a trace error that names its first line."""
    path = tmp_path / "trace.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    broken(path, 1)


@pytest.mark.parametrize(
    "header",
    [
        '{"trace": 1, "limits": 5}',
        '{"trace": 1, "limits": [5]}',
        '{"trace": 1, "limits": [{"kinds": "tokens"}]}',
        '{"trace": 1, "limits": [{"kind": "tokens"}]}',
        '{"trace": 1, "elsewhere": 5}',
    ],
)
def test_a_header_of_another_shape_is_named(header):
    """Limits are a list of limits, places a list of names."""
    broken([header], 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ended_at", "1.0"),
        ("hint", "60"),
        ("room", "x"),
        ("charged", None),
        ("caller", 5),
        ("model", None),
        ("layer", "outer"),
        ("attribution", "maybe"),
        ("hint_form", "minutes"),
        ("terminal", "yes"),
        ("status", 429.5),
        ("status", math.nan),
        ("attempt", 0),
        ("index", "0"),
        ("arrived_at", -1.0),
    ],
)
def test_a_value_of_the_wrong_type_is_named(name, value):
    """A value that a check would stumble over is an error here, where its line is known."""
    header = lines(TWO_CALLS)[0]
    assert name in str(broken([header, json.dumps({**ROW, name: value})], 2))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clock", "fast"),
        ("ended_at", "9"),
        ("resolution", None),
        ("limits", [{"kind": "tokens", "amount": "x"}]),
        ("limits", [{"kind": "jokes", "amount": 5}]),
        ("elsewhere", "aiohttp to api.openai.com"),
    ],
)
def test_a_header_s_value_of_the_wrong_type_is_named(name, value):
    """The header's values are checked as an attempt's are."""
    header = json.loads(lines(TWO_CALLS)[0])
    assert name in str(broken([json.dumps({**header, name: value})], 1))


def test_a_line_nested_too_deeply_is_a_corrupt_line():
    """No line can make reading fail in another way than a trace's error."""
    broken([lines(TWO_CALLS)[0], "[" * 100_000], 2)


def test_a_trace_error_can_be_pickled():
    """An error that comes out of another process keeps its message and its trace."""
    error = pickle.loads(pickle.dumps(TraceError("line 3", TWO_CALLS)))
    assert (str(error), error.trace) == ("line 3", TWO_CALLS)


def test_a_limit_in_a_header_is_the_limit_that_was_enforced():
    """Every field of a limit survives, those that its defaults hide too."""
    bucket = Limit(
        kind="tokens", amount=9, algorithm="token-bucket", burst=7, floor=-3, charge_rejected=0.5
    )
    day = Limit(
        kind="tokens",
        amount=9,
        per=86_400.0,
        window=86_400.0,
        algorithm="calendar-day",
        charge="reserve",
        charge_cached=0.25,
        output_factor=5,
        scope="all",
        models=("mini", "nano"),
        except_models=("large",),
        growth=2.5,
        timezone="Europe/Paris",
    )
    trace = Trace(limits=Limits.of([bucket, day]))
    assert tuple(Trace.load(lines(trace)).limits) == (bucket, day)


@pytest.mark.parametrize(
    ("limits", "dated"),
    [
        (Limits(tokens_per_minute=9), False),
        (Limits(tokens_per_minute=9, algorithm="fixed-window"), True),
        (Limits(tokens_per_day=9, algorithm="calendar-day", window=86_400), True),
    ],
)
def test_a_virtual_trace_holds_a_date_only_where_a_limit_goes_by_it(limits, dated):
    """Two runs of one seed give the same bytes, although each has a date of its own."""
    one, other = (Trace(limits=limits, started_at=at) for at in (1e9, 2e9))
    assert one == other
    assert (lines(one) != lines(other)) is dated
    assert lines(Trace(limits=limits, clock="real", started_at=1e9)) != lines(one)


def test_traces_of_servers_that_share_limits_are_one():
    """Times are put on one clock, named callers are one, unnamed ones and calls are not."""
    first = attempt(caller="client 1", call=0, unit="u", arrived_at=1.0, ended_at=2.0)
    second = attempt(caller="agent", call=0, unit="u", arrived_at=0.5, ended_at=0.75)
    third = attempt(caller="agent", call=3, unit="v", arrived_at=4.0, index=1)
    one = Trace(attempts=(first,), clock="real", resolution=5e-3, ended_at=3.0, started_at=100.0)
    other = Trace(
        attempts=(second, third), clock="real", resolution=0.1, ended_at=5.0, started_at=101.0
    )
    merged = Trace.merged([one, other])
    assert [(a.index, a.caller, a.call, a.unit, a.arrived_at) for a in merged.attempts] == [
        (0, "server 1 client 1", 0, "u@1", 1.0),
        (1, "agent", 1, "u@2", 1.5),
        (2, "agent", 2, "v@2", 5.0),
    ]
    assert [a.ended_at for a in merged.attempts] == [2.0, 1.75, 2.0]
    assert (merged.started_at, merged.ended_at, merged.resolution) == (100.0, 6.0, 0.1)
    assert Trace.merged([one]) is one


def test_traces_under_different_limits_are_not_merged():
    """Nor is nothing."""
    for traces in ([], [Trace(), Trace(limits=Limits(requests_per_minute=1))]):
        with pytest.raises(ValueError, match="under the same limits"):
            Trace.merged(traces)
