"""Assertions: run checks on a trace, and raise what they find."""

from __future__ import annotations

from collections.abc import Iterable

from fake_provider import Trace
from fake_provider._stated import real_number, whole_number
from pytest_ratelimit._accepted import accepted
from pytest_ratelimit._checks import too_few_refused
from pytest_ratelimit._findings import CODES, Finding
from pytest_ratelimit._verdict import Verdict, fail

# Codes that say how much there was to judge; they are not defects of the code under test.
_EVIDENCE = ("RL901", "RL902")
# The one code of a policy that has no assertion of its own: a run that shows none is no verdict.
_GROWTH = "RL106"


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
    fail(failing(Verdict(trace).found(), strict=strict, allow_quiet=allow_quiet))


def failing(found: Iterable[Finding], *, strict: bool, allow_quiet: bool) -> list[Finding]:
    """Return the findings that a verdict fails on.

    Args:
        found: The findings that are not accepted.
        strict: True fails on warnings too.
        allow_quiet: True accepts that nothing was refused (RL902).
    """
    severities = ("error", "warning") if strict else ("error",)
    return [
        finding
        for finding in found
        if (finding.code == "RL902" and not allow_quiet)
        or (finding.code != "RL902" and finding.severity in severities)
    ]


def assert_no(trace: Trace, *codes: str) -> None:
    """Fail if one of the checks named finds anything, whatever its severity but a note.

    Whoever names RL122 declares that the code under test is meant to retry refusals.

    Args:
        trace: The trace to judge.
        *codes: Codes such as `"RL112"`; at least one.

    Raises:
        TypeError: No code is given.
        ValueError: A code is unknown, or it is RL901 or RL902.
        FindingsError: One of the checks found an error or a warning; RL901 if RL106 is named and
            there was too little to judge it; RL903 if nothing reached the provider.
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
    verdict = Verdict(trace, retries_declared="RL122" in codes or None)
    verdict.require_attempts()
    unjudged = verdict.inconclusive(_GROWTH) if _GROWTH in codes else []
    fail(verdict.defects(*codes) or unjudged)


def assert_retries_spread(trace: Trace) -> None:
    """Fail if retries of different callers arrived together and were refused together.

    Passes when nothing was refused: this is an assertion on the outcome.

    Args:
        trace: The trace to judge.

    Raises:
        FindingsError: RL101 or RL104 found an error, or nothing reached the provider.
    """
    __tracebackhide__ = True
    fail(Verdict(trace).errors("RL101", "RL104", "RL903"))


def assert_jittered(trace: Trace) -> None:
    """Fail if the delays before the k-th retry do not vary from call to call.

    Args:
        trace: The trace to judge.

    Raises:
        FindingsError: RL102 or RL104 found an error or a warning; RL901 if there were too few
            retries to tell.
    """
    __tracebackhide__ = True
    verdict = Verdict(trace)
    verdict.require_attempts()
    fail(verdict.defects("RL102", "RL104") or verdict.inconclusive("RL102"))


def assert_retry_after_respected(trace: Trace) -> None:
    """Fail if a retry came before the hint allowed, or a call ended before its cost could fit.

    Args:
        trace: The trace to judge.

    Raises:
        FindingsError: RL103 or RL105 found an error; RL901 if no retry followed a hint.
    """
    __tracebackhide__ = True
    verdict = Verdict(trace)
    verdict.require_attempts()
    early = verdict.defects("RL103") or verdict.inconclusive("RL103")
    fail([*early, *verdict.errors("RL105")])


def assert_attempts_bounded(trace: Trace, *, max_attempts: int | None = None) -> None:
    """Fail if a call made more attempts than the bound, by one layer or by several stacked ones.

    Args:
        trace: The trace to judge.
        max_attempts: Most attempts that a call may make, at least 2; None for the running test's
            policy, which is 10 by default.

    Raises:
        ValueError: `max_attempts` is below 2.
        FindingsError: RL111, RL112, RL113 or RL114 found an error; RL901 if no call was given up,
            so that the bound was never met.
    """
    __tracebackhide__ = True
    if max_attempts is not None:
        max_attempts = whole_number("max_attempts", max_attempts, at_least=2)
    verdict = Verdict(trace, max_attempts=max_attempts)
    verdict.require_attempts()
    found = verdict.errors("RL111", "RL112", "RL113", "RL114")
    fail([*found, *verdict.inconclusive("RL111")])


def assert_within_budget(
    trace: Trace,
    *,
    tokens: float | None = None,
    per: float | None = None,
    in_flight: float | None = None,
    retry_ratio: float | None = None,
) -> None:
    """Fail if demand exceeded a budget in any window; the limits are the budget if none is stated.

    Args:
        trace: The trace to judge.
        tokens: Most tokens demanded in any `per` seconds.
        per: Seconds, above 0; None for the running test's policy, which is 60 by default.
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
    verdict = Verdict(
        trace,
        budget_tokens=tokens,
        budget_per_s=per,
        budget_in_flight=in_flight,
        retry_ratio=retry_ratio,
    )
    found = verdict.defects("RL201", "RL202", "RL203", "RL204", "RL205")
    if retry_ratio is not None:
        found += verdict.errors("RL113")
    fail([*found, *verdict.errors("RL903")])


def assert_all_calls_succeed(trace: Trace) -> None:
    """Fail if a call ended without success.

    Args:
        trace: The trace to judge.

    Raises:
        FindingsError: RL301 found anything, or nothing reached the provider.
    """
    __tracebackhide__ = True
    fail(Verdict(trace).found("RL301", "RL903"))


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
    verdict = Verdict(trace, max_makespan_s=seconds, max_times_ideal=times_ideal)
    found = verdict.defects("RL302", "RL303", "RL304", "RL305", "RL903")
    if not found and times_ideal is not None:
        found = verdict.inconclusive("RL302")
    fail(found)


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
    Verdict(trace).require_attempts()
    if "RL902" in accepted().ignore:
        return
    refused = len({attempt.caller for attempt in trace.refused})
    if refused < min_callers:
        fail([too_few_refused(trace, refused, min_callers)])
