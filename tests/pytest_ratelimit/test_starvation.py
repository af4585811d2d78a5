"""RL303: do some calls wait far longer than chance explains?"""

from __future__ import annotations

import pytest

from fake_provider._limits import Limit
from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, judge
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import REPLAY, SMALL, TEN_SECONDS, cold_start, replay
from tests.pytest_ratelimit.simulation import Simulation, refusal, trace_of

TIGHT = Limit(kind="tokens", amount=4_000_000, algorithm="token-bucket", burst=200_000)


def starvation(trace: Trace) -> Judgement:
    return judge(trace)["RL303"]


def one_large(seed: int, tokens: int = 190_000, **changes: object) -> Trace:
    """Eleven callers with many calls of 20,000 tokens, and one with a single large call."""
    settings: dict[str, object] = {
        "callers": 12,
        "calls": [1] + [40] * 11,
        "tokens": lambda caller, place, rng: tokens if caller == 0 else 20_000,
        "service": lambda caller, place, rng: 0.5,
        "start": lambda caller, rng: 1.0 if caller == 0 else rng.uniform(0, 0.5),
        "attempts": 200,
        "seed": seed,
        **changes,
    }
    return Simulation(delays.full_jitter(1.0, 4.0), TIGHT, **settings).run()  # type: ignore[arg-type]


def test_a_large_call_that_all_others_pass() -> None:
    """A call of 190,000 tokens is passed by hundreds of small ones: a warning, told in full."""
    (finding,) = starvation(one_large(1)).findings
    assert finding.severity == "warning"
    assert str(finding) == (
        "RL303 starvation: 1 call waited for up to 134.2 s while 427 attempts of other "
        "callers were admitted\n"
        "\n"
        "  Worst: agent-0, call 22, refused 71 times, served in the end.\n"
        "  Callers: agent-0; p = 3e-14 if each caller were as likely to be next.\n"
        "  Cause: its cost of 190,000 tokens seldom fits while calls of 20,000 take what is "
        "free.\n"
        "  Remedy: let calls queue in one line in front of the limit, first come first "
        "served, or split what costs more than 20,000 tokens.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL303": "reason"})'
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_large_call_is_starved_in_every_run(seed: int) -> None:
    """Whatever the draws, nearly all of the bucket is seldom free."""
    assert starvation(one_large(seed)).verdict == "note"


@pytest.mark.parametrize("seed", range(5))
def test_a_call_like_the_others_is_not_starved(seed: int) -> None:
    """The same caller with a call as small as theirs is the innocent neighbour."""
    assert starvation(one_large(seed, tokens=20_000)).verdict != "note"


@pytest.mark.parametrize("limit", [SMALL, TEN_SECONDS, REPLAY], ids=["bucket", "window", "charged"])
def test_healthy_fleets_starve_nobody(limit: Limit) -> None:
    """Callers alike wait as long as chance has it, with short and with long backoffs."""
    for delay in (delays.full_jitter(), delays.sdk(), delays.full_jitter(4.9), delays.grpc()):
        for seed in range(4):
            assert starvation(cold_start(delay, seed=seed, limit=limit)).verdict != "note"


def test_the_incident_starves_nobody() -> None:
    """All agents of the replay suffer alike."""
    assert starvation(replay(delays.fixed())).verdict == "ok"


def test_a_long_wait_of_its_own_choice_is_no_starvation() -> None:
    """A call that was refused once, and then waited while others were served, chose to."""
    trace = Simulation(
        lambda s: 600.0,
        TIGHT,
        callers=12,
        calls=[1] + [40] * 11,
        tokens=lambda caller, place, rng: 190_000 if caller == 0 else 3_000,
        start=lambda caller, rng: 0.1 if caller == 0 else 0.0,
    ).run()
    assert sum(a.refused for a in trace.attempts) == 1
    assert starvation(trace).verdict == "ok"


def test_without_a_call_that_tried_again_there_is_nothing_to_judge() -> None:
    """Calls that were not refused by a limit, or gave up at once, waited for nothing."""
    assert starvation(trace_of(refusal())).missing == (
        "no call was refused by a limit and tried again"
    )
