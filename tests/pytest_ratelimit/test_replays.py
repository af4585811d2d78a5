"""RL123 and RL124: work sent again that had been delivered, or was still being served."""

from __future__ import annotations

import pytest

from fake_provider._attempt import Attempt
from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, judge
from tests.pytest_ratelimit.simulation import attempt, trace_of


def output(*attempts: Attempt) -> Judgement:
    return judge(trace_of(*attempts))["RL123"]


def running(*attempts: Attempt) -> Judgement:
    return judge(trace_of(*attempts))["RL124"]


def cut(**changes: object) -> Attempt:
    """A stream that the provider cut after two seconds of output."""
    fields: dict[str, object] = {
        "stream": True,
        "output_at": 1.0,
        "ended_at": 3.0,
        "reason": "cut",
    }
    return attempt(**{**fields, **changes})


def given_up(at: float = 0.0, patience: float = 5.0, **changes: object) -> Attempt:
    """An attempt that the client gave up on while it was being served."""
    end = at + patience
    return attempt(arrived_at=at, ended_at=end, cancelled_at=end, **changes)


def test_a_cut_stream_that_is_replayed() -> None:
    """A stream that broke after output and was asked for again is an error, told in full."""
    trace = trace_of(cut(), attempt(arrived_at=4.0, ended_at=9.0, stream=True, output_at=5.0))
    (finding,) = judge(trace)["RL123"].findings
    assert finding.severity == "error"
    assert finding.attempts == (1,)
    assert str(finding) == (
        "RL123 replayed-after-output: 1 of 1 answer that broke off after output asked for again "
        "from the start\n"
        "\n"
        "  Worst: agent-0, call 0, had read for 2 s when its answer broke off at t=3.000 s, and "
        "began again at t=4.000 s.\n"
        "  1,000 tokens were demanded again.\n"
        "  Cause: what is retried is the reading of the answer, and not only its beginning: "
        "whoever reads it gets the first part twice.\n"
        "  Remedy: retry only until the first output; after it, hand the error on. Where the "
        "first part is thrown away before asking again, which no trace tells, accept this.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL123": "reason"})'
    )


def test_a_stream_that_broke_before_output_may_be_retried() -> None:
    """Until the first output a retry is right; after it, giving up is."""
    before = cut(output_at=None)
    assert output(before, attempt(arrived_at=4.0)).verdict == "n/a"
    assert output(before, cut(call=1), attempt(call=0, arrived_at=4.0)).verdict == "ok"


def test_new_work_after_a_cut_stream_is_no_replay() -> None:
    """Another call of the same caller for other work is not a replay."""
    assert output(cut(), attempt(call=1, unit="u1", arrived_at=4.0)).verdict == "ok"


def test_a_requeue_of_a_cut_stream_is_a_replay() -> None:
    """The same unit of work, dispatched again as a new call, is asked for from the start."""
    judgement = output(cut(), attempt(call=1, caller="agent-1", arrived_at=4.0))
    assert judgement.verdict == "FLAG"


def test_a_stream_that_the_client_closed_is_a_warning() -> None:
    """A client that closed its stream may have had all it wanted: a warning that says so."""
    closed = cut(reason=None, cancelled_at=3.0)
    (finding,) = output(closed, attempt(arrived_at=4.0)).findings
    assert finding.severity == "warning"
    assert "closed by the client" in finding.evidence[0]
    assert output(closed, attempt(arrived_at=4.0, input_tokens=7)).verdict == "ok"
    (sdk,) = output(closed, attempt(arrived_at=4.0, layer="sdk", sdk_retry=1)).findings
    assert sdk.severity == "error"


def test_an_inferred_call_is_no_replay() -> None:
    """Where nothing tells a retry from new work, there is no replay."""
    attempts = (cut(attribution="inferred"), attempt(arrived_at=4.0, attribution="inferred"))
    assert output(*attempts).verdict == "ok"


def test_without_a_broken_stream_there_is_nothing_to_judge() -> None:
    """A run in which every answer was complete says what it would take."""
    judgement = output(attempt())
    assert judgement.verdict == "n/a"
    assert judgement.missing.startswith("no answer broke off after its output had begun")


def test_a_timeout_shorter_than_the_service_time() -> None:
    """Three attempts given up after 5 s each are paid three times: an error, told in full."""
    trace = trace_of(
        *(given_up(10.0 * n) for n in range(3)),
        attempt(call=1, caller="agent-1", arrived_at=1.0, ended_at=12.5),
    )
    (finding,) = judge(trace)["RL124"].findings
    assert finding.severity == "error"
    assert str(finding) == (
        "RL124 retried-while-running: 2 retries of 1 call sent while the attempt before was being "
        "served: 2,000 tokens paid for nothing\n"
        "\n"
        "  Worst: agent-0, call 0, gave up after 5 s, 3 attempts at once or in a row.\n"
        "  1 of 1 call had no answer in the end. Callers: agent-0.\n"
        "  Cause: the client's timeout is shorter than the time that the provider works on it.\n"
        "  Remedy: set timeout=23 on the client: the longest answer took 11.5 s.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL124": "reason"})'
    )


def test_one_timeout_that_was_retried_with_success_is_a_warning() -> None:
    """A single slow answer, asked for again and then served, is a warning."""
    (finding,) = running(given_up(), attempt(arrived_at=6.0, ended_at=7.0)).findings
    assert finding.severity == "warning"
    assert finding.remedy == "set timeout=2 on the client: the longest answer took 1 s."


def test_an_attempt_beside_one_that_runs_on_is_an_error() -> None:
    """A call sent again while its attempt before was still being served is an error, even once."""
    for end in (30.0, None):
        first = attempt(ended_at=end)
        (finding,) = running(first, attempt(arrived_at=10.0, ended_at=11.0)).findings
        assert finding.severity == "error"
        assert "sent the next one while it ran" in finding.evidence[0]


@pytest.mark.parametrize("other", [{"key": "1badcafe"}, {"host": "b.test"}, {"model_class": "y"}])
def test_a_hedge_to_another_key_host_or_model_is_innocent(other: dict[str, object]) -> None:
    """A second request to another key, host or model, while the first one runs, is a hedge."""
    assert running(attempt(ended_at=30.0), attempt(arrived_at=10.0, **other)).verdict == "ok"
    assert running(given_up(), attempt(arrived_at=6.0, **other)).verdict == "ok"


def test_hedged_calls_in_two_tasks_are_two_calls() -> None:
    """Equal requests in flight together that nothing joins into one call are no retries."""
    hedge = attempt(call=1, caller="agent-1", arrived_at=1.0, ended_at=2.0)
    assert running(attempt(ended_at=3.0), hedge).verdict == "n/a"


def test_giving_up_on_a_refusal_is_not_paid_twice() -> None:
    """Nothing is served where the provider refuses, however slowly."""
    refused = given_up(status=429, reason="scripted", room=None, charged=0.0)
    assert running(refused, attempt(arrived_at=6.0)).verdict == "n/a"


def test_a_call_given_up_for_good_is_right() -> None:
    """A client that gives up and does not ask again pays once."""
    assert running(given_up()).verdict == "ok"


def test_without_a_timeout_there_is_nothing_to_judge() -> None:
    """A run in which nobody gave up waiting says what it would take."""
    judgement = judge(Trace(attempts=trace_of(attempt()).attempts))["RL124"]
    assert judgement.missing.startswith("no client gave up on an attempt that was being served")
