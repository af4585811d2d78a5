"""RL302 and RL305: how long did the job take, against the least that its limit allows?"""

from __future__ import annotations

import dataclasses

import pytest

from fake_provider._limits import Limit, Limits
from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, Policy, judge
from pytest_ratelimit._checks._ideal import covered_s, measure_ideal
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import REPLAY, cold_start, replay
from tests.pytest_ratelimit.simulation import Simulation, attempt, chains, refusal, trace_of

WINDOW = Limit(kind="tokens", amount=10_000)
BUCKET = Limit(kind="tokens", amount=60_000, algorithm="token-bucket", burst=3_000)
FOUR = Limit(kind="concurrent", amount=4)


def goodput(trace: Trace, **policy: object) -> Judgement:
    return judge(trace, Policy(**policy))["RL302"]  # type: ignore[arg-type]


def throttle(trace: Trace, **policy: object) -> Judgement:
    return judge(trace, Policy(**policy))["RL305"]  # type: ignore[arg-type]


def served(calls: int, *limits: Limit, gap: float = 0.0, callers: int = 12) -> Trace:
    """Calls of 1,000 tokens, each served in 2 s, a gap apart, of callers in turn."""
    made = [
        attempt(
            call=n,
            unit=f"u{n}",
            caller=f"a{n % callers}",
            arrived_at=n * gap,
            ended_at=n * gap + 2.0,
            room=9.0,
        )
        for n in range(calls)
    ]
    return trace_of(*made, limits=Limits.of(limits))


@pytest.mark.parametrize(
    ("calls", "limits", "expected"),
    [
        (12, (), 2.0),
        (10, (WINDOW,), 2.0),
        (11, (WINDOW,), 62.0),
        (20, (WINDOW,), 62.0),
        (21, (WINDOW,), 122.0),
        (3, (BUCKET,), 2.0),
        (13, (BUCKET,), 12.0),
        (12, (FOUR,), 6.0),
        (13, (BUCKET, FOUR, WINDOW), 62.0),
    ],
)
def test_the_ideal_of_a_job(calls: int, limits: tuple[Limit, ...], expected: float) -> None:
    """The ideal is what the slowest limit needs, and the longest chain at least."""
    ideal = measure_ideal(served(calls, *limits, callers=calls))
    assert ideal is not None
    assert ideal.seconds == pytest.approx(expected)


def test_the_chain_of_a_caller_counts_once_where_its_calls_overlap() -> None:
    """Two calls of one caller in a row take twice as long, and at once no longer than one."""
    row = trace_of(attempt(ended_at=2.0), attempt(call=1, arrived_at=2.0, ended_at=4.0))
    once = trace_of(attempt(ended_at=2.0), attempt(call=1, ended_at=2.0))
    ideals = [measure_ideal(trace) for trace in (row, once)]
    assert [ideal and ideal.chain_s for ideal in ideals] == [4.0, 2.0]
    assert measure_ideal(trace_of(refusal())) is None


def test_the_union_of_spans() -> None:
    """Overlaps count once, and gaps not at all."""
    assert covered_s([(0, 2), (1, 3), (1.5, 2), (5, 6)]) == 4.0


@pytest.mark.parametrize("seed", range(5))
def test_the_ideal_is_never_above_what_a_good_client_takes(seed: int) -> None:
    """A job behind a shared bucket takes 1 to 1.3 times the ideal."""
    trace = replay(delays.full_jitter(2.0), seed=seed, paced=True)
    ideal = measure_ideal(trace)
    assert ideal is not None
    assert 1.0 <= trace.makespan / ideal.seconds <= 1.3


def test_the_incident_has_collapsed() -> None:
    """The replay takes 25.8 times the ideal: an error, told in full."""
    (finding,) = goodput(replay(delays.fixed())).findings
    assert finding.severity == "error"
    assert str(finding) == (
        "RL302 goodput-collapse: the job took 854.3 s, 25.8 x the ideal of 33.06 s\n"
        "\n"
        "  The longest chain of one caller's calls was served in 29.78 s; tokens_per_minute "
        "needs 33.06 s for the 2,106,000 tokens served.\n"
        "  Above 6 x the ideal plus 60 s it is a collapse. 633 of 685 attempts were refused.\n"
        "  Cause: refused attempts are charged as well, so that retries keep the limit full.\n"
        "  Remedy: share one bucket of 60,000 tokens a second and 200,000 at once between all"
        " callers: the job then takes about 39.67 s.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL302": "reason"})'
    )


def test_a_job_behind_a_shared_bucket_is_the_innocent_neighbour() -> None:
    """The repaired incident is on time, by rule and by a stated bound."""
    trace = replay(delays.full_jitter(2.0), paced=True)
    assert goodput(trace).verdict == "ok"
    assert goodput(trace, max_times_ideal=1.3, max_makespan_s=42.0).verdict == "ok"


@pytest.mark.parametrize("seed", range(5))
def test_healthy_retries_are_no_collapse(seed: int) -> None:
    """Full jitter against a bucket that refuses for free ends well within the bound."""
    assert goodput(cold_start(delays.full_jitter(), seed=seed, attempts=20)).verdict == "ok"


