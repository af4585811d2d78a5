"""FakeProvider: what a test opens, configures and reads."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from fake_provider._clocks import clock_for
from fake_provider._desk import Desk
from fake_provider._hints import HintStyle, SentForm, hint_style
from fake_provider._hosts import HOST, Hosts
from fake_provider._intake import Watcher
from fake_provider._limits import Algorithm, Limits
from fake_provider._lineage import Lineage
from fake_provider._recorder import NS
from fake_provider._script import Scope, Script, Source, as_script
from fake_provider._service import ServiceTime, service_time
from fake_provider._serving import Serving
from fake_provider._shared_ledger import store_for
from fake_provider._stages import Model, Stages
from fake_provider._stated import one_of, whole_number
from fake_provider._tokens import CostModel, Library, Tokens
from fake_provider._trace import Trace
from fake_provider._wire import variables
from fake_provider.virtual_time import VirtualClock

if TYPE_CHECKING:
    from fake_provider._transport import ProviderTransport

DOORS = ("in-process", "server")
LOST_LEDGER = ("refuse", "stop")
REAL_RESOLUTION_S = 5e-3
VIRTUAL_RESOLUTION_S = 1e-6


class FakeProvider:
    """A fake LLM provider: a context manager that answers the SDKs in this process.

    While it is open it intercepts httpx, httpx2, aiohttp and botocore, sets the SDKs' base-URL and
    key variables, seeds and afterwards restores `random`, and owns the virtual clock.

    Args:
        *limits: Limits that hold besides those stated by keyword.
        tokens_per_minute: See Limits, as for the other limit keywords.
        input_tokens_per_minute: See Limits.
        output_tokens_per_minute: See Limits.
        requests_per_minute: See Limits.
        requests_per_day: See Limits.
        tokens_per_day: See Limits.
        concurrent_requests: See Limits.
        count_tokens_per_minute: See Limits.
        window: Seconds, see Limits.
        algorithm: See Limits.
        burst: Tokens or requests, see Limits.
        floor: Tokens or requests, see Limits.
        charge_rejected: Share from 0 to 1, see Limits.
        preset: Name of published limits, such as `"anthropic-build"`.
        tokens_per_request: Tokens that a request costs, or a function of its body; `"tiktoken"`
            counts the prompt with that library, None takes it for its characters / 4, and both
            add the output.
        output_tokens: Output tokens of an answer, or a function of the body.
        cached_tokens: Input tokens that are read from a cache, or a function of the body; a limit
            charges them at its `charge_cached`.
        cache_written_tokens: Input tokens that are written to a cache, or a function of the body.
        estimated_tokens: Input tokens that a limit with a `charge` of `"reserve"` or
            `"delivered"` assumes until the answer has ended, or a function of the body; their
            true number if None.
        latency: Seconds of service time, or a ServiceTime.
        hint: Form of the hint on a refusal (`"seconds"`, `"ms"`, `"date"`, `"reset"`, `"none"`),
            or a HintStyle.
        seed: Seed of the ids, the service times and, while open, of the module `random`.
        dialect: Wire dialect of every answered host; None decides by host, then by path.
        hosts: Further hosts to answer, with their dialects: `{"llm-gateway.corp": "openai"}`; `*`
            stands for any part of a name.
        allow_hosts: Hosts that may be reached over the network, with `*` likewise.
        door: `"in-process"`, or `"server"` for other processes as well: a server on this machine,
            to which `env` then points; it needs `clock="real"`.
        clock: `"virtual"`, or `"real"` for the wall clock.
        start: Instant at which the virtual clock starts: ISO 8601, datetime or POSIX seconds.
        schedule: Order in which threads run on the virtual clock: `"fifo"` or `"random"`.
        strict_clock: True makes blocking outside the virtual clock an error.
        stop_after: Virtual seconds after which the run is stopped; 24 hours.
        ledger: URL of a Redis or a Valkey, such as `"redis://127.0.0.1:6379/0"`, that keeps what is
            charged, so that several processes share their limits; it needs `clock="real"`. None
            keeps it in this process.
        lost_ledger: What happens while that store cannot be asked: `"refuse"` answers 503,
            `"stop"` fails the run.

    Raises:
        TypeError: An argument is of the wrong type, or a keyword is unknown.
        ValueError: An argument is out of its range; the message names it and what is allowed.
    """

    def __init__(
        self,
        *limits: Limits,
        tokens_per_minute: int | None = None,
        input_tokens_per_minute: int | None = None,
        output_tokens_per_minute: int | None = None,
        requests_per_minute: int | None = None,
        requests_per_day: int | None = None,
        tokens_per_day: int | None = None,
        concurrent_requests: int | None = None,
        count_tokens_per_minute: int | None = None,
        window: float = 60.0,
        algorithm: Algorithm = "sliding-window",
        burst: int | None = None,
        floor: int | None = None,
        charge_rejected: float = 0.0,
        preset: str | None = None,
        tokens_per_request: Tokens | Library | None = None,
        output_tokens: Tokens | None = None,
        cached_tokens: Tokens = 0,
        cache_written_tokens: Tokens = 0,
        estimated_tokens: Tokens | None = None,
        latency: float | ServiceTime = 0.5,
        hint: SentForm | HintStyle = "seconds",
        seed: int = 0,
        dialect: str | None = None,
        hosts: Mapping[str, str] | None = None,
        allow_hosts: Iterable[str] = (),
        door: Literal["in-process", "server"] = "in-process",
        clock: Literal["virtual", "real"] = "virtual",
        start: Any = None,
        schedule: Literal["fifo", "random"] = "fifo",
        strict_clock: bool = False,
        stop_after: float = 86_400.0,
        ledger: str | None = None,
        lost_ledger: Literal["refuse", "stop"] = "refuse",
    ) -> None:
        for given in limits:
            if not isinstance(given, Limits):
                raise TypeError(f"*limits must be Limits(...) values, got {given!r}")
        stated = Limits(
            tokens_per_minute=tokens_per_minute,
            input_tokens_per_minute=input_tokens_per_minute,
            output_tokens_per_minute=output_tokens_per_minute,
            requests_per_minute=requests_per_minute,
            requests_per_day=requests_per_day,
            tokens_per_day=tokens_per_day,
            concurrent_requests=concurrent_requests,
            count_tokens_per_minute=count_tokens_per_minute,
            window=window,
            algorithm=algorithm,
            burst=burst,
            floor=floor,
            charge_rejected=charge_rejected,
        )
        published = Limits() if preset is None else Limits.preset(preset)
        self.limits = sum((*limits, published, stated), Limits())
        self._model = Model(
            limits=self.limits,
            costs=CostModel(
                tokens_per_request,
                output_tokens,
                cached_tokens,
                cache_written_tokens,
                estimated_tokens,
            ),
            service=service_time(latency),
            hint=hint_style(hint),
            seed=whole_number("seed", seed, at_least=0),
            store=store_for(ledger, clock, self.limits),
            refuses_when_lost=one_of("lost_ledger", lost_ledger, LOST_LEDGER) == "refuse",
        )
        self._dialect = dialect
        names = Hosts(dialect, {} if hosts is None else hosts, allow_hosts)
        self._serves = one_of("door", door, DOORS) == "server"
        self.clock = clock_for(
            clock,
            start,
            schedule=schedule,
            seed=self._model.seed,
            stop_after=stop_after,
            strict=strict_clock,
        )
        self._virtual = isinstance(self.clock, VirtualClock)
        if self._serves and self._virtual:
            raise ValueError(
                'door="server" needs clock="real", since other processes have no part in a '
                f"virtual clock, got clock={clock!r}"
            )
        self._open = ExitStack()
        self._scripts: list[Script] = []
        self._watchers: list[Watcher] = []
        self._lineage = Lineage()
        self._started_at = 0.0
        self._keeps: int | None = None
        self._desk = Desk(names, self.clock, self._new_stages())
        self._closed: Trace | None = None
        self._serving = Serving(self._desk, self._header)

    # ------------------------------------------------------------------ what a user reads

    @property
    def base_url(self) -> str:
        """Origin that the provider answers for any dialect; the dialect goes by the path."""
        server = self._serving.server
        return f"https://{HOST}" if server is None else server.base_url

    @property
    def env(self) -> dict[str, str]:
        """Variables that point the SDKs at the provider; they are set while it is open."""
        server = self._serving.server
        return variables(os.environ, self._dialect) if server is None else server.env

    @property
    def transport(self) -> ProviderTransport:
        """An httpx or httpx2 transport, for a client's `http_client=`: the fastest door."""
        from fake_provider._transport import ProviderTransport

        return ProviderTransport(self._desk)

    @property
    def trace(self) -> Trace:
        """Every attempt so far; a frozen value that later attempts do not change."""
        if self._closed is not None:
            return self._closed
        return replace(self._header(), attempts=self._desk.stages.attempts())

    def _header(self) -> Trace:
        """Return the trace so far without its attempts."""
        return Trace(
            limits=self.limits,
            clock="virtual" if self._virtual else "real",
            resolution=self._resolution_s(),
            ended_at=self.clock.now_ns / NS,
            started_at=self._started_at,
            seed=self._model.seed,
            stopped=self._desk.stopped or self._stopped_by_clock(),
            elsewhere=tuple(dict.fromkeys(self._desk.elsewhere)),
        )

    def script(
        self,
        source: Source,
        *,
        first: int | None = None,
        between: tuple[float, float] | None = None,
        caller: str | None = None,
    ) -> None:
        """Answer by a script before the limits are asked; several scripts are asked in order.

        Args:
            source: A Fault, or an Answer for when the limits admit the request, for every request;
                a sequence of these, one for each request, in which None leaves a request to the
                next script and the limits; or a function of an Arrival that returns one of them.
            first: How many requests it is asked about, of those that the other keywords name; all
                of them if None.
            between: Seconds since the provider was opened, from the first up to the second, in
                which it is asked; always if None.
            caller: The caller whose requests it is asked about; everyone if None.

        Raises:
            TypeError: An argument is of the wrong type.
            ValueError: An argument is out of its range.
        """
        scope = Scope(first=first, between=between, caller=caller)
        self._scripts.append(scope.narrow(as_script(source)))

    def reset(self) -> None:
        """Forget every attempt, every charge and every script; the clock goes on.

        Charges in a shared ledger are forgotten for all who share it.

        Raises:
            OSError: That ledger's store cannot be reached.
        """
        self._scripts.clear()
        self._desk.stages.ledger.reset()
        self._start_over()

    def _resolution_s(self) -> float:
        """Return the seconds below which two instants cannot be told apart."""
        if self._virtual:
            return VIRTUAL_RESOLUTION_S
        return max(REAL_RESOLUTION_S, self._serving.late_s)

    def _start_over(self) -> None:
        """Begin an empty trace, with limits untouched and random numbers at their start."""
        self._desk.start_over(self._new_stages())
        self._closed = None

    def _new_stages(self) -> Stages:
        """Return the stages of an empty trace."""
        wall_start_ns = round(self._started_at * NS)
        return Stages(
            self._model,
            self._lineage,
            self._scripts,
            self._watchers,
            self._now_ns,
            wall_start_ns,
            self._keeps,
        )

    # ------------------------------------------------------------------ opening and closing

    def __enter__(self) -> Self:
        from fake_provider._guard import environment, guard
        from fake_provider._intercept import intercept

        if self._desk.is_open:
            raise RuntimeError("this provider is open already: open another one")
        with ExitStack() as opening:
            state = random.getstate()
            opening.callback(random.setstate, state)
            doors = intercept(self._desk)  # imports what is slow to import, before time is virtual
            opening.enter_context(self.clock)
            opening.enter_context(doors)
            opening.enter_context(guard(self._desk))
            if self._serves:
                opening.enter_context(self._serving.opened(self.reset))
            opening.enter_context(environment(self.env))
            opening.callback(self._lineage.close)
            self._lineage.open()
            random.seed(self._model.seed)
            self._begin()
            self._open = opening.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What is under way ends with the server, and belongs to the trace.
        self._serving.stop()
        self._end()
        self._open.__exit__(kind, error, traceback)

    def _begin(self) -> None:
        """Begin to answer, with an empty trace; the clock is open."""
        if self._model.store is not None:
            self._model.store.check()
        self._started_at = self.clock.now().timestamp()
        self._start_over()
        self._desk.is_open = True

    def _end(self) -> None:
        """Answer no longer, and keep the trace."""
        self._closed = self.trace
        self._desk.is_open = False
        self._desk.stages.intake.calls.forget()
        if self._model.store is not None:
            self._model.store.close()

    # ------------------------------------------------------------------ helpers

    def _stopped_by_clock(self) -> str | None:
        """Return why the virtual clock ended the run, if it did: its first line."""
        stop = self.clock.stopped if isinstance(self.clock, VirtualClock) else None
        return None if stop is None else str(stop).partition("\n")[0]

    def _now_ns(self) -> int:
        """Return nanoseconds since the trace began."""
        return self.clock.now_ns
