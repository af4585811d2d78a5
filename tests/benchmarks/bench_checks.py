"""CPU time of all checks on long traces, and how it grows.

Run from the checkout: `python -m tests.benchmarks.bench_checks [--attempts 100000] [--kind herd]
[--profile]`. A kind of fleet is simulated once, and repeated one after the other, with callers of
its own or with the same ones, until the trace is long enough. Only the judging is timed, in CPU
seconds of this process, with a trace that has not been judged before.
"""

from __future__ import annotations

import argparse
import cProfile
import dataclasses
import math
import pstats
import time
from collections.abc import Callable

from fake_provider import Attempt, Limit, Trace
from pytest_ratelimit._checks import judge
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import cold_start, probe, replay

MINUTE = Limit(kind="tokens", amount=4_000_000)
# What is repeated, and whether each repetition has callers of its own.
KINDS: dict[str, tuple[Callable[[], Trace], bool]] = {
    "herd": (lambda: replay(delays.fixed()), False),
    "herd of new callers": (lambda: replay(delays.fixed()), True),
    "healthy": (lambda: cold_start(delays.full_jitter(), seed=1, attempts=12), False),
    "window": (lambda: cold_start(delays.full_jitter(), seed=1, limit=MINUTE, attempts=12), False),
    "hints obeyed": (lambda: cold_start(delays.sdk(obeys=True), seed=1, hint="exact"), False),
    "hints plus jitter": (lambda: cold_start(delays.hint_plus(8.0), seed=1, hint="ceil"), True),
    "hints ignored": (lambda: cold_start(delays.sdk(), seed=1, hint="ceil"), False),
    "stacked": (
        lambda: probe(delays.sdk(), seed=1, attempts=3, outer=(5, delays.full_jitter())),
        True,
    ),
    "refused for ever": (lambda: probe(delays.full_jitter(), seed=1, callers=100), True),
    "one call": (lambda: probe(delays.full_jitter(), seed=1, callers=2, attempts=900), True),
    "one prompt": (lambda: one_prompt(probe(delays.fixed(), seed=1, callers=100)), True),
    "at once": (lambda: at_once(probe(delays.fixed(), seed=1, callers=1_000)), True),
    "paced": (lambda: replay(delays.full_jitter(2.0), paced=True), False),
}


def one_prompt(trace: Trace) -> Trace:
    """Return the trace with one body in all requests."""
    attempts = (dataclasses.replace(attempt, unit="same") for attempt in trace.attempts)
    return dataclasses.replace(trace, attempts=tuple(attempts))


def at_once(trace: Trace) -> Trace:
    """Return the trace with all arrivals at one instant."""
    attempts = (
        dataclasses.replace(attempt, arrived_at=0.0, ended_at=0.0) for attempt in trace.attempts
    )
    return dataclasses.replace(trace, attempts=tuple(attempts), ended_at=0.0)


def repeated(trace: Trace, attempts: int, *, new_callers: bool) -> Trace:
    """Return a trace of so many attempts: repetitions of one, each a minute after the last."""
    made: list[Attempt] = []
    calls = len(trace.calls)
    turn = 0
    while len(made) < attempts:
        shift_s = turn * (trace.makespan + 60.0) if trace.makespan else 0.0
        for one in trace.attempts[: attempts - len(made)]:
            made.append(
                dataclasses.replace(
                    one,
                    index=len(made),
                    call=one.call + turn * calls,
                    caller=f"{turn}/{one.caller}" if new_callers else one.caller,
                    unit=one.unit if one.unit == "same" else f"{turn}/{one.unit}",
                    arrived_at=one.arrived_at + shift_s,
                    ended_at=None if one.ended_at is None else one.ended_at + shift_s,
                )
            )
        turn += 1
    ended_at = max(one.ended_at or 0.0 for one in made)
    return dataclasses.replace(trace, attempts=tuple(made), ended_at=ended_at)


def cpu_s(trace: Trace) -> float:
    """Return the CPU seconds that all checks take."""
    began = time.process_time()
    judge(trace)
    return time.process_time() - began


def main() -> None:
    """Print the CPU time of each kind at a tenth of the length and at the whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=100_000)
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    n = options.attempts
    allowed = 10 * math.log(n) / math.log(n / 10)
    print(f"{'kind':20} {n // 10:>10,} {n:>10,}  growth (n log n: {allowed:.1f})")
    for kind in [options.kind] if options.kind else KINDS:
        make, new_callers = KINDS[kind]
        base = make()
        short, long = (repeated(base, size, new_callers=new_callers) for size in (n // 10, n))
        few = cpu_s(short)
        if options.profile:
            profile = cProfile.Profile()
            profile.runcall(judge, long)
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
            continue
        many = cpu_s(long)
        print(f"{kind:20} {few:8.2f} s {many:8.2f} s  {many / few:.1f}", flush=True)


if __name__ == "__main__":
    main()
