"""RL102: do delays vary from call to call?"""

from __future__ import annotations

import random

import pytest

from fake_provider._limits import Limit
from pytest_ratelimit._checks import Judgement, Policy, judge
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import cold_start, probe, replay
from tests.pytest_ratelimit.simulation import Simulation, attempt, chains, refusal, trace_of

PER_MINUTE = Limit(kind="requests", amount=4)


def jitter(trace: object, **policy: object) -> Judgement:
    return judge(trace, Policy(**policy))["RL102"]  # type: ignore[arg-type]


def spread(width: float, n: int, *, seed: int = 3, mean: float = 1.0) -> list[list[float]]:
    rng = random.Random(seed)
    return [[mean + rng.uniform(0, width)] for _ in range(n)]


def test_equal_delays_after_a_refusal() -> None:
    """Three callers that wait exactly 1 s have no jitter, and have collided."""
    (finding,) = jitter(chains([[1.0]] * 3)).findings
    assert finding.severity == "error"
    assert finding.p is not None
    assert finding.p < 1e-8
    assert finding.attempts == (3, 4, 5)
    assert "fixed delay of 1 s" in finding.cause


def test_enough_jitter_is_the_innocent_neighbour() -> None:
    """A tenth of the delay, drawn independently, is enough."""
    assert jitter(chains(spread(0.1, 12))).verdict == "ok"


def test_a_hundredth_of_the_delay_is_too_little() -> None:
    """Jitter of 1 % among eight callers is found, and the bound on it is stated."""
    (finding,) = jitter(chains(spread(0.01, 8))).findings
    assert "jitter is below" in finding.evidence[0]
    assert "too narrow" in finding.cause or "fixed" in finding.cause


def test_two_delays_are_too_few_at_this_level() -> None:
    """Two equal delays cannot reach 1e-5, and the judgement says that three would."""
    judgement = jitter(chains([[1.0]] * 2))
    assert judgement.verdict == "n/a"
    assert judgement.missing == (
        "it takes 3 delays before the same retry, from two callers or more, and this run has "
        "2 delays from 2 callers"
    )
    assert jitter(chains([[1.0]] * 2), alpha=1e-3).verdict == "note"


def test_one_caller_has_nobody_to_collide_with() -> None:
    """A single caller's constant waits, call after call, are not judged."""
    assert jitter(chains([[20.0]] * 6, callers=1)).verdict == "n/a"


def test_no_harm_makes_it_a_warning() -> None:
    """Equal delays of callers that start over 30 s do not collide: latent, a warning."""
    trace = cold_start(delays.fixed(), seed=2, over=30.0)
    (finding,) = jitter(trace).findings
    assert finding.severity == "warning"
    assert any(line.startswith("Latent") for line in finding.evidence)


def test_the_header_path_through_the_sdk() -> None:
    """Callers whose SDK sleeps the hint exactly carry no jitter, and the SDK is named."""
    trace = Simulation(
        delays.sdk(obeys=True),
        PER_MINUTE,
        callers=12,
        calls=1,
        tokens=lambda c, i, r: 1,
        hint="ceil",
        sdk=True,
        attempts=3,
    ).run()
    (finding,) = jitter(trace).findings
    assert finding.severity == "error"
    assert "after the hint" in finding.summary
    assert finding.cause.startswith("the SDK waited exactly what the hint said")
    assert "max_retries=0" in finding.remedy


def test_jitter_on_top_of_the_hint_is_its_neighbour() -> None:
    """Waiting the hint and up to a second more is jitter."""
    assert jitter(cold_start(delays.hint_plus(1.0), seed=1, hint="ceil")).verdict == "ok"


def test_equal_waits_beyond_different_hints() -> None:
    """A fixed wait that happens to satisfy different hints is still a fixed wait."""
    attempts = []
    for call in range(6):
        own = {"call": call, "caller": f"a{call}"}
        attempts.append(refusal(hint=10.0 + call, hint_form="seconds", **own))
        attempts.append(refusal(arrived_at=20.0, ended_at=20.0, **own))
    assert jitter(trace_of(*attempts)).verdict == "FLAG"


def test_draws_that_happened_to_exceed_the_hint_are_no_cluster() -> None:
    """Full jitter that ignores a hint of 0.95 s leaves a narrow tail above it, and no finding."""
    rng = random.Random(4)
    attempts = []
    for call in range(400):
        own = {"call": call, "caller": f"a{call}"}
        at = call * 10.0
        refused = refusal(arrived_at=at, ended_at=at, hint=0.95, hint_form="seconds", **own)
        attempts += [refused, attempt(arrived_at=at + rng.uniform(0, 1), **own)]
    assert jitter(trace_of(*attempts)).verdict == "ok"


