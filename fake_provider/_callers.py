"""Callers: the agent, worker, task or thread that a request comes from."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from weakref import WeakKeyDictionary

from fake_provider._lineage import Lineage
from fake_provider._waits import Scope

HEADER = "x-caller"

_named: ContextVar[str | None] = ContextVar("fake_provider_caller", default=None)
# Names that a library made up count up over the whole process: they would differ from run to run.
_MADE_UP = re.compile(r"(Task|Thread|ThreadPoolExecutor|Dummy|AnyIO worker thread|asyncio)[-_ ]\d")


@contextmanager
def caller(name: str) -> Iterator[None]:
    """Name the caller of every attempt made inside the block, in this task or thread.

    Args:
        name: The caller's name, not empty.

    Raises:
        TypeError: The name is not a string.
        ValueError: The name is empty.
    """
    if not isinstance(name, str):
        raise TypeError(f"caller(name) must be a string, got {name!r}")
    if not name:
        raise ValueError("caller(name) must not be empty")
    token = _named.set(name)
    try:
        yield
    finally:
        _named.reset(token)


class Callers:
    """Names the caller of each request; made-up names are numbered in order of appearance.

    Args:
        lineage: Who started whom.
    """

    def __init__(self, lineage: Lineage) -> None:
        self._lineage = lineage
        self._labels: WeakKeyDictionary[Scope, str] = WeakKeyDictionary()
        self._counts: dict[str, int] = {}
        self._taken: set[str] = set()

    def owner(self) -> Scope:
        """Return the scope whose calls the current request belongs to."""
        return self._lineage.owner(self._lineage.scope())

    def stated_name(self, headers: Mapping[str, str]) -> str | None:
        """Return the caller's name as stated by the test or by a header, if it was."""
        return _named.get() or headers.get(HEADER) or self._name_of_starter()

    def _name_of_starter(self) -> str | None:
        """Return the name of whoever started this job or thread, and only waits for it."""
        names = (c.get(_named) for c in self._lineage.contexts(self._lineage.scope()))
        return next(filter(None, names), None)

    def label(self, owner: Scope) -> str:
        """Return a label for a task or thread that is the same in every run."""
        # A job has no name of its own: the thread that runs it is the caller.
        owner = self._lineage.thread_of(owner) or owner
        label = self._labels.get(owner)
        if label is None:
            label = self._labels[owner] = self._new_label(owner)
        return label

    def _new_label(self, owner: Scope) -> str:
        """Return the name that the user gave, made unique; else a kind and a number."""
        get_name = getattr(owner, "get_name", None)
        given = get_name() if get_name is not None else owner.name
        if isinstance(owner, threading.Thread):
            given, kind = owner.name, "thread"
        else:
            kind = "task"
        if _MADE_UP.match(given):
            given = kind
        count = self._counts[given] = self._counts.get(given, 0) + 1
        label = f"{given} {count}" if given == kind or count > 1 else given
        if label in self._taken:
            return self._new_label(owner)
        self._taken.add(label)
        return label