def test_a_small_job_with_one_long_wait_is_no_collapse() -> None:
    """A wait of one minute is 120 times an ideal of half a second, and no collapse."""
    limits = Limits.of([WINDOW])
    refused = refusal(reason="tokens_per_minute", room=0.5)
    trace = trace_of(refused, attempt(arrived_at=60.0, ended_at=60.5), limits=limits)
    assert goodput(trace).verdict == "ok"


def test_time_in_which_nothing_was_asked_for_does_not_count() -> None:
    """A caller that polls once a minute for an hour is not late, however little it does."""
    trace = served(60, WINDOW, gap=60.0, callers=1)
    refused = refusal(call=99, unit="v", caller="b", reason="tokens_per_minute", room=0.5)
    retried = attempt(call=99, unit="v", caller="b", arrived_at=20.0, ended_at=22.0)
    both = trace_of(*trace.attempts, refused, retried, limits=trace.limits)
    assert goodput(both).verdict == "ok"
    assert goodput(both, max_times_ideal=4.0).verdict == "FLAG"


def test_a_script_s_refusals_have_no_ideal() -> None:
    """Nothing says for how long a script would have refused, so that nothing is judged."""
    trace = trace_of(refusal(), attempt(arrived_at=900.0, ended_at=901.0))
    assert goodput(trace).missing.startswith("a script refused some attempts")
    assert goodput(trace, max_makespan_s=60.0).verdict == "FLAG"


def test_nothing_served_has_no_ideal() -> None:
    """A run that served nothing is not judged, with and without a stated multiple."""
    for policy in ({}, {"max_times_ideal": 4.0}):
        judgement = goodput(chains([[1.0]]), **policy)
        assert judgement.missing == "nothing was served: there is no ideal to compare with"


def test_a_stated_time() -> None:
    """A stated number of seconds is a contract, also where nothing was refused."""
    (finding,) = goodput(served(12, gap=10.0), max_makespan_s=60.0).findings
    assert finding.summary == "the job took 112 s, 56.0 x the ideal of 2 s"
    assert finding.evidence[1] == "This bound is stated. 0 of 12 attempts were refused."
    assert finding.cause == "nothing was refused: the callers waited for themselves."


def test_charges_that_bought_nothing() -> None:
    """Six times as many tokens charged as served are a collapse, however fast it went."""
    limits = Limits.of([dataclasses.replace(WINDOW, charge_rejected=1.0)])
    wasted = [
        refusal(call=n, unit=f"u{n}", reason="tokens_per_minute", room=0.0, charged=1.0)
        for n in range(12)
    ]
    two = [attempt(call=90 + n, unit=f"v{n}", ended_at=1.0) for n in range(2)]
    (finding,) = goodput(trace_of(*wasted, *two, limits=limits)).findings
    assert finding.summary == ("12,000 tokens were charged for nothing, 6.0 x the 2,000 served")
    four = [attempt(call=90 + n, unit=f"v{n}", ended_at=1.0) for n in range(4)]
    assert goodput(trace_of(*wasted, *four, limits=limits)).verdict == "ok"


def slow_pacer(rate: int = 100_000, callers: int = 12) -> Trace:
    """Calls of 41,000 tokens behind a bucket far below the provider's 66,667 a second."""
    pacer = Limit(kind="tokens", amount=rate, algorithm="token-bucket", burst=41_000)
    return Simulation(delays.full_jitter(), REPLAY, pacer=pacer, callers=callers).run()


def test_a_limiter_far_below_the_limit() -> None:
    """Paced sends that use 2.6 % of the limit are noted, told in full."""
    (finding,) = throttle(slow_pacer()).findings
    assert finding.severity == "note"
    assert str(finding) == (
        "RL305 over-throttled: 2.5 % of tokens_per_minute was used, nothing was refused, and "
        "the job took 1,453 s, 40.5 x the ideal\n"
        "\n"
        "  Sends are paced, one every 24.6 s, over 12 callers.\n"
        "  The longest chain of one caller's calls was served in 10 s; tokens_per_minute "
        "needs 35.9 s for the 2,460,000 tokens served.\n"
        "  Cause: the limiter on the client's side is set far below the provider's limit.\n"
        "  Remedy: raise its rate to 60,000 tokens a second.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL305": "reason"})'
    )


def test_it_is_a_warning_where_the_time_to_finish_is_stated() -> None:
    """Whoever states a time minds it."""
    (finding,) = throttle(slow_pacer(), max_times_ideal=4.0).findings
    assert finding.severity == "warning"


def test_a_limiter_near_the_limit_is_the_innocent_neighbour() -> None:
    """A bucket at 90 % of the limit is not too slow."""
    assert throttle(slow_pacer(3_600_000)).verdict == "ok"


def test_polling_and_thinking_are_not_throttled() -> None:
    """One caller that polls, and callers that hand work on to each other, are not paced."""
    assert throttle(served(60, WINDOW, gap=30.0, callers=1)).verdict == "n/a"
    assert throttle(served(60, WINDOW, gap=2.0, callers=12)).verdict == "n/a"
    assert throttle(served(60, gap=30.0)).verdict == "n/a"


def test_a_run_with_a_refusal_is_not_over_throttled() -> None:
    """Where something was refused the limiter was not too slow."""
    paced = slow_pacer()
    refused = refusal(call=999, unit="v", arrived_at=1.0, reason="tokens_per_minute", room=0.0)
    both = trace_of(*paced.attempts, refused, limits=paced.limits)
    assert throttle(both).verdict == "ok"
