"""Workload: how many callers ask for how much, and when; a value that drives a function."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from fake_provider._limits import Limits
from fake_provider._simulated import Simulated
from fake_provider._simulation import Delay, Simulation
from fake_provider._stated import one_of, real_number, whole_number
from fake_provider._trace import Trace

if TYPE_CHECKING:
    from fake_provider._driver import Sdk, Work
    from fake_provider._faults import Fault
    from fake_provider._script import Arrival

Start = Literal["herd", "staggered", "waves"]
STARTS: tuple[Start, ...] = get_args(Start)
_WAVES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What callers ask of a provider.

    Args:
        callers: Callers, at least 1; each is a thread, or a task where the function is async.
        calls: Calls that each caller makes, one after the other, at least 1.
        start: `"herd"`: all begin at once; `"staggered"`: each begins `gap_s` after the one
            before; `"waves"`: half of them begin at once, and the rest `gap_s` later.
        gap_s: Seconds between two starts, or between the waves; at least 0.
        tokens: Tokens that a call costs, at least 0.
        limits: The limits that the provider enforces.
        latency_s: Seconds that the provider takes for an answer, at least 0.
        outages: From when to when the provider is overloaded and answers 529, in seconds since the
            first call; in pairs.
        seed: Seed of the random numbers, 0 or more.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of its range; the message names it and what is allowed.
    """

    callers: int = 1
    calls: int = 1
    start: Start = "herd"
    gap_s: float = 0.0
    tokens: int = 1_000
    limits: Limits = field(default_factory=Limits)
    latency_s: float = 0.5
    outages: tuple[tuple[float, float], ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        whole_number("callers", self.callers)
        whole_number("calls", self.calls)
        whole_number("tokens", self.tokens, at_least=0)
        whole_number("seed", self.seed, at_least=0)
        real_number("gap_s", self.gap_s, "seconds", low=0.0)
        real_number("latency_s", self.latency_s, "seconds", low=0.0)
        one_of("start", self.start, STARTS)
        for began_s, ended_s in self.outages:
            real_number("outages", began_s, "seconds", low=0.0)
            real_number("outages", ended_s, "seconds", above=began_s)
        if not isinstance(self.limits, Limits):
            raise TypeError(f"limits must be a Limits(...) value, got {self.limits!r}")

    @property
    def starts_s(self) -> tuple[float, ...]:
        """When each caller begins, in seconds; in order."""
        if self.start == "herd":
            return (0.0,) * self.callers
        if self.start == "staggered":
            return tuple(number * self.gap_s for number in range(self.callers))
        first = -(-self.callers // _WAVES)
        return (0.0,) * first + (self.gap_s,) * (self.callers - first)

    def simulate(self, delay: Delay, *, stop_after: float = 86_400.0) -> Simulated:
        """Simulate the calls of clients with this retry policy, without an SDK.

        Args:
            delay: Seconds before the next attempt, given what a client knows of a refusal; None
                gives the call up.
            stop_after: Virtual seconds after which the run is stopped, above 0.

        Returns:
            What was sent; its `trace` is for the checks.

        Raises:
            TypeError: `delay` is no function.
            ValueError: An argument is out of its range, or a limit or an outage cannot be
                simulated.
        """
        if self.outages:
            raise ValueError(f"outages must be () for a simulation, got {self.outages!r}")
        return Simulation(
            delay=delay,
            limits=self.limits,
            starts=self.starts_s,
            calls=self.calls,
            tokens=self.tokens,
            latency=self.latency_s,
            seed=self.seed,
            stop_after=stop_after,
        ).run()

    def drive(self, work: Work, *, sdk: Sdk = "anthropic", stop_after: float = 86_400.0) -> Trace:
        """Make the calls under a provider of their own, and return the trace.

        Args:
            work: Makes one call; sync or async, of an SDK client or of nothing. What it raises
                ends that call alone.
            sdk: The SDK whose client `work` takes, `"anthropic"` or `"openai"`.
            stop_after: Virtual seconds after which the run is stopped, above 0.

        Returns:
            The trace; `trace.stopped` says so if the run was stopped.

        Raises:
            TypeError: `work` is not a function of one client or of nothing.
            ValueError: An argument is out of its range.
            Exception: What `work` raised, if none of its requests reached the provider.
        """
        __tracebackhide__ = True
        # Imported on use: whoever imports Hypothesis imports this value.
        from fake_provider._driver import drive
        from fake_provider._faults import Fault
        from fake_provider._provider import FakeProvider

        def overloaded(arrival: Arrival) -> Fault | None:
            during = any(began_s <= arrival.at < ended_s for began_s, ended_s in self.outages)
            return Fault(status=529) if during else None

        provider = FakeProvider(
            self.limits,
            tokens_per_request=self.tokens,
            latency=self.latency_s,
            seed=self.seed,
            stop_after=stop_after,
        )
        script = overloaded if self.outages else None
        return drive(work, provider, self.starts_s, sdk, script, calls=self.calls)
