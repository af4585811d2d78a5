"""Baseline: the findings that a project accepts until they are repaired."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_ratelimit._findings import CODES
from pytest_ratelimit._report import Verdict

VERSION = 1
REASON = "in the baseline"


@dataclass(frozen=True, slots=True)
class Baseline:
    """Codes that are accepted, by test.

    Args:
        codes: Codes of errors and warnings by the test's name.
    """

    codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def accepts(self, nodeid: str, code: str) -> bool:
        """Tell whether a code is accepted in a test."""
        return code in self.codes.get(nodeid, ())

    def replaced_by(self, verdicts: Iterable[Verdict]) -> Baseline:
        """Return the baseline that accepts what was found, and keeps tests that did not run.

        Args:
            verdicts: The verdicts of the tests that ran.
        """
        codes = dict(self.codes)
        for verdict in verdicts:
            codes.pop(verdict.nodeid, None)
            found = sorted(
                {
                    judged.finding.code
                    for judged in verdict.findings
                    if judged.accepted in (None, REASON)
                    and judged.finding.severity != "note"
                    and CODES[judged.finding.code].accept != ""
                }
            )
            if found:
                codes[verdict.nodeid] = tuple(found)
        return Baseline(codes)

    def repaired(self, verdicts: Iterable[Verdict]) -> list[str]:
        """Return what is accepted and was not found again, as `"RL101 in test_a.py::test_x"`.

        Args:
            verdicts: The verdicts of the tests that ran.
        """
        return [
            f"{code} in {verdict.nodeid}"
            for verdict in verdicts
            for code in self.codes.get(verdict.nodeid, ())
            if code not in {judged.finding.code for judged in verdict.findings}
        ]

    def dump(self, path: Path) -> None:
        """Write the baseline, one line a test, so that a change of it reads well.

        Raises:
            OSError: The file cannot be written.
        """
        tests = {name: list(self.codes[name]) for name in sorted(self.codes)}
        rows = [f"    {json.dumps(name)}: {json.dumps(own)}" for name, own in tests.items()]
        body = "{\n" + ",\n".join(rows) + "\n  }" if rows else "{}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{{\n  "version": {VERSION},\n  "tests": {body}\n}}\n', encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Baseline:
        """Read a baseline; a file that is not there accepts nothing.

        Raises:
            ValueError: The file is no baseline; the message says what one is.
        """
        if not path.is_file():
            return cls()
        form = f'{path} is no baseline: {{"version": {VERSION}, "tests": {{"test": ["RL101"]}}}}'
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
            version, tests = row["version"], row["tests"]
            codes = {str(name): tuple(own) for name, own in tests.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(form) from None
        unknown = sorted({code for own in codes.values() for code in own} - set(CODES))
        if version != VERSION or unknown:
            raise ValueError(f"{form}; unknown: {', '.join(unknown) or f'version {version}'}")
        return cls(codes)

    def __len__(self) -> int:
        return sum(map(len, self.codes.values()))
