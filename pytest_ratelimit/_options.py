"""Options: the settings in pyproject.toml and on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PREFIX = "ratelimit_"

# Names and types of the settings that are keywords of the marker; a test compares them with the
# marker's. They are written out here because reading them off the provider would import it.
LIMITS = {
    "tokens_per_minute": "int",
    "input_tokens_per_minute": "int",
    "output_tokens_per_minute": "int",
    "requests_per_minute": "int",
    "requests_per_day": "int",
    "tokens_per_day": "int",
    "concurrent_requests": "int",
    "count_tokens_per_minute": "int",
    "window": "float",
    "algorithm": "string",
    "burst": "int",
    "floor": "int",
    "charge_rejected": "float",
    "preset": "string",
    "tokens_per_request": "int",
    "output_tokens": "int",
    "cached_tokens": "int",
    "cache_written_tokens": "int",
    "estimated_tokens": "int",
    "latency": "float",
    "hint": "string",
    "seed": "int",
    "dialect": "string",
    "hosts": "linelist",
    "allow_hosts": "linelist",
    "door": "string",
    "clock": "string",
    "start": "string",
    "schedule": "string",
    "strict_clock": "bool",
    "stop_after": "float",
    "ledger": "string",
    "lost_ledger": "string",
}
THRESHOLDS = {
    "alpha": "float",
    "min_fraction": "float",
    "min_spread_s": "float",
    "min_callers": "int",
    "max_attempts": "int",
    "attempts_per_call": "float",
    "max_wait_s": "float",
    "max_total_wait_s": "float",
    "growth_factor": "float",
    "growth_cap_s": "float",
    "retry_ratio": "float",
    "retry_reserve": "float",
    "budget_tokens": "float",
    "budget_per_s": "float",
    "budget_in_flight": "float",
    "max_concurrent_requests": "float",
    "makespan_factor": "float",
    "makespan_factor_charged": "float",
    "makespan_slack_s": "float",
    "waste_factor": "float",
    "max_makespan_s": "float",
    "max_times_ideal": "float",
    "recovery_s": "float",
    "recovery_share": "float",
    "burst_declared": "bool",
    "retries_declared": "bool",
}
_OWN = {
    "gate": ("bool", "Fail every test whose trace shows an error"),
    "strict": ("bool", "Fail on warnings too"),
    "autouse": ("bool", "Open fake_provider in every test, without an edit"),
    "ignore": ("linelist", 'Codes that are accepted, each with a reason: "RL301: why"'),
    "baseline": ("string", "File of the findings that are accepted until they are repaired"),
}
_PAIRS = {"ignore": '"RL301: why"', "hosts": '"llm-gateway.corp: openai"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How this run judges and reports.

    Args:
        gate: True fails a test whose trace shows an error.
        strict: True fails on warnings too.
        autouse: True opens the provider in every test.
        reports: Files to write, as given on the command line.
        baseline: File of accepted findings; None if there is none.
        write_baseline: True writes that file instead of failing.
    """

    gate: bool
    strict: bool
    autouse: bool
    reports: tuple[Path, ...]
    baseline: Path | None
    write_baseline: bool

    @property
    def active(self) -> bool:
        """True if traces are judged at the end of each test."""
        return self.gate or bool(self.reports) or self.write_baseline

    @property
    def pictures(self) -> bool:
        """True if a report shows pictures."""
        return any(path.suffix.lower() in (".html", ".htm") for path in self.reports)


OPTIONS = pytest.StashKey[Options]()


