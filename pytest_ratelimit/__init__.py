"""Judge how a fleet of clients behaves at a rate limit, inside pytest or from the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fake_provider import FakeProvider, Limits, Trace, caller
    from pytest_ratelimit._asserts import (
        assert_all_calls_succeed,
        assert_attempts_bounded,
        assert_exercised,
        assert_finishes_within,
        assert_jittered,
        assert_no,
        assert_retries_spread,
        assert_retry_after_respected,
        assert_well_behaved,
        assert_within_budget,
    )
    from pytest_ratelimit._checks import Policy
    from pytest_ratelimit._findings import Finding, FindingsError
    from pytest_ratelimit._fixture import current
    from pytest_ratelimit._probes import herd_probe, outage_probe, policy_probe, reset_probe
    from pytest_ratelimit._tolerance import check

__all__ = [
    "FakeProvider",
    "Finding",
    "FindingsError",
    "Limits",
    "Policy",
    "Trace",
    "assert_all_calls_succeed",
    "assert_attempts_bounded",
    "assert_exercised",
    "assert_finishes_within",
    "assert_jittered",
    "assert_no",
    "assert_retries_spread",
    "assert_retry_after_respected",
    "assert_well_behaved",
    "assert_within_budget",
    "caller",
    "check",
    "current",
    "herd_probe",
    "outage_probe",
    "policy_probe",
    "reset_probe",
]

_ELSEWHERE = {
    "FakeProvider": "fake_provider",
    "Finding": "pytest_ratelimit._findings",
    "FindingsError": "pytest_ratelimit._findings",
    "Limits": "fake_provider",
    "Policy": "pytest_ratelimit._checks",
    "Trace": "fake_provider",
    "caller": "fake_provider",
    "check": "pytest_ratelimit._tolerance",
    "current": "pytest_ratelimit._fixture",
    "herd_probe": "pytest_ratelimit._probes",
    "outage_probe": "pytest_ratelimit._probes",
    "policy_probe": "pytest_ratelimit._probes",
    "reset_probe": "pytest_ratelimit._probes",
}


def __getattr__(name: str) -> object:
    # The plugin is imported in every pytest run: what it does not need yet is imported on use.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = _ELSEWHERE.get(name, "pytest_ratelimit._asserts")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
