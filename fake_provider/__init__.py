"""A fake LLM provider that enforces a rate limit: requests in, a trace out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fake_provider._answer import Answer
    from fake_provider._attempt import Attempt
    from fake_provider._callers import caller
    from fake_provider._errors import AttemptLimit, ProviderError, UnansweredRequest
    from fake_provider._faults import Fault
    from fake_provider._hints import HintStyle
    from fake_provider._limit import Limit
    from fake_provider._limits import Limits
    from fake_provider._presets import Preset, presets
    from fake_provider._provider import FakeProvider
    from fake_provider._retry_policy import RetryPolicy
    from fake_provider._script import Arrival
    from fake_provider._service import ServiceTime
    from fake_provider._side_effect import provider_side_effect
    from fake_provider._simulated import Simulated
    from fake_provider._simulation import Refused, Simulation
    from fake_provider._trace import Call, Trace, TraceError
    from fake_provider._workload import Workload

__all__ = [
    "Answer",
    "Arrival",
    "Attempt",
    "AttemptLimit",
    "Call",
    "FakeProvider",
    "Fault",
    "HintStyle",
    "Limit",
    "Limits",
    "Preset",
    "ProviderError",
    "Refused",
    "RetryPolicy",
    "ServiceTime",
    "Simulated",
    "Simulation",
    "Trace",
    "TraceError",
    "UnansweredRequest",
    "Workload",
    "caller",
    "presets",
    "provider_side_effect",
]

# Importing the package costs nothing: the judge needs a Trace without the provider's machinery.
_HOMES = {
    "Answer": "_answer",
    "Arrival": "_script",
    "Attempt": "_attempt",
    "AttemptLimit": "_errors",
    "Call": "_trace",
    "FakeProvider": "_provider",
    "Fault": "_faults",
    "HintStyle": "_hints",
    "Limit": "_limit",
    "Limits": "_limits",
    "Preset": "_presets",
    "ProviderError": "_errors",
    "Refused": "_simulation",
    "RetryPolicy": "_retry_policy",
    "ServiceTime": "_service",
    "Simulated": "_simulated",
    "Simulation": "_simulation",
    "Trace": "_trace",
    "TraceError": "_trace",
    "UnansweredRequest": "_errors",
    "Workload": "_workload",
    "caller": "_callers",
    "provider_side_effect": "_side_effect",
    "presets": "_presets",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
