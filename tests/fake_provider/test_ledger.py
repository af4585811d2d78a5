"""Ledger: one set of limiters for each key and model class, charged all at once or not at all."""

from __future__ import annotations

import copy
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_provider._ledger import Ledger
from fake_provider._limits import Limit, Limits
from fake_provider._tokens import Cost

S = 1_000_000_000
exact = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def remaining(ledger, now_ns=0, key="key", model_class="model", endpoint="generate"):
    return [level.remaining for level in ledger.levels(key, model_class, now_ns, endpoint)]


def test_twelve_agents_of_400_000_tokens_do_not_fit_4_000_000_a_minute():
    """Ten are admitted, and the other two are told to wait out the window."""
    ledger = Ledger(Limits(tokens_per_minute=4_000_000))
    cost = Cost(399_950, 50)
    decisions = [ledger.admit("key", "model", cost, 0) for _ in range(12)]
    assert [each.admitted for each in decisions] == [True] * 10 + [False] * 2
    assert [each.room for each in decisions] == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]
    assert {each.wait_ns for each in decisions[10:]} == {60 * S}


def test_an_attempt_that_one_limit_refuses_is_charged_to_none():
    """The limits that would have admitted it keep what they had."""
    ledger = Ledger(
        Limits(requests_per_minute=10, input_tokens_per_minute=1_000, output_tokens_per_minute=100)
    )
    assert ledger.admit("key", "model", Cost(100, 60), 0).admitted
    refused = ledger.admit("key", "model", Cost(100, 60), 0)
    assert [each.name for each in refused.violated] == ["output_tokens_per_minute"]
    assert [level.remaining for level in refused.levels] == [900, 40, 9]


def test_a_refused_attempt_is_charged_to_every_limit_that_charges_refusals():
    """The share of its cost is booked on the limits that did not refuse it as well."""
    limits = Limits(requests_per_minute=10, charge_rejected=1.0) + Limits(
        input_tokens_per_minute=1_000, output_tokens_per_minute=100, charge_rejected=0.5
    )
    ledger = Ledger(limits)
    ledger.admit("key", "model", Cost(100, 60), 0)
    refused = ledger.admit("key", "model", Cost(100, 60), 0)
    assert not refused.admitted
    assert [level.remaining for level in refused.levels] == [8, 850, 10]


def test_the_wait_covers_a_limit_that_only_the_refusal_itself_exhausted():
    """A client that waits as told is admitted although its refusal used up its last request."""
    limits = Limits(requests_per_minute=2, charge_rejected=1.0) + Limits(
        tokens_per_minute=60_000, algorithm="token-bucket"
    )
    ledger = Ledger(limits)
    ledger.admit("key", "model", Cost(60_000, 0), 0)
    refused = ledger.admit("key", "model", Cost(1_000, 0), 0)
    assert [each.name for each in refused.violated] == ["tokens_per_minute"]
    assert refused.wait_ns == 60 * S
    assert ledger.admit("key", "model", Cost(1_000, 0), 60 * S).admitted


@pytest.mark.parametrize(
    ("key", "model_class", "shared"),
    [("key", "model", True), ("other", "model", False), ("key", "other", False)],
)
def test_every_key_and_every_model_class_has_limits_of_its_own(key, model_class, shared):
    """Only the same key with the same model class shares what is left."""
    ledger = Ledger(Limits(tokens_per_minute=100))
    ledger.admit("key", "model", Cost(70, 0), 0)
    assert remaining(ledger, key=key, model_class=model_class) == [30 if shared else 100]


@pytest.mark.parametrize(
    ("scope", "shared"),
    [
        ("key+model", {("key", "model")}),
        ("key", {("key", "model"), ("key", "other")}),
        ("model", {("key", "model"), ("other", "model")}),
        ("all", {("key", "model"), ("key", "other"), ("other", "model"), ("other", "other")}),
    ],
)
def test_a_scope_says_what_has_a_count_of_its_own(scope, shared):
    """What one key used with one model class is missing for all that share the count."""
    ledger = Ledger(Limits(tokens_per_minute=100, concurrent_requests=9, scope=scope))
    ledger.admit("key", "model", Cost(70, 0), 0)
    for key in ("key", "other"):
        for model_class in ("model", "other"):
            left = [30, 8] if (key, model_class) in shared else [100, 9]
            assert remaining(ledger, key=key, model_class=model_class) == left


def test_a_model_class_has_the_limits_that_hold_for_it():
    """Limits by model are charged by their own class alone, and shared where the scope says so."""
    limits = Limits.by_model(
        {"mini": Limits(tokens_per_minute=200)}, default=Limits(tokens_per_minute=30, scope="key")
    )
    ledger = Ledger(limits + Limits(requests_per_minute=5, scope="all"))
    ledger.admit("key", "mini", Cost(150, 0), 0)
    ledger.admit("key", "large", Cost(20, 0), 0)
    assert remaining(ledger, model_class="mini") == [50, 3]
    assert remaining(ledger, model_class="larger") == [10, 3]
    assert remaining(ledger, key="other", model_class="larger") == [30, 3]


