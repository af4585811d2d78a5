"""The shell command `fake-provider`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fake_provider._presets import Preset, presets


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status.

    Args:
        arguments: Words after the command's name; those of the process if None.
    """
    parser = argparse.ArgumentParser(
        prog="fake-provider", description="A fake LLM provider that enforces a rate limit."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    about = "list the published limits that the keyword preset knows"
    commands.add_parser("presets", help=about, description=about)
    parser.parse_args(arguments)
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


if __name__ == "__main__":
    sys.exit(main())
