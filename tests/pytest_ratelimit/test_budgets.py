"""RL201, RL202 and RL203, and the demand arithmetic against brute force."""

from __future__ import annotations

import dataclasses
import random

import pytest

from fake_provider._limits import Limit, Limits, Sharing
from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, Policy, judge
from pytest_ratelimit._checks._demand import (
    Charges,
    bucket_excess,
    drain_s,
    in_flight_peak,
    window_peak,
)
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import REPLAY, replay
from tests.pytest_ratelimit.simulation import Simulation, Window, attempt, refusal, trace_of

TOKENS = Limit(kind="tokens", amount=10_000)
BUCKET = Limit(kind="tokens", amount=60_000, algorithm="token-bucket", burst=3_000)


def arrivals(seed: int, n: int = 40) -> tuple[list[float], list[float]]:
    rng = random.Random(seed)
    # Whole and half seconds, so that arrivals also fall on the edge of a window.
    times = sorted(rng.choice([rng.uniform(0, 30), rng.randrange(60) / 2]) for _ in range(n))
    return times, [float(rng.randrange(1, 50)) for _ in range(n)]


@pytest.mark.parametrize("seed", range(25))
def test_window_peak_is_the_largest_of_all_windows(seed: int) -> None:
    """Two pointers find what summing every window (x - 5, x] finds, and where it lies."""
    times, amounts = arrivals(seed)
    peak = window_peak(times, amounts, 5.0)
    sums = [
        sum(a for t, a in zip(times, amounts, strict=True) if end - 5.0 < t <= end) for end in times
    ]
    assert peak.amount == max(sums)
    assert sum(amounts[peak.first : peak.last + 1]) == peak.amount
    assert times[peak.last] - times[peak.first] < 5.0


@pytest.mark.parametrize("seed", range(25))
def test_bucket_excess_is_the_largest_over_all_intervals(seed: int) -> None:
    """One pass finds the largest excess of demand over burst + rate x length on any interval."""
    times, amounts = arrivals(seed)
    rate, burst = 30.0, 100.0
    expected = 0.0
    for i in range(len(times)):
        for j in range(i, len(times)):
            over = sum(amounts[i : j + 1]) - burst - rate * (times[j] - times[i])
            expected = max(expected, over)
    peak = bucket_excess(times, amounts, rate, burst)
    assert peak.amount == pytest.approx(expected)
    if peak.amount:
        demand = sum(amounts[peak.first : peak.last + 1])
        allowed = burst + rate * (times[peak.last] - times[peak.first])
        assert demand - allowed == pytest.approx(peak.amount)


@pytest.mark.parametrize("seed", range(10))
def test_in_flight_peak_is_the_largest_at_any_arrival(seed: int) -> None:
    """A sweep over starts and ends finds what counting at every arrival finds."""
    rng = random.Random(seed)
    attempts = [
        attempt(
            index=i,
            arrived_at=(at := i / 2),
            ended_at=rng.choice([at, at + rng.randrange(8) / 2, None]),
            input_tokens=rng.randrange(1, 9),
        )
        for i in range(30)
    ]
    ends = [(a, 20.0 if a.ended_at is None else a.ended_at) for a in attempts]
    expected = max(
        sum(a.tokens for a, end in ends if a.arrived_at <= at.arrived_at < end) for at in attempts
    )
    assert in_flight_peak(attempts, 20.0).amount == expected


def test_drain_of_a_bucket_and_of_a_window() -> None:
    """A bucket admits at its rate; a window admits a whole window's worth at one instant."""
    assert drain_s(REPLAY, 8, 40_500, 0.0) == pytest.approx(4.86)
    assert drain_s(REPLAY, 8, 40_500, 2.0) == pytest.approx(3.645)
    assert drain_s(REPLAY, 8, 40_500, 9.0) == 0.0
    assert drain_s(TOKENS, 10, 1_000, 0.0) == 0.0
    assert drain_s(TOKENS, 11, 1_000, 0.0) == 60.0
    assert drain_s(Limit(kind="concurrent", amount=2), 8, 1, 0.0) == 0.0


