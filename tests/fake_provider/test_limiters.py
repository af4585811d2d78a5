"""Limiters: exact against brute-force models, and against answers that real providers gave."""

from __future__ import annotations

import copy
import datetime as dt
import math
import random
import sys
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_provider._buckets import TokenBucket
from fake_provider._ledger import limiter_for
from fake_provider._limiters import InFlight, Level, Limiter, decide
from fake_provider._limits import Limit, Limits
from fake_provider._sliding import SlidingWindow
from fake_provider._windows import Acceleration, CalendarDay, FixedWindow

S = 1_000_000_000
exact = settings(max_examples=300, deadline=None, derandomize=True, database=None)
shares = st.sampled_from([0.0, 0.125, 0.5, 1.0])


def per_ns(amount, ns, algorithm, **more):
    """A limit of `amount` tokens per `ns` nanoseconds, enforced over as many."""
    return Limit(
        kind="tokens", amount=amount, per=ns / S, window=ns / S, algorithm=algorithm, **more
    )


def tokens_per_minute(amount, algorithm="sliding-window", **more):
    (limit,) = Limits(tokens_per_minute=amount, algorithm=algorithm, **more)
    return limiter_for(limit)


class WindowModel:
    """A sliding window that adds everything up again each time."""

    def __init__(self, capacity, window_ns, share):
        self.capacity, self.window_ns, self.share = capacity, window_ns, Fraction(share)
        self.booked = []

    def room(self, now):
        self.booked = [(at, cost) for at, cost in self.booked if at > now - self.window_ns]
        return self.capacity - sum(cost for _, cost in self.booked)

    def wait(self, cost, now):
        room = self.room(now)
        if cost > self.capacity:
            return None
        if cost == 0 or cost <= room:
            return 0
        for at, booked in self.booked:
            room += booked
            if cost <= room:
                return at + self.window_ns - now
        raise AssertionError("an empty window admits up to the capacity")

    def full(self, now):
        return max([0, *(at + self.window_ns - now for at, cost in self.booked if cost)])

    def offer(self, cost, now):
        fits = cost == 0 or cost <= self.room(now)
        charged = cost if fits else min(round(self.share * cost), self.capacity)
        self.booked.append((now, charged))
        return fits


class BucketModel:
    """A token bucket in fractions of a token."""

    def __init__(self, capacity, rate_per_ns, floor, share):
        self.capacity, self.rate, self.floor = Fraction(capacity), rate_per_ns, floor
        self.share, self.level, self.at = Fraction(share), Fraction(capacity), 0

    def refill(self, now):
        self.level = min(self.capacity, self.level + (now - self.at) * self.rate)
        self.at = now

    def room(self, now):
        self.refill(now)
        return math.floor(self.level)

    def wait(self, cost, now):
        self.refill(now)
        if cost > self.capacity:
            return None
        return max(0, math.ceil((cost - self.level) / self.rate)) if cost else 0

    def full(self, now):
        self.refill(now)
        return math.ceil((self.capacity - self.level) / self.rate)

    def offer(self, cost, now):
        self.refill(now)
        if cost == 0 or self.level >= cost:
            self.level -= cost
            return True
        self.level = max(Fraction(self.floor), self.level - round(self.share * cost))
        return False


def agree(limiter, model, attempts):
    """Play the attempts to both and compare everything that a limiter says."""
    now = 0
    for gap, cost in attempts:
        now += gap
        before = model.room(now)
        assert limiter.room(now) == before
        assert limiter.wait(cost, now) == model.wait(cost, now)
        decision = limiter.admit(cost, now)
        assert decision.admitted == model.offer(cost, now)
        assert decision.room == (max(0.0, before / cost) if cost else math.inf)
        assert decision.wait_ns == (0 if decision.admitted else model.wait(cost, now))
        left = max(0, model.room(now))
        assert decision.levels == (Level(limiter.limit, left, model.full(now)),)


@exact
@given(
    capacity=st.integers(1, 20),
    window_ns=st.integers(1, 30),
    share=shares,
    attempts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 24)), max_size=40),
)
def test_a_sliding_window_agrees_with_adding_everything_up(capacity, window_ns, share, attempts):
    """Room, waits, levels and decisions equal those of a model that keeps and sums every event."""
    limit = per_ns(capacity, window_ns, "sliding-window", charge_rejected=share)
    agree(SlidingWindow(limit), WindowModel(capacity, window_ns, share), attempts)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_sliding_window_still_agrees_after_it_has_compacted_its_columns(share):
    """Thousands of attempts, with idle gaps, leave no trace in what a window says."""
    rng = random.Random(f"compaction {share}")
    attempts = [
        (rng.choice([0, 1, 3]) if rng.random() < 0.995 else 2_000, rng.randint(1, 12))
        for _ in range(4_000)
    ]
    window = SlidingWindow(per_ns(900, 250, "sliding-window", charge_rejected=share))
    agree(window, WindowModel(900, 250, share), attempts)
    assert len(window._times) < 1_000


