"""The incident as application code, broken and repaired, on the real SDK and real tenacity.

Nothing in `orchestrator`, `broken` and `repaired` knows of a fake provider.
"""

__all__: list[str] = []
