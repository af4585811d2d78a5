"""Finding: a defect with a permanent code, its evidence and its remedy; and its error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Code:
    """One permanent code: it is never renumbered, nor given to something else.

    Args:
        name: What it is called, in lower case with hyphens.
        says: What a finding of this code says.
        severity: The severity that it has where its check does not decide otherwise.
        accept: How to accept it, where the marker's `ignore=` is not the way; empty if it
            cannot be accepted.
    """

    name: str
    says: str
    severity: Severity
    accept: str | None = None


CODES: dict[str, Code] = {
    "RL101": Code(
        "synchronized-retries",
        "retries of different callers arrive together more than independent draws would, "
        "and the limiter could not take them",
        "error",
    ),
    "RL102": Code(
        "missing-jitter",
        "delays before the k-th retry do not vary from call to call",
        "error",
    ),
    "RL103": Code("ignored-retry-after", "a retry came before the hint allowed", "error"),
    "RL104": Code("same-jitter-everywhere", "callers draw the same delays", "error"),
    "RL105": Code(
        "retry-inside-window",
        "every attempt of a call was over before its cost could have fitted",
        "error",
    ),
    "RL106": Code("flat-backoff", "delays do not grow over attempts", "error"),
    "RL107": Code(
        "hot-retry", "retries with (almost) no delay, on the same key and model", "error"
    ),
    "RL111": Code(
        "unbounded-retries", "more attempts, sleep or total wait than the bound", "error"
    ),
    "RL112": Code("stacked-retry-layers", "one call retried by two layers or more", "error"),
    "RL113": Code(
        "retry-storm",
        "too many attempts per call, or a stated retry budget overdrawn",
        "error",
    ),
    "RL114": Code(
        "repeated-work", "tokens paid or demanded again for work already asked for", "error"
    ),
    "RL121": Code("terminal-error-retried", "a retry of an error that no wait can cure", "error"),
    "RL122": Code(
        "never-retried",
        "a retryable refusal reached the application although a policy was declared",
        "error",
    ),
    "RL123": Code(
        "replayed-after-output", "a stream was replayed after output had been delivered", "error"
    ),
    "RL124": Code(
        "retried-while-running",
        "an attempt was sent while the one before was still being served",
        "error",
    ),
    "RL201": Code(
        "budget-overrun",
        "demand in some window above the limit or the stated budget",
        "warning",
    ),
    "RL202": Code(
        "cold-start-burst", "the first wave alone exceeds what the limit admits", "warning"
    ),
    "RL203": Code("request-larger-than-limit", "a request that can never be admitted", "error"),
    "RL204": Code("concurrency-overrun", "more requests in flight than allowed", "error"),
    "RL205": Code(
        "unshared-budget",
        "siblings on one key send first attempts while a refusal of that key still binds",
        "warning",
    ),
    "RL301": Code("lost-calls", "calls that ended without success", "warning"),
    "RL302": Code(
        "goodput-collapse", "makespan or wasted tokens far from the ideal for this limit", "error"
    ),
    "RL303": Code("starvation", "some callers wait far longer than chance explains", "warning"),
    "RL304": Code("no-recovery", "goodput stays down after an outage has ended", "error"),
    "RL305": Code(
        "over-throttled",
        "a small part of the limit used, nothing refused, makespan far above the bound",
        "note",
    ),
    "RL901": Code("inconclusive", "too little evidence to judge; says how much is needed", "note"),
    "RL902": Code(
        "not-exercised",
        "nothing was refused, so nothing was tested",
        "note",
        accept="assert_well_behaved(trace, allow_quiet=True)",
    ),
    "RL903": Code("no-request-seen", "nothing reached the provider", "error", accept=""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A defect with its evidence, cause and remedy; `str()` is the whole text.

    Args:
        code: Its permanent code, such as `"RL101"`.
        severity: `"error"`, `"warning"` or `"note"`.
        summary: The first line without the code: what and how many, with units.
        evidence: What was seen, one line each.
        cause: Why it happened; empty where the trace does not tell.
        remedy: What to do, with numbers from this run.
        p: Probability of seeing this or more without the defect; None where no chance is
            involved.
        attempts: Indices in the trace of the attempts that prove it.

    Raises:
        ValueError: The code or the severity does not exist.
    """

    code: str
    name: str = field(init=False)
    severity: Severity
    summary: str
    evidence: tuple[str, ...] = ()
    cause: str = ""
    remedy: str = ""
    p: float | None = None
    attempts: tuple[int, ...] = ()
    accept: str = field(init=False)

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"code must be one of {', '.join(CODES)}, got {self.code!r}")
        if self.severity not in SEVERITIES:
            raise ValueError(
                f"severity must be one of {', '.join(SEVERITIES)}, got {self.severity!r}"
            )
        code = CODES[self.code]
        marker = f'@pytest.mark.ratelimit(ignore={{"{self.code}": "reason"}})'
        object.__setattr__(self, "name", code.name)
        object.__setattr__(self, "accept", marker if code.accept is None else code.accept)

    @property
    def title(self) -> str:
        """The first line: code, name, summary."""
        return f"{self.code} {self.name}: {self.summary}"

    def __str__(self) -> str:
        labelled = (("Cause", self.cause), ("Remedy", self.remedy), ("Accept", self.accept))
        lines = [*self.evidence, *(f"{label}: {text}" for label, text in labelled if text)]
        return "\n".join([self.title, "", *(f"  {line}" for line in lines)])


class FindingsError(AssertionError):
    """A trace shows defects.

    Args:
        findings: The findings, worst first; never empty.
    """

    # The name under which users import it, which tracebacks and pytest's summary then show.
    __module__ = "pytest_ratelimit"

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        first, *others = map(str, self.findings)
        line, _, rest = first.partition("\n")
        if others:
            codes = ", ".join(dict.fromkeys(f.code for f in self.findings[1:]))
            line += f" (and {len(others)} more: {codes})"
        super().__init__("\n".join([line, rest, *(f"\n{other}" for other in others)]).rstrip())

    def __reduce__(self) -> tuple[type[FindingsError], tuple[tuple[Finding, ...]]]:
        return type(self), (self.findings,)
