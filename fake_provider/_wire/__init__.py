"""Wire: one file per dialect: parse a request; render an answer, a stream, a refusal."""

from __future__ import annotations

from fake_provider._wire._dialects import DIALECTS, Dialect, variables

__all__ = ["DIALECTS", "Dialect", "variables"]
