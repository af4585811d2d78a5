"""Audit: every probe on one subject, and what they tell of its policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fake_provider import (
    Arrival,
    FakeProvider,
    Fault,
    ProviderError,
    ServiceTime,
    Trace,
    UnansweredRequest,
)
from fake_provider._driver import drive
from pytest_ratelimit._audit._figures import (
    Hint,
    Layers,
    Step,
    layers,
    longest_call_s,
    longest_wait_s,
    most_attempts,
    obedience,
    retried,
    schedule,
)
from pytest_ratelimit._audit._subject import Subject, SubjectError
from pytest_ratelimit._checks import Policy, judge
from pytest_ratelimit._findings import SEVERITIES, Finding
from pytest_ratelimit._probes import (
    REFUSAL_S,
    herd_probe,
    outage_probe,
    policy_probe,
    reset_probe,
)

if TYPE_CHECKING:
    from fake_provider._driver import Sdk

# A wait that every loop can take, and one above the cap of 60 s that many have.
HINTS_S = (20.0, 120.0)
_STOP_S, _STOP_ENDLESS_S = 3_600.0, 600.0
# What each situation is for; all else that a check says there is a matter of the situation.
_CODES = {
    "refused for ever": ("RL102", "RL104", "RL106", "RL107", "RL111", "RL112"),
    "told to wait": ("RL102", "RL103"),
    "an error that no wait cures": ("RL121",),
    "a herd": ("RL101", "RL113"),
    "a common reset": ("RL101",),
    "an outage": ("RL304",),
}
# The 429 that no wait cures, by dialect; the other dialects are OpenAI's.
_QUOTA = {"anthropic": "enforced_spend_limit_reached"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A finding, and the situation in which it was made.

    Args:
        situation: What the callers were put into.
        finding: What was found.
    """

    situation: str
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the retry policy of a subject is.

    Args:
        subject: What was audited.
        callers: Callers that took part.
        attempts: Most attempts of a call that is refused for ever.
        endless: True if it was still trying when the run was stopped.
        longest_wait_s: Longest delay before a retry without a hint, in seconds.
        longest_call_s: Longest time from a call's first attempt to its last, in seconds.
        schedule: The delays before each retry without a hint.
        hints: What came of each hint.
        layers: Who retries.
        terminal: Retries after each error that no wait can cure, by what it says.
        verdicts: What was found, worst first.
        unjudged: What there was too little evidence for, by code, with what it would take.
    """

    subject: Subject
    callers: int
    attempts: int
    endless: bool
    longest_wait_s: float
    longest_call_s: float
    schedule: tuple[Step, ...]
    hints: tuple[Hint, ...]
    layers: Layers
    terminal: Mapping[str, int]
    verdicts: tuple[Verdict, ...]
    unjudged: Mapping[str, str]

    @property
    def defects(self) -> tuple[Verdict, ...]:
        """The errors and warnings."""
        return tuple(v for v in self.verdicts if v.finding.severity != "note")

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the defects, each once."""
        return tuple(dict.fromkeys(v.finding.code for v in self.defects))


