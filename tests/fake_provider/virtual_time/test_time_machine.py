"""time-machine as a neighbour: it keeps the wall clock, and virtual time drives it."""

from __future__ import annotations

import datetime as dt
import time

import pytest
import time_machine

from fake_provider.virtual_time import VirtualClock, _real

from .test_freezegun import T0, live


@pytest.mark.parametrize("tick", [False, True])
def test_opened_during_a_journey(tick):
    """The clock starts at the instant of the journey, and drives it."""
    with time_machine.travel(T0, tick=tick):
        with VirtualClock() as clock:
            live(time.time())
            assert clock.elapsed() == pytest.approx(156.8)
        assert time.time() == pytest.approx(T0 + 156.8, abs=2)
    assert abs(time.time() - _real.wall()) < 1


@pytest.mark.parametrize("tick", [False, True])
def test_a_journey_under_the_clock(tick):
    """A journey that starts and ends under the clock hands the wall clock back."""
    with VirtualClock() as clock:
        with time_machine.travel(T0, tick=tick):
            live()
        wall = time.time()
        time.sleep(3)
        assert time.time() - wall == 3.0
        assert clock.elapsed() == pytest.approx(159.8)
    assert abs(time.time() - _real.wall()) < 1


def test_shift_and_move_to():
    """A journey is moved by hand without moving virtual time, as it never moved ``monotonic``."""
    with VirtualClock() as clock, time_machine.travel(T0, tick=False) as traveller:
        time.sleep(5)
        traveller.shift(100)
        assert time.time() == T0 + 105
        traveller.move_to(T0 + 1000)
        time.sleep(1)
        assert time.time() == T0 + 1001
        assert clock.elapsed() == 6.0


def test_nested_journeys():
    """Both the outer and the inner journey move with virtual time."""
    with VirtualClock(), time_machine.travel(0.0, tick=False):
        with time_machine.travel(T0):
            time.sleep(60)
            assert dt.datetime.now(dt.UTC).minute == 1
        assert time.time() == 60.0


def test_a_journey_that_outlives_the_clock():
    """A journey that ticked ticks again after the clock has closed, from where it was."""
    journey = time_machine.travel(T0, tick=True)
    with VirtualClock():
        journey.start()
        time.sleep(50)
    after = time.time()
    assert after == pytest.approx(T0 + 50, abs=2)
    _real.sleep(0.01)
    assert time.time() > after
    journey.stop()
    assert abs(time.time() - _real.wall()) < 1
