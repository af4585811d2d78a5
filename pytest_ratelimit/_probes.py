"""Probes: put a function that calls an LLM into the situations in which clients fail."""

from __future__ import annotations

import math

from fake_provider import Arrival, FakeProvider, Fault, ServiceTime, Trace
from fake_provider._driver import Sdk, Work, drive

_TOKENS = 1_000
_SERVICE_S = 0.5
# A refusal takes a moment: else a thread that gives up is gone before the next one starts, whose
# equal question would be taken for the first one's, asked again.
REFUSAL_S = 0.05
# One caller in three is admitted at once: enough to serve, and too few for the rest to see.
_ADMITTED = 3
_RESET_S = 30.0
_OUTAGE_FROM_S, _OUTAGE_S, _AFTER_S = 60.0, 30.0, 100.0
_PERIOD_S = 4.0
_LOAD = 0.7


def policy_probe(
    work: Work,
    *,
    callers: int = 8,
    hint: float | None = None,
    sdk: Sdk = "anthropic",
    seed: int = 0,
    stop_after: float = 3_600.0,
) -> Trace:
    """Refuse every attempt for ever: how does the code wait, and does it give up?

    All callers start together and make one call each, so that jitter, growth and bounds of their
    delays can be judged (RL102, RL104, RL106, RL107, RL111, RL112).

    Args:
        work: Makes one call; sync or async, of an SDK client or of nothing.
        callers: Callers, at least 2; 16 where a jitter of 5 % must be told from enough.
        hint: Seconds that each refusal asks to wait (RL103), above 0; None sends no hint.
        sdk: The SDK whose client `work` takes, `"anthropic"` or `"openai"`.
        seed: Seed of the random numbers.
        stop_after: Virtual seconds after which the run is stopped, above 0.

    Returns:
        The trace; `trace.stopped` says so if the run was stopped.

    Raises:
        TypeError: `work` is not a function of one client or of nothing.
        ValueError: An argument is out of its range.
        Exception: What `work` raised, if none of its requests reached the provider.
    """
    __tracebackhide__ = True
    if hint is not None and not (hint > 0 and math.isfinite(hint)):
        raise ValueError(f"hint must be a finite number of seconds above 0, got {hint!r}")
    headers = {} if hint is None else {"retry-after": f"{hint:g}"}
    refusal = Fault(status=429, headers=headers)
    service = ServiceTime(mean=_SERVICE_S, refusal=REFUSAL_S)
    provider = FakeProvider(latency=service, seed=seed, stop_after=stop_after)
    return drive(work, provider, [0.0] * _at_least_two(callers), sdk, lambda _: refusal)


def herd_probe(
    work: Work,
    *,
    callers: int = 8,
    charge_rejected: float = 0.0,
    sdk: Sdk = "anthropic",
    seed: int = 0,
    stop_after: float = 3_600.0,
) -> Trace:
    """Start all callers at once against a limit that admits a third of them (RL101, RL113).

    The limit is a token bucket that admits one more call every half a second.

    Args:
        work: Makes one call, as for `policy_probe`.
        callers: Callers, at least 2.
        charge_rejected: Share of a refused attempt's cost that is charged, from 0 to 1.
        sdk: As for `policy_probe`.
        seed: Seed of the random numbers.
        stop_after: Virtual seconds after which the run is stopped, above 0.

    Returns:
        The trace.

    Raises:
        TypeError: As for `policy_probe`.
        ValueError: An argument is out of its range.
        Exception: As for `policy_probe`.
    """
    __tracebackhide__ = True
    starts = [0.0] * _at_least_two(callers)
    provider = _bucket(callers, charge_rejected=charge_rejected, seed=seed, stop_after=stop_after)
    return drive(work, provider, starts, sdk)