def audit(subject: Subject, *, callers: int = 12, outage: bool = False, seed: int = 0) -> Audit:
    """Put a subject into every situation, and return what its policy is.

    Args:
        subject: What to audit.
        callers: Callers, at least 2; 12 tell a jitter of 5 % from none.
        outage: True asks for an outage as well, which takes seconds of real time.
        seed: Seed of the random numbers, 0 or more.

    Raises:
        SubjectError: None of its requests reached the provider.
        ValueError: An argument is out of its range.
    """
    work, sdk = subject.work, subject.sdk
    refused = _first(subject, callers, seed)
    endless = refused.stopped is not None
    # What has no end has been found out: it need not be waited for again and again.
    stop = _STOP_ENDLESS_S if endless else _STOP_S
    told = {
        hint: policy_probe(work, callers=callers, hint=hint, sdk=sdk, seed=seed, stop_after=stop)
        for hint in HINTS_S
    }
    errors, incurable = _incurable(subject, refused, seed, stop)
    runs: list[tuple[str, Trace]] = [
        ("refused for ever", refused),
        *(("told to wait", trace) for trace in told.values()),
        ("an error that no wait cures", incurable),
        ("a herd", herd_probe(work, callers=callers, sdk=sdk, seed=seed, stop_after=stop)),
        ("a common reset", reset_probe(work, callers=callers, sdk=sdk, seed=seed, stop_after=stop)),
    ]
    if outage:
        trace = outage_probe(work, callers=callers, sdk=sdk, seed=seed, stop_after=stop)
        runs.append(("an outage", trace))
    verdicts, unjudged = _judged(subject, runs)
    return Audit(
        subject=subject,
        callers=callers,
        attempts=most_attempts(refused),
        endless=endless,
        longest_wait_s=longest_wait_s(refused),
        longest_call_s=longest_call_s(refused),
        schedule=schedule(refused),
        hints=tuple(obedience(trace, hint) for hint, trace in told.items()),
        layers=layers(refused),
        terminal=retried(incurable, errors),
        verdicts=verdicts,
        unjudged=unjudged,
    )


def _first(subject: Subject, callers: int, seed: int) -> Trace:
    """Return the trace of calls that are refused for ever, or say why there is none."""
    sdk: Sdk = subject.sdk
    try:
        trace = policy_probe(subject.work, callers=callers, sdk=sdk, seed=seed, stop_after=_STOP_S)
    except (Exception, ProviderError, UnansweredRequest) as error:
        if isinstance(error, ValueError) and str(error).startswith("callers must be"):
            raise
        raise SubjectError(
            f"{subject.name}, {subject.how}, made no request that reached the provider: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not trace.attempts:
        raise SubjectError(
            f"{subject.name}, {subject.how}, returned and made no request that reached the provider"
        )
    return trace


def _incurable(
    subject: Subject, seen: Trace, seed: int, stop_after: float
) -> tuple[dict[str, str], Trace]:
    """Return which error each caller saw, by its name, and the trace."""
    quota = _QUOTA.get(seen.attempts[0].dialect, "insufficient_quota")
    faults = {
        "400": Fault(status=400),
        "401": Fault(status=401),
        "413": Fault(status=413),
        f"429 {quota}": Fault(status=429, code=quota),
    }
    names = {f"caller-{n}": label for n, label in enumerate(faults)}

    def refuse(arrival: Arrival) -> Fault:
        return faults[names[arrival.caller]]

    service = ServiceTime(refusal=REFUSAL_S)
    provider = FakeProvider(latency=service, seed=seed, stop_after=stop_after)
    return names, drive(subject.work, provider, [0.0] * len(faults), subject.sdk, refuse)


def _judged(
    subject: Subject, runs: list[tuple[str, Trace]]
) -> tuple[tuple[Verdict, ...], dict[str, str]]:
    """Return what was found, and what there was too little evidence for in every situation."""
    found: dict[tuple[str, str, str], Verdict] = {}
    missing: dict[str, str] = {}
    judged_codes: set[str] = set()
    for situation, trace in runs:
        judged = judge(trace, Policy())
        for code in _CODES[situation]:
            if subject.codes is not None and code not in subject.codes:
                continue
            judgement = judged[code]
            if not judgement.judged:
                missing.setdefault(code, judgement.missing)
                continue
            judged_codes.add(code)
            for finding in judgement.findings:
                key = (situation, code, finding.severity)
                found.setdefault(key, Verdict(situation=situation, finding=finding))
    order = sorted(
        found.values(),
        key=lambda v: (SEVERITIES.index(v.finding.severity), v.finding.code),
    )
    return tuple(order), {code: why for code, why in missing.items() if code not in judged_codes}
