"""Decisions per second of a shared ledger, against PING and another library's moving window.

Run from the checkout: `python -m tests.benchmarks.bench_ledger [--rounds 7] [--decisions 3000]`.
One client asks a Redis of its own, on this machine, about three limits at once (requests, input and
output tokens). Everything is asked in turn, and figures are medians over rounds. Then four
processes share one limit for a few seconds: the fullest window by the store's clock, and the share
of the limit that was used.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import statistics
import time
from collections.abc import Callable

import redis

from fake_provider import Limits
from fake_provider._shared_ledger import SharedLedger
from fake_provider._store import Store
from fake_provider._tokens import Cost
from tests.fake_provider.redis_server import redis_server
from tests.fake_provider.test_shared_ledger import fullest_window

TARGETS = {"ping": 0.55, "limits": 20.0, "used": 0.97}
LIMITS = Limits(
    requests_per_minute=10**7,
    input_tokens_per_minute=10**10,
    output_tokens_per_minute=10**10,
    window=1.0,
)
BUCKETS = Limits(
    requests_per_minute=10**7,
    input_tokens_per_minute=10**10,
    output_tokens_per_minute=10**10,
    algorithm="token-bucket",
)
TOKENS_PER_S = 50_000
WORKERS = 4


def rate(ask: Callable[[], object], times: int, store: Store) -> tuple[float, float]:
    """How often a second something can be asked, and the CPU seconds of client and store."""
    spent_s = -time.process_time() - store_cpu_s(store)
    began = time.perf_counter()
    for _ in range(times):
        ask()
    took = time.perf_counter() - began
    spent_s += time.process_time() + store_cpu_s(store)
    return times / took, times / spent_s


def store_cpu_s(store: Store) -> float:
    """CPU seconds of a store so far."""
    told = store._redis.info("cpu")
    return float(told["used_cpu_user"] + told["used_cpu_sys"])


def moving_window(url: str) -> Callable[[], object]:
    """Three limits of the library `limits`, tested and then hit, each by its cost."""
    from limits import RateLimitItemPerMinute
    from limits.storage import RedisStorage
    from limits.strategies import MovingWindowRateLimiter

    limiter = MovingWindowRateLimiter(RedisStorage(url))
    rules = [RateLimitItemPerMinute(10**9, namespace=name) for name in ("r", "i", "o")]
    rng = random.Random(1)

    def ask() -> None:
        costs = (1, rng.randint(500, 6_000), rng.randint(100, 2_000))
        for rule, cost in zip(rules, costs, strict=True):
            limiter.test(rule, "key", cost=cost)
        for rule, cost in zip(rules, costs, strict=True):
            limiter.hit(rule, "key", cost=cost)

    return ask


def decision(ledger: SharedLedger) -> Callable[[], object]:
    """A decision on an attempt of random cost."""
    rng = random.Random(1)
    return lambda: ledger.admit(
        "key", "model", Cost(rng.randint(500, 6_000), rng.randint(100, 2_000)), 0
    )


def measure(url: str, rounds: int, decisions: int) -> None:
    """Print how many a second there are of each, and their ratios."""
    store = Store(url)
    asked: dict[str, tuple[Callable[[], object], int]] = {
        "PING": (redis.Redis.from_url(url).ping, decisions),
        "windows": (decision(SharedLedger(LIMITS, store)), decisions),
        "buckets": (decision(SharedLedger(BUCKETS, store)), decisions),
        "limits": (moving_window(url), max(1, decisions // 30)),
    }
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    for number in range(rounds + 1):
        for name in sorted(asked, reverse=bool(number % 2)):
            found = rate(*asked[name], store)
            if number:  # the first round warms up
                rates[name].append(found)
    for place, per in enumerate(("s", "CPU s")):
        typical = {
            name: statistics.median(pair[place] for pair in pairs) for name, pairs in rates.items()
        }
        print("  ".join(f"{name} {found:,.0f}/{per}" for name, found in typical.items()))
        for name in ("windows", "buckets"):
            ping, limits = (typical[name] / typical[other] for other in ("PING", "limits"))
            print(
                f"    {name} / PING {ping:.2f} (>= {TARGETS['ping']})  "
                f"{name} / limits {limits:.0f} (>= {TARGETS['limits']:.0f})"
            )
    store.close()


def hammer(url: str, seconds: float, number: int, told: multiprocessing.Queue) -> None:
    """Ask for so long, and tell what was admitted when, by the store's clock."""
    limits = Limits(tokens_per_minute=TOKENS_PER_S * 60, window=1.0)
    ledger, rng = SharedLedger(limits, Store(url)), random.Random(number)
    admitted, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        tokens = rng.randint(1, 400)
        made = ledger.admit("key", "model", Cost(tokens, 0), 0)
        if made.admitted:
            admitted.append((made.charged_ns, tokens))
    told.put(admitted)


def share(url: str, seconds: float) -> None:
    """Print the fullest window of four processes, and how much of the limit they used."""
    context = multiprocessing.get_context("fork")
    told = context.Queue()
    workers = [context.Process(target=hammer, args=(url, seconds, n, told)) for n in range(WORKERS)]
    for worker in workers:
        worker.start()
    admitted = sorted(pair for _ in workers for pair in told.get(timeout=seconds + 60))
    for worker in workers:
        worker.join()
    first_ns, last_ns = admitted[0][0], admitted[-1][0]
    whole = int((last_ns - first_ns) / 1e9)
    inside = sum(tokens for at, tokens in admitted if at < first_ns + whole * 10**9)
    used = inside / (TOKENS_PER_S * whole)
    print(
        f"{WORKERS} processes, {len(admitted):,} admitted in {whole} windows: fullest window / "
        f"limit {fullest_window(admitted) / TOKENS_PER_S:.5f} (<= 1), "
        f"used {used:.4f} (>= {TARGETS['used']})"
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--decisions", type=int, default=3_000)
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args()
    with redis_server() as server:
        measure(server.url, options.rounds, options.decisions)
        share(server.url, options.seconds)


if __name__ == "__main__":
    main()
