"""Hosts: which of them the provider answers, in which dialect, and which may be reached."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from fake_provider._stated import one_of
from fake_provider._wire import DIALECTS

if TYPE_CHECKING:
    from fake_provider._wire import Dialect

HOST = "fake-provider.test"
LOCAL = "127.0.0.1"

# A host name, of which `*` may stand for any part.
_NAME = re.compile(r"[a-z0-9_*](?:[a-z0-9_.*-]*[a-z0-9_*])?|\[?[0-9a-f:]+\]?")


class Hosts:
    """The hosts that a provider answers and those that it lets through.

    Args:
        dialect: Dialect of every answered host; None decides by host, then by path.
        answered: Dialects of further hosts, `*` standing for any part of a name.
        allowed: Hosts that may be reached over the network, with `*` likewise.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A dialect is unknown, or a host is not the name of one.
    """

    def __init__(
        self, dialect: str | None, answered: Mapping[str, str], allowed: Iterable[str]
    ) -> None:
        if dialect is not None:
            one_of("dialect", dialect, DIALECTS)
        self._fixed = None if dialect is None else DIALECTS[dialect]
        self._answered = _checked_answered(answered)
        self._allowed = [re.compile(fnmatch.translate(host)) for host in _checked_allowed(allowed)]
        self._known: dict[str, tuple[Dialect, ...]] = {}

    def dialect(self, host: str, path: str) -> Dialect | None:
        """Return the dialect in which a request is answered, None if it is not answered.

        Args:
            host: Host name without port, lower case.
            path: Path without query; empty asks for the host alone.
        """
        known = self._known.get(host)
        if known is None:
            known = self._known[host] = self._by_host(host)
        if len(known) == 1:
            found: Dialect | None = known[0]
        else:
            # Several share the host, or none has it: the path tells.
            found = by_path(path, known or DIALECTS.values())
            if found is None and known and not path:
                found = known[0]
        if found is not None and self._fixed is not None:
            return self._fixed
        return found

    def passes(self, host: str) -> bool:
        """Tell whether a host may be reached over the network.

        Args:
            host: Host name without port.
        """
        return bool(self._allowed) and any(name.match(host.lower()) for name in self._allowed)

    def _by_host(self, host: str) -> tuple[Dialect, ...]:
        """Return the dialects that a host's name tells: the user's own entry comes first."""
        for pattern, dialect in self._answered:
            if pattern.match(host):
                return (dialect,)
        return tuple(
            dialect
            for dialect in DIALECTS.values()
            if any(fnmatch.fnmatchcase(host, name) for name in dialect.hosts)
        )


def by_path(path: str, dialects: Iterable[Dialect]) -> Dialect | None:
    """Return the dialect that a path tells: its first part is a dialect's name, or one owns it.

    Args:
        path: Path without query.
        dialects: The dialects to ask, in order.
    """
    named = DIALECTS.get(path[1:].partition("/")[0])
    if named is not None and named.owns(path):
        return named
    return next((dialect for dialect in dialects if dialect.owns(path)), None)


def _check_name(name: str, value: str) -> str:
    """Return a host in lower case, or raise for what no request's host could ever equal."""
    if not _NAME.fullmatch(value.lower()):
        raise ValueError(
            f"{name} must be a host name without scheme, port and path, such as "
            f"'gateway.example', got {value!r}"
        )
    return value.lower()


def _checked_answered(answered: Mapping[str, str]) -> list[tuple[re.Pattern[str], Dialect]]:
    """Return the user's hosts with their dialects, exact names before patterns."""
    if not isinstance(answered, Mapping) or not all(isinstance(host, str) for host in answered):
        raise TypeError(f"hosts must be a mapping of host to dialect, got {answered!r}")
    rows = []
    for host, dialect in answered.items():
        one_of(f"hosts[{host!r}]", dialect, DIALECTS)
        name = _check_name("hosts", host)
        rows.append(("*" in name, re.compile(fnmatch.translate(name)), DIALECTS[dialect]))
    rows.sort(key=lambda row: row[0])
    return [(pattern, dialect) for _, pattern, dialect in rows]


def _checked_allowed(allowed: Iterable[str]) -> list[str]:
    """Return the allowed hosts; a lone string is a common slip."""
    wrong = f"allow_hosts must be a sequence of strings, got {allowed!r}"
    if isinstance(allowed, str) or not isinstance(allowed, Iterable):
        raise TypeError(wrong)
    hosts = tuple(allowed)
    if not all(isinstance(host, str) for host in hosts):
        raise TypeError(wrong)
    return [_check_name("allow_hosts", host) for host in hosts]
