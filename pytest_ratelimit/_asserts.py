"""Assertions: run checks on a trace, and raise what they find."""

from __future__ import annotations

from collections.abc import Iterable

from fake_provider import Trace
from fake_provider._limits import real_number, whole_number
from pytest_ratelimit._accepted import accepted
from pytest_ratelimit._checks import Judgement, Policy, inconclusive, judge
from pytest_ratelimit._findings import CODES, Finding

# Codes that say how much there was to judge; they are not defects of the code under test.
_EVIDENCE = ("RL901", "RL902")


class FindingsError(AssertionError):
    """A trace shows defects.

    Args:
        findings: The findings, worst first; never empty.
    """

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


def assert_well_behaved(trace: Trace, *, strict: bool = False, allow_quiet: bool = False) -> None:
    """Fail if any check finds an error in the trace.

    Args:
        trace: The trace to judge.
        strict: True fails on warnings too.
        allow_quiet: True accepts a run in which nothing was refused (RL902).

    Raises:
        FindingsError: A check found an error; or nothing was refused and that is not allowed; or
            no request reached the provider.
    """
    __tracebackhide__ = True
    failing = ("error", "warning") if strict else ("error",)
    found = [
        finding
        for finding in _found(trace, Policy(alpha=accepted().alpha))
        if (finding.code == "RL902" and not allow_quiet)
        or (finding.code not in _EVIDENCE and finding.severity in failing)
    ]
    _raise(found)


def assert_no(trace: Trace, *codes: str) -> None:
    """Fail if one of the checks named finds anything, whatever its severity but a note.

    Args:
        trace: The trace to judge.
        *codes: Codes such as `"RL112"`; at least one.

    Raises:
        TypeError: No code is given.
        ValueError: A code is unknown.
        FindingsError: One of the checks found an error or a warning.
    """
    __tracebackhide__ = True
    if not codes:
        raise TypeError("assert_no(trace, *codes) needs at least one code, such as 'RL112'")
    for code in codes:
        if code not in CODES:
            raise ValueError(f"codes must be among {', '.join(CODES)}, got {code!r}")
        if code in _EVIDENCE:
            raise ValueError(
                f"codes must be of defects, and {code} says how much there was to judge"
            )
    _seen(trace)
    _raise(f for f in _found(trace, _policy(), codes) if f.severity != "note")


def assert_retries_spread(trace: Trace) -> None:
    """Fail if retries of different callers arrived together and were refused together.

    Passes when nothing was refused: this is an assertion on the outcome.

    Args:
        trace: The trace to judge.

    Raises:
        FindingsError: RL101 or RL104 found an error, or nothing reached the provider.
    """
    __tracebackhide__ = True
    _raise(_errors(trace, _policy(), "RL101", "RL104", "RL903"))


def assert_jittered(trace: Trace) -> None:
    """Fail if the delays before the k-th retry do not vary from call to call.

    Args:
        trace: The trace to judge.

    Raises:
        FindingsError: RL102 or RL104 found an error or a warning; RL901 if there were too few
            retries to tell.
    """
    __tracebackhide__ = True
    _seen(trace)
    _raise(_policy_findings(trace, "RL102", "RL104"))


def assert_retry_after_respected(trace: Trace) -> None:
    """Fail if a retry came before the hint allowed, or a call ended before its cost could fit.

    Args:
        trace: The trace to judge.

    Raises:
        FindingsError: RL103 or RL105 found an error; RL901 if no retry followed a hint.
    """
    __tracebackhide__ = True
    _seen(trace)
    _raise([*_policy_findings(trace, "RL103"), *_errors(trace, _policy(), "RL105")])


def assert_attempts_bounded(trace: Trace, *, max_attempts: int = 10) -> None:
    """Fail if a call made more attempts than the bound, by one layer or by several stacked ones.

    Args:
        trace: The trace to judge.
        max_attempts: Most attempts that a call may make, at least 2.

    Raises:
        ValueError: `max_attempts` is below 2.
        FindingsError: RL111, RL112, RL113 or RL114 found an error; RL901 if no call was given up,
            so that the bound was never met.
    """
    __tracebackhide__ = True
    max_attempts = whole_number("max_attempts", max_attempts, at_least=2)
    _seen(trace)
    policy = Policy(alpha=accepted().alpha, max_attempts=max_attempts)
    judged = judge(trace, policy)
    found = _errors(trace, policy, "RL112", "RL113", "RL114")
    _raise([*_or_inconclusive(judged, "RL111"), *found])


def assert_within_budget(
    trace: Trace,
    *,
    tokens: float | None = None,
    per: float = 60.0,
    in_flight: float | None = None,
    retry_ratio: float | None = None,
) -> None:
    """Fail if demand exceeded a budget in any window; the limits are the budget if none is stated.

    Args:
        trace: The trace to judge.
        tokens: Most tokens demanded in any `per` seconds.
        per: Seconds, above 0.
        in_flight: Most tokens in flight at one instant.
        retry_ratio: Most retries per call begun in the same `per` seconds.

    Raises:
        ValueError: An argument is not above 0.
        FindingsError: RL201 to RL205 found an error or a warning, or RL113 an error.
    """
    __tracebackhide__ = True
    for name, unit, value in (
        ("tokens", "tokens", tokens),
        ("per", "seconds", per),
        ("in_flight", "tokens", in_flight),
        ("retry_ratio", "retries per call", retry_ratio),
    ):
        if value is not None:
            real_number(name, value, unit, above=0.0)
    policy = Policy(
        alpha=accepted().alpha,
        budget_tokens=tokens,
        budget_per_s=per,
        budget_in_flight=in_flight,
        retry_ratio=retry_ratio,
    )
    budgets = ("RL201", "RL202", "RL203", "RL204", "RL205")
    found = [f for f in _found(trace, policy, budgets) if f.severity != "note"]
    if retry_ratio is not None:
        found += _errors(trace, policy, "RL113")
    _raise([*found, *_errors(trace, policy, "RL903")])


