"""assert_finishes_within: the job's time, as stated in seconds or as a multiple of the ideal."""

from __future__ import annotations

import pytest

from fake_provider._trace import Trace
from pytest_ratelimit import FindingsError, assert_finishes_within
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import replay
from tests.pytest_ratelimit.simulation import chains
from tests.pytest_ratelimit.test_goodput import served
from tests.pytest_ratelimit.test_starvation import one_large


def test_the_incident_does_not_finish_in_time() -> None:
    """Fourteen minutes are more than one, and more than four times the ideal."""
    trace = replay(delays.fixed())
    for bound in ({"seconds": 60.0}, {"times_ideal": 4.0}):
        with pytest.raises(FindingsError, match=r"^RL302 goodput-collapse: the job took 854.3 s"):
            assert_finishes_within(trace, **bound)


def test_the_repaired_job_does() -> None:
    """A shared bucket ends in 42 s, and within 1.3 times the ideal."""
    trace = replay(delays.full_jitter(2.0), paced=True)
    assert_finishes_within(trace, seconds=42.0, times_ideal=1.3)


def test_a_starved_caller_fails_however_fast_the_job() -> None:
    """Finishing in time does not excuse a caller that all others passed."""
    with pytest.raises(FindingsError, match=r"^RL303 starvation"):
        assert_finishes_within(one_large(1), seconds=3600.0)


def test_a_multiple_of_nothing_is_inconclusive() -> None:
    """Where nothing was served there is no ideal, and a test that cannot fail fails."""
    with pytest.raises(FindingsError, match=r"^RL901 inconclusive"):
        assert_finishes_within(chains([[1.0]]), times_ideal=4.0)
    with pytest.raises(FindingsError, match=r"^RL903"):
        assert_finishes_within(Trace(), seconds=60.0)


def test_arguments() -> None:
    """One of the two bounds is to be given, and each is above 0."""
    with pytest.raises(TypeError, match="needs seconds= or times_ideal="):
        assert_finishes_within(served(1))
    with pytest.raises(ValueError, match=r"times_ideal must be a number .*above 0, got 0.0"):
        assert_finishes_within(served(1), times_ideal=0.0)
