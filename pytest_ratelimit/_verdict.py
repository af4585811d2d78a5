"""Verdict: what the checks found in a trace, less what the running test accepts."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from typing import Any

from fake_provider import Trace
from pytest_ratelimit._accepted import accepted
from pytest_ratelimit._checks import expect, inconclusive
from pytest_ratelimit._findings import SEVERITIES, Finding, FindingsError
from pytest_ratelimit._tolerance import judged

# A search over many examples looks for the unlikely one: each is judged that much stricter.
SEARCHED = 1_000


class Verdict:
    """What the checks found in a trace, judged once by the running test's policy.

    Inside Hypothesis's `@given` statistical checks are judged at alpha / `SEARCHED`.

    Args:
        trace: The trace to judge.
        **thresholds: Fields of the policy that the assertion states; one that is None is left to
            the running test.

    Raises:
        TypeError: `trace` is no trace.
    """

    def __init__(self, trace: Trace, **thresholds: Any) -> None:
        __tracebackhide__ = True
        test = accepted()
        stated = {name: value for name, value in thresholds.items() if value is not None}
        self._ignored = test.ignore
        policy = dataclasses.replace(test.judged_by, **stated)
        expect(trace, policy)
        if _is_searched():
            policy = dataclasses.replace(policy, alpha=policy.alpha_for(trace) / SEARCHED)
        self.alpha = policy.alpha_for(trace)
        self._judged = judged(trace, policy)

    def found(self, *codes: str) -> list[Finding]:
        """Return the findings of these codes, or of all, that the test does not accept."""
        return [
            finding
            for code in codes or self._judged
            for finding in self._judged[code].findings
            if code not in self._ignored
        ]

    def errors(self, *codes: str) -> list[Finding]:
        """Return the errors of these codes."""
        return [finding for finding in self.found(*codes) if finding.severity == "error"]

    def defects(self, *codes: str) -> list[Finding]:
        """Return the errors and warnings of these codes."""
        return [finding for finding in self.found(*codes) if finding.severity != "note"]

    def inconclusive(self, *codes: str) -> list[Finding]:
        """Return RL901 for each of these codes that there was too little evidence to judge."""
        if "RL901" in self._ignored:
            return []
        return [
            inconclusive(code, self._judged[code])
            for code in codes
            if code not in self._ignored and not self._judged[code].judged
        ]

    def require_attempts(self) -> None:
        """Raise RL903 if nothing reached the provider: then nothing else can be said."""
        __tracebackhide__ = True
        fail(self.errors("RL903"))


def _is_searched() -> bool:
    """Return True if the trace is that of an example that Hypothesis made."""
    hypothesis = sys.modules.get("hypothesis")
    return hypothesis is not None and bool(hypothesis.currently_in_test_context())


def fail(findings: Iterable[Finding]) -> None:
    """Raise the findings, worst first, if there are any."""
    __tracebackhide__ = True
    found = sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), f.code))
    if found:
        raise FindingsError(found)
