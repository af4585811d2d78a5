"""Command: `fake-provider serve`, the provider for clients in other processes."""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys

from fake_provider._cli._flags import add_flags, provider_of
from fake_provider._standalone import standalone

ABOUT = "serve until stopped; print one JSON line with base_url, env and pid when listening"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    add_flags(parser)


def main(options: argparse.Namespace) -> int:
    """Serve until a signal comes; return 0, or 2 where that could not begin."""
    _allow_connections()
    # Blocked before any thread starts, so that they reach nobody but who waits for them below.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        provider = provider_of(options)
        with standalone(provider, options.host, options.port, options.trace):
            line = {"base_url": provider.base_url, "env": provider.env, "pid": os.getpid()}
            print(json.dumps(line), flush=True)
            signal.sigwait(_SIGNALS)
            # Whoever asks again does not want to wait.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    except (ImportError, OSError, TypeError, ValueError) as error:
        print(f"fake-provider serve: {error}", file=sys.stderr)
        return 2
    return 0


def _allow_connections() -> None:
    """Raise this process's bound on open files to what the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