def assert_all_calls_succeed(trace: Trace) -> None:
    """Fail if a call ended without success.

    Args:
        trace: The trace to judge.

    Raises:
        FindingsError: RL301 found anything, or nothing reached the provider.
    """
    __tracebackhide__ = True
    _raise([*_found(trace, _policy(), ("RL301",)), *_errors(trace, _policy(), "RL903")])


def assert_finishes_within(
    trace: Trace, *, seconds: float | None = None, times_ideal: float | None = None
) -> None:
    """Fail if the job took longer than stated, starved a caller, or did not recover.

    The ideal is the least time in which what was served could have been served: the longest chain
    of one caller's calls, or what the limit needs to admit them all, whichever is longer.

    Args:
        trace: The trace to judge.
        seconds: Most seconds from the first arrival to the last answer, above 0.
        times_ideal: The same as a multiple of the ideal, above 0.

    Raises:
        TypeError: Neither is given.
        ValueError: An argument is not above 0.
        FindingsError: RL302, RL303, RL304 or RL305 found an error or a warning; RL901 if nothing
            was served, so that there is no ideal; or nothing reached the provider.
    """
    __tracebackhide__ = True
    if seconds is None and times_ideal is None:
        raise TypeError("assert_finishes_within(trace) needs seconds= or times_ideal=")
    for name, unit, value in (
        ("seconds", "seconds", seconds),
        ("times_ideal", "multiples of the ideal", times_ideal),
    ):
        if value is not None:
            real_number(name, value, unit, above=0.0)
    policy = Policy(alpha=accepted().alpha, max_makespan_s=seconds, max_times_ideal=times_ideal)
    finishing = ("RL302", "RL303", "RL304", "RL305")
    found = [f for f in _found(trace, policy, finishing) if f.severity != "note"]
    found += _errors(trace, policy, "RL903")
    if not found and times_ideal is not None:
        found = _or_inconclusive(judge(trace, policy), "RL302")
    _raise(found)


def assert_exercised(trace: Trace, *, min_callers: int = 8) -> None:
    """Fail if fewer callers were refused than a verdict on a fleet needs.

    Args:
        trace: The trace to judge.
        min_callers: Callers that must have been refused, at least 1.

    Raises:
        ValueError: `min_callers` is below 1.
        FindingsError: RL902, or RL903 if nothing reached the provider.
    """
    __tracebackhide__ = True
    min_callers = whole_number("min_callers", min_callers)
    _seen(trace)
    if "RL902" in accepted().ignore:
        return
    refused = len({attempt.caller for attempt in trace.refused})
    if refused < min_callers:
        _raise(
            [
                Finding(
                    code="RL902",
                    severity="error",
                    summary=f"{refused} of the {min_callers} callers needed were refused",
                    evidence=(
                        f"{len(trace.callers)} callers made {len(trace.attempts)} attempts.",
                    ),
                    cause="the limit was not met by enough callers to show how a fleet behaves.",
                    remedy="lower the limit, or start more callers together.",
                )
            ]
        )


def _seen(trace: Trace) -> None:
    """Raise RL903 if nothing reached the provider: then nothing else can be said."""
    __tracebackhide__ = True
    _raise(_errors(trace, _policy(), "RL903"))


def _policy() -> Policy:
    """Return the policy of the running test."""
    return Policy(alpha=accepted().alpha)


def _found(trace: Trace, policy: Policy, codes: Iterable[str] | None = None) -> list[Finding]:
    """Return what the checks found and the running test does not accept."""
    ignored = accepted().ignore
    judged = judge(trace, policy)
    wanted = judged if codes is None else [code for code in codes if code in judged]
    return [f for code in wanted for f in judged[code].findings if f.code not in ignored]


def _errors(trace: Trace, policy: Policy, *codes: str) -> list[Finding]:
    """Return the errors among what the named checks found."""
    return [f for f in _found(trace, policy, codes) if f.severity == "error"]


def _policy_findings(trace: Trace, *codes: str) -> list[Finding]:
    """Return errors and warnings of a policy's checks; RL901 if the first could not judge."""
    judged = judge(trace, _policy())
    found = [f for f in _found(trace, _policy(), codes) if f.severity != "note"]
    return found or _or_inconclusive(judged, codes[0])


def _or_inconclusive(judged: dict[str, Judgement], code: str) -> list[Finding]:
    """Return the errors of a check, or RL901 if it could not judge."""
    judgement = judged[code]
    if code in accepted().ignore or (not judgement.judged and "RL901" in accepted().ignore):
        return []
    if not judgement.judged:
        return [inconclusive(code, judgement)]
    return [f for f in judgement.findings if f.severity == "error"]


def _raise(findings: Iterable[Finding]) -> None:
    """Raise the findings, worst first, if there are any."""
    __tracebackhide__ = True
    order = ("error", "warning", "note")
    found = sorted(findings, key=lambda f: (order.index(f.severity), f.code))
    if found:
        raise FindingsError(found)
