"""Anthropic's models on other providers' clouds: whose model it is, and what it is asked.

Source: the clients AnthropicBedrock and AnthropicVertex of anthropic 2.13, and
platform.claude.com/docs/en/build-with-claude; read 2026-11-25.
"""

from __future__ import annotations

import re

# A model as a cloud names it: the region and the maker before it, the version after it.
_NAME = re.compile(r"(claude-[a-z0-9.-]+?)(?:-v\d+(?::\d+)?)?$")


def own_name(model: str) -> str:
    """Return a model's name as Anthropic has it, such as `claude-sonnet-4-5-20250929`.

    Args:
        model: The name on a cloud, such as `us.anthropic.claude-sonnet-4-5-20250929-v1:0` or
            `claude-sonnet-4-5@20250929`; a name that is not Claude's stays as it is.
    """
    found = _NAME.search(model.replace("@", "-"))
    return found[1] if found else model
