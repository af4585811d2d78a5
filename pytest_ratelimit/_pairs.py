"""Pairs: `key: value` lines, as settings and command lines state them."""

from __future__ import annotations

from collections.abc import Iterable


def pairs(lines: Iterable[str], form: str) -> dict[str, str]:
    """Return `key: value` lines as a mapping, the form in which codes are accepted.

    Args:
        lines: The lines, such as `"RL301: the job sheds load"`.
        form: What they must be, for the error.

    Raises:
        ValueError: A line has no colon.
    """
    found = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"{form}, got {line!r}")
        found[key.strip()] = value.strip()
    return found
