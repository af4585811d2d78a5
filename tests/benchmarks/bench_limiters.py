"""CPU time of a limiter's decision, of a wait among many events, and bytes for an event.

Run from the checkout: `python -m tests.benchmarks.bench_limiters [--rounds 15] [--attempts 20000]`.
A round plays the same attempts to every limiter, in small batches in random order, so that a busy
machine slows them alike; figures are medians over rounds of the CPU time of the process. The
yardstick is a GCRA of one number, which admits alike but says nothing of levels.
"""

from __future__ import annotations

import argparse
import operator
import random
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from fake_provider._ledger import LIMITERS, Ledger, limiter_for
from fake_provider._limiters import decide
from fake_provider._limits import Limits
from fake_provider._sliding import SlidingWindow
from fake_provider._tokens import Cost

if TYPE_CHECKING:
    from collections.abc import Callable

GAP_NS = 600_000  # 100,000 attempts a minute
BATCH = 500
TARGET_RATIO, TARGET_US, TARGET_WAIT_RATIO, TARGET_BYTES = 2.5, 1.0, 2.0, 32
COST = Cost(1_500, 200)
COSTS = (1, COST.input_tokens, COST.output_tokens)
AMOUNT = 10**9


class Gcra:
    """A generic cell rate algorithm: the least that any limiter could do."""

    def __init__(self, amount: int) -> None:
        self._gap_ns = 60_000_000_000 / amount
        self._arrival_ns = 0.0

    def take(self, cost: int, now_ns: int) -> bool:
        """Charge `cost` if it fits."""
        arrival_ns = self._arrival_ns
        if arrival_ns < now_ns:  # a call of max would cost half as much as the rest
            arrival_ns = now_ns
        arrival_ns += cost * self._gap_ns
        if arrival_ns - now_ns > 60_000_000_000:
            return False
        self._arrival_ns = arrival_ns
        return True


def limits(algorithm: str) -> Limits:
    """Return limits on requests, input and output of one algorithm."""
    stated: dict[str, Any] = {"algorithm": algorithm}
    if algorithm == "calendar-day":
        return Limits(requests_per_day=AMOUNT, tokens_per_day=10**15, **stated) + Limits(
            requests_per_day=AMOUNT, **stated
        )
    return Limits(
        requests_per_minute=AMOUNT,
        input_tokens_per_minute=AMOUNT,
        output_tokens_per_minute=AMOUNT,
        **stated,
    )


def single(take: Callable[[int, int], object]) -> Callable[[int, int], float]:
    """Return a function that plays attempts to one limiter."""

    def play(first: int, attempts: int) -> float:
        began = time.process_time()
        for now_ns in range(first * GAP_NS, (first + attempts) * GAP_NS, GAP_NS):
            take(1_500, now_ns)
        return time.process_time() - began

    return play


def triple(algorithm: str) -> Callable[[int, int], float]:
    """Return a function that has three limiters decide on attempts."""
    limiters = tuple(limiter_for(limit) for limit in limits(algorithm))

    def play(first: int, attempts: int) -> float:
        began = time.process_time()
        for now_ns in range(first * GAP_NS, (first + attempts) * GAP_NS, GAP_NS):
            decide(limiters, COSTS, now_ns)
        return time.process_time() - began

    return play


def ledger(algorithm: str) -> Callable[[int, int], float]:
    """Return a function that asks a ledger of three limits for attempts."""
    asked = Ledger(limits(algorithm))

    def play(first: int, attempts: int) -> float:
        began = time.process_time()
        for now_ns in range(first * GAP_NS, (first + attempts) * GAP_NS, GAP_NS):
            asked.admit("key", "model", COST, now_ns)
        return time.process_time() - began

    return play


def measure(ways: dict[str, Any], rounds: int, attempts: int) -> dict[str, list[float]]:
    """Return the CPU microseconds per attempt of each way, by round."""
    order = random.Random(0)
    spent: dict[str, list[float]] = {way: [] for way in ways}
    first = 0
    for _ in range(rounds + 1):
        total_s = dict.fromkeys(ways, 0.0)
        for _ in range(attempts // BATCH):
            shuffled = list(ways)
            order.shuffle(shuffled)
            for way in shuffled:
                total_s[way] += ways[way](first, BATCH)
            first += BATCH
        for way, seconds in total_s.items():
            spent[way].append(seconds / (attempts // BATCH * BATCH) * 1e6)
    return {way: rows[1:] for way, rows in spent.items()}  # the first round warms up


def filled(events: int) -> SlidingWindow:
    """Return a sliding window that holds so many events."""
    (limit,) = Limits(tokens_per_minute=10**12)
    window = SlidingWindow(limit)
    for index in range(events):
        window.take(10**12 // events, index * 1_000)
    return window


def waits(rounds: int, most: int | None) -> dict[int, list[float]]:
    """Return the CPU microseconds of a wait, by the number of events in the window.

    Args:
        rounds: Rounds.
        most: Events' worth that a request costs at most; None for costs up to the whole window,
            whose waits lie anywhere in the log.
    """
    windows = {events: filled(events) for events in (1_000, 1_000_000)}
    spent: dict[int, list[float]] = {events: [] for events in windows}
    rng = random.Random(0)
    for _ in range(rounds):
        for events, window in windows.items():
            highest = 10**12 if most is None else most * 10**12 // events
            asked = [rng.randrange(1, highest) for _ in range(5_000)]
            now_ns = events * 1_000
            began = time.process_time()
            for cost in asked:
                window.wait(cost, now_ns)
            spent[events].append((time.process_time() - began) / len(asked) * 1e6)
    return spent


def bytes_per_event() -> float:
    """Return the bytes that a full window of 1,000,000 events takes for each."""
    window = filled(1_000_000)
    return (sys.getsizeof(window._times) + sys.getsizeof(window._totals)) / 1_000_000


def main() -> None:
    """Print the figures beside their targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--attempts", type=int, default=20_000)
    arguments = parser.parse_args()
    ways: dict[str, Any] = {"gcra": single(Gcra(10**15).take)}
    for algorithm in LIMITERS:
        (limit, *_) = limits(algorithm).limits[::-1]
        ways[algorithm] = single(limiter_for(limit).take)
    for algorithm in ("sliding-window", "token-bucket"):
        ways[f"decide on 3, {algorithm}"] = triple(algorithm)
        ways[f"ledger of 3, {algorithm}"] = ledger(algorithm)
    spent_us = measure(ways, arguments.rounds, arguments.attempts)
    for way, rounds_us in spent_us.items():
        shares = 3 if "3" in way else 1
        ratio = statistics.median(map(operator.truediv, rounds_us, spent_us["gcra"])) / shares
        us = statistics.median(rounds_us) / shares
        target = "" if way == "gcra" else f"  (target {TARGET_RATIO}, {TARGET_US} us)"
        print(f"{way:28} {us:6.3f} us a limiter  {ratio:5.2f} x gcra{target}")
    for what, most in (("of up to 100 events", 100), ("of any cost", None)):
        waits_us = waits(arguments.rounds, most)
        ratio = statistics.median(map(operator.truediv, waits_us[1_000_000], waits_us[1_000]))
        us = statistics.median(waits_us[1_000_000])
        print(
            f"wait {what:23} {us:6.3f} us among 1,000,000, {ratio:.2f} x that among 1,000", end=""
        )
        print(f"  (target {TARGET_WAIT_RATIO})")
    print(f"bytes for an event           {bytes_per_event():6.1f}  (target {TARGET_BYTES})")


if __name__ == "__main__":
    main()
