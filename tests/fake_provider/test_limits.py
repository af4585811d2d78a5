"""Limits: validated values; a rate stays a rate, and every mistake is named."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_provider._limits import ALGORITHMS, Limit, Limits

AMOUNTS = [
    "tokens_per_minute",
    "input_tokens_per_minute",
    "output_tokens_per_minute",
    "requests_per_minute",
    "requests_per_day",
    "tokens_per_day",
    "concurrent_requests",
    "count_tokens_per_minute",
]


def refusal(**arguments):
    """Return the error that these arguments give."""
    with pytest.raises((TypeError, ValueError)) as caught:
        Limits(**arguments)
    return caught.value


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize("value", [0, -1, 0.5, 1.5, math.nan, math.inf])
def test_an_amount_out_of_range_is_named_with_what_is_allowed(name, value):
    """The message states the argument, the range and the value."""
    error = refusal(**{name: value})
    assert type(error) is ValueError
    assert str(error) == f"{name} must be a whole number, at least 1, got {value!r}"


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize("value", ["4M", True, [], Decimal(5)])
def test_an_amount_that_is_no_number_is_named_with_what_is_allowed(name, value):
    """The message is that of a number out of range, as a TypeError."""
    error = refusal(**{name: value})
    assert type(error) is TypeError
    assert str(error) == f"{name} must be a whole number, at least 1, got {value!r}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, ValueError),
        (-1.0, ValueError),
        (math.nan, ValueError),
        (math.inf, ValueError),
        ("60", TypeError),
        (True, TypeError),
        (None, TypeError),
    ],
)
def test_a_window_must_be_a_number_of_seconds_above_0(value, expected):
    """The message states the argument, its unit, the range and the value."""
    error = refusal(tokens_per_minute=10, window=value)
    assert type(error) is expected
    assert str(error) == f"window must be a number of seconds above 0, got {value!r}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-0.01, ValueError),
        (1.01, ValueError),
        (math.nan, ValueError),
        ("all", TypeError),
        (True, TypeError),
        (None, TypeError),
    ],
)
def test_a_share_of_refused_cost_must_lie_between_0_and_1(value, expected):
    """The message states the argument, the range and the value."""
    error = refusal(tokens_per_minute=10, charge_rejected=value)
    assert type(error) is expected
    assert str(error).startswith(
        "charge_rejected must be a number of shares of the cost from 0 to 1"
    )
    assert str(error).endswith(f"got {value!r}")


@pytest.mark.parametrize("value", ["gcra", "Token-Bucket", "", None, []])
def test_an_unknown_algorithm_is_answered_with_the_known_ones(value):
    """The message lists every algorithm there is."""
    error = refusal(tokens_per_minute=10, algorithm=value)
    assert type(error) is ValueError
    assert all(name in str(error) for name in ALGORITHMS)
    assert str(error).endswith(f"got {value!r}")


@pytest.mark.parametrize("value", [0, -5, 1.5, "all", True])
def test_a_burst_must_be_a_whole_number_of_at_least_1(value):
    """The message states the argument, the range and the value."""
    error = refusal(tokens_per_minute=10, algorithm="token-bucket", burst=value)
    assert str(error) == f"burst must be a whole number, at least 1, got {value!r}"


@pytest.mark.parametrize("value", [1, -1.5, "none", True])
def test_a_floor_must_be_a_whole_number_of_at_most_0(value):
    """The message states the argument, the range and the value."""
    error = refusal(tokens_per_minute=10, algorithm="token-bucket", floor=value)
    assert str(error) == f"floor must be a whole number, at most 0, got {value!r}"


@pytest.mark.parametrize(("name", "value"), [("burst", 5), ("floor", -5)])
def test_a_window_has_no_burst_and_no_floor(name, value):
    """Either needs the algorithm that knows it, and the message says which."""
    error = refusal(tokens_per_minute=10, **{name: value})
    assert str(error).startswith(f"{name} needs algorithm='token-bucket'")


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"concurrent_requests": 5},
        {"input_tokens_per_minute": 10, "output_tokens_per_minute": 10},
        {"tokens_per_minute": 10, "tokens_per_day": 10},
        {"requests_per_minute": 10, "count_tokens_per_minute": 10},
    ],
)
@pytest.mark.parametrize(("name", "value"), [("burst", 5), ("floor", -5)])
def test_a_burst_or_floor_must_belong_to_one_limit(limits, name, value):
    """Where none or several limits could own it, the message says what to write instead."""
    error = refusal(algorithm="token-bucket", **limits, **{name: value})
    assert type(error) is ValueError
    assert str(error).startswith(f"{name}={value!r} belongs to one limit")
    assert "Limits(...)" in str(error) or str(error).endswith("state one")


def test_an_unknown_keyword_is_named():
    """A misspelt limit is an error, not a limit that is silently off."""
    error = refusal(tokens_per_second=5)
    assert type(error) is TypeError
    assert "tokens_per_second" in str(error)


def test_a_limit_that_admits_nothing_is_an_error():
    """50 requests a minute over one second would refuse every request for ever."""
    error = refusal(requests_per_minute=50, window=1)
    assert type(error) is ValueError
    assert str(error).startswith("requests_per_minute=50 over window=1 s admits less than one")


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(amount=st.integers(60, 10**9), window=st.integers(1, 600))
def test_a_rate_stays_a_rate_whatever_the_window(amount, window):
    """The capacity is rate x window / 60, rounded down, and the rate does not change."""
    (limit,) = Limits(tokens_per_minute=amount, window=window)
    assert limit.capacity == amount * window // 60
    assert limit.rate == amount / 60


@pytest.mark.parametrize(
    ("amount", "window", "capacity"),
    [(150_000, 0.2, 500), (600, 0.1, 1), (4_000_000, 5, 333_333), (1_000, 0.3, 5)],
)
def test_a_capacity_is_free_of_float_dust(amount, window, capacity):
    """A product that is whole on paper is whole here, and any other is rounded down."""
    (limit,) = Limits(tokens_per_minute=amount, window=window)
    assert limit.capacity == capacity


def test_a_day_is_a_day_whatever_the_window():
    """The window belongs to the rates per minute."""
    limits = Limits(requests_per_day=500, requests_per_minute=600, window=1)
    assert {limit.name: (limit.capacity, limit.window) for limit in limits} == {
        "requests_per_day": (500, 86_400.0),
        "requests_per_minute": (10, 1.0),
    }


def test_a_whole_float_is_a_whole_number():
    """4e6 is a common way to write four million."""
    (limit,) = Limits(tokens_per_minute=4e6)
    assert (limit.amount, type(limit.amount)) == (4_000_000, int)


def test_a_burst_is_the_capacity_and_leaves_the_rate():
    """4,000,000 a minute can be enforced as 200,000 at once."""
    (limit,) = Limits(tokens_per_minute=4_000_000, algorithm="token-bucket", burst=200_000)
    assert (limit.capacity, limit.rate) == (200_000, 4_000_000 / 60)


def test_a_burst_belongs_to_the_token_limit_where_there_is_one():
    """Beside one token limit, limits on requests and places keep their own capacity."""
    limits = Limits(
        tokens_per_minute=600,
        requests_per_minute=60,
        concurrent_requests=4,
        algorithm="token-bucket",
        burst=50,
        floor=0,
    )
    owned = {limit.name: (limit.capacity, limit.burst, limit.floor) for limit in limits}
    assert owned == {
        "tokens_per_minute": (50, 50, 0),
        "requests_per_minute": (60, None, None),
        "concurrent_requests": (4, None, None),
    }


@pytest.mark.parametrize("name", AMOUNTS)
def test_a_limit_is_called_by_the_keyword_that_states_it(name):
    """Findings and messages can quote a name that a user can type."""
    (limit,) = Limits(**{name: 7})
    assert limit.name == name


@pytest.mark.parametrize("name", AMOUNTS)
def test_a_limit_counts_tokens_or_requests(name):
    """Calls to the token-counting endpoint and places in flight are requests."""
    (limit,) = Limits(**{name: 7})
    requests = ("requests", "concurrent", "count_tokens")
    assert limit.unit == ("requests" if name.startswith(requests) else "tokens")


def test_places_in_flight_have_no_rate():
    """Their capacity is their number, and no sustained rate follows from it."""
    (limit,) = Limits(concurrent_requests=3, window=1)
    assert (limit.capacity, limit.rate) == (3, math.inf)


def test_limits_are_frozen_values():
    """They compare, hash, copy and travel by value, and cannot be changed."""
    limits = Limits(tokens_per_minute=100, requests_per_minute=5)
    same = Limits(requests_per_minute=5, tokens_per_minute=100)
    assert limits == same
    assert hash(limits) == hash(same)
    assert copy.deepcopy(limits) == pickle.loads(pickle.dumps(limits)) == limits
    assert limits != Limits(tokens_per_minute=101, requests_per_minute=5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.limits = ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        next(iter(limits)).amount = 5


def test_adding_joins_two_sets():
    """Several limits of one kind go in as one value each."""
    joined = Limits(tokens_per_minute=100) + Limits(tokens_per_minute=30, window=10)
    assert len(joined) == 2
    assert [limit.capacity for limit in joined] == [100, 5]
    assert Limits.of(iter(joined)) == joined
    assert all(isinstance(limit, Limit) for limit in joined)


def test_only_limits_can_be_added_to_limits():
    """A bare number has no kind."""
    with pytest.raises(TypeError, match="unsupported operand"):
        Limits(tokens_per_minute=100) + 5


def test_limits_print_as_what_states_them():
    """A report can show them as they are."""
    assert repr(Limits()) == "<Limits none>"
    limits = Limits(tokens_per_minute=4_000_000, algorithm="token-bucket", burst=200_000)
    shown = "<Limits tokens_per_minute=4_000_000 (token-bucket, 200_000 at once)>"
    assert repr(limits) == shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"charge": "later"},
            "charge must be one of actual, max-tokens, larger, reserve, delivered",
        ),
        ({"scope": "team"}, "scope must be one of key+model, key, model, all, got 'team'"),
        ({"output_factor": 0.5}, "output_factor must be a whole number, at least 1, got 0.5"),
        ({"charge_cached": 2}, "charge_cached must be a number of shares of the cost from 0 to 1"),
        ({"growth": 1.0}, "growth must be a number of usages of the window before above 1"),
        ({"growth": 2.0}, "growth needs algorithm='acceleration', got 'sliding-window'"),
        ({"timezone": "Europe/Paris"}, "timezone needs algorithm='calendar-day', got"),
        (
            {"timezone": "Mars/Olympus", "algorithm": "calendar-day"},
            "timezone must be the IANA name of a zone that this machine or the package tzdata",
        ),
        (
            {"algorithm": "calendar-day"},
            "algorithm='calendar-day' needs a limit per day, got tokens_per_minute=10",
        ),
        (
            {"output_factor": 5, "charge": "max-tokens"},
            "output_factor=5 needs a charge for the output of the answer, got charge='max-tokens'",
        ),
        ({"algorithm": "leaky-bucket", "burst": 5}, "burst needs algorithm='token-bucket'"),
        ({"algorithm": "fixed-window", "floor": -5}, "floor needs algorithm='token-bucket'"),
    ],
)
def test_a_setting_out_of_its_range_or_without_effect_is_named(arguments, message):
    """The message states the argument, and what is allowed or what it needs."""
    error = refusal(tokens_per_minute=10, **arguments)
    assert type(error) is ValueError
    assert str(error).startswith(message)


@pytest.mark.parametrize("value", [5, None, b"UTC"])
def test_a_time_zone_must_be_text(value):
    """A zone object has no name that a trace could carry."""
    error = refusal(requests_per_day=10, algorithm="calendar-day", timezone=value)
    assert type(error) is TypeError
    assert str(error) == f"timezone must be the IANA name of a zone, got {value!r}"


def test_a_leaky_bucket_has_a_floor():
    """Refusals can be charged to it as to a token bucket."""
    (limit,) = Limits(tokens_per_minute=10, algorithm="leaky-bucket", floor=-5)
    assert (limit.capacity, limit.floor, limit.refills) == (10, -5, True)


def test_limits_by_model_hold_for_their_class_and_the_default_for_the_others():
    """Each class has the limits that it is given, and no more."""
    small, large = Limits(tokens_per_minute=30), Limits(tokens_per_minute=200)
    limits = Limits.by_model({"mini": large, "nano": large}, default=small)
    held = {
        name: [limit.amount for limit in limits if limit.holds_for(name)]
        for name in ("mini", "nano", "large")
    }
    assert held == {"mini": [200], "nano": [200], "large": [30]}
    assert Limits.by_model({"mini": large}).limits[0].holds_for("large") is False
    shown = "<Limits tokens_per_minute=200 (for mini), tokens_per_minute=30 (for other models)>"
    assert repr(Limits.by_model({"mini": large}, default=small)) == shown


@pytest.mark.parametrize("models", [{5: Limits()}, {"mini": 5}])
def test_limits_by_model_must_be_limits_by_name(models):
    """A slip is named."""
    with pytest.raises(TypeError, match="models must map model classes to Limits"):
        Limits.by_model(models)
