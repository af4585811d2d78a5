"""Reports: what was found in a run, from one model, for terminals, files and other plugins."""

from __future__ import annotations

from pytest_ratelimit._report._summary import Summary
from pytest_ratelimit._report._verdict import Judged, Verdict

__all__ = ["Judged", "Summary", "Verdict"]
