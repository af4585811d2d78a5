"""Standalone: a provider that is open for other processes alone, as the command line opens it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fake_provider._journal import Journal

if TYPE_CHECKING:
    from fake_provider._provider import FakeProvider
    from fake_provider._recorder import Record

# Attempts that are kept, the last ones, where no file has them.
KEPT = 100_000


@contextmanager
def standalone(
    provider: FakeProvider,
    host: str,
    port: int,
    trace: str | Path | None = None,
    *,
    anew: bool = False,
) -> Iterator[None]:
    """Serve other processes while the block runs; nothing in this one is intercepted or watched.

    Args:
        provider: The provider, with the door "server".
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        trace: File that each attempt is written to as it ends; None for no file.
        anew: True empties the file of an earlier trace, False goes on with it.

    Raises:
        JournalError: The file cannot be gone on with.
        OSError: The address or the file cannot be had.
    """
    with ExitStack() as opening:
        opening.enter_context(provider.clock)
        # What has been written is not kept, and without a file the end of it is.
        provider._keeps = KEPT if trace is None else 0
        provider._begin()
        opening.callback(provider._end)
        reset, journal = provider.reset, None
        if trace is not None:
            journal = written = Journal(trace, provider._header(), anew=anew)
            opening.callback(lambda: written.close(provider._header()))

            def note(record: Record) -> None:
                # What began before a reset ends in nobody's trace.
                if provider._desk.stages.intake.records.get(record.index) is record:
                    written.add(record)

            def reset() -> None:
                provider.reset()
                written.restart(provider._header())

            provider._watchers.append(note)
        with provider._serving.opened(reset, host, port, journal):
            yield
