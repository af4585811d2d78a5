"""The page of popular policies is what its script writes."""

from __future__ import annotations

import importlib.metadata

import pytest

for library in ("aiolimiter", "backoff", "limits", "pyrate_limiter", "stamina"):
    pytest.importorskip(library, reason="see tests/policy_table.py for what the table needs")

from tests.policy_table import LIBRARIES, PAGE, page  # noqa: E402 - after the check above


@pytest.mark.slow
def test_the_page_is_what_the_script_writes() -> None:
    """Every verdict in the table comes of running the policy, with the versions that are named."""
    written = PAGE.read_text(encoding="utf-8")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES]
    if any(version not in written for version in versions):
        pytest.skip(f"the page is of other versions than {', '.join(versions)}")
    assert page() == written
