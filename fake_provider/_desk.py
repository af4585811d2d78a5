"""Desk: what the doors ask of a provider, behind its public members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_provider._errors import AttemptLimit, ProviderError, UnansweredRequest
from fake_provider._store import LedgerLost
from fake_provider._wire import DIALECTS
from fake_provider.virtual_time import VirtualClock

if TYPE_CHECKING:
    from fake_provider._exchange import Exchange
    from fake_provider._hosts import Hosts
    from fake_provider._peers import Peer
    from fake_provider._stages import Stages
    from fake_provider._wire import Dialect
    from fake_provider._wire._shapes import Request
    from fake_provider.virtual_time import RealClock

MOST_ELSEWHERE = 10_000


class Desk:
    """Takes requests from the doors to the stages, and notes what it turns away.

    Args:
        hosts: The hosts that are answered and allowed.
        clock: The clock to stop when a run is.
        stages: What happens to a request; replaced when the trace begins anew.
    """

    def __init__(self, hosts: Hosts, clock: VirtualClock | RealClock, stages: Stages) -> None:
        self._hosts = hosts
        self._clock = clock
        self.start_over(stages)
        self.is_open = False

    def start_over(self, stages: Stages) -> None:
        """Begin an empty trace."""
        self.stages = stages
        self.elsewhere: list[str] = []
        self.stopped: str | None = None

    def answers(self, host: str, path: str) -> bool:
        """Tell whether a request to this host and path is answered here.

        Args:
            host: Host name without port, lower case.
            path: Path without query; empty asks for the host alone.
        """
        return self._hosts.dialect(host, path) is not None

    def dialect(self, host: str, path: str) -> Dialect | None:
        """Return the dialect in which a request is answered, None if it is not.

        Args:
            host: Host name without port, lower case.
            path: Path without query.
        """
        return self._hosts.dialect(host, path)

    def passes(self, host: str) -> bool:
        """Tell whether a host, without port, may be reached over the network."""
        return self._hosts.passes(host)

    def refuse(self, host: str, library: str) -> UnansweredRequest:
        """Return the error for a request that is neither answered nor allowed, and note it.

        Args:
            host: Host that the request went to.
            library: Library that sent it, such as `"aiohttp"`.
        """
        self.note_elsewhere(f"{library} to {host}")
        return UnansweredRequest(
            f"{library} sent a request to {host}, which the fake provider does not answer and "
            f"does not let through.\n"
            f"To answer it, name its dialect: hosts={{{host!r}: {next(iter(DIALECTS))!r}}} "
            f"(dialects: {', '.join(DIALECTS)}).\n"
            f"To let it through, allow it: allow_hosts=[{host!r}]."
        )

    def note_elsewhere(self, what: str) -> None:
        """Note a request that was seen and not answered, such as `"aiohttp to api.openai.com"`."""
        # A scanner or a health check must not fill the memory of a server that runs for long.
        if len(self.elsewhere) < MOST_ELSEWHERE:
            self.elsewhere.append(what[:200])

    def begin(
        self, request: Request, peer: Peer | None = None, dialect: Dialect | None = None
    ) -> Exchange:
        """Take one request through the stages up to its answer.

        Args:
            request: The request as a door received it.
            peer: The connection of another process that it came by; None for this one.
            dialect: The dialect to answer in; by host and path if None.

        Returns:
            The answer to send, with its waits.

        Raises:
            AttemptLimit: The call has made more attempts than any policy would.
            ProviderError: The provider is not open, or a function given to it raised or returned
                nonsense.
        """
        if not self.is_open:
            raise ProviderError(
                f"the fake provider got {request.method} {request.path} while it was not open: "
                "its transport answers inside `with FakeProvider(...) as provider:` only"
            )
        dialect = dialect or self._hosts.dialect(request.host, request.path)
        if dialect is None:
            library = "httpx" if peer is None else f"{request.method} {request.path}"
            raise self.refuse(request.host, library)
        owner = self.stages.intake.callers.owner() if peer is None else peer
        try:
            return self.stages.begin(request, dialect, owner)
        except AttemptLimit as stop:
            self.stopped = self.stopped or str(stop)
            # An error in a thread or a task can be lost there: whoever opened is told as well.
            if isinstance(self._clock, VirtualClock):
                self._clock.interrupt(stop)
            raise
        except Exception as error:  # noqa: BLE001  (whatever it is, no SDK may retry it)
            if isinstance(error, LedgerLost):
                self.stopped = self.stopped or str(error)
            raise ProviderError(
                f"the fake provider could not answer {request.method} {request.path}: {error}"
            ) from (error.__cause__ or error)