def reset_probe(
    work: Work,
    *,
    callers: int = 8,
    sdk: Sdk = "anthropic",
    seed: int = 0,
    stop_after: float = 3_600.0,
) -> Trace:
    """Tell callers that start one by one to wait for one common reset (RL101, RL102).

    Each is refused with a hint until 30 s after the start of the run, which is different for each
    of them, and ends at the same instant for all. From then on the limit of `herd_probe` decides.

    Args:
        work: Makes one call, as for `policy_probe`.
        callers: Callers, at least 2; they start a second apart.
        sdk: As for `policy_probe`.
        seed: Seed of the random numbers.
        stop_after: Virtual seconds after which the run is stopped, above 0.

    Returns:
        The trace.

    Raises:
        TypeError: As for `policy_probe`.
        ValueError: An argument is out of its range.
        Exception: As for `policy_probe`.
    """
    __tracebackhide__ = True
    # All of them have started well before the reset, however many there are.
    step_s = min(1.0, _RESET_S / 2 / _at_least_two(callers))
    starts = [number * step_s for number in range(callers)]

    def until_reset(arrival: Arrival) -> Fault | None:
        if arrival.at >= _RESET_S:
            return None
        left_ms = math.ceil((_RESET_S - arrival.at) * 1_000)
        return Fault(
            status=429,
            headers={"retry-after-ms": str(left_ms), "retry-after": str(-(-left_ms // 1_000))},
        )

    provider = _bucket(callers, seed=seed, stop_after=stop_after)
    return drive(work, provider, starts, sdk, until_reset)


def outage_probe(
    work: Work,
    *,
    callers: int = 8,
    charge_rejected: float = 1.0,
    sdk: Sdk = "anthropic",
    seed: int = 0,
    stop_after: float = 3_600.0,
) -> Trace:
    """Answer 529 for 30 s to callers that ask for 70 % of a limit: do they recover (RL304)?

    Each caller begins a call every four seconds, whether or not its last one has ended, for 60 s
    before the outage and 100 s after it.

    Args:
        work: Makes one call, as for `policy_probe`.
        callers: Callers, at least 2.
        charge_rejected: Share of a refused attempt's cost that is charged, from 0 to 1. Source:
            OpenAI counts refused requests against the limit (platform.openai.com, 2026-11-25).
        sdk: As for `policy_probe`.
        seed: Seed of the random numbers.
        stop_after: Virtual seconds after which the run is stopped, above 0.

    Returns:
        The trace.

    Raises:
        TypeError: As for `policy_probe`.
        ValueError: An argument is out of its range.
        Exception: As for `policy_probe`.
    """
    __tracebackhide__ = True
    step_s = _PERIOD_S / _at_least_two(callers)
    until_s = _OUTAGE_FROM_S + _OUTAGE_S + _AFTER_S
    starts = [number * step_s for number in range(round(until_s / step_s))]
    overloaded = Fault(status=529)

    def down(arrival: Arrival) -> Fault | None:
        out = _OUTAGE_FROM_S <= arrival.at < _OUTAGE_FROM_S + _OUTAGE_S
        return overloaded if out else None

    per_minute = 60 * _TOKENS / step_s / _LOAD
    provider = FakeProvider(
        tokens_per_request=_TOKENS,
        tokens_per_minute=math.ceil(per_minute),
        algorithm="token-bucket",
        burst=math.ceil(per_minute / 60) + _TOKENS,
        charge_rejected=charge_rejected,
        latency=_SERVICE_S,
        seed=seed,
        stop_after=stop_after,
    )
    return drive(work, provider, starts, sdk, down, callers=callers)


def _at_least_two(callers: int) -> int:
    """Return the number of callers, or raise the one error that names what is allowed."""
    __tracebackhide__ = True
    if isinstance(callers, bool) or not isinstance(callers, int) or callers < 2:
        raise ValueError(f"callers must be a whole number, at least 2, got {callers!r}")
    return callers


def _bucket(
    callers: int, *, seed: int, stop_after: float, charge_rejected: float = 0.0
) -> FakeProvider:
    """Return a provider that admits a third of the callers at once, and two more a second."""
    return FakeProvider(
        tokens_per_request=_TOKENS,
        tokens_per_minute=120 * _TOKENS,
        algorithm="token-bucket",
        burst=max(1, callers // _ADMITTED) * _TOKENS,
        charge_rejected=charge_rejected,
        latency=ServiceTime(mean=_SERVICE_S, refusal=REFUSAL_S),
        seed=seed,
        stop_after=stop_after,
    )
