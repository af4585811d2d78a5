"""RL304: does goodput come back once an outage has ended?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from fake_provider._limits import Limit
from fake_provider._trace import Trace
from pytest_ratelimit._checks import Judgement, Policy
from pytest_ratelimit._checks._digest import Digest
from pytest_ratelimit._checks._outages import judge_outages
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.simulation import Delay, Simulation, attempt, refusal, trace_of

# Five calls of 10,000 tokens a second are admitted; 3.5 a second are asked for.
LIMIT = Limit(
    kind="tokens", amount=3_000_000, algorithm="token-bucket", burst=100_000, charge_rejected=1.0
)


def outage(delay: Delay, *, charged: float = 1.0, **changes: object) -> Trace:
    """An open load of 3.5 calls a second for 240 s, with 30 s of refusals from 60 s on."""
    settings: dict[str, object] = {
        "limit": dataclasses.replace(LIMIT, charge_rejected=charged),
        "callers": 840,
        "calls": 1,
        "tokens": lambda caller, place, rng: 10_000,
        "service": lambda caller, place, rng: 0.5,
        "start": lambda caller, rng: caller / 3.5,
        "attempts": 8,
        "script": lambda now, call: 60 <= now < 90,
        "horizon": 240.0,
        "seed": 1,
    }
    return Simulation(delay, **{**settings, **changes}).run()  # type: ignore[arg-type]


def recovery(trace: Trace, **policy: object) -> Judgement:
    # Judged alone: these traces are long.
    return judge_outages(Digest(trace, Policy(**policy)))  # type: ignore[arg-type]


def test_retries_that_outlive_the_outage() -> None:
    """Fixed retries without end keep a limit that charges refusals full: an error, in full."""
    (finding,) = recovery(outage(delays.fixed(3.0), attempts=400)).findings
    assert finding.severity == "error"
    assert str(finding) == (
        "RL304 no-recovery: an outage of 29.86 s ended at t=89.857 s, and goodput stayed "
        "below 50 % for more than 60 s\n"
        "\n"
        "  3.5 answers a second before it, 0.17 in the 60 s after it; it did not come back in"
        " this run.\n"
        "  In that time 4,120 attempts came, 3,910 of them retries, and 4,110 were refused.\n"
        "  Cause: retries left over from the outage keep the limit full, since refused "
        "attempts are charged as well.\n"
        "  Remedy: share a retry budget of 20 % between the callers: 41 retries per 60 s at "
        "this load, and give up beyond it.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL304": "reason"})'
    )


@pytest.mark.parametrize("delay", [delays.full_jitter(), delays.sdk()], ids=["full", "SDK"])
def test_jitter_alone_does_not_end_the_storm(delay: Delay) -> None:
    """Eight attempts with jitter collapse too, where refusals are charged."""
    assert recovery(outage(delay)).verdict == "FLAG"


@pytest.mark.parametrize("delay", [delays.full_jitter(), delays.sdk()], ids=["full", "SDK"])
def test_a_limit_that_refuses_for_free_is_the_innocent_neighbour(delay: Delay) -> None:
    """The same clients recover where refusals are not charged."""
    assert recovery(outage(delay, charged=0.0)).verdict == "ok"


def test_a_retry_budget_recovers_at_once() -> None:
    """The client that the remedy describes recovers, even where refusals are charged."""
    assert recovery(outage(delays.full_jitter(), budget=[100.0])).verdict == "ok"


def test_demand_that_ended_with_the_outage_is_not_judged() -> None:
    """Where nobody asks any more there is no goodput to come back."""
    trace = outage(delays.full_jitter(), callers=250, horizon=3600.0)
    judgement = recovery(trace)
    assert judgement.verdict == "n/a"
    assert judgement.missing == (
        "it takes 10 calls served before the outage, and demand for 60 s after it"
    )


def test_an_outage_from_the_start_is_not_judged() -> None:
    """Without goodput before the outage there is nothing to compare with."""
    trace = outage(delays.fixed(3.0), attempts=400, script=lambda now, call: now < 30)
    assert recovery(trace).verdict == "n/a"


def test_a_slow_recovery_is_told_apart_from_none() -> None:
    """Goodput that is back in 20 s fails where it must be back in 10 s."""
    calls = [
        attempt(call=n, unit=f"u{n}", caller=f"a{n}", arrived_at=n / 2, ended_at=n / 2 + 0.1)
        for n in range(400)
        if not 100 <= n / 2 < 150
    ]
    down = [
        refusal(call=n, unit=f"u{n}", caller=f"a{n}", arrived_at=n / 2, ended_at=n / 2, **how)
        for n in range(200, 300)
        for how in [{} if n < 260 else {"reason": "tokens_per_minute", "room": 0.0}]
    ]
    trace = trace_of(*calls, *down)
    assert recovery(trace, recovery_s=30.0).verdict == "ok"
    (finding,) = recovery(trace, recovery_s=10.0).findings
    assert "it came back 20.6 s after the end" in finding.evidence[0]


@pytest.mark.parametrize(
    "script",
    [lambda now, call: 60 <= now < 60.05, lambda now, call: call % 9 == 0 and now < 90],
    ids=["a blink", "one call in nine"],
)
def test_scattered_refusals_are_no_outage(script: Callable[[float, int], bool]) -> None:
    """An outage refuses whatever comes, for a second at least."""
    judgement = recovery(outage(delays.full_jitter(), charged=0.0, script=script))
    assert judgement.missing.startswith("no outage: ")