COST = Cost(1_000, 300, max_tokens=500, cached_tokens=400, estimated_tokens=1_200)


@pytest.mark.parametrize(
    ("charge", "reserved", "settled"),
    [
        ("actual", (900, 600, 300), (900, 600, 300)),
        ("max-tokens", (1_100, 600, 500), (1_100, 600, 500)),
        ("larger", (600, 600, 500), (600, 600, 500)),
        ("reserve", (1_700, 1_200, 500), (900, 600, 300)),
        ("delivered", (800, 800, 1), (900, 600, 300)),
    ],
)
def test_a_charge_says_what_is_reserved_and_what_it_becomes(charge, reserved, settled):
    """Tokens, input and output are charged at admission, and corrected where the charge says so."""
    ledger = Ledger(
        Limits(
            tokens_per_minute=10_000,
            input_tokens_per_minute=10_000,
            output_tokens_per_minute=10_000,
            charge=charge,
        )
    )
    decision = ledger.admit("key", "model", COST, 0)
    assert tuple(10_000 - level.remaining for level in decision.levels) == reserved
    ledger.settle("key", "model", COST, 0, 5 * S)
    assert tuple(10_000 - left for left in remaining(ledger, 5 * S)) == settled


@pytest.mark.parametrize(("share", "charged"), [(0.0, 600), (0.25, 700), (1.0, 1_000)])
def test_tokens_read_from_a_cache_are_charged_at_their_share(share, charged):
    """A share of 0 exempts them, a share of 1 charges them like any others."""
    ledger = Ledger(Limits(input_tokens_per_minute=10_000, charge_cached=share))
    ledger.admit("key", "model", COST, 0)
    assert remaining(ledger) == [10_000 - charged]


def test_an_output_token_burns_its_factor():
    """The factor counts for what was made, and the input stays as it is."""
    ledger = Ledger(Limits(tokens_per_minute=10_000, output_factor=5))
    ledger.admit("key", "model", COST, 0)
    assert remaining(ledger) == [10_000 - 600 - 5 * 300]


def test_answers_overdraw_a_bucket_and_the_wait_counts_the_debt():
    """The next request waits until its own cost fits above what was not foreseen."""
    ledger = Ledger(
        Limits(output_tokens_per_minute=600, algorithm="token-bucket", charge="delivered")
    )
    for _ in range(3):
        assert ledger.admit("key", "model", Cost(1, 400), 0).admitted
    for _ in range(3):
        ledger.settle("key", "model", Cost(1, 400), 0, 2 * S)
    refused = ledger.admit("key", "model", Cost(1, 400), 2 * S)
    # After 2 s the bucket was full again but for nothing; then 3 x 399 tokens left it.
    assert refused.wait_ns == (3 * 399 - 600 + 1) * 60 * S // 600


def test_the_windows_of_a_ledger_begin_on_the_provider_s_wall_clock():
    """A minute ends at the minute, wherever the ledger's own clock began."""
    ledger = Ledger(Limits(tokens_per_minute=100, algorithm="fixed-window"), 45 * S)
    ledger.admit("key", "model", Cost(100, 0), 0)
    assert ledger.admit("key", "model", Cost(1, 0), 0).wait_ns == 15 * S


def test_counting_tokens_is_charged_only_against_its_own_limit():
    """It takes nothing from the limits of the others, nor they from its own."""
    ledger = Ledger(Limits(requests_per_minute=2, tokens_per_minute=99, count_tokens_per_minute=3))
    counted = [
        ledger.admit("key", "model", Cost(10**6, 0), 0, "count_tokens").admitted for _ in range(4)
    ]
    assert counted == [True, True, True, False]
    assert remaining(ledger) == [99, 2]
    ledger.admit("key", "model", Cost(9, 0), 0)
    assert remaining(ledger) == [90, 1]
    assert remaining(ledger, endpoint="count_tokens") == [0]


def test_a_place_in_flight_comes_back_when_an_attempt_has_ended():
    """Refused attempts hold no place, and another key's release frees none here."""
    ledger = Ledger(Limits(concurrent_requests=2))
    admit = [ledger.admit("key", "model", Cost(1, 1), 0) for _ in range(4)]
    assert [each.admitted for each in admit] == [True, True, False, False]
    assert [(each.wait_ns, each.violated[0].kind) for each in admit[2:]] == [(0, "concurrent")] * 2
    ledger.release("other", "model")
    assert not ledger.admit("key", "model", Cost(1, 1), S).admitted
    ledger.release("key", "model")
    assert ledger.admit("key", "model", Cost(1, 1), S).admitted


