"""The printed remedy, applied to the client that tripped the check: the finding is off.

A remedy is read from the finding's own text, with its numbers, and put into the same situation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from fake_provider._limits import Limit
from fake_provider._trace import Trace
from pytest_ratelimit._checks import Policy, judge
from pytest_ratelimit._checks._demand import drain_s
from pytest_ratelimit._tolerance import check
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import SMALL, cold_start, probe, replay
from tests.pytest_ratelimit.simulation import Delay, Simulation, Situation
from tests.pytest_ratelimit.test_goodput import slow_pacer
from tests.pytest_ratelimit.test_outages import outage, recovery
from tests.pytest_ratelimit.test_starvation import TIGHT, one_large

MINUTE = Limit(kind="tokens", amount=400_000)
SEEDS = range(3)
# What a fleet that is refused for ever does wrong whatever its delays.
REFUSED_FOR_EVER = frozenset({"RL113"})


def remedy(trace: Trace, code: str, policy: Policy | None = None) -> str:
    """The text of the one remedy of a code."""
    (finding,) = judge(trace, policy or Policy())[code].findings
    return finding.remedy


def numbers(pattern: str, text: str) -> list[float]:
    """The numbers in a remedy, which must be of this form."""
    found = re.search(pattern, text)
    assert found is not None, text
    return [float(number.replace(",", "")) for number in found.groups()]


def full_jitter(text: str) -> Delay:
    """The delays of the wait_random_exponential(...) in a remedy."""
    return delays.full_jitter(*numbers(r"exponential\(multiplier=([\d.]+), max=([\d.]+)\)", text))


def after_hint(text: str) -> Delay:
    """The delays of the hint plus random.uniform(0, ...) in a remedy."""
    (spread,) = numbers(r"random\.uniform\(0, ([\d.]+)\)", text)
    return delays.hint_plus(spread)


def after_cap(text: str) -> Delay:
    """The delays of min(cap, backoff) + random.uniform(0, ...) in a remedy."""
    cap, spread = numbers(r"min\(([\d.]+), backoff\) \+ random\.uniform\(0, ([\d.]+)\)", text)
    return lambda s: s.doubled(1.0, cap) + s.rng.uniform(0, spread)


def unseeded(text: str) -> Delay:
    """The same draws, from a generator of each worker's own."""
    assert text.startswith("draw from a generator of each worker's own")
    return delays.full_jitter()


def errors(trace: Trace) -> set[str]:
    """The codes of the errors in a trace."""
    return {finding.code for finding in check(trace) if finding.severity == "error"}


Situate = Callable[..., Trace]


def herd(delay: Delay, *, seed: int, **changes: object) -> Trace:
    """A cold start without a hint."""
    return cold_start(delay, seed=seed, **changes)


def hinted(delay: Delay, *, seed: int, **changes: object) -> Trace:
    """A cold start with a hint in whole seconds."""
    return cold_start(delay, seed=seed, hint="ceil", **changes)


def minute(delay: Delay, *, seed: int, **changes: object) -> Trace:
    """Twelve callers of one call each against a sliding minute that holds nine, with a hint."""
    return Simulation(delay, MINUTE, calls=1, hint="ceil", seed=seed, **changes).run()  # type: ignore[arg-type]


def short(s: Situation) -> float:
    """Jitter below the hint, as some libraries have it."""
    return s.rng.uniform(0.8, 1.0) * (s.hint or 1.0)


@dataclass(frozen=True)
class Case:
    """A client that trips a code, and how its remedy is read; `changes` go away with it."""

    code: str
    situate: Situate
    delay: Delay
    apply: Callable[[str], Delay]
    changes: tuple[tuple[str, object], ...] = ()
    left: frozenset[str] = frozenset()


