"""Store: a Redis that several processes keep one count in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SCHEMES = ("redis", "rediss", "unix")
# A store that does not answer holds every request of a server up.
TIMEOUT_S = 1.0
# After a failure nobody asks for so long, for the same reason.
PAUSE_S = 0.25
_SCRIPT = "_ledger.lua"


class LedgerLost(OSError):  # noqa: N818  (it says what has happened)
    """The store cannot be asked, or does not know what was charged before."""


class Store:
    """A connection to a Redis or a Valkey, and the script that decides there.

    Args:
        url: Where it is: `redis://host:port/database`, `rediss://...` or `unix://path`.

    Raises:
        ImportError: redis-py is not installed.
        ValueError: The URL is none of a store.
    """

    def __init__(self, url: str) -> None:
        if not isinstance(url, str) or urlsplit(url).scheme not in SCHEMES:
            raise ValueError(
                "ledger must be the URL of a Redis or a Valkey, such as redis://127.0.0.1:6379/0, "
                f"got {url!r}"
            )
        try:
            redis: Any = import_module("redis")
            backoff, retry = import_module("redis.backoff"), import_module("redis.retry")
        except ImportError as missing:
            raise ImportError(
                "a shared ledger needs redis, which is not installed: "
                "pip install 'pytest-ratelimit[redis]'"
            ) from missing
        self.name = _without_password(url)
        self._connect: Callable[[], Any] = lambda: redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            # Whoever holds a ledger asks it from one thread at a time.
            single_connection_client=True,
            # A connection that went stale is made again; a second time the store is lost.
            retry=retry.Retry(backoff.NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        )
        try:
            redis.connection.parse_url(url)
        except ValueError as error:
            raise ValueError(f"ledger={self.name!r} is no URL of a store: {error}") from None
        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        self._cut: type[Exception] = redis.ConnectionError
        self._unknown: type[Exception] = redis.exceptions.NoScriptError
        self._script = Path(__file__).with_name(_SCRIPT).read_text("utf-8")
        self._digest = ""
        self._asked_again_s = 0.0
        self._failure = ""

    def check(self) -> None:
        """Ask the store whether it is there.

        Raises:
            LedgerLost: It is not.
        """
        self._ask(lambda: self._redis.ping())  # noqa: PLW0108  (asking for the client connects)

    def epoch(self, key: str) -> str:
        """Return the name under which charges are counted, made if there is none.

        A store that has lost its data has lost this name as well, and so cannot pass for one
        that nothing was charged to.

        Raises:
            LedgerLost: The store cannot be asked.
        """
        made = os.urandom(16).hex()
        known: str = self._ask(lambda: _text(self._redis.set(key, made, nx=True, get=True)) or made)
        return known

    def run(self, keys: Sequence[str], arguments: Sequence[str | int | bytes]) -> list[int]:
        """Run the script.

        Raises:
            LedgerLost: The store cannot be asked.
        """
        told: list[int] = self._ask(lambda: self._run(keys, arguments))
        return told

    def forget(self, prefix: str) -> None:
        """Delete every key that begins with this.

        Raises:
            LedgerLost: The store cannot be asked.
        """
        self._ask(lambda: [self._redis.unlink(key) for key in self._redis.scan_iter(f"{prefix}*")])

    def close(self) -> None:
        """Close the connection."""
        if "_redis" in vars(self):
            self._redis.close()
            del self._redis

    @cached_property
    def _redis(self) -> Any:
        """The client, which connects when it is made."""
        return self._connect()

    def lost(self, why: object) -> LedgerLost:
        """Return the error that says why charges are not known."""
        return LedgerLost(f"the ledger at {self.name} is lost: {why}")

    def _run(self, keys: Sequence[str], arguments: Sequence[str | int | bytes]) -> list[int]:
        """Run the script, which a store that has started anew must be given again."""
        for _ in range(2):
            try:
                told = self._sent("EVALSHA", self._digest, len(keys), *keys, *arguments)
            except self._unknown:
                self._digest = self._redis.script_load(self._script)
            else:
                return told
        raise self.lost("it forgets scripts at once")

    def _sent(self, *words: str | int | bytes) -> list[int]:
        """Send a command by the client's own connection, which takes half the client's time."""
        connection = self._redis.connection
        try:
            connection.send_command(*words)
            told: list[int] = connection.read_response()
        except self._cut:
            # A connection that went stale is made again; a second time the store is lost.
            connection.disconnect()
            connection.send_command(*words)
            told = connection.read_response()
        return told

    def _ask(self, ask: Callable[[], Any]) -> Any:
        """Ask the store, unless it has failed just now."""
        if self._failure and time.monotonic() < self._asked_again_s:
            raise self.lost(self._failure)
        try:
            answer = ask()
        except self._errors as error:
            self._failure = str(error) or type(error).__name__
            self._asked_again_s = time.monotonic() + PAUSE_S
            raise self.lost(self._failure) from None
        self._failure = ""
        return answer


def _text(value: Any) -> str:
    """Return what a store answers as text; empty for nothing."""
    return value.decode() if isinstance(value, bytes) else value or ""


def _without_password(url: str) -> str:
    """Return a URL as it may be shown."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}", query="").geturl()
