"""RL901, RL902 and RL903: was there anything to judge?"""

from __future__ import annotations

import pytest

from fake_provider._limits import Limit, Limits
from fake_provider._trace import Trace
from pytest_ratelimit._checks import CHECKED, judge
from pytest_ratelimit._tolerance import check
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import replay
from tests.pytest_ratelimit.simulation import attempt, chains, refusal, trace_of


def test_a_run_without_a_refusal_is_noted() -> None:
    """The repaired incident has one finding: that nothing was refused."""
    (finding,) = check(replay(delays.full_jitter(2.0), paced=True))
    assert finding.code == "RL902"
    assert finding.severity == "note"


def test_the_remedy_is_a_limit_that_would_refuse() -> None:
    """The limit that the note proposes is half of what the run asked for in a window."""
    made = [attempt(call=i, arrived_at=float(i), room=5.0) for i in range(10)]
    limited = trace_of(*made, limits=Limits.of([Limit(kind="tokens", amount=50_000)]))
    (note,) = [f for f in check(limited) if f.code == "RL902"]
    assert note.remedy.startswith("to see refusals, set tokens_per_minute=5_000: ")
    (note,) = [f for f in check(trace_of(*made)) if f.code == "RL902"]
    assert note.remedy.startswith("to see refusals, set tokens_per_minute=5_000: ")
    assert note.cause == "no limit was set, and no refusal was scripted."


def test_one_refusal_is_exercise() -> None:
    """A single refusal, whoever made it, ends the quiet."""
    assert judge(trace_of(refusal()))["RL902"].verdict == "ok"


def test_silence_is_an_error_that_lists_what_was_seen() -> None:
    """Where nothing reached the provider nothing else is judged, and other traffic is named."""
    trace = Trace(elsewhere=("urllib to api.openai.com", "urllib to api.openai.com"))
    judged = judge(trace)
    (finding,) = check(trace)
    assert finding.code == "RL903"
    assert finding.severity == "error"
    assert finding.evidence == ("Seen elsewhere: urllib to api.openai.com.",)
    assert finding.remedy == (
        "leave the SDK its own client, or make it one of aiohttp, botocore, httpx, httpx2: urllib "
        "is not intercepted. Where that cannot be, write its attempts to a file, and judge that: "
        'check(Trace.load("trace.jsonl")).'
    )
    assert [code for code in CHECKED if judged[code].judged] == ["RL903"]


@pytest.mark.parametrize("library", ["aiohttp", "botocore", "httpx", "httpx2"])
def test_a_library_that_is_intercepted_went_to_a_host_that_is_not(library) -> None:
    """The remedy names the host: the client is the right one already."""
    (finding,) = check(Trace(elsewhere=(f"{library} to llm.corp",)))
    assert finding.cause == "the requests went to a host that is not answered."
    assert finding.remedy == 'name the host: hosts={"llm.corp": "openai"}.'


def test_other_traffic_beside_attempts_is_no_silence() -> None:
    """A run that reached the provider is judged, whatever else was seen."""
    trace = trace_of(attempt(), elsewhere=("aiohttp to api.openai.com",))
    assert judge(trace)["RL903"].verdict == "ok"


def test_refusals_of_which_nothing_could_be_judged() -> None:
    """One refused call that was never retried after a hint leaves every policy unjudged."""
    trace = trace_of(refusal(hint=5.0, hint_form="seconds"), attempt(arrived_at=5.0, call=0))
    assert judge(trace)["RL901"].verdict == "ok"
    unhinted = trace_of(refusal(), attempt(arrived_at=5.0))
    (finding,) = judge(unhinted)["RL901"].findings
    assert finding.severity == "note"
    assert [line[:5] for line in finding.evidence] == ["RL102", "RL103", "RL106", "RL111"]
    assert judge(chains([[1.0]] * 4))["RL901"].verdict == "ok"


def test_a_limit_on_concurrency_is_not_proposed() -> None:
    """Only a rate can be lowered by the figure that the note proposes."""
    limits = Limits.of([Limit(kind="concurrent", amount=5), Limit(kind="requests", amount=50)])
    made = [attempt(call=i, arrived_at=float(i), room=5.0) for i in range(10)]
    (note,) = [f for f in check(trace_of(*made, limits=limits)) if f.code == "RL902"]
    assert note.remedy.startswith("to see refusals, set requests_per_minute=5: ")


def test_a_host_that_is_not_answered_is_named() -> None:
    """Where the library is intercepted, the remedy is the one line that answers the host."""
    (finding,) = check(Trace(elsewhere=("httpx to llm-gateway.corp",)))
    assert finding.remedy == 'name the host: hosts={"llm-gateway.corp": "openai"}.'


def test_silence_without_any_other_traffic() -> None:
    """Code that sent nothing is to be called, or to be judged by a file."""
    (finding,) = check(Trace())
    assert finding.remedy.startswith("call the code inside the test; for another process write ")


def test_a_request_that_can_never_be_admitted_is_not_let_through() -> None:
    """Beside RL203 the note does not claim that all was well, nor does it propose such a limit."""
    limits = Limits.of([Limit(kind="tokens", amount=500)])
    large = attempt(status=413, reason="request_too_large", terminal=True, room=0.5, charged=0.0)
    found = {finding.code: finding for finding in check(trace_of(large, limits=limits))}
    assert found["RL902"].summary == (
        "nothing was refused for now: 0 of 1 attempt of 1 caller were let through, the rest ended "
        "with 413 (1 x), and no retry of a refusal was tested"
    )
    assert found["RL902"].cause == "no attempt was one that a limit could have admitted later."
    assert found["RL902"].remedy == (
        "to see refusals, start more calls together: one by itself meets no limit."
    )
    assert found["RL203"].severity == "error"


def test_one_call_is_not_told_to_lower_the_limit() -> None:
    """No limit refuses a single call for now: it takes a second one."""
    for limit in (Limit(kind="requests", amount=50), Limit(kind="tokens", amount=50_000)):
        alone = trace_of(attempt(room=5.0), limits=Limits.of([limit]))
        (note,) = [f for f in check(alone) if f.code == "RL902"]
        assert note.remedy.endswith("start more calls together: one by itself meets no limit.")


def test_the_limit_that_is_proposed_admits_each_attempt_by_itself() -> None:
    """Half of the demand may be less than the largest request, which would then never fit."""
    made = [
        attempt(call=i, arrived_at=float(i), room=5.0, input_tokens=tokens)
        for i, tokens in enumerate([9_000, 500, 500])
    ]
    (note,) = [f for f in check(trace_of(*made)) if f.code == "RL902"]
    assert note.remedy == "to see refusals, set tokens_per_minute=9_000: room for one of them."
    spread = [attempt(call=i, arrived_at=100.0 * i, room=5.0) for i in range(8)]
    (note,) = [f for f in check(trace_of(*spread)) if f.code == "RL902"]
    assert "start more calls together" in note.remedy
