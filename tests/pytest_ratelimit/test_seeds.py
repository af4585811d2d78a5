"""RL104: do some callers draw the same delays?"""

from __future__ import annotations

from pytest_ratelimit._checks import Judgement, Policy, judge
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import cold_start, probe
from tests.pytest_ratelimit.simulation import chains


def seeds(trace: object, **policy: object) -> Judgement:
    return judge(trace, Policy(**policy))["RL104"]  # type: ignore[arg-type]


def test_four_seeds_among_twelve_callers() -> None:
    """Twelve callers with four seeds fall into four sets of three."""
    (finding,) = seeds(probe(delays.full_jitter(), seed=1, callers=12, seeds=4)).findings
    assert finding.summary == "12 of 12 callers share their delays with another, in 4 sets"
    assert finding.evidence[0] == "Callers agent-0, agent-4, agent-8 draw the same delays."


def test_own_seeds_are_the_innocent_neighbour() -> None:
    """Twelve callers with a seed each agree nowhere."""
    assert seeds(probe(delays.full_jitter(), seed=1, callers=12)).verdict == "ok"


def test_callers_that_met_again_make_it_an_error() -> None:
    """Same seeds after a common failure collide: an error; after staggered starts a warning."""
    together = probe(delays.full_jitter(), seed=1, callers=12, seeds=4)
    apart = probe(
        delays.full_jitter(), seed=1, callers=12, seeds=4, start=lambda c, rng: rng.uniform(0, 60)
    )
    assert seeds(together).verdict == "FLAG"
    (finding,) = seeds(apart).findings
    assert finding.severity == "warning"
    assert finding.evidence[-1].startswith("Latent")


def test_two_callers_are_too_few() -> None:
    """Two callers are no set, and the judgement says how many it takes."""
    judgement = seeds(probe(delays.full_jitter(), seed=1, callers=2, seeds=1))
    assert judgement.verdict == "n/a"
    assert judgement.missing.startswith("it takes 3 callers")


def test_a_constant_delay_is_not_a_seed() -> None:
    """Where no delay varies there are no draws to compare: that is missing jitter."""
    assert seeds(chains([[1.0, 2.0, 4.0]] * 8)).verdict == "n/a"


def test_constant_first_delays_do_not_hide_equal_draws() -> None:
    """A first delay that is equal in all callers is left out, and the later draws are compared."""
    shared = chains([[1.0, 0.71, 2.93], [1.0, 1.22, 0.31], [1.0, 0.71, 2.93], [1.0, 0.05, 1.7]])
    assert seeds(shared, alpha=1e-3).verdict == "FLAG"


def test_whole_seconds_often_agree() -> None:
    """Callers that draw randint(1, 3) seconds agree by chance, and are not accused."""
    trace = probe(lambda s: float(s.rng.randint(1, 3)), seed=2, callers=12)
    assert seeds(trace).verdict == "ok"


def test_a_lone_shared_delay_proves_nothing() -> None:
    """One position at which two of four callers agree does not reach the level."""
    assert seeds(chains([[0.7], [0.7], [0.31], [0.93]])).verdict == "ok"


def test_in_a_job_with_a_limit() -> None:
    """Two seeds are found in a job of five calls each, whatever the limiter did meanwhile."""
    assert seeds(cold_start(delays.full_jitter(), seed=4, seeds=2)).verdict == "FLAG"
    assert seeds(cold_start(delays.full_jitter(), seed=4)).verdict == "ok"
