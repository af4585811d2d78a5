"""Summary: the verdicts of a run, and what kept others from being reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pytest_ratelimit._findings import SEVERITIES, Finding
from pytest_ratelimit._report._verdict import Verdict

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What was found in a run.

    Args:
        verdicts: One for each test that sent a request or should have, by name.
        quiet: Tests in which the provider was open because of `ratelimit_autouse`, and that sent
            nothing.
        gate: True if errors fail.
        strict: True if warnings fail too.
        notes: What the reader must know beside: crashed workers, an interrupted run.
    """

    verdicts: tuple[Verdict, ...] = ()
    quiet: int = 0
    gate: bool = False
    strict: bool = False
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, verdicts: Iterable[Verdict], **stated: Any) -> Summary:
        """Return the summary of verdicts in any order.

        Args:
            verdicts: One for each test; those of tests that sent nothing and found nothing only
                count.
            **stated: The other fields.
        """
        by_name = sorted(verdicts, key=lambda verdict: verdict.nodeid)
        told = tuple(v for v in by_name if v.attempts or v.findings)
        return cls(verdicts=told, quiet=len(by_name) - len(told), **stated)

    @property
    def has_data(self) -> bool:
        """True if any test sent a request."""
        return any(verdict.attempts for verdict in self.verdicts)

    @property
    def headline(self) -> str:
        """One line: how much was judged, and what came of it; no data is never a clean run."""
        if not self.has_data:
            return f"No data: no test sent a request through fake_provider{self._silent()}."
        attempts = sum(v.attempts for v in self.verdicts)
        refused = sum(v.refused for v in self.verdicts)
        seen = (
            f"{_many(len(self.verdicts), 'test')} judged, {_many(attempts, 'attempt')}, "
            f"{refused:,} refused"
        )
        counts = self.counts()
        found = [_many(counts[word], word) for word in SEVERITIES if counts[word]]
        if counts["accepted"]:
            found.append(f"{counts['accepted']:,} accepted")
        return f"{seen}: {', '.join(found) or 'nothing found'}."

    def counts(self) -> dict[str, int]:
        """Return how many findings there are of each severity, and how many are accepted."""
        found = Counter(finding.severity for v in self.verdicts for finding in v.open)
        accepted = sum(judged.accepted is not None for v in self.verdicts for judged in v.findings)
        return {**{word: found[word] for word in SEVERITIES}, "accepted": accepted}

    def listed(self) -> list[tuple[Verdict, list[Finding]]]:
        """Return the tests with errors or warnings that are not accepted, and these."""
        rows = [(v, [f for f in v.open if f.severity != "note"]) for v in self.verdicts]
        return [(verdict, findings) for verdict, findings in rows if findings]

    def remarks(self) -> list[str]:
        """Return a line for each code that is only noted, with the number of its tests."""
        tests: Counter[tuple[str, str]] = Counter()
        for verdict in self.verdicts:
            tests.update({(f.code, f.name) for f in verdict.open if f.severity == "note"})
        return [f"{code} {name}: {_many(n, 'test')}" for (code, name), n in sorted(tests.items())]

    def row(self) -> dict[str, Any]:
        """Return the summary as the values of its JSON object."""
        return {
            "version": VERSION,
            "gate": self.gate,
            "strict": self.strict,
            "headline": self.headline,
            "notes": list(self.notes),
            "totals": {
                "tests": len(self.verdicts),
                "tests_without_requests": self.quiet,
                "calls": sum(v.calls for v in self.verdicts),
                "attempts": sum(v.attempts for v in self.verdicts),
                "retries": sum(v.retries for v in self.verdicts),
                "refused": sum(v.refused for v in self.verdicts),
                **{f"{name}s" if name in SEVERITIES else name: n for name, n in self._counted()},
            },
            "tests": [verdict.row() for verdict in self.verdicts],
        }

    def _counted(self) -> list[tuple[str, int]]:
        """Return the counts in their documented order."""
        return list(self.counts().items())

    def _silent(self) -> str:
        """Say how many tests had the provider open for nothing."""
        return f" ({_many(self.quiet, 'test')} had it open)" if self.quiet else ""


def _many(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
