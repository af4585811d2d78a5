"""Flags: the marker's keywords as flags of the command line, and the provider that they state."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, get_args

from fake_provider._hints import SentForm
from fake_provider._hosts import LOCAL
from fake_provider._limits import ALGORITHMS
from fake_provider._provider import FakeProvider

_INT, _FLOAT, _WORD = int, float, str
# Keyword, how its value is read, what stands for it in the help, and what it says.
_FLAGS: tuple[tuple[str, Callable[[str], Any], str, str], ...] = (
    ("tokens_per_minute", _INT, "N", "tokens of input and output together, per 60 s"),
    ("input_tokens_per_minute", _INT, "N", "input tokens per 60 s"),
    ("output_tokens_per_minute", _INT, "N", "output tokens per 60 s"),
    ("requests_per_minute", _INT, "N", "requests per 60 s"),
    ("requests_per_day", _INT, "N", "requests per 86,400 s"),
    ("tokens_per_day", _INT, "N", "tokens per 86,400 s"),
    ("concurrent_requests", _INT, "N", "requests in flight"),
    ("count_tokens_per_minute", _INT, "N", "requests for a token count per 60 s"),
    ("window", _FLOAT, "SECONDS", "over which the rates per minute are enforced; 60"),
    ("algorithm", _WORD, "NAME", f"{' or '.join(ALGORITHMS)}; {ALGORITHMS[0]}"),
    ("burst", _INT, "N", "capacity of the token bucket"),
    ("floor", _INT, "N", "how far refusals can overdraw the bucket, 0 or below"),
    ("charge_rejected", _FLOAT, "SHARE", "of its cost that a refused attempt is charged; 0"),
    ("preset", _WORD, "NAME", "published limits, such as anthropic-build"),
    ("tokens_per_request", _INT, "N", "tokens that a request costs; characters / 4 plus output"),
    ("output_tokens", _INT, "N", "output tokens of an answer; 50"),
    ("cached_tokens", _INT, "N", "input tokens of a request that come from a cache; 0"),
    ("cache_written_tokens", _INT, "N", "input tokens of a request written to a cache; 0"),
    ("estimated_tokens", _INT, "N", "input tokens that are estimated at admission"),
    ("latency", _FLOAT, "SECONDS", "service time; 0.5"),
    ("hint", _WORD, "FORM", f"of the wait that a refusal names: {', '.join(get_args(SentForm))}"),
    ("seed", _INT, "N", "of ids and service times; 0"),
    ("dialect", _WORD, "NAME", "of every host and path; by path otherwise"),
    ("ledger", _WORD, "URL", "Redis that keeps what is charged, for servers that share limits"),
    ("lost_ledger", _WORD, "WHAT", "while it cannot be asked: refuse (503) or stop; refuse"),
    ("hosts", _WORD, "HOST=DIALECT", "a further host to answer; may be given again"),
)
# Keywords that mean nothing to a server: it reaches no host, and its time is real.
NOT_FLAGS = ("allow_hosts", "clock", "door", "schedule", "start", "stop_after", "strict_clock")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the provider's flags, and those of its server."""
    limits = parser.add_argument_group("the provider (the keywords of @pytest.mark.ratelimit)")
    for name, read, meta, text in _FLAGS:
        flag = f"--{name.replace('_', '-')}"
        action = "append" if name == "hosts" else "store"
        limits.add_argument(flag, type=read, metavar=meta, help=text, action=action)
    server = parser.add_argument_group("the server")
    server.add_argument("--host", default=LOCAL, help=f"address to listen on; {LOCAL}")
    server.add_argument("--port", type=int, default=0, help="port to listen on; a free one")
    server.add_argument("--trace", metavar="FILE", help="write each attempt to FILE as it ends")


def provider_of(options: argparse.Namespace) -> FakeProvider:
    """Return the provider that the flags state, with the door "server" on the real clock.

    Raises:
        TypeError: A value is of the wrong type.
        ValueError: A value is out of its range; the message names it and what is allowed.
    """
    stated = {name: getattr(options, name) for name, *_ in _FLAGS}
    settings = {name: value for name, value in stated.items() if value is not None}
    if "hosts" in settings:
        settings["hosts"] = dict(_pair(text) for text in settings["hosts"])
    return FakeProvider(**settings, door="server", clock="real")


def _pair(text: str) -> tuple[str, str]:
    """Return a host and its dialect."""
    host, equals, dialect = text.partition("=")
    if not equals:
        raise ValueError(f"hosts must be HOST=DIALECT, such as llm.corp=openai, got {text!r}")
    return host, dialect


def keywords() -> list[str]:
    """Return the keywords that are flags or are stated not to be, for the tests to compare."""
    return [*(name for name, *_ in _FLAGS), *NOT_FLAGS]
