"""Run client code from public reports under the fake provider, and compare the verdicts.

    python -m tests.run_cases [FOLDER]

A case file defines `SCENARIOS` (name to entry point, arguments and provider), `VERDICTS` (name to
check to verdict) and the functions under test, which take a ready SDK client and know of no fake.
One line is printed for each scenario and check, then the total; the exit code is 1 if a counted
verdict differs.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from fake_provider import Arrival, FakeProvider, Fault, HintStyle, Limit, Limits, ServiceTime, Trace
from fake_provider.virtual_time import RunStopped
from pytest_ratelimit._checks import Judgement, Policy, judge

CASES = Path(__file__).parent / "cases"
SEED = 20240
START = "2027-01-15T08:00:00Z"

CODES = {
    "sync": ("RL101",),
    "jitter": ("RL102", "RL104"),
    "retry_after": ("RL103",),
    "window": ("RL105",),
    "growth": ("RL106", "RL107"),
    "cap": ("RL111",),
    "cold_start": ("RL202",),
    "layers": ("RL112",),
    "storm": ("RL113", "RL302"),
    "terminal": ("RL121",),
    "recovers": ("RL122",),
    "replay": ("RL123",),
    "budget": ("RL201",),
    "hang": ("RL203",),
}
UNCOUNTED = ("window", "budget", "cold_start", "storm")
# What the user of a case declares, by the number at the head of the file's name.
DECLARED: dict[str, dict[str, Any]] = {
    "28": {"retries_declared": True},
    "30": {"burst_declared": True},
}


@dataclass(frozen=True)
class Line:
    """One verdict of one scenario."""

    case: str
    scenario: str
    check: str
    expected: str
    got: str
    agrees: bool

    def __str__(self) -> str:
        outcome = "agree" if self.agrees else "DISAGREE"
        if self.check in UNCOUNTED:
            outcome = "uncounted"
        return f"{self.case}:{self.scenario} {self.check} {self.expected} {self.got} {outcome}"


def load(path: Path) -> ModuleType:
    """Import a case file by its path."""
    spec = importlib.util.spec_from_file_location(f"case_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def limits_of(settings: Mapping[str, Any]) -> Limits:
    """Return the limits that a case's provider states, per window."""
    window = settings.get("window", 60)
    shared: dict[str, Any] = {
        "per": window,
        "window": window,
        "algorithm": "token-bucket" if settings.get("bucket") else "sliding-window",
        "charge_rejected": 1.0 if settings.get("count_rejected") else 0.0,
    }
    kinds = (("tpm", "tokens"), ("rpm", "requests"))
    return Limits.of(
        Limit(kind=kind, amount=settings[name], **shared)  # type: ignore[arg-type]
        for name, kind in kinds
        if settings.get(name) is not None
    )


def provider_of(settings: Mapping[str, Any], stop_after: float) -> FakeProvider:
    """Return the provider that a case describes, not yet open."""
    latency = settings.get("latency", 0.5)
    tokens = settings.get("tokens", 1000)
    if settings.get("reserve"):
        base = tokens
        tokens = lambda body: (  # noqa: E731
            (base(body) if callable(base) else base) + body.get("max_tokens", 0)
        )
    provider = FakeProvider(
        limits_of(settings),
        tokens_per_request=tokens,
        output_tokens=settings.get("output", 50),
        latency=ServiceTime(mean=latency, refusal=latency),
        hint=HintStyle(
            form=settings.get("hint", "seconds"),
            pad_s=settings.get("hint_pad", 0),
            skew_s=settings.get("skew", 0),
        ),
        start=START,
        seed=SEED,
        stop_after=stop_after,
    )
    provider.script(script_of(settings))
    return provider


def script_of(settings: Mapping[str, Any]) -> Any:
    """Return a script that answers as the case's own functions say."""
    refuse, stream = settings.get("script"), settings.get("stream")
    seen: dict[str, int] = {}

    def script(arrival: Arrival) -> Fault | None:
        messages = repr(arrival.body.get("messages"))
        nth = seen.get(messages, 0)
        seen[messages] = nth + 1
        if refuse is not None:
            answer = refuse(nth, arrival.number, dict(arrival.body), arrival.at)
            if answer is not None:
                status, headers, body = answer
                return Fault(status=status, headers=headers, body=body)
        if stream is not None and arrival.body.get("stream"):
            return Fault(status=200, body=stream({"nth": nth, "t": arrival.at}))
        return None

    return script


def run(entry: Any, sdk: str, kwargs: Mapping[str, Any], provider: FakeProvider) -> Trace:
    """Run the function under test on a ready client, and return what reached the provider."""
    import anthropic
    import openai

    asynchronous = inspect.iscoroutinefunction(entry)
    clients = {
        ("anthropic", False): anthropic.Anthropic,
        ("anthropic", True): anthropic.AsyncAnthropic,
        ("openai", False): openai.OpenAI,
        ("openai", True): openai.AsyncOpenAI,
    }
    try:
        with provider:
            client = clients[sdk, asynchronous](api_key="test")
            if asynchronous:
                asyncio.run(entry(client, **kwargs))
            else:
                entry(client, **kwargs)
    except (Exception, RunStopped):
        pass
    return provider.trace


def verdict(codes: tuple[str, ...], judged: Mapping[str, Judgement]) -> tuple[str, str]:
    """Return FLAG, note, ok or n/a for a check, and the highest severity found."""
    findings = [f for code in codes if code in judged for f in judged[code].findings]
    severities = {finding.severity for finding in findings}
    for severity, got in (("error", "FLAG"), ("warning", "note"), ("note", "note")):
        if severity in severities:
            return got, severity
    judged_any = any(code in judged and judged[code].judged for code in codes)
    return ("ok" if judged_any else "n/a"), ""


def agrees(expected: str, severity: str) -> bool:
    """Tell whether the highest severity found is what the verdict asks for."""
    if expected == "FLAG":
        return severity == "error"
    if expected == "note":
        return severity != "error"
    return severity not in ("error", "warning")


def lines_of(path: Path) -> Iterator[Line]:
    """Run every scenario of a case file, and yield its verdicts."""
    module = load(path)
    policy = Policy(**DECLARED.get(path.name[:2], {}))
    for name, scenario in module.SCENARIOS.items():
        entry = getattr(module, scenario.get("entry", name))
        stop_after = scenario.get("give_up_after", 3600)
        provider = provider_of(scenario.get("provider", {}), stop_after)
        kwargs = scenario.get("kwargs", {})
        trace = run(entry, scenario.get("sdk", "anthropic"), kwargs, provider)
        judged = judge(trace, policy)
        for check, expected in module.VERDICTS.get(name, {}).items():
            got, severity = verdict(CODES[check], judged)
            if check == "hang" and trace.stopped is not None:
                got, severity = "FLAG", "error"
            yield Line(path.stem, name, check, expected, got, agrees(expected, severity))


def main(arguments: list[str]) -> int:
    """Run the cases of a folder; return 1 if a counted verdict differs."""
    warnings.simplefilter("ignore")
    folder = Path(arguments[0]) if arguments else CASES
    total = wrong = 0
    for path in sorted(folder.glob("[0-9]*_*.py")):
        for line in lines_of(path):
            print(line, flush=True)
            total += 1
            wrong += not line.agrees and line.check not in UNCOUNTED
    print(f"{total} verdicts, {wrong} disagreements on counted checks")
    return 1 if wrong or not total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
