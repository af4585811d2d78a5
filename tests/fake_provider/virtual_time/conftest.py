"""A guard for all tests of virtual time: a clock that hangs must not hang the suite."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from fake_provider.virtual_time import active

GUARD_S = 30.0  # real seconds that a test may take, unless it is marked slow


class Hang(BaseException):
    """A test did not end; no exception, so that no code under test swallows it."""


@pytest.fixture(autouse=True)
def guard(request: pytest.FixtureRequest) -> Iterator[None]:
    """Interrupt a test that hangs, and close a clock that it leaves open."""

    def ring(*_: object) -> None:
        message = f"the test did not end within {GUARD_S} real seconds"
        raise Hang(message)

    if request.node.get_closest_marker("slow"):
        yield
        return
    handler = signal.signal(signal.SIGALRM, ring)
    left_s, _ = signal.setitimer(signal.ITIMER_REAL, GUARD_S)  # of the timeout of pytest-timeout
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, left_s)
        clock = active()
        if clock is not None:
            clock.__exit__(None, None, None)
            pytest.fail("the test left its clock open")
