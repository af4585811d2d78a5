"""Gate: judges each test's trace at the end of its call, as a plugin of its own."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from fake_provider import Trace
from pytest_ratelimit._baseline import REASON, Baseline
from pytest_ratelimit._checks._text import many
from pytest_ratelimit._findings import FindingsError
from pytest_ratelimit._fixture import OPENED, Opened
from pytest_ratelimit._options import Options
from pytest_ratelimit._report import Judged, Verdict
from pytest_ratelimit._tolerance import check

# Codes that say how much there was to judge; they are listed and do not fail a test.
_EVIDENCE = ("RL901", "RL902")
# The attribute of a test's report that carries its verdict from a worker to its controller.
CARRIED = "ratelimit_verdict"
SECTION = "ratelimit findings"

_verdict = pytest.StashKey[Verdict]()


class Gate:
    """Hooks that judge; registered only where something asks for a verdict.

    Args:
        options: How to judge.
        baseline: What is accepted until it is repaired.
    """

    def __init__(self, options: Options, baseline: Baseline) -> None:
        self._options = options
        self._baseline = baseline

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Judge what the test has sent; its own failure wins."""
        if _verdict in item.stash:  # that of an earlier run of the same test
            del item.stash[_verdict]
        try:
            result = yield
        except (KeyboardInterrupt, SystemExit, pytest.exit.Exception):
            raise
        except BaseException:
            self._judge(item)
            raise
        message = self._complaint(self._judge(item))
        if message:
            # Outside the except block, so that no other error stands above the message.
            pytest.fail(message, pytrace=False)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the verdict travel on the report, to whoever reads it."""
        report = yield
        verdict = item.stash.get(_verdict, None)
        if verdict is None:
            return report
        if report.when == "call":
            setattr(report, CARRIED, verdict.dump())
            text = _beside(verdict, None if call.excinfo is None else call.excinfo.value)
            if text:
                report.sections.append((SECTION, text))
        elif report.when == "teardown":
            late = item.stash[OPENED].provider.trace.attempts[verdict.attempts :]
            if late:
                report.sections.append(("ratelimit attempts after the test", _late(late)))
        return report

    def _judge(self, item: pytest.Item) -> Verdict | None:
        """Judge a snapshot of the trace, and note it on the test; None without a provider."""
        opened = item.stash.get(OPENED, None)
        if opened is None:
            return None
        trace = opened.provider.trace
        findings = self._findings(item.nodeid, trace, opened)
        pictures = ""
        if self._options.pictures and trace.attempts:
            from pytest_ratelimit._report._pictures import draw

            pictures = draw(trace, [judged.finding for judged in findings], item.nodeid)
        verdict = Verdict.of(item.nodeid, trace, findings, pictures)
        item.stash[_verdict] = verdict
        _state(item, verdict)
        return verdict

    def _findings(self, nodeid: str, trace: Trace, opened: Opened) -> tuple[Judged, ...]:
        """Return what the checks find, each with the reason why it is accepted, if it is."""
        if not (trace.attempts or trace.elsewhere or opened.asked_for):
            return ()  # opened by ratelimit_autouse in a test that has nothing to do with it
        accepts = opened.accepts
        judged = []
        for finding in check(trace, accepts.judged_by):
            reason = accepts.ignore.get(finding.code)
            if reason is None and self._baseline.accepts(nodeid, finding.code):
                reason = REASON
            judged.append(Judged.of(finding, trace, reason))
        return tuple(judged)

    def _complaint(self, verdict: Verdict | None) -> str:
        """Return the text of a test's failure; empty if it passes the gate."""
        options = self._options
        if verdict is None or not options.gate or options.write_baseline:
            return ""
        failing = [f for f in verdict.failing(strict=options.strict) if f.code not in _EVIDENCE]
        return str(FindingsError(failing)) if failing else ""


def _beside(verdict: Verdict, failure: BaseException | None) -> str:
    """Return the findings that the failure of the test does not show itself."""
    shown = "" if failure is None else str(failure)
    return "\n\n".join(str(f) for f in verdict.open if f.title not in shown)


def _late(attempts: tuple[Any, ...]) -> str:
    """Say what reached the provider after the verdict."""
    refused = sum(attempt.refused for attempt in attempts)
    return (
        f"{many(len(attempts), 'attempt')} reached the provider after the test had ended, from "
        f"t={attempts[0].arrived_at:.3f} s; {refused:,} of them were refused. The gate judges "
        "what was sent up to the test's end."
    )


def _state(item: pytest.Item, verdict: Verdict) -> None:
    """Put the figures among the test's properties, in place of those of an earlier run."""
    codes = " ".join(dict.fromkeys(finding.code for finding in verdict.open))
    figures = {
        "ratelimit_attempts": verdict.attempts,
        "ratelimit_refused": verdict.refused,
        "ratelimit_findings": codes,
    }
    kept = [pair for pair in item.user_properties if pair[0] not in figures]
    item.user_properties[:] = [*kept, *figures.items()]