CASES = {
    "RL101 fixed": Case("RL101", herd, delays.fixed(), full_jitter),
    "RL101 linear": Case("RL101", herd, delays.linear(), full_jitter),
    "RL101 exponential": Case("RL101", herd, delays.exponential(), full_jitter),
    "RL101 no delay": Case("RL101", herd, delays.fixed(0.0), full_jitter),
    "RL101 exact hint": Case("RL101", hinted, delays.sdk(obeys=True), after_hint),
    "RL101 one seed": Case("RL101", herd, delays.full_jitter(), unseeded, (("seeds", 1),)),
    "RL102 fixed": Case("RL102", herd, delays.fixed(), full_jitter),
    "RL102 first delay": Case("RL102", herd, delays.cookbook(), full_jitter),
    "RL102 1 %": Case("RL102", herd, delays.share(0.01), full_jitter),
    "RL102 cap": Case("RL102", herd, delays.plus_uniform(1.0, 4.0), after_cap),
    "RL102 exact hint": Case("RL102", hinted, delays.sdk(obeys=True), after_hint),
    "RL103 ignored": Case("RL103", minute, delays.fixed(), after_hint),
    "RL103 below": Case("RL103", hinted, short, after_hint),
    "RL104": Case("RL104", herd, delays.full_jitter(), unseeded, (("seeds", 4),)),
    "RL106": Case("RL106", herd, delays.fixed(), full_jitter),
    "RL106 probe": Case("RL106", probe, delays.fixed(), full_jitter, left=REFUSED_FOR_EVER),
    "RL107": Case("RL107", herd, delays.fixed(0.0), full_jitter),
    "RL107 probe": Case("RL107", probe, delays.fixed(0.0), full_jitter, left=REFUSED_FOR_EVER),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CASES)
def test_the_delay_that_a_remedy_names(name: str, seed: int) -> None:
    """With the delays of the remedy the code is not found, and no error is left but those named."""
    case = CASES[name]
    before = case.situate(case.delay, seed=seed, **dict(case.changes))
    after = case.situate(case.apply(remedy(before, case.code)), seed=seed)
    assert judge(after)[case.code].verdict in ("ok", "n/a")
    assert errors(after) <= case.left


@pytest.mark.parametrize("code", ["RL101", "RL102", "RL106"])
@pytest.mark.parametrize("burst", [60_000, 165_000, 400_000])
def test_the_jitter_is_as_wide_as_the_limit_needs(code: str, burst: int) -> None:
    """The width in a remedy is the time in which this run's limit admits those it refused."""
    limit = Limit(kind="tokens", amount=2_000_000, algorithm="token-bucket", burst=burst)
    trace = herd(delays.fixed(), seed=1, limit=limit)
    refused = [a for a in trace.attempts if a.arrived_at == 1.0]
    needed = drain_s(limit, len(refused), 41_000, refused[0].room or 0.0)
    width, _ = numbers(r"multiplier=([\d.]+), max=([\d.]+)", remedy(trace, code))
    assert needed <= width <= max(2.0, 1.1 * needed)


def test_the_jitter_on_a_hint_is_as_wide_as_the_limit_needs() -> None:
    """So is the width on top of a hint, whether the hint was obeyed exactly or undercut."""
    for delay, code in ((delays.sdk(obeys=True), "RL101"), (short, "RL103")):
        trace = hinted(delay, seed=1)
        (width,) = numbers(r"random\.uniform\(0, ([\d.]+)\)", remedy(trace, code))
        refused = [a for a in trace.refused if a.arrived_at == 0.0]
        assert 0.75 * drain_s(SMALL, len(refused), 41_000, 0.0) <= width <= 6.0


def test_delays_that_add_up_to_what_the_window_needs() -> None:
    """RL105: seven attempts whose delays add up to more than the remedy's time have a chance."""
    delay = delays.exponential(0.5)
    before = Simulation(delay, MINUTE, calls=1, hint="ceil", attempts=4).run()
    (needed,) = numbers(r"add up to more than ([\d.]+) s", remedy(before, "RL105"))
    attempts = 4
    while sum(0.5 * 2**n for n in range(attempts - 1)) <= needed:
        attempts += 1
    after = Simulation(delay, MINUTE, calls=1, hint="ceil", attempts=attempts).run()
    assert judge(after)["RL105"].verdict == "ok"
    assert errors(after) <= errors(before) - {"RL105"}


