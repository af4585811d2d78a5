"""The shell command `fake-provider`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fake_provider._cli import _list_presets, _run, _serve
from fake_provider._pipe import until_left

COMMANDS = {"serve": _serve, "run": _run, "presets": _list_presets}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status.

    Args:
        arguments: Words after the command's name; those of the process if None.
    """
    options = options_of(list(sys.argv[1:] if arguments is None else arguments))
    return until_left(lambda: COMMANDS[options.command].main(options))


def options_of(words: list[str]) -> argparse.Namespace:
    """Return what a command line says; what stands behind `--` as `words`."""
    own, after = words, list[str]()
    if "--" in words:
        at = words.index("--")
        own, after = words[:at], words[at + 1 :]
    parser = argparse.ArgumentParser(
        prog="fake-provider", description="A fake LLM provider that enforces its rate limit."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        command.configure(commands.add_parser(name, help=command.ABOUT, description=command.ABOUT))
    options = parser.parse_args(own)
    options.words = after
    return options


if __name__ == "__main__":
    sys.exit(main())
