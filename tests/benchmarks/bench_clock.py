"""What the virtual clock costs: to open, to wait under, and outside it.

Run from the checkout: `python -m tests.benchmarks.bench_clock`. Figures are CPU time of the whole
process, so that a busy machine does not count; of waiting the least of some runs, with what ten
times the callers cost. Beside the tasks under the clock stand the same tasks on a plain loop of
asyncio whose selector adds its timeout to a number instead of waiting: what asyncio and the garbage
collector take for themselves, which grows faster than the number of tasks.
"""

from __future__ import annotations

import asyncio
import selectors
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext

import anthropic
import freezegun
import openai

from fake_provider.virtual_time import VirtualClock

TASKS, TASK_SLEEPS = 10_000, 10
THREADS, THREAD_SLEEPS = 500, 20
MOST_GROWTH = 12.0  # for ten times the callers
MOST_OPENING_MS, MOST_FIRST_OPENING_MS = 0.1, 10.0
OPENINGS = 300
LOADED = (anthropic, openai)  # imported, because freezegun looks through every module there is

now = time.process_time


class Jumping(selectors.DefaultSelector):
    """A selector that never waits."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Add the timeout to the number that its loop takes for the time."""
        self.now_s += max(0.0, timeout or 0.0)
        return super().select(0)


def jumping_loop() -> asyncio.AbstractEventLoop:
    """A plain loop of asyncio without a wait."""
    selector = Jumping()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now_s  # type: ignore[method-assign]
    return loop


async def tasks_that_sleep(count: int) -> None:
    """Let so many tasks sleep, each ten times."""

    async def task(number: int) -> None:
        for _ in range(TASK_SLEEPS):
            await asyncio.sleep(1 + number % 7)

    await asyncio.gather(*(task(number) for number in range(count)))


def sleep_in_tasks(count: int) -> None:
    """Let tasks sleep under the clock."""
    asyncio.run(tasks_that_sleep(count))


def sleep_in_plain_tasks(count: int) -> None:
    """Let tasks sleep in a plain loop."""
    with asyncio.Runner(loop_factory=jumping_loop) as runner:
        runner.run(tasks_that_sleep(count))


def sleep_in_threads(count: int) -> None:
    """Let so many threads sleep, each twenty times."""

    def work(number: int) -> None:
        for _ in range(THREAD_SLEEPS):
            time.sleep(1 + number % 7)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def seconds_of(work: Callable[[int], None], count: int) -> float:
    """Return the CPU seconds that some callers take, under a clock unless they are plain."""
    with nullcontext() if work is sleep_in_plain_tasks else VirtualClock():
        began = now()
        work(count)
        return now() - began


def waiting(name: str, work: Callable[[int], None], count: int, sleeps: int) -> None:
    """Print what waiting costs, and how it grows."""
    small = min(seconds_of(work, count // 10) for _ in range(3))
    large = min(seconds_of(work, count) for _ in range(2))
    bound = "" if work is sleep_in_plain_tasks else f" (at most {MOST_GROWTH:g})"
    print(
        f"{count:6,} {name:8} {large:6.2f} s, {count * sleeps / large:9,.0f} wake-ups/s, "
        f"{large / small:5.1f} times {count // 10:,}{bound}"
    )


def milliseconds_of(context: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU milliseconds to enter and leave a context: the first time, and the median."""
    times = []
    for _ in range(OPENINGS):
        began = now()
        with context():  # type: ignore[attr-defined]
            pass
        times.append((now() - began) * 1000)
    return times[0], statistics.median(times)


def opening() -> None:
    """Print what opening and closing costs, beside freezegun."""
    for name, context, most_first, most in (
        ("clock", VirtualClock, MOST_FIRST_OPENING_MS, MOST_OPENING_MS),
        ("freezegun", lambda: freezegun.freeze_time("2026-01-01"), None, None),
    ):
        first, median = milliseconds_of(context)
        bounds = "" if most is None else f"  (at most {most_first:g} and {most:g})"
        print(f"open and close {name:10} first {first:8.3f} ms, median {median:7.3f} ms{bounds}")


def nanoseconds_of(work: Callable[[], object], times: int = 200_000) -> float:
    """Return the CPU nanoseconds of one call, the least of five rounds."""
    rounds = []
    for _ in range(5):
        began = now()
        for _ in range(times):
            work()
        rounds.append((now() - began) / times * 1e9)
    return min(rounds)


def outside() -> None:
    """Print what the hooked functions cost before, under, and after a clock."""
    lock, event, condition = threading.Lock(), threading.Event(), threading.Condition()

    def take_lock() -> None:
        with lock:
            pass

    def notify() -> None:
        with condition:
            condition.notify()

    event.set()
    works = {
        "time.monotonic": time.monotonic,
        "time.time": time.time,
        "lock": take_lock,
        "event.wait": event.wait,
        "notify": notify,
    }
    before = {name: nanoseconds_of(work) for name, work in works.items()}
    with VirtualClock():
        under = {name: nanoseconds_of(work, 5_000) for name, work in works.items()}
    for name, work in works.items():
        after = nanoseconds_of(work)
        print(
            f"{name:15} before {before[name]:6.0f} ns, under {under[name]:6.0f}, after {after:6.0f}"
            f" ({after / before[name]:.2f} of before)"
        )


def main() -> None:
    """Print all figures."""
    opening()
    outside()
    waiting("tasks", sleep_in_tasks, TASKS, TASK_SLEEPS)
    waiting("plain", sleep_in_plain_tasks, TASKS, TASK_SLEEPS)
    waiting("threads", sleep_in_threads, THREADS, THREAD_SLEEPS)


if __name__ == "__main__":
    main()
