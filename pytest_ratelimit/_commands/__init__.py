"""The subcommands of `pytest-ratelimit`, one a module: `configure(parser)` and `main(options)`."""

from __future__ import annotations

__all__: list[str] = []