@pytest.mark.parametrize("seed", range(10))
def test_wait_of_a_window_is_what_a_limiter_would_say(seed: int) -> None:
    """The wait read from the charges in a trace is that of a limiter that saw them."""
    rng = random.Random(seed)
    limiter = Window(TOKENS)
    history = []
    now = 0.0
    while True:
        now += rng.uniform(0.5, 4.0)
        tokens = rng.randrange(500, 3_000)
        room = limiter.room(now) / tokens
        if not limiter.admit(tokens, now):
            refused = refusal(index=90, arrived_at=now, input_tokens=tokens, room=room)
            break
        history.append(attempt(index=len(history), arrived_at=now, input_tokens=tokens))
    history.append(refused)
    assert Charges(TOKENS, history).waits_s(refused) == pytest.approx(limiter.wait(tokens, now))


def overrun(trace: Trace, **policy: object) -> Judgement:
    return judge(trace, Policy(**policy))["RL201"]  # type: ignore[arg-type]


def cold(trace: Trace, **policy: object) -> Judgement:
    return judge(trace, Policy(**policy))["RL202"]  # type: ignore[arg-type]


def served(times: list[float], limit: Limit, tokens: int = 1_000, **changes: object) -> Trace:
    made = [
        attempt(
            **{
                "call": i,
                "caller": f"a{i}",
                "arrived_at": at,
                "ended_at": at,
                "input_tokens": tokens,
                "room": 1.0,
                **changes,
            }
        )
        for i, at in enumerate(times)
    ]
    return trace_of(*made, limits=Limits.of([limit]))


def test_demand_above_a_window_names_the_limit() -> None:
    """Eleven thousand tokens in a minute against ten are an overrun of tokens_per_minute."""
    (finding,) = overrun(served([i * 5.0 for i in range(11)], TOKENS)).findings
    assert finding.severity == "warning"
    assert finding.summary == (
        "11,000 tokens demanded within 60 s, 1,000 more than tokens_per_minute admits"
    )
    assert finding.attempts == tuple(range(11))


def test_demand_at_the_limit_is_the_innocent_neighbour() -> None:
    """Ten thousand in a minute are allowed, and an eleventh a full minute after the first."""
    assert overrun(served([i * 6.0 for i in range(11)], TOKENS)).verdict == "ok"


def test_a_bucket_in_front_of_a_window_overruns_it() -> None:
    """Burst and refill of a bucket of the limit's own rate are 19 in a minute against 10."""
    limit = Limit(kind="requests", amount=10)
    times = [0.0] * 10 + [6.0 * i for i in range(1, 10)]
    (finding,) = overrun(served(times, limit)).findings
    assert finding.summary.startswith("19 requests demanded within 60 s, 9 more than requests_")
    assert "5 requests at once and 5 per 60 s" in finding.remedy
    refilling = Limit(kind="requests", amount=10, algorithm="token-bucket")
    assert overrun(served(times, refilling)).verdict == "ok"


@pytest.mark.parametrize(
    ("admits", "remedy"),
    [
        (
            1,
            "let one call go at a time, 60 s after the one before, whichever caller makes it: the ",
        ),
        (2, "share one bucket of 1 request at once and 1 per 60 s between all callers: "),
        (3, "share one bucket of 1 request at once and 2 per 60 s between all callers: "),
    ],
)
def test_the_remedy_for_a_narrow_window_admits_something(admits: int, remedy: str) -> None:
    """No bucket of nothing is advised, and none whose halves are rounded up to more."""
    limit = Limit(kind="requests", amount=admits)
    (finding,) = overrun(served([0.0] * (admits + 1), limit)).findings
    assert finding.remedy.startswith(remedy)


def test_each_key_and_model_has_its_own_limit() -> None:
    """Demand on another key or model class is not added up."""
    one = served([0.0] * 6, TOKENS)
    two = served([0.0] * 6, TOKENS, key="another0")
    both = trace_of(
        *one.attempts,
        *(
            attempt(
                **{
                    name: getattr(a, name)
                    for name in ("caller", "key", "input_tokens", "room", "arrived_at")
                },
                call=100 + a.call,
            )
            for a in two.attempts
        ),
        limits=one.limits,
    )
    assert overrun(both).verdict == "ok"
    assert overrun(served([0.0] * 12, TOKENS)).verdict != "ok"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": 429, "reason": "scripted", "room": None},
        {"status": 529, "reason": "overloaded_error", "room": 1.0},
        {"status": 503, "reason": "service_unavailable", "room": 1.0},
    ],
)
def test_scripted_refusals_and_overloads_are_never_budget_findings(
    changes: dict[str, object],
) -> None:
    """Twenty refusals that no limit made are not demand above a limit."""
    trace = served([0.0] * 20, TOKENS, **changes)
    assert overrun(trace).verdict == "ok"
    assert cold(trace).verdict == "ok"


