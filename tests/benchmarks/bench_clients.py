"""CPU time of building an SDK's client under a provider, in parts of what it takes without one.

Run from the checkout: `python -m tests.benchmarks.bench_clients [--rounds 15]`. Rounds alternate;
figures are medians. Nearly all of the time without a provider is the reading of certificates.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

import anthropic
import groq
import openai

from fake_provider import FakeProvider

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET = 0.05
CLIENTS: dict[str, Callable[[], object]] = {
    "anthropic": lambda: anthropic.Anthropic(api_key="k"),
    "openai": lambda: openai.OpenAI(api_key="k"),
    "groq": lambda: groq.Groq(api_key="k"),
}


def spent_ms(build: Callable[[], object]) -> float:
    """Return the CPU milliseconds of building one client."""
    began = time.process_time()
    build()
    return (time.process_time() - began) * 1e3


def main() -> None:
    """Print the figures beside their target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    for name, build in CLIENTS.items():
        real, faked = [], []
        with FakeProvider():
            build()  # the first of a process finds out what is to be deferred
        for _ in range(rounds):
            real.append(spent_ms(build))
            with FakeProvider():
                faked.append(spent_ms(build))
        ours, theirs = statistics.median(faked), statistics.median(real)
        print(f"{name:10} {ours:6.2f} of {theirs:6.2f} ms  {ours / theirs:.3f} (target {TARGET})")


if __name__ == "__main__":
    main()
