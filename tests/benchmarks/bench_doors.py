"""CPU per call of the in-process doors, against a bare MockTransport with a canned response.

Run from the checkout: `python -m tests.benchmarks.bench_doors [--rounds 15] [--calls 150]`.
A round makes all calls of all ways, in small batches in random order, so that a busy machine
slows them alike; figures are medians over rounds of the CPU time of the whole process.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import operator
import random
import statistics
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anthropic
import openai

from fake_provider import FakeProvider
from fake_provider._intercept import intercept
from tests.fake_provider import clients
from tests.fake_provider.stub_provider import COMPLETION, MESSAGE, StubProvider, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BATCH = 10
TARGETS = {"mock": 1.0, "transport": 1.10, "respx": 1.25}
BODIES = {"anthropic": MESSAGE, "openai": COMPLETION}
CALLS = {
    "anthropic": (clients.anthropic_text, clients.anthropic_async_text),
    "openai": (clients.openai_text, clients.openai_async_text),
}


@contextmanager
def build_provider(sdk: str, *, stub: bool) -> Iterator[Any]:
    """Open the provider to measure, which answers at once: all of it, or nothing but its door."""
    if stub:
        provider = StubProvider(plain(BODIES[sdk]), first_s=0.0)
        with intercept(provider):
            yield provider
        return
    with FakeProvider(tokens_per_minute=10**12, latency=0.0, clock="real") as whole:
        yield whole


def mock_transport(library: Any, body: bytes) -> Any:
    """Return the bare transport with a canned response."""
    headers = {"content-type": "application/json"}
    return library.MockTransport(
        lambda request: library.Response(200, headers=headers, content=body)
    )


def families(sdk: str) -> list[str]:
    """Return the HTTP libraries whose clients this version of an SDK takes."""
    own = anthropic.DefaultHttpxClient if sdk == "anthropic" else openai.DefaultHttpxClient
    family = next(base.__module__.partition(".")[0] for base in own.__mro__[1:])
    both = sdk == "openai" and family == "httpx2"
    return [family, "httpx"] if both else [family]


def build(sdk: str, family: str, provider: Any) -> dict[tuple[str, str], Callable[[int], float]]:
    """Return a function for each kind and door that makes so many calls."""
    library = importlib.import_module(family)
    sync_call, async_call = CALLS[sdk]
    loop = asyncio.new_event_loop()
    ways: dict[tuple[str, str], Callable[[int], float]] = {}

    def add(door: str, transport: Any) -> None:
        options = {} if transport is None else {"transport": transport}
        client = clients.sdk_client(sdk, "sync", http_client=library.Client(**options))
        async_client = clients.sdk_client(sdk, "async", http_client=library.AsyncClient(**options))

        def sync_calls(calls: int) -> float:
            began = time.process_time()
            for _ in range(calls):
                sync_call(client)
            return time.process_time() - began

        async def make(calls: int) -> float:
            began = time.process_time()
            for _ in range(calls):
                await async_call(async_client)
            return time.process_time() - began

        def async_calls(calls: int) -> float:
            return loop.run_until_complete(make(calls))

        ways["sync", door] = sync_calls
        ways["async", door] = async_calls

    add("mock", mock_transport(library, BODIES[sdk]))
    add("transport", provider.transport)
    add("respx", None)
    return ways


def measure(ways: dict[Any, Any], rounds: int, calls: int) -> dict[Any, list[float]]:
    """Return the CPU microseconds per call of each way, by round."""
    order = random.Random(0)
    spent: dict[Any, list[float]] = {way: [] for way in ways}
    for run in ways.values():
        run(BATCH)
    for _ in range(rounds):
        total_s = dict.fromkeys(ways, 0.0)
        for _ in range(calls // BATCH):
            shuffled = list(ways)
            order.shuffle(shuffled)
            for way in shuffled:
                total_s[way] += ways[way](BATCH)
        for way, seconds in total_s.items():
            spent[way].append(seconds / (calls // BATCH * BATCH) * 1e6)
    return spent


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=150)
    parser.add_argument("--stub", action="store_true", help="the doors alone, without a provider")
    arguments = parser.parse_args()
    for sdk in CALLS:
        for family in families(sdk):
            # Clients with a transport of their own do not notice the open door.
            with build_provider(sdk, stub=arguments.stub) as provider:
                ways = build(sdk, family, provider)
                spent_us = measure(ways, arguments.rounds, arguments.calls)
            for (kind, door), rounds_us in spent_us.items():
                ratios = map(operator.truediv, rounds_us, spent_us[kind, "mock"])
                print(
                    f"{sdk:9} {family:6} {kind:5} {door:9} {statistics.median(rounds_us):7.1f} us"
                    f"  {statistics.median(ratios):.3f}  (target {TARGETS[door]:.2f})"
                )


if __name__ == "__main__":
    main()
