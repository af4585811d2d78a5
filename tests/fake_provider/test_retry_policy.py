"""The retry policy: a value that says how long a client waits."""

from __future__ import annotations

import random

import pytest

from fake_provider import Refused, RetryPolicy


def delays(policy, hint_s=3.0, attempts=12, seed=0):
    """What a policy answers to one refusal after the other."""
    rng = random.Random(seed)
    return [policy(Refused(n, hint_s, 0.0, rng)) for n in range(1, attempts + 1)]


def test_a_backoff_grows_up_to_its_cap_and_ends():
    """Each delay is the factor times the one before; the last attempt is followed by none."""
    policy = RetryPolicy(base_s=1.0, factor=3.0, cap_s=20.0, attempts=6)
    assert delays(policy, attempts=7) == [1.0, 3.0, 9.0, 20.0, 20.0, None, None]


def test_a_factor_of_one_is_a_fixed_delay():
    """Without growth every delay is the base."""
    assert set(delays(RetryPolicy(base_s=2.0, factor=1.0, attempts=20))) == {2.0}


@pytest.mark.parametrize(("jitter", "low", "high"), [("full", 0.0, 8.0), ("equal", 4.0, 8.0)])
def test_jitter_stays_in_its_range_and_differs(jitter, low, high):
    """Full jitter draws from nothing up to the backoff, equal jitter from its half."""
    policy = RetryPolicy(base_s=8.0, factor=1.0, jitter=jitter, attempts=1_000)
    drawn = delays(policy, attempts=900)
    assert low <= min(drawn) < low + 0.2
    assert high - 0.2 < max(drawn) <= high
    assert drawn == delays(policy, attempts=900)
    assert drawn != delays(policy, attempts=900, seed=1)


@pytest.mark.parametrize(
    ("jitter", "low", "high"), [("none", 10.0, 10.0), ("equal", 10.0, 12.0), ("full", 10.0, 14.0)]
)
def test_a_hint_that_is_obeyed_is_the_least(jitter, low, high):
    """No delay is shorter than the hint, and jitter comes on top of it."""
    policy = RetryPolicy(base_s=4.0, factor=1.0, jitter=jitter, attempts=100, obeys_hint=True)
    drawn = delays(policy, hint_s=10.0, attempts=99)
    assert low <= min(drawn) <= max(drawn) <= high


def test_a_refusal_that_no_wait_can_cure_ends_the_call():
    """Without a hint that can help, nobody goes on."""
    assert delays(RetryPolicy(obeys_hint=True), hint_s=None, attempts=1) == [None]


def test_no_growth_is_too_large_for_a_float():
    """A long call under a steep factor waits for the cap."""
    policy = RetryPolicy(factor=1e15, cap_s=60.0, attempts=2_000)
    assert delays(policy, attempts=1_500)[1:] == [60.0] * 1_499


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"base_s": 0}, "base_s must be a number of seconds above 0, got 0"),
        ({"factor": 0.5}, "factor must be a number of times, at least 1, got 0.5"),
        ({"cap_s": float("nan")}, "cap_s must be a number of seconds above 0, got nan"),
        ({"jitter": "some"}, "jitter must be"),
        ({"attempts": 0}, "attempts must be a whole number"),
        ({"obeys_hint": 1}, "obeys_hint must be True or False, got 1"),
    ],
)
def test_an_argument_out_of_range_is_named(argument, message):
    """The error names the argument, the value and what is allowed."""
    with pytest.raises((TypeError, ValueError), match=message):
        RetryPolicy(**argument)
