"""Shared ledger: what a store decides is what this process would, for all who share it."""

from __future__ import annotations

import multiprocessing
import random
from bisect import bisect_right
from itertools import accumulate

import pytest

from fake_provider import FakeProvider, Limit, Limits
from fake_provider._ledger import Ledger
from fake_provider._shared_ledger import SharedLedger, store_for
from fake_provider._store import LedgerLost, Store
from fake_provider._tokens import Cost
from tests.fake_provider.redis_server import redis_server

S = 1_000_000
LIMITS = Limits(requests_per_minute=50, input_tokens_per_minute=4_000, output_tokens_per_minute=900)


@pytest.fixture(scope="module")
def server():
    with redis_server() as running:
        yield running


@pytest.fixture
def store(server):
    """A store in which nothing is kept."""
    made = Store(server.url)
    made._redis.flushall()
    yield made
    made.close()


def ledgers(limits, store):
    """Return a ledger in this process and one in the store, whose clock is the test's."""
    shared = SharedLedger(limits, store)
    shared.now_us = 1_000 * S
    return Ledger(limits), shared


def any_limits(rng):
    """Return up to four limits of any kind, charge and scope that a store keeps."""
    return Limits.of(
        Limit(
            kind=rng.choice(["requests", "tokens", "input_tokens", "output_tokens"]),
            amount=rng.choice([1, 7, 60, 1_000, 7_777]),
            per=rng.choice([1.0, 60.0, 86_400.0]),
            window=rng.choice([1.0, 60.0]),
            algorithm=rng.choice(["sliding-window", "token-bucket", "leaky-bucket"]),
            burst=rng.choice([None, 300]),
            charge_rejected=rng.choice([0.0, 0.0, 0.5, 1.0]),
            charge=rng.choice(["actual", "max-tokens", "larger", "reserve", "delivered"]),
            scope=rng.choice(["key+model", "key", "model", "all"]),
            models=rng.choice([(), (), ("small",)]),
        )
        for _ in range(rng.randint(1, 4))
    )


def test_sixteen_thousand_decisions_are_those_of_this_process(store):
    """Decisions, waits, levels and corrections are equal to the last nanosecond."""
    rng = random.Random(8)
    decided = refused = settled = 0
    while decided < 16_000:
        store._redis.flushall()
        here, shared = ledgers(any_limits(rng), store)
        load = rng.choice([0.01, 0.3, 5.0])
        running = []
        for _ in range(100):
            shared.now_us += round(rng.expovariate(1 / load) * S)
            now_ns = shared.now_us * 1_000
            key, model = rng.choice(["a", "b"]), rng.choice(["small", "large"])
            cost = Cost(
                rng.choice([0, 1, 50, 250]),
                rng.choice([0, 3, 90]),
                max_tokens=rng.choice([None, 0, 200]),
                estimated_tokens=rng.choice([None, 70]),
            )
            expected = here.admit(key, model, cost, now_ns)
            assert shared.admit(key, model, cost, now_ns) == expected
            decided += 1
            refused += not expected.admitted
            if expected.admitted:
                running.append((key, model, cost, now_ns))
            if running and rng.random() < 0.4:
                ended = running.pop(rng.randrange(len(running)))
                here.settle(*ended, now_ns)
                shared.settle(*ended, now_ns)
                settled += 1
            if rng.random() < 0.1:
                assert shared.levels(key, model, now_ns) == here.levels(key, model, now_ns)
    assert min(refused, decided - refused, settled) > 3_000


def test_instants_of_the_store_that_go_back_count_as_the_last_one(store):
    """A clock that is set back frees nothing early."""
    here, shared = ledgers(LIMITS, store)
    for step in (0, 5, -3, 2, 56, -20, 30):
        shared.now_us += step * S
        now_ns = shared.now_us * 1_000
        cost = Cost(2_000, 10)
        expected = here.admit("key", "model", cost, now_ns)
        got = shared.admit("key", "model", cost, now_ns)
        assert (got.admitted, got.wait_ns, got.levels) == (
            expected.admitted,
            expected.wait_ns,
            expected.levels,
        )


def test_the_store_has_the_time(store):
    """What a process says of the time does not count."""
    shared = SharedLedger(Limits(requests_per_minute=1), store)
    assert shared.admit("key", "model", Cost(1, 1), 0).admitted
    later = shared.admit("key", "model", Cost(1, 1), 10**18)
    assert not later.admitted
    assert 0 < later.wait_ns <= 60 * 10**9


