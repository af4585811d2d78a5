"""Checks: pure functions from a trace to findings."""

from __future__ import annotations

import gc
import reprlib
from collections.abc import Iterator
from contextlib import contextmanager

from fake_provider._trace import Trace
from pytest_ratelimit._checks._amplification import judge_storm, judge_work
from pytest_ratelimit._checks._backoff import judge_delays, judge_growth
from pytest_ratelimit._checks._bounds import judge_bounds
from pytest_ratelimit._checks._budgets import judge_overrun, judge_oversize
from pytest_ratelimit._checks._cold_start import judge_cold_start
from pytest_ratelimit._checks._digest import Digest
from pytest_ratelimit._checks._evidence import (
    judge_evidence,
    judge_quiet,
    judge_silence,
    too_few_refused,
)
from pytest_ratelimit._checks._goodput import judge_goodput, judge_throttle
from pytest_ratelimit._checks._hints import judge_hints, judge_windows, measure_hints
from pytest_ratelimit._checks._jitter import judge_jitter, measure_jitter
from pytest_ratelimit._checks._judgement import Judgement, inconclusive
from pytest_ratelimit._checks._layers import judge_layers
from pytest_ratelimit._checks._outages import judge_outages
from pytest_ratelimit._checks._policy import Policy
from pytest_ratelimit._checks._progress import judge_losses
from pytest_ratelimit._checks._recovery import judge_recovery
from pytest_ratelimit._checks._replays import judge_output, judge_running
from pytest_ratelimit._checks._seeds import judge_seeds
from pytest_ratelimit._checks._sharing import judge_concurrency, judge_sharing
from pytest_ratelimit._checks._stacks import measure_stacks
from pytest_ratelimit._checks._starvation import judge_starvation
from pytest_ratelimit._checks._synchronization import herd_drain_s, judge_synchronization
from pytest_ratelimit._checks._terminal import judge_terminal
from pytest_ratelimit._checks._waves import measure_waves

__all__ = [
    "CHECKED",
    "Judgement",
    "Policy",
    "inconclusive",
    "judge",
    "too_few_refused",
]

CHECKED = (
    "RL101",
    "RL102",
    "RL103",
    "RL104",
    "RL105",
    "RL106",
    "RL107",
    "RL111",
    "RL112",
    "RL113",
    "RL114",
    "RL121",
    "RL122",
    "RL123",
    "RL124",
    "RL201",
    "RL202",
    "RL203",
    "RL204",
    "RL205",
    "RL301",
    "RL302",
    "RL303",
    "RL304",
    "RL305",
    "RL901",
    "RL902",
    "RL903",
)
_DEFAULT = Policy()


def judge(trace: Trace, policy: Policy = _DEFAULT) -> dict[str, Judgement]:
    """Judge a trace by every check.

    Args:
        trace: The trace.
        policy: The thresholds to judge it by.

    Returns:
        A judgement for each code in `CHECKED`, in that order. Where nothing reached the
        provider only RL903 is judged.

    Raises:
        TypeError: `trace` is no trace, or `policy` no policy.
    """
    __tracebackhide__ = True
    expect(trace, policy)
    with _collector_paused():
        return _judge(trace, policy)


def _judge(trace: Trace, policy: Policy) -> dict[str, Judgement]:
    """Return the judgement on each code."""
    digest = Digest(trace, policy)
    if not trace.attempts:
        nothing = Judgement.unjudged("nothing reached the provider")
        return {**dict.fromkeys(CHECKED, nothing), "RL903": judge_silence(digest)}
    jitter = measure_jitter(digest)
    waves = measure_waves(digest, jitter)
    hints = measure_hints(digest)
    stacks = measure_stacks(digest)
    drain_s = herd_drain_s(digest, waves)
    seeds = judge_seeds(digest)
    shared = bool(seeds.findings)
    unguided = hints.indices | waves.collided
    judged = {
        "RL101": judge_synchronization(digest, waves, shared=shared),
        "RL102": judge_jitter(digest, jitter, waves.collided, drain_s, shared=shared),
        "RL103": judge_hints(hints, drain_s),
        "RL104": seeds,
        "RL105": judge_windows(digest),
        "RL106": judge_growth(digest, drain_s, jittered=not jitter.rejected),
        "RL107": judge_delays(digest, drain_s),
        "RL111": judge_bounds(digest, stacks),
        "RL112": judge_layers(digest, stacks),
        "RL113": judge_storm(digest),
        "RL114": judge_work(digest),
        "RL121": judge_terminal(digest),
        "RL122": judge_recovery(digest),
        "RL123": judge_output(digest),
        "RL124": judge_running(digest),
        "RL201": judge_overrun(digest, unguided),
        "RL202": judge_cold_start(digest, unguided),
        "RL203": judge_oversize(digest),
        "RL204": judge_concurrency(digest),
        "RL205": judge_sharing(digest, unguided, drain_s),
        "RL301": judge_losses(digest),
        "RL302": judge_goodput(digest),
        "RL303": judge_starvation(digest),
        "RL304": judge_outages(digest),
        "RL305": judge_throttle(digest),
        "RL902": judge_quiet(digest),
        "RL903": judge_silence(digest),
    }
    judged["RL901"] = judge_evidence(digest, judged)
    return {code: judged[code] for code in CHECKED}


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the collector of reference cycles, if it is on.

    The checks make many small values and no cycles; looking for some took 40 % of the time that a
    trace of 50,000 attempts needs.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def expect(trace: object, policy: object) -> None:
    """Raise the one error that names the argument, what was given, and what was meant."""
    __tracebackhide__ = True
    if not isinstance(trace, Trace):
        given = reprlib.repr(trace)
        if isinstance(getattr(trace, "trace", None), Trace):
            given = f"a {type(trace).__name__}: pass its .trace"
        raise TypeError(f"trace must be a Trace, got {given}")
    if not isinstance(policy, Policy):
        raise TypeError(f"policy must be a Policy, such as Policy(alpha=1e-3), got {policy!r}")