def test_without_limit_or_budget_there_is_nothing_to_judge() -> None:
    """No limit and no stated budget: not judged."""
    trace = trace_of(attempt())
    assert overrun(trace).verdict == "n/a"
    assert cold(trace).verdict == "n/a"
    assert judge(trace)["RL203"].verdict == "n/a"


def test_a_stated_budget_makes_it_an_error() -> None:
    """Above the stated budget demand is an error, although the limit is not reached."""
    trace = served([0.0, 10.0, 20.0], TOKENS)
    (finding,) = overrun(trace, budget_tokens=2_500).findings
    assert finding.severity == "error"
    assert finding.summary == (
        "3,000 tokens demanded in 60 s, 500 more than the stated budget of 2,500"
    )
    assert overrun(trace, budget_tokens=3_000).verdict == "ok"
    assert overrun(trace, budget_tokens=1_000, budget_per_s=10.0).verdict == "ok"


def test_a_stated_budget_in_flight() -> None:
    """Tokens in flight above the stated budget are an error; at the budget they are not."""
    made = [
        attempt(call=i, caller=f"a{i}", arrived_at=float(i), ended_at=i + 2.5) for i in range(4)
    ]
    trace = trace_of(*made)
    (finding,) = overrun(trace, budget_in_flight=2_500).findings
    assert finding.summary == "3,000 tokens in flight, 500 more than the stated budget of 2,500"
    assert finding.attempts == (0, 1, 2)
    assert overrun(trace, budget_in_flight=3_000).verdict == "ok"


def test_callers_that_overran_again_without_hint_or_jitter() -> None:
    """Refused callers in lockstep make an overrun an error; jittered ones leave a warning."""
    lockstep = Simulation(delays.fixed(), BUCKET, callers=8, calls=1, tokens=lambda c, i, r: 1_000)
    jittered = Simulation(
        delays.full_jitter(), BUCKET, callers=8, calls=1, tokens=lambda c, i, r: 1_000
    )
    assert overrun(lockstep.run()).verdict == "FLAG"
    assert overrun(jittered.run()).findings[0].severity == "warning"
    assert cold(lockstep.run()).verdict == "FLAG"
    assert cold(jittered.run()).findings[0].severity == "warning"


def test_the_incident_exceeds_its_bucket_by_1_73_million() -> None:
    """The replay's worst excess over 200,000 + 66,667 a second is 1.73 million tokens."""
    (finding,) = overrun(replay(delays.fixed())).findings
    assert finding.severity == "error"
    assert "1,733,576 more than tokens_per_minute admits" in finding.summary


def test_the_first_wave_alone_exceeds_the_limit() -> None:
    """Twelve calls of 1,000 tokens at once, where 10,000 fit, are a cold start."""
    (finding,) = cold(served([0.0] * 12, TOKENS)).findings
    assert finding.summary == (
        "12 calls of 12,000 tokens started together, and tokens_per_minute admits 10,000"
    )
    assert finding.remedy.startswith("start 10 at a time")
    assert finding.attempts == tuple(range(12))


def test_waves_that_fit_are_the_innocent_neighbour() -> None:
    """Ten calls at once fit, and later waves within the window are no cold start."""
    assert cold(served([0.0] * 10, TOKENS)).verdict == "ok"
    assert cold(served([0.0] * 9 + [6.0] * 9, TOKENS)).verdict == "ok"


def test_a_wave_after_an_idle_window_is_a_cold_start_too() -> None:
    """Twelve calls after a minute of silence start cold; after half a minute they do not."""
    assert cold(served([0.0] + [61.0] * 12, TOKENS)).verdict == "note"
    assert cold(served([0.0] + [30.0] * 12, TOKENS)).verdict == "ok"


def test_one_caller_in_a_row_is_no_burst() -> None:
    """Calls of one caller start one after the other, however fast they fail."""
    limit = Limit(kind="requests", amount=1)
    assert cold(served([0.0, 0.3, 0.6], limit, caller="only")).verdict == "ok"


def test_a_declared_burst_is_on_purpose() -> None:
    """Where the test declares its burst nothing is found."""
    assert cold(served([0.0] * 12, TOKENS), burst_declared=True).verdict == "ok"


def test_a_request_that_can_never_be_admitted() -> None:
    """A cost above the capacity is an error that names both."""
    trace = trace_of(
        refusal(input_tokens=12_000, terminal=True, status=413), limits=Limits.of([TOKENS])
    )
    (finding,) = judge(trace)["RL203"].findings
    assert finding.severity == "error"
    assert finding.summary == (
        "1 attempt can never be admitted: 12,000 tokens against tokens_per_minute, which admits "
        "10,000 at once"
    )
    fits = trace_of(refusal(input_tokens=10_000), limits=Limits.of([TOKENS]))
    assert judge(fits)["RL203"].verdict == "ok"