def test_counting_tokens_has_a_count_of_its_own(store):
    """As in this process, neither takes anything from the other."""
    limits = Limits(requests_per_minute=2, count_tokens_per_minute=1)
    _, shared = ledgers(limits, store)
    counted = [shared.admit("k", "m", Cost(9, 9), 0, "count_tokens").admitted for _ in range(2)]
    assert counted == [True, False]
    assert [shared.admit("k", "m", Cost(9, 9), 0).admitted for _ in range(3)] == [True, True, False]


def test_without_limits_no_store_is_asked(store):
    """There is nothing to share."""
    shared = SharedLedger(Limits(), store)
    assert shared.admit("k", "m", Cost(1, 1), 0).admitted
    assert store._redis.dbsize() == 0


def test_other_limits_are_another_count(store):
    """Two sets of limits in one store do not mix."""
    for number in (1, 2):
        shared = SharedLedger(Limits(requests_per_minute=number), store)
        admitted = [shared.admit("k", "m", Cost(1, 1), 0).admitted for _ in range(3)]
        assert admitted.count(True) == number


def test_a_reset_begins_anew_and_others_are_told(store):
    """Who resets starts with full limits; who shared them learns that the count is another."""
    limits = Limits(requests_per_minute=1)
    one, other = SharedLedger(limits, store), SharedLedger(limits, store)
    assert one.admit("k", "m", Cost(1, 1), 0).admitted
    assert not other.admit("k", "m", Cost(1, 1), 0).admitted
    one.reset()
    assert one.admit("k", "m", Cost(1, 1), 0).admitted
    with pytest.raises(LedgerLost, match="begun the count anew"):
        other.admit("k", "m", Cost(1, 1), 0)


def test_what_is_kept_is_forgotten_by_itself(store):
    """Every key but the epoch's expires, so that a store does not fill with old runs."""
    limits = LIMITS + Limits(tokens_per_minute=900, algorithm="token-bucket")
    shared = SharedLedger(limits, store)
    shared.admit("k", "m", Cost(1, 1), 0)
    ttls = {key: store._redis.pttl(key) for key in store._redis.scan_iter()}
    assert [key.endswith(b":epoch") for key, ms in ttls.items() if ms == -1] == [True]
    assert max(ttls.values()) <= 182_000


def test_a_row_takes_forty_bytes_whatever_its_tokens(store):
    """Three limits share one list of rows."""
    limits = Limits(
        requests_per_minute=10**6, input_tokens_per_minute=10**12, output_tokens_per_minute=10**9
    )
    _, shared = ledgers(limits, store)
    for _ in range(5_000):
        shared.now_us += 1
        assert shared.admit("k", "m", Cost(10**6, 10**3), 0).admitted
    (key,) = [k for k in shared._groups["k", "m", "generate"].keys if not k.endswith("epoch")]
    assert store._redis.memory_usage(key, samples=0) / 5_000 < 40


# ---------------------------------------------------------------------- a store that is lost


def test_a_store_that_starts_anew_is_lost_and_not_full_again(monkeypatch):
    """What it has forgotten was charged: nothing is admitted until somebody resets."""
    monkeypatch.setattr("fake_provider._store.PAUSE_S", 0.0)
    with redis_server() as server:
        shared = SharedLedger(Limits(requests_per_minute=5), Store(server.url))
        assert shared.admit("k", "m", Cost(1, 1), 0).admitted
        server.stop()
        with pytest.raises(LedgerLost, match=f"redis://127.0.0.1:{server.port}/0 is lost"):
            shared.admit("k", "m", Cost(1, 1), 0)
        server.start()
        for _ in range(2):
            with pytest.raises(LedgerLost, match="has started anew"):
                shared.admit("k", "m", Cost(1, 1), 0)
        shared.reset()
        assert shared.admit("k", "m", Cost(1, 1), 0).admitted
        shared._store.close()


def test_a_connection_that_went_stale_is_made_again(server, store):
    """A store that has closed an idle connection is not lost."""
    shared = SharedLedger(Limits(requests_per_minute=2), store)
    assert shared.admit("k", "m", Cost(1, 1), 0).admitted
    other = Store(server.url)
    other._redis.client_kill_filter(_type="normal", skipme=True)
    other.close()
    assert shared.admit("k", "m", Cost(1, 1), 0).admitted
    assert not shared.admit("k", "m", Cost(1, 1), 0).admitted