def test_the_bound_on_attempts() -> None:
    """RL111: stop_after_attempt(10) is within the bound."""
    before = probe(delays.full_jitter(), seed=1, attempts=40)
    (bound,) = numbers(r"stop=stop_after_attempt\((\d+)\)", remedy(before, "RL111"))
    after = probe(delays.full_jitter(), seed=1, attempts=int(bound))
    assert judge(after)["RL111"].verdict == "ok"
    assert errors(after) <= REFUSED_FOR_EVER


def test_one_loop_instead_of_two() -> None:
    """RL112: without the SDK's retries as many attempts are made as the remedy says."""
    before = probe(delays.sdk(), seed=1, attempts=3, outer=(5, delays.full_jitter()))
    text = remedy(before, "RL112")
    assert text.startswith("set max_retries=0 on the client")
    (attempts,) = numbers(r"(\d+) attempts instead of 15", text)
    after = probe(delays.sdk(), seed=1, attempts=1, outer=(5, delays.full_jitter()))
    assert {len(call.attempts) for call in after.calls} == {attempts}
    assert judge(after)["RL112"].verdict != "FLAG"
    assert errors(after) <= REFUSED_FOR_EVER


@pytest.mark.parametrize("seed", SEEDS)
def test_a_shared_retry_budget(seed: int) -> None:
    """RL113: with the budget that the remedy names, nothing at all is an error any more."""
    before = probe(delays.full_jitter(), seed=seed, attempts=6)
    (retries,) = numbers(r"about ([\d,]+) retr", remedy(before, "RL113"))
    after = probe(delays.full_jitter(), seed=seed, attempts=6, budget=[retries])
    assert len(after.retries) == retries
    assert errors(after) == set()


@pytest.mark.parametrize("code", ["RL201", "RL302"])
def test_a_shared_bucket(code: str) -> None:
    """RL201, RL302: behind the bucket that the remedy names the incident is over."""
    for seed in SEEDS:
        text = remedy(replay(delays.fixed(), seed=seed), code)
        rate, burst = numbers(r"([\d,]+) tokens a second and ([\d,]+) at once", text)
        pacer = Limit(
            kind="tokens", amount=int(60 * rate), algorithm="token-bucket", burst=int(burst)
        )
        after = replay(delays.fixed(), seed=seed, pacer=pacer)
        assert [f.code for f in check(after)] == ["RL902"]
        if code == "RL302":
            (promised,) = numbers(r"takes about ([\d.]+) s", text)
            assert after.makespan <= 1.05 * promised


def test_a_shared_bucket_for_a_window() -> None:
    """RL201: so it is for a sliding window, whose bucket must leave room for its refill."""
    before = Simulation(delays.full_jitter(), MINUTE, calls=2).run()
    burst, refill, per = numbers(
        r"([\d,]+) tokens at once and ([\d,]+) per ([\d.]+) s", remedy(before, "RL201")
    )
    pacer = Limit(
        kind="tokens", amount=int(refill * 60 / per), algorithm="token-bucket", burst=int(burst)
    )
    after = Simulation(delays.full_jitter(), MINUTE, calls=2, pacer=pacer).run()
    assert [f.code for f in check(after)] == ["RL902"]