def test_a_wait_that_nothing_tells() -> None:
    """A cost above the capacity never fits, and a window that had room tells no wait."""
    refused = refusal(input_tokens=12_000, room=0.8)
    assert Charges(TOKENS, [refused]).waits_s(refused) is None
    fitting = refusal(input_tokens=1_000, room=0.0)
    assert Charges(TOKENS, [fitting]).waits_s(fitting) is None


def test_the_smallest_demand_is_a_peak() -> None:
    """A single request is the peak of a trace of one, and exceeds a bucket that holds less."""
    assert window_peak([3.0], [1.0], 60.0) == (1.0, 0, 0)
    assert bucket_excess([3.0], [1.0], 1.0, 0.25) == (0.75, 0, 0)
    assert window_peak([], [], 60.0).amount == 0.0


def together(limit: Limit, *parts: tuple[float, str, str]) -> Trace:
    """Attempts of 6,000 tokens at an instant, on a key and a model class each."""
    made = [
        attempt(
            caller=f"c{index}",
            call=index,
            arrived_at=at,
            ended_at=at,
            key=key,
            model_class=model_class,
            input_tokens=6_000,
            output_tokens=0,
            room=1.0,
        )
        for index, (at, key, model_class) in enumerate(parts)
    ]
    return trace_of(*made, limits=Limits.of([limit]), started_at=30.0)


@pytest.mark.parametrize(
    ("scope", "found"), [("key+model", False), ("key", False), ("model", True), ("all", True)]
)
def test_demand_is_that_of_all_who_share_a_count(scope: Sharing, found: bool) -> None:
    """Two keys overrun together a limit that counts them together, and no other."""
    limit = dataclasses.replace(TOKENS, scope=scope)
    trace = together(limit, (0.0, "a", "m"), (1.0, "b", "m"))
    assert bool(judge(trace, Policy())["RL201"].findings) == found


def test_a_limit_of_other_models_is_not_overrun() -> None:
    """What a limit does not hold for is no demand on it."""
    limit = dataclasses.replace(TOKENS, models=("m",))
    parts = ((0.0, "a", "m"), (1.0, "a", "other"))
    assert not judge(together(limit, *parts), Policy())["RL201"].findings


@pytest.mark.parametrize(("at", "found"), [(29.0, True), (31.0, False)])
def test_a_fixed_window_is_not_overrun_across_its_end(at: float, found: bool) -> None:
    """The trace began at 30 s past the minute: a second request at 31 s falls into the next one."""
    limit = Limit(kind="tokens", amount=10_000, algorithm="fixed-window")
    trace = together(limit, (0.0, "a", "m"), (at, "a", "m"))
    assert bool(judge(trace, Policy())["RL201"].findings) == found


def test_a_day_is_not_overrun_across_midnight() -> None:
    """Two requests 40 s apart are one day's demand, or two days' where midnight lies between."""
    limit = Limit(kind="tokens", amount=10_000, per=86_400.0, window=86_400.0)
    day = dataclasses.replace(limit, algorithm="calendar-day")
    parts = ((0.0, "a", "m"), (40.0, "a", "m"))
    assert judge(together(day, *parts), Policy())["RL201"].findings
    late = dataclasses.replace(together(day, *parts), started_at=86_370.0)
    assert not judge(late, Policy())["RL201"].findings


def test_a_request_as_large_as_the_limit_is_the_innocent_neighbour() -> None:
    """What costs a whole window is refused for now, and not for ever."""
    limits = Limits(tokens_per_minute=1_000)
    whole = refusal(input_tokens=1_000, room=0.5, reason="tokens_per_minute")
    assert judge(trace_of(whole, limits=limits))["RL203"].verdict == "ok"
    above = refusal(input_tokens=1_001, room=0.5, reason="tokens_per_minute")
    assert judge(trace_of(above, limits=limits))["RL203"].verdict == "FLAG"


def test_without_a_limit_on_tokens_no_request_is_too_large() -> None:
    """A limit on requests admits one of any size."""
    trace = trace_of(refusal(input_tokens=10**9), limits=Limits(requests_per_minute=5))
    assert judge(trace)["RL203"].missing == "no limit on tokens was enforced"
