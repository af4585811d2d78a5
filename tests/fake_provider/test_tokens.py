"""Tokens: what a request costs, and which of its tokens come from where."""

from __future__ import annotations

import pytest

from fake_provider._tokens import Cost, CostModel

BODY = {"cached": 30, "model": "m"}


def test_cached_and_written_tokens_are_parts_of_the_input():
    """A function of the body, or a number, says how many; together they are at most the input."""
    model = CostModel(100, 40, cached_tokens=lambda body: body["cached"], cache_written_tokens=50)
    assert model.cost(BODY, 9, 70) == Cost(60, 40, 70, cached_tokens=30, cache_written_tokens=30)
    most = CostModel(100, 40, cached_tokens=1_000, cache_written_tokens=5)
    assert most.cost(BODY, 9, None) == Cost(60, 40, None, cached_tokens=60)


def test_an_estimate_stands_beside_the_true_number():
    """It may be above or below it; without one the two are the same."""
    model = CostModel(100, 40, estimated_tokens=250)
    assert model.cost(BODY, 9, None) == Cost(60, 40, estimated_tokens=250)
    assert (Cost(60, 40).expected_tokens, Cost(60, 40, estimated_tokens=0).expected_tokens) == (
        60,
        0,
    )


def test_a_reservation_without_max_tokens_counts_the_answer():
    """What the request does not limit is taken to be what the answer will have."""
    assert (Cost(60, 40).allowed_tokens, Cost(60, 40, 70).allowed_tokens) == (40, 70)


@pytest.mark.parametrize("name", ["cached_tokens", "cache_written_tokens", "estimated_tokens"])
def test_what_is_no_number_of_tokens_is_named(name):
    """A stated number and a function's answer are checked alike."""
    with pytest.raises(ValueError, match=rf"{name} must be a whole number, at least 0, got -1"):
        CostModel(**{name: -1})
    with pytest.raises(ValueError, match=rf"{name}\(body\) must be a whole number"):
        CostModel(**{name: lambda body: -1}).cost(BODY, 9, None)
    with pytest.raises(RuntimeError, match=rf"{name}\(body\) raised KeyError"):
        CostModel(**{name: lambda body: body["missing"]}).cost(BODY, 9, None)


@pytest.mark.parametrize("name", ["cached_tokens", "cache_written_tokens"])
def test_a_number_that_has_no_default_of_none_cannot_be_none(name):
    """None says nothing here."""
    with pytest.raises(TypeError, match=f"{name} must be a whole number"):
        CostModel(**{name: None})