@pytest.mark.parametrize("seed", SEEDS)
def test_starts_that_the_limit_admits(seed: int) -> None:
    """RL202: as many at a time as the remedy says, each round when the one before has drained."""
    before = herd(delays.full_jitter(), seed=seed, calls=1)
    (fits,) = numbers(r"start (\d+) at a time", remedy(before, "RL202"))
    each_s = drain_s(SMALL, int(fits), 41_000, 0.0)
    after = herd(
        delays.full_jitter(),
        seed=seed,
        calls=1,
        start=lambda caller, rng: caller // int(fits) * each_s,
    )
    assert [f.code for f in check(after)] == ["RL902"]


def test_a_retry_budget_after_an_outage() -> None:
    """RL304: with the budget that the remedy names, goodput is back at once."""
    (finding,) = recovery(outage(delays.full_jitter())).findings
    retries, _ = numbers(r": ([\d,]+) retries per ([\d.]+) s", finding.remedy)
    # The budget of the minute before the outage, of the outage and of the minute after it.
    after = outage(delays.full_jitter(), budget=[3 * retries])
    assert recovery(after).verdict == "ok"


def test_a_limiter_at_the_rate_that_is_allowed() -> None:
    """RL305: at the remedy's rate the same limiter uses the limit, and nothing is refused."""
    (rate,) = numbers(r"rate to ([\d,]+) tokens a second", remedy(slow_pacer(), "RL305"))
    after = slow_pacer(int(60 * rate))
    assert [f.code for f in check(after)] == ["RL902"]


@pytest.mark.parametrize("seed", SEEDS)
def test_refused_work_that_is_kept_in_its_call(seed: int) -> None:
    """RL114: delays that add up to what the remedy names make the re-queues unnecessary."""
    before = cold_start(
        delays.full_jitter(), seed=seed, attempts=2, requeue=lambda rng: rng.uniform(5, 10)
    )
    (longest,) = numbers(r"delays that add up to ([\d.]+) s or more", remedy(before, "RL114"))
    # Full jitter adds up to half of its ceilings: so many attempts outlast the re-queues.
    attempts = next(n for n in range(2, 99) if sum(2.0**k / 2 for k in range(n - 1)) > longest)
    after = cold_start(delays.full_jitter(), seed=seed, attempts=attempts)
    assert judge(after)["RL114"].findings == ()
    assert all(call.succeeded for call in after.calls)
    assert errors(after) <= errors(before) - {"RL114"}


@pytest.mark.parametrize("seed", SEEDS)
def test_one_line_in_front_of_the_limit(seed: int) -> None:
    """RL303: callers that queue first come first served starve nobody."""
    before = one_large(seed)
    assert "queue in one line in front of the limit, first come first" in remedy(before, "RL303")
    after = one_large(seed, pacer=TIGHT)
    assert judge(after)["RL303"].findings == ()
    assert errors(after) == set()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_large_call_that_is_split(seed: int) -> None:
    """RL303: split into calls of the size that the remedy names, the same work is not starved."""
    (size,) = numbers(
        r"split what costs more than ([\d,]+) tokens", remedy(one_large(seed), "RL303")
    )
    pieces = math.ceil(190_000 / size)
    after = one_large(seed, tokens=int(size), calls=[pieces] + [40] * 11)
    assert judge(after)["RL303"].findings == ()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("limit", [SMALL, MINUTE], ids=["bucket", "window"])
def test_calls_that_try_for_as_long_as_the_limit_needs(limit: Limit, seed: int) -> None:
    """RL301: calls that keep trying for so many seconds more are all served."""

    def job(attempts: int) -> Trace:
        return cold_start(
            delays.equal_jitter(), seed=seed, limit=limit, attempts=attempts, calls=1, hint=None
        )

    before = job(2)
    text = remedy(before, "RL301")
    assert text.startswith("let them keep trying for ")
    (more,) = numbers(r"for ([\d.]+) s more", text)
    # Equal jitter waits for at least half of 1 + 2 + 4 ... seconds.
    attempts = 2 + math.ceil(math.log2(2 * more + 1))
    after = job(attempts)
    assert judge(after)["RL301"].verdict == "ok"
    assert errors(after) == set()