def register(parser: pytest.Parser) -> None:
    """Add the settings and the command line options to pytest's parser."""
    for name, (kind, text) in _OWN.items():
        parser.addini(PREFIX + name, text, type=kind, default=None)  # type: ignore[arg-type]
    for name, kind in {**LIMITS, **THRESHOLDS}.items():
        text = "As the keyword of @pytest.mark.ratelimit"
        parser.addini(PREFIX + name, text, type=kind, default=None)  # type: ignore[arg-type]
    group = parser.getgroup("ratelimit", "pytest-ratelimit")
    group.addoption(
        "--ratelimit-gate",
        action="store_true",
        default=None,
        help="Fail every test whose trace shows an error",
    )
    group.addoption(
        "--no-ratelimit-gate",
        action="store_false",
        dest="ratelimit_gate",
        help="Do not fail tests for their traces, whatever the settings say",
    )
    group.addoption(
        "--ratelimit-strict", action="store_true", default=None, help="Fail on warnings too"
    )
    group.addoption(
        "--ratelimit-ignore",
        action="append",
        default=[],
        metavar="CODE:REASON",
        help="Accept a code, such as 'RL301: why'; may be given several times",
    )
    group.addoption(
        "--ratelimit-report",
        action="append",
        default=[],
        metavar="PATH",
        help="Write what was found to a .md, .json or .html file; may be given several times",
    )
    group.addoption(
        "--ratelimit-baseline",
        default=None,
        metavar="FILE",
        help="Accept the findings in FILE, and fail on what is new",
    )
    group.addoption(
        "--ratelimit-write-baseline",
        action="store_true",
        default=False,
        help="Write the findings of this run to the baseline instead of failing",
    )


def read(config: pytest.Config) -> Options:
    """Return how this run judges; the command line wins over the settings.

    Raises:
        pytest.UsageError: A value makes no sense; the message names it and what is allowed.
    """
    stated = config.getoption("ratelimit_gate")
    strict = config.getoption("ratelimit_strict")
    reports = tuple(Path(path) for path in config.getoption("ratelimit_report"))
    for path in reports:
        if path.suffix.lower() not in (".md", ".json", ".html", ".htm"):
            raise pytest.UsageError(
                f"--ratelimit-report must end in .md, .json or .html, got {str(path)!r}"
            )
    here = config.invocation_params.dir
    return Options(
        gate=bool(_ini(config, "gate") if stated is None else stated),
        strict=bool(_ini(config, "strict") if strict is None else strict),
        autouse=bool(_ini(config, "autouse")),
        reports=tuple(here / path for path in reports),
        baseline=_baseline(config),
        write_baseline=config.getoption("ratelimit_write_baseline"),
    )


def keywords(config: pytest.Config) -> dict[str, Any]:
    """Return what the settings state as keywords of the marker.

    Raises:
        ValueError: A value makes no sense; the message names the setting and what is allowed.
    """
    stated = {}
    for name, kind in {**LIMITS, **THRESHOLDS}.items():
        value = _ini(config, name)
        if value is not None:
            stated[name] = _pairs(name, value) if kind == "linelist" and name in _PAIRS else value
    ignored = [*(_ini(config, "ignore") or []), *config.getoption("ratelimit_ignore")]
    if ignored:
        stated["ignore"] = _pairs("ignore", ignored)
    return stated


def _ini(config: pytest.Config, name: str) -> Any:
    """Return a setting, None if it is not stated."""
    try:
        return config.getini(PREFIX + name)
    except (TypeError, ValueError) as error:  # before pytest 9.2 it is no UsageError
        raise pytest.UsageError(f"{PREFIX}{name}: {error}") from None


def _baseline(config: pytest.Config) -> Path | None:
    """Return the baseline's path; one in the settings stands below the root directory."""
    given = config.getoption("ratelimit_baseline")
    stated = _ini(config, "baseline")
    writes = config.getoption("ratelimit_write_baseline")
    if given is None and stated is None:
        if writes:
            raise pytest.UsageError("--ratelimit-write-baseline needs --ratelimit-baseline=FILE")
        return None
    path: Path
    path = config.rootpath / stated if given is None else config.invocation_params.dir / given
    if not writes and not path.is_file():
        raise pytest.UsageError(
            f"there is no baseline {path}: write it with --ratelimit-write-baseline"
        )
    return path


def _pairs(name: str, lines: Iterable[str]) -> dict[str, str]:
    """Return the lines of a setting as a mapping."""
    from pytest_ratelimit._pairs import pairs

    return pairs(lines, f"{PREFIX}{name} must be lines such as {_PAIRS[name]}")
