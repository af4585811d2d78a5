"""Limiters against their definitions: any sequence of attempts, refusals and corrections.

Each machine plays one sequence to a limiter and to its model, and compares all that it says.
"""

from __future__ import annotations

import copy
import datetime as dt
import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fake_provider._ledger import limiter_for
from fake_provider._limiters import Level
from fake_provider._limits import Limit
from tests.fake_provider.limiter_models import Accelerating, Day, Fixed, Leaky, S, Window

exact = settings(
    max_examples=60, stateful_step_count=30, deadline=None, derandomize=True, database=None
)
shares = st.sampled_from([0.0, 0.125, 0.5, 1.0])
costs = st.integers(0, 24)


class Machine(RuleBasedStateMachine):
    """One limiter and its model; a subclass says which."""

    gaps = st.integers(0, 12)

    def start(self, limit, model, zero=0):
        self.limiter, self.model = limiter_for(limit, zero), model
        self.now, self.admitted = 0, []

    @rule(data=st.data())
    def time_passes(self, data):
        self.now += data.draw(self.gaps)

    @rule(cost=costs)
    def an_attempt_comes(self, cost):
        before = self.model.room(self.now)
        decision = self.limiter.admit(cost, self.now)
        charge = self.model.offer(cost, self.now)
        assert decision.admitted == (charge is not None)
        assert decision.room == (max(0.0, before / cost) if cost else math.inf)
        if charge is None:
            assert decision.wait_ns == self.model.wait(cost, self.now)
        else:
            self.admitted.append(charge)
            assert decision.wait_ns == 0

    @precondition(lambda self: self.admitted)
    @rule(data=st.data())
    def an_answer_ends(self, data):
        place = data.draw(st.integers(0, len(self.admitted) - 1))
        charge = self.admitted.pop(place)
        change = data.draw(st.integers(-charge.units, 12))
        self.limiter.settle(change, charge.at, self.now)
        self.model.settle(charge, change, self.now)

    @rule(cost=costs)
    def another_limit_refuses(self, cost):
        if self.limiter.take(cost, self.now) is not None:
            self.limiter.put_back(cost)

    @invariant()
    def all_that_it_says_is_so(self):
        now, room = self.now, self.model.room(self.now)
        assert self.limiter.room(now) == room
        assert self.limiter.level(now) == Level(
            self.limiter.limit, max(0, room), self.model.full(now)
        )

    @rule(cost=costs)
    def a_wait_is_the_shortest(self, cost):
        wait = self.limiter.wait(cost, self.now)
        assert wait == self.model.wait(cost, self.now)
        if wait is None:
            return
        assert copy.deepcopy(self.limiter).admit(cost, self.now + wait).admitted
        if wait:
            assert not copy.deepcopy(self.limiter).admit(cost, self.now + wait - 1).admitted


def ns_limit(algorithm, amount, ns, share, **more):
    """A limit of so many tokens per so many nanoseconds."""
    return Limit(
        kind="tokens",
        amount=amount,
        per=ns / S,
        window=ns / S,
        algorithm=algorithm,
        charge_rejected=share,
        **more,
    )


class SlidingWindowMachine(Machine):
    @initialize(amount=st.integers(1, 20), ns=st.integers(1, 30), share=shares)
    def begin(self, amount, ns, share):
        limit = ns_limit("sliding-window", amount, ns, share)
        self.start(limit, Window(limit))


class TokenBucketMachine(Machine):
    @initialize(
        amount=st.integers(1, 20),
        ns=st.integers(1, 30),
        share=shares,
        burst=st.none() | st.integers(1, 30),
        floor=st.none() | st.integers(-30, 0),
    )
    def begin(self, amount, ns, share, burst, floor):
        limit = ns_limit("token-bucket", amount, ns, share, burst=burst, floor=floor)
        self.start(limit, Leaky(limit))


class LeakyBucketMachine(Machine):
    @initialize(amount=st.integers(1, 20), ns=st.integers(1, 30), share=shares)
    def begin(self, amount, ns, share):
        limit = ns_limit("leaky-bucket", amount, ns, share)
        self.start(limit, Leaky(limit))


class FixedWindowMachine(Machine):
    @initialize(
        amount=st.integers(1, 20), ns=st.integers(1, 30), share=shares, zero=st.integers(0, 99)
    )
    def begin(self, amount, ns, share, zero):
        limit = ns_limit("fixed-window", amount, ns, share)
        self.start(limit, Fixed(limit, zero), zero)


class AccelerationMachine(Machine):
    @initialize(
        amount=st.integers(1, 12),
        ns=st.integers(1, 20),
        share=shares,
        zero=st.integers(0, 99),
        growth=st.sampled_from([1.25, 1.5, 2.0, 10.0]),
    )
    def begin(self, amount, ns, share, zero, growth):
        limit = ns_limit("acceleration", amount, ns, share, growth=growth)
        self.start(limit, Accelerating(limit, zero), zero)


class CalendarDayMachine(Machine):
    gaps = st.integers(0, 30 * 3_600).map(lambda seconds: seconds * S)

    @initialize(
        amount=st.integers(1, 20),
        share=shares,
        zone=st.sampled_from(
            ["UTC", "America/Los_Angeles", "Europe/London", "Asia/Kathmandu", "Asia/Beirut"]
        ),
        day=st.integers(0, 3),
        second=st.integers(0, 86_399),
    )
    def begin(self, amount, share, zone, day, second):
        # Around the days on which clocks change: in March and November in the west, in the last
        # week of March in London and in Beirut, where midnight itself is left out.
        days = ("2026-03-07", "2026-10-31", "2026-03-28", "2026-10-24")
        midnight = dt.datetime.fromisoformat(f"{days[day]}T00:00:00+00:00")
        zero = (int(midnight.timestamp()) + second) * S
        limit = Limit(
            kind="tokens",
            amount=amount,
            per=86_400.0,
            window=86_400.0,
            algorithm="calendar-day",
            timezone=zone,
            charge_rejected=share,
        )
        self.start(limit, Day(limit, zero), zero)


@pytest.mark.parametrize(
    "machine",
    [
        SlidingWindowMachine,
        TokenBucketMachine,
        LeakyBucketMachine,
        FixedWindowMachine,
        AccelerationMachine,
        CalendarDayMachine,
    ],
)
def test_a_limiter_agrees_with_its_definition(machine):
    """Admission, room, levels and waits are those of the model, and no wait is a ns too long."""
    run_state_machine_as_test(machine, settings=exact)
