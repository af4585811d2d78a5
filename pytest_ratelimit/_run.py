"""Run: what this run of pytest asks for, settled once at its start."""

from __future__ import annotations

import pytest

from pytest_ratelimit import _options
from pytest_ratelimit._options import OPTIONS

_accepted = pytest.StashKey[int]()


def prepare(config: pytest.Config) -> None:
    """Register the marker, and the plugins that judge and report if the options ask for them.

    Raises:
        pytest.UsageError: An option makes no sense.
    """
    config.addinivalue_line(
        "markers",
        "ratelimit(*limits, tokens_per_minute=None, requests_per_minute=None, window=60.0, ...): "
        "the limits that fake_provider enforces, and how it answers",
    )
    options = _options.read(config)
    config.stash[OPTIONS] = options
    if not options.active:
        return
    # Here and not above: a run that asks for nothing pays for nothing.
    from pytest_ratelimit._baseline import Baseline
    from pytest_ratelimit._gate import Gate

    try:
        baseline = Baseline() if options.baseline is None else Baseline.load(options.baseline)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_accepted] = len(baseline)
    config.pluginmanager.register(Gate(options, baseline), "ratelimit_gate")
    if not hasattr(config, "workerinput"):  # pytest-xdist's mark of a worker
        from pytest_ratelimit._collector import Collector

        config.pluginmanager.register(Collector(options, baseline), "ratelimit_collector")


def header(config: pytest.Config) -> str | None:
    """Return the line of the header; None while the gate is off."""
    options = config.stash[OPTIONS]
    if not options.gate:
        return None
    words = ["gate on, fails on " + ("errors and warnings" if options.strict else "errors")]
    words += ["every test"] if options.autouse else []
    if options.write_baseline:
        words.append(f"writes the baseline {options.baseline} instead")
    elif options.baseline is not None:
        words.append(f"{config.stash[_accepted]:,} accepted in {options.baseline.name}")
    return f"ratelimit: {', '.join(words)}"
