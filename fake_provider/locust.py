"""Locust users that put a workload on a provider, the fake one or any other, and write a trace.

Importing this module imports Locust, which patches the standard library for gevent: it is for
locustfiles. It needs `pip install 'pytest-ratelimit[locust]'`.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

import gevent
from locust import FastHttpUser, events, task
from locust.exception import StopUser

from fake_provider._sent import Sent
from fake_provider._simulation import Delay, Refused
from fake_provider._workload import Workload

__all__ = ["ProviderUser", "Refused", "Workload"]

_OUTPUT_TOKENS = 50
_CHARACTERS_PER_TOKEN = 4
_REFUSED = frozenset({429, 503, 529})
_TICK_S = 0.1
_REPORT = "fake_provider"

_sent = Sent()


def as_told(refused: Refused) -> float | None:
    """Wait as long as the refusal says and up to as long again, ten times at most."""
    if refused.attempt >= 10:
        return None
    hint_s = 1.0 if refused.hint_s is None else refused.hint_s
    return hint_s + refused.random.uniform(0.0, max(1.0, hint_s))


def _anthropic(model: str, prompt: str) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Return path, headers and body of a request to Anthropic."""
    key = os.environ.get("ANTHROPIC_API_KEY", "sk-ant-fake-provider")
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    return "/v1/messages", headers, _body(model, prompt)


def _openai(model: str, prompt: str) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Return path, headers and body of a request to OpenAI, or to what speaks its dialect."""
    key = os.environ.get("OPENAI_API_KEY", "sk-fake-provider")
    return "/v1/chat/completions", {"authorization": f"Bearer {key}"}, _body(model, prompt)


def _body(model: str, prompt: str) -> dict[str, Any]:
    """Return a body that both dialects take."""
    messages = [{"role": "user", "content": prompt}]
    return {"model": model, "max_tokens": _OUTPUT_TOKENS, "messages": messages}


_DIALECTS = {"anthropic": _anthropic, "openai": _openai}


class ProviderUser(FastHttpUser):
    """One caller of a workload: makes its calls, one after the other, and then stops.

    Class attributes, for a subclass to state:
        workload: How many calls, when they begin, what each costs; its `callers` is for
            the start pattern alone, since Locust says how many users there are.
        delay: Seconds before the next attempt, given a refusal; None gives the call up. The
            same function can be simulated.
        base_urls: Origins of the servers, of which each user takes one; Locust's `--host` if
            there are none.
        dialect: `"anthropic"` or `"openai"`.
        model: Model asked for.
    """

    abstract = True
    workload = Workload()
    delay: Delay = staticmethod(as_told)
    base_urls: Sequence[str] = ()
    dialect = "anthropic"
    model = "claude-sonnet-5"

    _numbers = itertools.count()

    def __init__(self, environment: Any) -> None:
        self.number = next(ProviderUser._numbers)
        if self.base_urls:
            self.host = self.base_urls[self.number % len(self.base_urls)].rstrip("/")
        super().__init__(environment)
        worker = getattr(environment.runner, "worker_index", 0)
        self.caller = f"worker {worker} user {self.number}"
        self._random = random.Random(f"{self.workload.seed} {self.caller}")

    @task
    def work(self) -> None:
        """Make the calls of one caller."""
        starts = self.workload.starts_s
        gevent.sleep(starts[self.number % len(starts)])
        for call in range(int(self.workload.calls)):
            self._call(call)
        raise StopUser

    def _call(self, call: int) -> None:
        """Make one call, with its retries."""
        asked = f"{self.caller}, call {call}: "
        characters = _CHARACTERS_PER_TOKEN * max(1, self.workload.tokens - _OUTPUT_TOKENS)
        path, headers, body = _DIALECTS[self.dialect](self.model, asked.ljust(characters, "x"))
        headers = {**headers, "x-caller": self.caller, "content-type": "application/json"}
        data = json.dumps(body)
        began_s = time.monotonic()
        for attempt in itertools.count(1):
            status, hint_s = self._attempt(call, attempt, path, headers, data)
            if status not in _REFUSED:
                return
            at_s = time.monotonic() - began_s
            delay_s = type(self).delay(Refused(attempt, hint_s, at_s, self._random))
            if delay_s is None:
                return
            gevent.sleep(delay_s)

    def _attempt(
        self, call: int, attempt: int, path: str, headers: Mapping[str, str], data: str
    ) -> tuple[int, float | None]:
        """Send one attempt; return its status, 0 without an answer, and the wait it asks for."""
        sent_at = time.time()
        with self.client.post(path, data=data, headers=headers, catch_response=True) as answer:
            hint_s = _sent.note(
                caller=self.caller,
                call=call,
                attempt=attempt,
                tokens=self.workload.tokens,
                host=self.host.partition("://")[2],
                dialect=self.dialect,
                model=self.model,
                sent_at=sent_at,
                status=answer.status_code,
                headers={name.lower(): value for name, value in (answer.headers or {}).items()},
                body=answer.content or b"",
            )
            if answer.status_code in _REFUSED:
                wait = "no wait named" if hint_s is None else f"wait {hint_s:g} s"
                answer.failure(f"refused with {answer.status_code}, {wait}")
            return answer.status_code, hint_s


@events.init_command_line_parser.add_listener
def _add_option(parser: Any) -> None:
    """Add the option that names the trace."""
    parser.add_argument(
        "--provider-trace",
        metavar="FILE",
        default="",
        help="Write what all users sent, as they saw it, as a trace for pytest-ratelimit check",
    )


@events.report_to_master.add_listener
def _report(client_id: str, data: dict[str, Any]) -> None:  # noqa: ARG001
    """Have a worker send the master what its users sent."""
    data[_REPORT] = _sent.take()


@events.worker_report.add_listener
def _receive(client_id: str, data: dict[str, Any]) -> None:  # noqa: ARG001
    """Have the master keep what a worker's users sent."""
    _sent.add(data.get(_REPORT, ()))


@events.init.add_listener
def _watch(environment: Any, runner: Any, **_: Any) -> None:
    """End the run once every user has made its calls, whatever its time."""
    if type(runner).__name__ == "WorkerRunner":
        return

    def end() -> None:
        while runner.user_count:
            gevent.sleep(_TICK_S)
        runner.quit()

    if all(issubclass(user, ProviderUser) for user in environment.user_classes):
        environment.events.spawning_complete.add_listener(lambda **_: gevent.spawn(end))


@events.quitting.add_listener
def _write(environment: Any, **_: Any) -> None:
    """Write the trace at the end; a worker's is the master's."""
    path = environment.parsed_options.provider_trace if environment.parsed_options else ""
    if path and type(environment.runner).__name__ != "WorkerRunner":
        limits = {user.workload.limits for user in environment.user_classes}
        _sent.write(path, limits.pop() if len(limits) == 1 else Workload().limits)
