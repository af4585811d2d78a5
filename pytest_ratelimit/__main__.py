"""The shell command `pytest-ratelimit`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fake_provider._pipe import until_left
from pytest_ratelimit._audit import command as audit
from pytest_ratelimit._commands import _check, _compare, _explain
from pytest_ratelimit._commands._files import UsageError
from pytest_ratelimit._demo import command as demo

COMMANDS = {"check": _check, "compare": _compare, "explain": _explain}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status.

    Args:
        arguments: Words after the command's name; those of the process if None.
    """
    parser = argparse.ArgumentParser(
        prog="pytest-ratelimit", description="Judge how a fleet of clients behaves at a rate limit."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    about = "replay the incident that this project exists for: no limit, broken, repaired"
    demo.configure(commands.add_parser("demo", help=about, description=about))
    about = "say what the retry policy of a callable, a policy object or an SDK client is"
    audit.configure(commands.add_parser("audit", help=about, description=about))
    for name, module in COMMANDS.items():
        module.configure(commands.add_parser(name, help=module.ABOUT, description=module.ABOUT))
    options = parser.parse_args(arguments)
    mains = {"demo": demo.main, "audit": audit.main}
    mains |= {name: module.main for name, module in COMMANDS.items()}
    try:
        return until_left(lambda: mains[options.command](options))
    except UsageError as error:
        print(f"pytest-ratelimit {options.command}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