@exact
@given(
    capacity=st.integers(1, 20),
    window_ns=st.integers(1, 30),
    share=shares,
    attempts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 20)), max_size=60),
)
def test_no_window_ever_admits_more_than_the_capacity(capacity, window_ns, share, attempts):
    """What was admitted in any half-open window (t - window, t] is at most the capacity."""
    limit = per_ns(capacity, window_ns, "sliding-window", charge_rejected=share)
    window, now, admitted = SlidingWindow(limit), 0, []
    for gap, cost in attempts:
        now += gap
        if window.admit(cost, now).admitted:
            admitted.append((now, cost))
    for end, _ in admitted:
        within = sum(cost for at, cost in admitted if end - window_ns < at <= end)
        assert within <= capacity


@exact
@given(
    amount=st.integers(1, 20),
    per=st.integers(1, 30),
    burst=st.none() | st.integers(1, 30),
    floor=st.none() | st.integers(-30, 0),
    share=shares,
    attempts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 36)), max_size=40),
)
def test_a_token_bucket_agrees_with_fractions(amount, per, burst, floor, share, attempts):
    """Room, waits, levels and decisions equal those of a bucket kept in exact fractions."""
    limit = per_ns(amount, per, "token-bucket", burst=burst, floor=floor, charge_rejected=share)
    lowest = -limit.capacity if floor is None else floor
    model = BucketModel(limit.capacity, Fraction(amount, per), lowest, share)
    agree(TokenBucket(limit), model, attempts)


@exact
@given(
    algorithm=st.sampled_from(["sliding-window", "token-bucket"]),
    capacity=st.integers(1, 20),
    ns=st.integers(1, 30),
    share=shares,
    attempts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 20)), max_size=40),
    cost=st.integers(1, 20),
)
def test_a_wait_is_neither_too_short_nor_too_long(algorithm, capacity, ns, share, attempts, cost):
    """The cost fits when the wait is over and did not a nanosecond before."""
    limiter = limiter_for(per_ns(capacity, ns, algorithm, charge_rejected=share))
    now = 0
    for gap, other in attempts:
        now += gap
        limiter.admit(other, now)
    wait = limiter.wait(cost, now)
    if wait is None:
        assert cost > capacity
        return
    assert copy.deepcopy(limiter).admit(cost, now + wait).admitted
    if wait:
        assert not copy.deepcopy(limiter).admit(cost, now + wait - 1).admitted


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("algorithm", ["sliding-window", "token-bucket"])
def test_the_wait_of_a_refusal_includes_its_own_charge(algorithm, share):
    """A refused client that waits as long as it was told is admitted, and not sooner."""
    limiter = tokens_per_minute(1_000, algorithm, charge_rejected=share)
    limiter.admit(900, 0)
    free = limiter.wait(800, 10 * S)
    decision = limiter.admit(800, 10 * S)
    assert not decision.admitted
    assert decision.wait_ns > free
    assert not copy.deepcopy(limiter).admit(800, 10 * S + decision.wait_ns - 1).admitted
    assert limiter.admit(800, 10 * S + decision.wait_ns).admitted


@pytest.mark.parametrize("algorithm", ["sliding-window", "token-bucket"])
def test_a_refused_attempt_is_free_by_default(algorithm):
    """Refusals leave room and waits as they were."""
    limiter = tokens_per_minute(1_000, algorithm)
    limiter.admit(900, 0)
    before = limiter.room(0), limiter.wait(600, 0), limiter.level(0)
    assert not any(limiter.admit(600, 0).admitted for _ in range(20))
    assert (limiter.room(0), limiter.wait(600, 0), limiter.level(0)) == before


@pytest.mark.parametrize(("floor", "lowest"), [(None, -1_000), (-250, -250), (0, 0)])
def test_refusals_charge_a_bucket_down_to_its_floor_and_no_further(floor, lowest):
    """The floor is minus the capacity unless it is stated."""
    bucket = tokens_per_minute(1_000, "token-bucket", charge_rejected=1.0, floor=floor)
    bucket.admit(1_000, 0)
    for _ in range(50):
        bucket.admit(400, 0)
    assert bucket.room(0) == lowest
    assert bucket.wait(400, 0) == (400 - lowest) * 60 * S // 1_000


