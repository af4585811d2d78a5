"""Command: `fake-provider run ... -- COMMAND`, a command in any language against the provider."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from fake_provider._cli._flags import add_flags, provider_of
from fake_provider._standalone import standalone

ABOUT = "run a command whose SDKs are pointed at the provider, and judge what it sent"
JUDGE = "pytest_ratelimit"
_NOT_FOUND, _NOT_RUNNABLE, _BY_SIGNAL = 127, 126, 128


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.usage = "fake-provider run [flags] [--check] -- COMMAND [ARGUMENT ...]"
    add_flags(parser)
    judge = parser.add_argument_group("the judge")
    judge.add_argument("--check", action="store_true", help="judge the trace; exit 1 on findings")
    judge.add_argument("--strict", action="store_true", help="fail on warnings too")
    judge.add_argument("--allow-quiet", action="store_true", help="accept that nothing was refused")
    judge.add_argument("--alpha", metavar="P", help="rate of false alarms; 1e-3")
    judge.add_argument(
        "--ignore", metavar="CODE:REASON", action="append", default=[], help="accept a code"
    )


def main(options: argparse.Namespace) -> int:
    """Run the command; return its status, or 1 on findings, or 2 where it could not go on."""
    # A server starts without what only this command needs.
    import importlib.util
    import tempfile

    if not options.words:
        print("fake-provider run: no command: put it after --", file=sys.stderr)
        return 2
    if options.check and importlib.util.find_spec(JUDGE) is None:
        print(f"fake-provider run: --check needs {JUDGE}, which is not installed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(options.trace or Path(folder) / "trace.jsonl")
        try:
            provider = provider_of(options)
            with standalone(provider, options.host, options.port, trace, anew=True):
                status = _run(options.words, {**provider.env, **_no_proxy()})
        except (ImportError, OSError, TypeError, ValueError) as error:
            print(f"fake-provider run: {error}", file=sys.stderr)
            return 2
        verdict = _judge(trace, options) if options.check else 0
    if provider.trace.stopped:
        print(f"fake-provider run: the run was stopped: {provider.trace.stopped}", file=sys.stderr)
    return status or verdict or (2 if provider.trace.stopped else 0)


def _run(words: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command with variables of ours; return its status as a shell would."""
    import subprocess

    try:
        command = subprocess.Popen(  # noqa: S603  (the user's own command)
            list(words), env={**os.environ, **variables}
        )
    except FileNotFoundError:
        print(f"fake-provider run: {words[0]}: command not found", file=sys.stderr)
        return _NOT_FOUND
    except PermissionError:
        print(f"fake-provider run: {words[0]}: cannot be run", file=sys.stderr)
        return _NOT_RUNNABLE

    def pass_on(number: int, _frame: FrameType | None) -> None:
        command.send_signal(number)

    # A terminal's Ctrl-C reaches the command as well: it decides, and is waited for.
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN)}
    before[signal.SIGTERM] = signal.signal(signal.SIGTERM, pass_on)
    try:
        status = command.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else _BY_SIGNAL - status


def _no_proxy() -> dict[str, str]:
    """Return the variables that keep clients from asking a proxy for this machine."""
    before = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    hosts = ",".join(filter(None, (before, "127.0.0.1", "localhost", "::1")))
    return {"NO_PROXY": hosts, "no_proxy": hosts}


def _judge(trace: Path, options: argparse.Namespace) -> int:
    """Judge a trace's file in a process of its own, whose words go where the log goes."""
    import subprocess

    words = [sys.executable, "-m", JUDGE, "check", str(trace)]
    words += [f"--ignore={each}" for each in options.ignore]
    words += [f"--alpha={options.alpha}"] if options.alpha else []
    words += ["--strict"] if options.strict else []
    words += ["--allow-quiet"] if options.allow_quiet else []
    judged = subprocess.run(words, stdout=sys.stderr, check=False)  # noqa: S603  (our own)
    return judged.returncode
