"""The words of a message."""

from __future__ import annotations

import math

import pytest

from pytest_ratelimit._checks import _text as text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0 s"),
        (1e-6, "1 us"),
        (0.00025, "250 us"),
        (0.04, "40 ms"),
        (0.9994, "999 ms"),
        (0.9996, "0.9996 s"),
        (1.0, "1 s"),
        (4.86, "4.86 s"),
        (3600.0, "3,600 s"),
        (86_400.4, "86,400 s"),
    ],
)
def test_seconds_in_the_unit_that_reads_best(value: float, expected: str) -> None:
    """Durations are in microseconds, milliseconds or seconds, to three or four digits."""
    assert text.seconds(value) == expected


def test_how_near() -> None:
    """Instants that cannot be told apart are the same instant."""
    assert text.near(1e-9) == "at the same instant"
    assert text.near(0.02) == "within 20 ms"


def test_odds_have_a_floor() -> None:
    """Probabilities keep one digit, and below 1e-99 their size says nothing more."""
    assert text.odds(math.log(3.2e-30)) == "p = 3e-30"
    assert text.odds(-1e9) == "p < 1e-99"
    assert text.odds(1e-12) == "p = 1"


def test_plurals_and_lists() -> None:
    """One retry, two retries; long lists say how many more there are."""
    assert text.many(1, "retry") == "1 retry"
    assert text.many(2_000, "retry") == "2,000 retries"
    assert text.many(0, "call") == "0 calls"
    assert text.names(["a", "b"]) == "a, b"
    assert text.names(list("abcdefgh")) == "a, b, c, d, e, f and 2 more"
