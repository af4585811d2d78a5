"""What the tests of virtual time share."""

from __future__ import annotations

import threading
from collections.abc import Callable

from fake_provider.virtual_time import _real

# The real clock, also while a virtual one is open.
real_clock = _real.perf_counter
real_sleep = _real.sleep


def run_threads(*functions: Callable[[], object]) -> None:
    """Run each function in a thread of its own, started in order, and wait for all."""
    threads = [threading.Thread(target=function, daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def start_real_thread(function: Callable[[], object]) -> None:
    """Start a thread that no open clock sees."""
    _real.start_new_thread(function, ())