def test_refusals_can_overdraw_a_window_but_only_for_one_window():
    """Charged refusals take the room below 0, and everything is back when the window has passed."""
    window = tokens_per_minute(1_000, charge_rejected=1.0)
    for _ in range(5):
        window.admit(600, 0)
    assert window.room(0) == -2_000
    assert window.level(0).remaining == 0
    assert window.admit(600, 0).room == 0.0
    assert window.wait(1_000, 0) == window.level(0).full_ns == 60 * S
    assert window.room(60 * S) == 1_000


@pytest.mark.parametrize("share", [0.0, 1.0])
@pytest.mark.parametrize("algorithm", ["sliding-window", "token-bucket"])
def test_a_cost_above_the_capacity_never_fits(algorithm, share):
    """Its wait is None, however large it is, and what is charged for it is over by two windows."""
    limiter = tokens_per_minute(1_000, algorithm, charge_rejected=share)
    for cost in (1_001, 10**30):
        decision = limiter.admit(cost, 0)
        assert decision.wait_ns is None
        assert decision.violated == (limiter.limit,)
    assert limiter.level(0).full_ns <= 120 * S
    assert limiter.admit(1_000, 120 * S).admitted


@pytest.mark.parametrize("algorithm", ["sliding-window", "token-bucket"])
def test_a_cost_of_nothing_always_fits(algorithm):
    """An attempt without output tokens is not refused by an overdrawn limit on them."""
    limiter = tokens_per_minute(1_000, algorithm, charge_rejected=1.0)
    limiter.admit(1_000, 0)
    limiter.admit(1_000, 0)
    assert limiter.room(0) < 0
    assert limiter.wait(0, 0) == 0
    decision = limiter.admit(0, 0)
    assert decision.admitted
    assert decision.room == math.inf


@pytest.mark.parametrize("algorithm", ["sliding-window", "token-bucket"])
def test_an_instant_in_the_past_counts_as_the_last_one_seen(algorithm):
    """A clock that steps back neither gives tokens back nor takes any."""
    limiter = tokens_per_minute(1_000, algorithm)
    limiter.room(90 * S)
    limiter.admit(600, 30 * S)
    assert limiter.room(30 * S) == limiter.room(90 * S) == 400
    assert limiter.wait(700, 0) == limiter.wait(700, 90 * S)
    assert limiter.admit(400, 0).levels == (limiter.level(90 * S),)
    assert limiter.room(149 * S) < 1_000
    assert limiter.room(150 * S) == 1_000


@pytest.mark.parametrize("algorithm", ["sliding-window", "token-bucket"])
def test_the_rate_holds_from_a_full_second_to_a_nanosecond(algorithm):
    """A full limit is not yet replenished one nanosecond before a window is over."""
    limiter = tokens_per_minute(4_000_000, algorithm)
    limiter.admit(4_000_000, 0)
    assert limiter.wait(4_000_000, 0) == limiter.level(0).full_ns == 60 * S
    assert limiter.room(60 * S - 1) < 4_000_000
    assert limiter.level(60 * S - 1).full_ns == 1
    assert limiter.level(60 * S) == Level(limiter.limit, 4_000_000, 0)