def test_paced_sends_are_not_judged() -> None:
    """Behind a shared pacer delays are queueing, and the judgement says so."""
    trace = Simulation(
        delays.fixed(),
        callers=12,
        pacer=Limit(kind="tokens", amount=3_600_000, algorithm="token-bucket", burst=200_000),
        script=lambda now, call: random.Random(call).random() < 0.2,
    ).run()
    judgement = jitter(trace)
    assert judgement.verdict == "n/a"
    assert judgement.missing.startswith("sends are paced, one every 683 ms")


def test_whole_second_jitter_is_recognised() -> None:
    """Draws of randint(1, 5) seconds coincide often, and are jitter all the same."""
    trace = probe(lambda s: float(s.rng.randint(1, 5)), seed=6, callers=12)
    assert jitter(trace).verdict == "ok"


@pytest.mark.parametrize(
    ("delay", "cause"),
    [
        (delays.fixed(2.0), "a fixed delay of 2 s, without jitter."),
        (delays.exponential(), "exponential backoff without jitter: 1 s, 2 s, 4 s, 8 s."),
        (delays.exponential(2.0, 8.0), "exponential backoff without jitter: 2 s, 4 s, 8 s, 8 s."),
        (delays.linear(), "linear backoff without jitter: 1 s, 2 s, 3 s, 4 s."),
        (delays.plus_uniform(1.0, 4.0), "the jitter is lost at the cap: from retry 3 on every"),
        (delays.first_only(), "there is jitter before retry 2 only, none after."),
        (delays.cookbook(), "the first delay is always 1 s: a lower bound (min=) on the wait"),
        (delays.share(0.04), "the jitter is too narrow for the delay."),
    ],
)
def test_cause_names_the_schedule(delay: object, cause: str) -> None:
    """The cause is the rule that the delays follow, as a reader would name it."""
    (finding,) = jitter(probe(delay, seed=1, callers=30)).findings  # type: ignore[arg-type]
    assert finding.cause.startswith(cause)


def test_same_seed_in_every_caller_is_named() -> None:
    """Irregular delays that are equal in every caller come from equal seeds."""
    (finding,) = jitter(probe(delays.full_jitter(), seed=3, seeds=1)).findings
    assert finding.cause == "every caller draws the same random numbers."
    assert "random.Random()" in finding.remedy


def test_lost_at_the_cap_puts_the_jitter_after_it() -> None:
    """The remedy for jitter that a cap clips names this run's cap."""
    (finding,) = jitter(probe(delays.plus_uniform(1.0, 4.0), seed=1, callers=12)).findings
    assert finding.remedy == "add the jitter after the cap: min(4, backoff) + random.uniform(0, 1)."


def test_noise_of_the_real_clock_is_not_jitter() -> None:
    """Eight callers with a fixed delay are found behind 2 ms of noise each way."""
    trace = probe(delays.fixed(), seed=1, noise=lambda rng: rng.expovariate(500), clock="real")
    assert jitter(trace).verdict == "FLAG"
    healthy = probe(
        delays.full_jitter(), seed=1, noise=lambda rng: rng.expovariate(500), clock="real"
    )
    assert jitter(healthy).verdict == "ok"


def test_the_incident_is_a_fixed_delay() -> None:
    """In the replay all 507 delays are 1 s."""
    (finding,) = jitter(replay(delays.fixed())).findings
    assert finding.severity == "error"
    assert len(finding.attempts) == 507


def test_retries_without_jitter_among_others_are_named() -> None:
    """Where only some retries are without jitter, and not the last ones, they are listed."""
    rng = random.Random(2)
    own = [[rng.uniform(1, 2), 3.0, rng.uniform(3, 6), rng.uniform(6, 12)] for _ in range(8)]
    (finding,) = jitter(chains(own)).findings
    assert finding.cause == "there is no jitter before retry 2."


def test_a_cap_that_cuts_some_delays_is_named() -> None:
    """Draws that a cap cuts to one value lie together there, and the others do not."""
    own = [[draw] for draw in (3.1, 7.6, 12.0, 21.4, 35.0, 48.2, 60.0, 60.0, 60.0, 60.0)]
    (finding,) = jitter(chains(own)).findings
    assert "4 of 10 delays after the refusal are identical at 60 s" in finding.summary
    assert finding.cause == "the jitter is lost at the cap: some delays are cut to 60 s."


def test_two_callers_are_enough_over_several_retries() -> None:
    """Two callers that agree before four retries each say together what none says alone."""
    assert jitter(chains([[1.0, 2.0, 4.0, 8.0]] * 2)).verdict == "note"
    rng = random.Random(7)
    varied = [[k * rng.uniform(0.5, 1.0) for k in (1, 2, 4, 8)] for _ in range(2)]
    assert jitter(chains(varied)).verdict == "ok"