def test_a_correction_that_a_lost_store_was_not_told_is_told_later(store, monkeypatch):
    """It is charged before the next decision."""
    monkeypatch.setattr("fake_provider._store.PAUSE_S", 0.0)
    limits = Limits(output_tokens_per_minute=100, charge="delivered")
    _, shared = ledgers(limits, store)
    cost = Cost(1, 90)
    charged_ns = shared.admit("k", "m", cost, 0).charged_ns
    with monkeypatch.context() as broken:
        broken.setattr(store._redis.connection, "send_command", lost_connection)
        shared.settle("k", "m", cost, charged_ns, 0)
        with pytest.raises(LedgerLost):
            shared.admit("k", "m", cost, 0)
    assert shared.admit("k", "m", cost, 0).levels[0].remaining == 9


def lost_connection(*_):
    raise ConnectionError("cut")


def test_a_store_that_failed_just_now_is_not_asked_again_at_once(store, monkeypatch):
    """A server does not stand still for a timeout with every request."""
    shared = SharedLedger(Limits(requests_per_minute=5), store)
    asked = []

    def cut(*words):
        asked.append(words)
        raise ConnectionError("cut")

    shared.admit("k", "m", Cost(1, 1), 0)
    monkeypatch.setattr(store._redis.connection, "send_command", cut)
    for _ in range(5):
        with pytest.raises(LedgerLost, match="cut"):
            shared.admit("k", "m", Cost(1, 1), 0)
    assert len(asked) == 1


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(concurrent_requests=3), "got concurrent_requests=3"),
        (Limits(tokens_per_minute=9, algorithm="fixed-window"), "fixed-window"),
        (Limits(tokens_per_minute=9, algorithm="acceleration"), "acceleration"),
        (Limits(requests_per_day=9, algorithm="calendar-day"), "calendar-day"),
        (Limits(tokens_per_minute=10**14), "cannot keep"),
        (Limits(tokens_per_day=7_777_777, algorithm="token-bucket"), "rounder numbers"),
    ],
)
def test_a_limit_that_no_store_keeps_is_an_error(limits, says):
    """It is named when the provider is made, whether or not there is a store."""
    with pytest.raises(ValueError, match=says):
        FakeProvider(limits, clock="real", ledger="redis://127.0.0.1:1/0")


@pytest.mark.parametrize("url", ["", "127.0.0.1:6379", "http://x", 7, "redis://h:port/0"])
def test_a_url_that_is_none_of_a_store_is_an_error(url):
    """The message says what one looks like."""
    with pytest.raises(ValueError, match=r"ledger"):
        store_for(url, "real", Limits())


def test_virtual_time_cannot_be_shared():
    """The clock must be real, and the message says why."""
    with pytest.raises(ValueError, match='needs clock="real"'):
        FakeProvider(ledger="redis://127.0.0.1:1/0")


def test_no_password_is_shown():
    """An error names the store without what opens it."""
    store = Store("redis://user:secret@127.0.0.1:1/0?client_name=x")
    with pytest.raises(LedgerLost) as lost:
        store.check()
    assert "redis://user@127.0.0.1:1/0 is lost" in str(lost.value)
    assert "secret" not in str(lost.value)


# ---------------------------------------------------------------------- several processes

TOKENS_PER_S = 50_000
HAMMERED_S = 1.5


def hammer(url, number, told):
    """Ask for as long as the store's clock says, and tell what was admitted when."""
    limits = Limits(tokens_per_minute=TOKENS_PER_S * 60, window=1.0)
    shared, rng = SharedLedger(limits, Store(url)), random.Random(number)
    began_ns, admitted = None, []
    while True:
        tokens = rng.randint(1, 400)
        decision = shared.admit("key", "model", Cost(tokens, 0), 0)
        began_ns = began_ns or decision.charged_ns
        if decision.admitted:
            admitted.append((decision.charged_ns, tokens))
        if decision.charged_ns > began_ns + HAMMERED_S * 1e9:
            break
    told.put(admitted)


def test_four_processes_never_admit_more_than_the_limit(server, store):
    """In any window, by the store's own clock, the sum is within the limit, to the token."""
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    workers = [context.Process(target=hammer, args=(server.url, n, told)) for n in range(4)]
    for worker in workers:
        worker.start()
    admitted = sorted(pair for _ in workers for pair in told.get(timeout=60))
    for worker in workers:
        worker.join(timeout=60)
    fullest = fullest_window(admitted)
    assert TOKENS_PER_S - 400 <= fullest <= TOKENS_PER_S


def fullest_window(admitted):
    """Return the most tokens in any window of one second."""
    totals = [0, *accumulate(tokens for _, tokens in admitted)]
    instants = [at_ns for at_ns, _ in admitted]
    return max(
        totals[number + 1] - totals[bisect_right(instants, at_ns - 10**9)]
        for number, at_ns in enumerate(instants)
    )