def test_an_attempt_that_a_token_limit_refuses_takes_no_place_in_flight():
    """All or nothing holds for places too."""
    ledger = Ledger(Limits(concurrent_requests=1, tokens_per_minute=100))
    assert not ledger.admit("key", "model", Cost(200, 0), 0).admitted
    assert ledger.admit("key", "model", Cost(100, 0), 0).admitted


def test_a_limit_with_a_wait_comes_before_a_place_in_flight():
    """Where both refuse, the limit that is named first is the one that has a wait."""
    ledger = Ledger(Limits(tokens_per_minute=100, concurrent_requests=1))
    ledger.admit("key", "model", Cost(100, 0), 0)
    refused = ledger.admit("key", "model", Cost(100, 0), 10 * S)
    assert [each.kind for each in refused.violated] == ["tokens", "concurrent"]
    assert refused.wait_ns == 50 * S


def test_the_limit_that_a_cost_can_never_fit_is_named_first():
    """No wait is computed from the limits beside it."""
    ledger = Ledger(Limits(requests_per_minute=1, input_tokens_per_minute=100))
    ledger.admit("key", "model", Cost(100, 0), 0)
    refused = ledger.admit("key", "model", Cost(101, 0), 0)
    assert [each.kind for each in refused.violated] == ["input_tokens", "requests"]
    assert refused.wait_ns is None


def test_without_limits_everything_is_admitted():
    """There is room for any number of attempts and nothing to report."""
    decision = Ledger(Limits()).admit("key", "model", Cost(10**9, 10**9), 0)
    assert decision.admitted
    assert (decision.room, decision.wait_ns, decision.violated) == (math.inf, 0, ())
    assert decision.levels == ()


def test_reset_forgets_every_charge():
    """All keys start again with full limits and no attempt in flight."""
    ledger = Ledger(Limits(tokens_per_minute=100, concurrent_requests=1))
    for key in ("key", "other"):
        ledger.admit(key, "model", Cost(60, 0), 0)
    ledger.reset()
    assert remaining(ledger) == remaining(ledger, key="other") == [100, 1]
    ledger.release("key", "model")
    assert remaining(ledger) == [100, 1]


def test_a_key_that_starts_late_starts_with_full_limits():
    """A set of limiters is made when its first attempt arrives, whenever that is."""
    ledger = Ledger(Limits(tokens_per_minute=100) + Limits(requests_per_minute=100))
    decision = ledger.admit("key", "model", Cost(100, 0), 3_600 * S)
    assert decision.admitted
    assert [level.full_ns for level in decision.levels] == [60 * S, 60 * S]


def any_limits(kinds):
    """One small limit of each kind, in nanoseconds, by either algorithm."""
    return st.tuples(*(st.builds(any_limit, st.just(kind), *parts) for kind in kinds))


def any_limit(kind, amount, ns, algorithm, share):
    return Limit(
        kind=kind,
        amount=amount,
        per=ns / S,
        window=ns / S,
        algorithm=algorithm,
        charge_rejected=share,
    )


parts = (
    st.integers(1, 20),
    st.integers(1, 30),
    st.sampled_from(["sliding-window", "token-bucket"]),
    st.sampled_from([0.0, 0.5, 1.0]),
)


@exact
@given(
    limits=any_limits(["requests", "input_tokens", "output_tokens"]),
    attempts=st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12)), max_size=30
    ),
)
def test_an_attempt_is_charged_to_all_limits_or_to_none_and_its_wait_is_exact(limits, attempts):
    """A ledger agrees with single limiters asked one by one, and its waits are the shortest."""
    ledger, now = Ledger(Limits.of(limits)), 0
    for gap, input_tokens, output_tokens in attempts:
        now += gap
        costs = (1, input_tokens, output_tokens)
        alone = copy.deepcopy(ledger._of("key", "model").limiters)
        fits = [each.wait(cost, now) == 0 for each, cost in zip(alone, costs, strict=True)]
        decision = ledger.admit("key", "model", Cost(input_tokens, output_tokens), now)
        assert decision.admitted == all(fits)
        assert (decision.room >= 1) == decision.admitted
        for each, cost in zip(alone, costs, strict=True):
            (each.take if all(fits) else each.reject)(cost, now)
        assert decision.levels == tuple(each.level(now) for each in alone)
        refusing = {limit for limit, fit in zip(limits, fits, strict=True) if not fit}
        assert set(decision.violated) == refusing
        if not decision.wait_ns:
            continue
        for wait, admitted in ((decision.wait_ns, True), (decision.wait_ns - 1, False)):
            again = copy.deepcopy(ledger)
            cost = Cost(input_tokens, output_tokens)
            assert again.admit("key", "model", cost, now + wait).admitted == admitted
