"""JSON: the report that programs read."""

from __future__ import annotations

import json

from pytest_ratelimit._report._summary import Summary


def render(summary: Summary) -> str:
    """Return the summary as one JSON object.

    Args:
        summary: What was found.
    """
    return json.dumps(summary.row(), indent=2) + "\n"
