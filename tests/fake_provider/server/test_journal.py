"""A trace's file is whole at every moment, and goes on where a killed process left it."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from fake_provider import Limits, Trace, TraceError
from fake_provider._journal import Journal, JournalError
from tests.pytest_ratelimit.simulation import attempt

LIMITS = Limits(requests_per_minute=5)
EMPTY = Trace(limits=LIMITS, clock="real", resolution=5e-3, started_at=1_000.0, seed=0)


class Ended:
    """An attempt that has ended, as a provider's record of it."""

    def __init__(self, **fields):
        self._attempt = attempt(**fields)

    def attempt(self):
        return self._attempt


def ended(index, arrived_at, ended_at):
    """Return the record of an attempt that was served."""
    return Ended(index=index, call=index, arrived_at=arrived_at, ended_at=ended_at)


def test_an_open_file_is_a_trace(tmp_path):
    """Before it is closed the file is a trace, in order of arrival, and ends with it."""
    path = tmp_path / "t.jsonl"
    journal = Journal(path, EMPTY)
    journal.add(ended(1, 1.0, 2.0))
    journal.add(ended(0, 0.5, 3.0))
    trace = Trace.load(path)
    assert [(a.index, a.arrived_at) for a in trace.attempts] == [(0, 0.5), (1, 1.0)]
    assert (trace.ended_at, trace.limits) == (3.0, LIMITS)
    journal.close(EMPTY)


def test_a_closed_file_says_when_it_ended(tmp_path):
    """The header is written again with what is known at the end."""
    path = tmp_path / "t.jsonl"
    journal = Journal(path, EMPTY)
    journal.add(ended(0, 0.5, 1.0))
    journal.close(replace(EMPTY, ended_at=9.0, resolution=0.2, elsewhere=("GET /x to h",)))
    trace = Trace.load(path)
    assert (trace.ended_at, trace.resolution) == (9.0, 0.2)
    assert trace.elsewhere == ("GET /x to h",)
    assert len(trace.attempts) == 1


def test_a_header_that_grows_too_long_leaves_requests_out(tmp_path):
    """Thousands of requests seen elsewhere do not overwrite the first attempt."""
    path = tmp_path / "t.jsonl"
    journal = Journal(path, EMPTY)
    journal.add(ended(0, 0.5, 1.0))
    journal.close(replace(EMPTY, ended_at=9.0, elsewhere=tuple(f"GET /{n}" for n in range(999))))
    trace = Trace.load(path)
    assert (len(trace.attempts), len(trace.elsewhere), trace.ended_at) == (1, 3, 9.0)


@pytest.mark.parametrize("cut", [1, 10, 300])
def test_a_torn_last_line_loses_nothing_else(tmp_path, cut):
    """However much of the last line is missing, those before it are there."""
    path = tmp_path / "t.jsonl"
    journal = Journal(path, EMPTY)
    for index in range(3):
        journal.add(ended(index, index, index + 0.5))
    path.write_bytes(path.read_bytes()[:-cut])
    try:
        trace = Trace.load(path)
    except TraceError as error:
        trace = error.trace
    assert len(trace.attempts) == (3 if cut == 1 else 2)


def test_a_new_process_goes_on(tmp_path):
    """After a kill the next process appends: attempts, calls and times are counted on."""
    path = tmp_path / "t.jsonl"
    killed = Journal(path, EMPTY)
    killed.add(ended(0, 0.5, 1.0))
    killed.add(ended(1, 2.0, 3.0))
    with path.open("ab") as file:
        file.write(b'{"index":2,"caller":')
    os.close(killed._file)
    journal = Journal(path, replace(EMPTY, started_at=1_060.0))
    journal.add(ended(0, 0.5, 1.0))
    journal.close(replace(EMPTY, started_at=1_060.0, ended_at=2.0))
    trace = Trace.load(path)
    assert [(a.index, a.call, a.arrived_at) for a in trace.attempts] == [
        (0, 0, 0.5),
        (1, 1, 2.0),
        (2, 2, 60.5),
    ]
    assert (trace.started_at, trace.ended_at) == (1_000.0, 62.0)


def test_a_file_that_is_no_trace_is_left_alone(tmp_path):
    """Nothing is written over what is no trace."""
    path = tmp_path / "notes.txt"
    path.write_text("not to be lost\n", encoding="utf-8")
    for anew in (False, True):
        with pytest.raises(JournalError, match="no trace"):
            Journal(path, EMPTY, anew=anew)
    assert path.read_text(encoding="utf-8") == "not to be lost\n"


def test_a_trace_under_other_limits_is_left_alone(tmp_path):
    """Two runs under different limits do not become one trace."""
    path = tmp_path / "t.jsonl"
    Journal(path, EMPTY).close(EMPTY)
    with pytest.raises(JournalError, match="other limits"):
        Journal(path, replace(EMPTY, limits=Limits(requests_per_minute=6)))


def test_anew_empties_the_file(tmp_path):
    """A run that begins anew leaves nothing of the one before."""
    path = tmp_path / "t.jsonl"
    before = Journal(path, EMPTY)
    before.add(ended(0, 0.5, 1.0))
    before.close(EMPTY)
    Journal(path, EMPTY, anew=True).close(EMPTY)
    assert Trace.load(path).attempts == ()


def test_two_processes_do_not_write_one_file(tmp_path):
    """A file that is being written is refused."""
    path = tmp_path / "t.jsonl"
    journal = Journal(path, EMPTY)
    with pytest.raises(JournalError, match="being written"):
        Journal(path, EMPTY)
    journal.close(EMPTY)