def test_a_bucket_admits_almost_twice_its_rate_in_one_window_and_a_sliding_window_does_not():
    """The two algorithms are different limits, not two speeds of one."""
    admitted = {}
    for algorithm in ("sliding-window", "token-bucket"):
        limiter = tokens_per_minute(600, algorithm)
        instants = [0] * 600 + [at * S // 10 for at in range(1, 600)]
        admitted[algorithm] = sum(limiter.admit(1, now).admitted for now in instants)
    assert admitted == {"sliding-window": 600, "token-bucket": 600 + 599}


@pytest.mark.parametrize(
    ("limit", "used", "requested", "wait_s"),
    [(30_000, 29_869, 654, 1.046), (8_000, 5_803, 5_313, 23.37)],
)
def test_a_bucket_names_the_waits_that_providers_name(limit, used, requested, wait_s):
    """The wait in a message is (used + requested - limit) x 60 s / limit.

    Source: public reports of "Please try again in ..." messages of OpenAI and Groq, read
    2026-11-25.
    """
    bucket = tokens_per_minute(limit, "token-bucket")
    bucket.admit(used, 0)
    assert bucket.admit(requested, 0).wait_ns == round(wait_s * S)


def test_an_overdrawn_bucket_names_the_reset_and_the_wait_of_a_recorded_refusal():
    """30,000 tokens a minute at -9,000: full in 78 s, and 20,000 tokens fit in 58 s.

    Source: a public dump of a refusal by Anthropic of 2026-02-27, read 2026-11-25.
    """
    bucket = tokens_per_minute(30_000, "token-bucket")
    bucket.settle(39_000, 0, 0)
    assert bucket.level(0) == Level(bucket.limit, 0, 78 * S)
    assert bucket.wait(20_000, 0) == 58 * S


def test_a_window_spends_at_most_32_bytes_on_an_event_of_any_size():
    """Its columns stay small while they fill, in steady state, and as they drain."""
    window, now, per_event = tokens_per_minute(10**12), 0, []
    for index in range(60_000):
        now += 6_000_000 if index < 50_000 else 24_000_000
        window.take(2_000_000, now)
        live = (10**12 - window.room(now)) // 2_000_000
        if live >= 1_000:
            columns = sys.getsizeof(window._times) + sys.getsizeof(window._totals)
            per_event.append(columns / live)
    assert min(per_event) >= 16
    assert max(per_event) <= 32


class Counted(list):
    """A list that counts how often one of its items is read."""

    reads = 0

    def __getitem__(self, index):
        self.reads += 1
        return super().__getitem__(index)


def test_a_wait_is_found_by_bisection():
    """Among 100,000 events a wait reads 17 of them."""
    window = tokens_per_minute(10**9)
    for now in range(100_000):
        window.take(10_000, now)
    window._totals = Counted(window._totals)
    assert window.wait(5 * 10**8, 100_000) == 49_999 + 60 * S - 100_000
    assert 0 < window._totals.reads <= 18


def test_an_event_is_let_go_of_at_a_constant_cost():
    """In steady state an attempt reads two or three instants, not all those that have expired."""
    window, gap = tokens_per_minute(10**9), 60 * S // 10_000
    for index in range(10_000):
        window.take(1, index * gap)
    window._times = Counted(window._times)
    for index in range(10_000, 20_000):
        window.take(1, index * gap)
    assert window.room(20_000 * gap) == 10**9 - 9_999
    assert 10_000 <= window._times.reads <= 30_000


def test_what_was_charged_nothing_is_settled_at_its_instant():
    """A cost that is known at the end alone counts from where the attempt was admitted."""
    window = tokens_per_minute(1_000)
    window.take(300, 0)
    window.take(0, 10 * S)
    window.take(400, 20 * S)
    window.settle(200, 10 * S, 30 * S)
    assert window.room(30 * S) == 100
    assert [window.wait(cost, 30 * S) for cost in (400, 401, 600, 601)] == [
        30 * S,
        40 * S,
        40 * S,
        50 * S,
    ]


@pytest.mark.parametrize("algorithm", ["token-bucket", "leaky-bucket"])
def test_a_refusal_does_not_lift_a_bucket_that_answers_overdrew(algorithm):
    """A bucket that was settled below its floor stays there when a refusal is charged nothing."""
    bucket = tokens_per_minute(1_000, algorithm, floor=0)
    bucket.settle(5_000, 0, 0)
    assert bucket.room(0) == -4_000
    assert not bucket.admit(1, 0).admitted
    assert bucket.room(0) == -4_000


@pytest.mark.parametrize("algorithm", ["sliding-window", "fixed-window", "acceleration"])
def test_a_correction_comes_too_late_for_a_window_that_has_passed(algorithm):
    """What has left the window takes no room, whatever it turns out to have cost."""
    window = tokens_per_minute(1_000, algorithm)
    window.take(10, 0)
    window.settle(500, 0, 130 * S)
    assert window.level(130 * S) == Level(window.limit, 1_000, 0)


def test_a_fixed_window_admits_twice_its_capacity_around_its_end():
    """The count starts again at the minute of the wall clock, not 60 s after the first attempt."""
    (limit,) = Limits(tokens_per_minute=1_000, algorithm="fixed-window")
    window = limiter_for(limit, zero_wall_ns=59 * S)
    assert window.admit(1_000, 0).admitted
    assert window.admit(1, 0).wait_ns == S
    assert window.admit(1_000, S).admitted
    assert window.admit(1, S).wait_ns == 60 * S


@pytest.mark.parametrize(
    ("begins", "hours"),
    [
        ("2026-03-08T08:00:00+00:00", 23),
        ("2026-07-01T07:00:00+00:00", 24),
        ("2026-11-01T07:00:00+00:00", 25),
    ],
)
def test_a_day_is_as_long_as_clocks_make_it(begins, hours):
    """From midnight to midnight in Los Angeles there are 23, 24 or 25 hours."""
    (limit,) = Limits(requests_per_day=1, algorithm="calendar-day", timezone="America/Los_Angeles")
    zero_wall_ns = int(dt.datetime.fromisoformat(begins).timestamp()) * S
    day = limiter_for(limit, zero_wall_ns)
    assert day.admit(1, 0).admitted
    assert day.admit(1, 0).wait_ns == hours * 3_600 * S
    assert not day.admit(1, hours * 3_600 * S - 1).admitted
    assert day.admit(1, hours * 3_600 * S).admitted


def test_an_acceleration_admits_a_gradual_load_and_refuses_a_sudden_one():
    """Half as much again is admitted each minute; the same amount at once is not."""
    gradual, sudden = (tokens_per_minute(1_000, "acceleration") for _ in range(2))
    grown = [gradual.admit(tokens, at * 60 * S) for at, tokens in enumerate((1_000, 1_500, 2_250))]
    assert all(decision.admitted for decision in grown)
    assert sudden.admit(1_000, 0).admitted
    assert sudden.admit(1_000, 0).wait_ns == 60 * S
    assert sudden.admit(2_250, 0).wait_ns is None
    assert gradual.admit(1_001, 300 * S).admitted is False  # an idle time forgets the growth


def test_places_in_flight_come_back_only_by_release():
    """No time frees a place, a release frees one, and releases beyond that free nothing."""
    (limit,) = Limits(concurrent_requests=2)
    places = InFlight(limit)
    assert [places.admit(1, 0).admitted for _ in range(3)] == [True, True, False]
    assert places.admit(1, 10**18).admitted is False
    places.release()
    assert places.level(0) == Level(limit, 1, 0)
    for _ in range(5):
        places.release()
    assert places.room(0) == 2


def test_the_wait_for_a_place_in_flight_is_not_computed():
    """A refusal for want of a place names its limit and a wait of 0."""
    (limit,) = Limits(concurrent_requests=1)
    places = InFlight(limit)
    places.admit(1, 0)
    decision = places.admit(1, 0)
    assert (decision.admitted, decision.wait_ns, decision.violated) == (False, 0, (limit,))
    assert places.wait(2, 0) is None


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(tokens_per_minute=5), SlidingWindow),
        (Limits(requests_per_day=5, algorithm="token-bucket"), TokenBucket),
        (Limits(requests_per_day=5, algorithm="leaky-bucket"), TokenBucket),
        (Limits(requests_per_day=5, algorithm="fixed-window"), FixedWindow),
        (Limits(requests_per_day=5, algorithm="calendar-day"), CalendarDay),
        (Limits(requests_per_minute=5, algorithm="acceleration"), Acceleration),
        (Limits(concurrent_requests=5, algorithm="token-bucket"), InFlight),
    ],
)
def test_a_limit_is_enforced_by_the_algorithm_that_it_names(limits, expected):
    """Requests in flight have an algorithm of their own."""
    (limit,) = limits
    made = limiter_for(limit)
    assert type(made) is expected
    assert isinstance(made, Limiter)
    assert made.limit == limit


def test_a_decision_names_the_violated_limits_longest_wait_first():
    """The first violated limit is the one whose wait the decision names."""
    quick, slow, free = limiters = [
        limiter_for(limit)
        for limit in Limits(
            requests_per_minute=60,
            input_tokens_per_minute=600,
            output_tokens_per_minute=600,
            algorithm="token-bucket",
        )
    ]
    quick.take(600, 0)
    slow.take(600, 0)
    decision = decide(limiters, (10, 500, 1), 0)
    assert decision.violated == (slow.limit, quick.limit)
    assert decision.wait_ns == 50 * S
    assert [level.limit for level in decision.levels] == [each.limit for each in limiters]
    assert free.room(0) == 60


def test_limits_and_costs_must_pair_up():
    """A cost too few is an error, not a limit that is never charged."""
    with pytest.raises(ValueError, match="shorter"):
        decide([tokens_per_minute(5), tokens_per_minute(5)], (1,), 0)
