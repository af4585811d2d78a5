"""`fake-provider presets`: the published limits that the keyword `preset` knows."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fake_provider._presets import Preset

ABOUT = "list the published limits that the keyword preset knows"


def configure(parser: argparse.ArgumentParser) -> None:
    """Take no option."""


def main(options: argparse.Namespace) -> int:  # noqa: ARG001
    """Print every preset and return the exit status."""
    # The other commands start without them.
    from fake_provider._presets import presets

    print("\n\n".join(map(_described, presets())))
    return 0


def _described(preset: Preset) -> str:
    """Return a preset as lines: name, what it is, its limits, and where they were read."""
    shown = [f"    {limit}" for limit in map(str, preset.limits)]
    return "\n".join(
        [
            f"{preset.name}: {preset.about}",
            *shown,
            f"    from {preset.source}, read {preset.date}",
        ]
    )
