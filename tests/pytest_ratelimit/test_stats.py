"""The statistics, against brute force and by simulation."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from pytest_ratelimit import _stats as stats


def exact_tail(trials: int, chance: float, at_least: int) -> float:
    return sum(
        math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k)
        for k in range(at_least, trials + 1)
    )


@pytest.mark.parametrize("trials", [1, 2, 7, 40])
@pytest.mark.parametrize("chance", [1e-6, 0.01, 0.3, 0.9])
def test_binomial_tail_is_the_exact_sum_above_the_mean(trials: int, chance: float) -> None:
    """Above the mean the tail equals the sum of its terms; at or below it the bound is 1."""
    for at_least in range(trials + 1):
        got = stats.log_binomial_tail(trials, chance, at_least)
        if at_least <= trials * chance:
            assert got == 0.0
        else:
            assert got == pytest.approx(math.log(exact_tail(trials, chance, at_least)), rel=1e-9)


def test_binomial_tail_at_its_edges() -> None:
    """More successes than trials never happen, and a certain trial surprises nobody."""
    assert stats.log_binomial_tail(3, 0.5, 4) == stats.NEVER
    assert stats.log_binomial_tail(3, 0.0, 1) == stats.NEVER
    assert stats.log_binomial_tail(3, 1.0, 3) == 0.0
    assert stats.log_binomial_tail(0, 0.5, 0) == 0.0


@pytest.mark.parametrize("seed", range(20))
def test_tightest_cluster_is_the_best_of_all_subsets(seed: int) -> None:
    """The cluster found is the one that an exhaustive search over subsets finds."""
    rng = random.Random(seed)
    values = [rng.choice([rng.uniform(0, 1), 0.5 + rng.uniform(0, 0.01)]) for _ in range(7)]
    got = stats.tightest_cluster(values, jitter=0.4, rounding=1e-6)
    # Half of the chance of a false alarm is for all seven, and a third of the rest for each other.
    tried = {7: 2, 5: 6, 4: 6, 3: 6}
    best = 0.0
    for size, correction in tried.items():
        width = min(max(c) - min(c) for c in itertools.combinations(values, size))
        chance = (width + 1e-6) / 0.4
        if chance < 1 and size - 1 > 6 * chance:
            log_p = math.log(correction * 7 * exact_tail(6, chance, size - 1))
            best = min(best, log_p)
    assert got.log_p == pytest.approx(best, abs=1e-9)


def test_fewer_than_two_values_are_no_cluster() -> None:
    """One value says nothing."""
    assert stats.tightest_cluster([1.0], jitter=0.1).log_p == 0.0
    assert stats.tightest_cluster([], jitter=0.1).log_p == 0.0


def test_landing_chance_makes_whole_numbers_unsurprising() -> None:
    """Ties that a coarse grid explains are no evidence, and without the grid they are."""
    ties = [2.0, 2.0, 2.0, 3.0, 1.0]
    assert stats.tightest_cluster(ties, jitter=0.2, rounding=1e-6).log_p < math.log(1e-6)
    assert stats.tightest_cluster(ties, jitter=0.2, landing=1 / 3).log_p == 0.0


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([0.5, 1.0, 2.5, 1.0], 0.5),
        ([3.0, 4.0, 6.0, 3.0, 6.0], 1.0),
        ([0.5, 1.0, 2.5], 0.0),
        ([1.0, 1.0, 1.0], 0.0),
        ([0.5, 1.0, 1.3, 1.0], 0.0),
    ],
)
def test_grid_step_needs_ties_and_whole_steps(values: list[float], step: float) -> None:
    """A grid is seen from three distinct values with a tie, all whole steps apart."""
    assert stats.grid_step(values, 1e-6) == pytest.approx(step)


def test_coarse_grid_is_whole_numbers_that_vary() -> None:
    """Whole seconds that vary are a grid; constant ones, jittered ones and small steps are not."""
    assert stats.on_coarse_grid([[1.0, 3.0, 5.0], [2.0, 2.0]], 1e-6)
    assert not stats.on_coarse_grid([[1.0, 1.0], [2.0, 2.0]], 1e-6)
    assert not stats.on_coarse_grid([[0.71, 1.23], [2.9, 2.2]], 1e-6)
    assert not stats.on_coarse_grid([[100.1, 107.3, 99.2]], 1e-6)
    assert not stats.on_coarse_grid([], 1e-6)


def test_fisher_is_the_closed_form_for_two() -> None:
    """For two p values the combination is p q (1 - log p q)."""
    product = 0.01 * 0.2
    expected = math.log(product * (1 - math.log(product)))
    assert stats.fisher([math.log(0.01), math.log(0.2)]) == pytest.approx(expected)
    assert stats.fisher([]) == 0.0
    assert stats.fisher([0.0, 0.0]) == 0.0
    assert stats.fisher([stats.NEVER, -1.0]) == stats.NEVER


def test_combined_tests_keep_their_level() -> None:
    """Of 20,000 combinations of four uniform p values no more than alpha fall below alpha."""
    rng = random.Random(5)
    alpha, runs = 1e-2, 20_000
    fallen = sum(
        stats.combine([math.log(rng.random()) for _ in range(4)]) <= math.log(alpha)
        for _ in range(runs)
    )
    assert fallen <= alpha * runs


def test_one_test_alone_needs_no_correction() -> None:
    """A single p value is returned as it is, and no test at all says nothing."""
    assert stats.combine([-7.0]) == -7.0
    assert stats.combine([]) == 0.0


@pytest.mark.parametrize("n", [2, 3, 8, 30])
def test_widest_jitter_solves_its_equation(n: int) -> None:
    """At the bound, n draws within the width have exactly the probability alpha."""
    jitter = stats.widest_jitter(0.01, n, 1e-3)
    assert n * (0.01 / jitter) ** (n - 1) == pytest.approx(1e-3)
    assert stats.widest_jitter(0.01, 1, 1e-3) == math.inf


def test_likely_peak_is_seldom_exceeded() -> None:
    """In 5,000 sets of 12 draws the stated peak is exceeded at most once in a thousand."""
    rng = random.Random(9)
    peak = stats.likely_peak(12, 0.05, 1.0)
    exceeded = 0
    for _ in range(5_000):
        draws = sorted(rng.random() for _ in range(12))
        most = max(sum(x <= y <= x + 0.05 for y in draws) for x in draws)
        exceeded += most > peak
    assert exceeded <= 5
    assert stats.likely_peak(4, 1.0, 1.0) == 4


def test_median_of_even_and_odd() -> None:
    """The median is the middle value, or the mean of the two in the middle."""
    assert stats.median([3.0, 1.0, 2.0]) == 2.0
    assert stats.median(iter([4.0, 1.0, 2.0, 3.0])) == 2.5
