"""Shared ledger: limiters whose state lives in a store, one for several processes."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from fake_provider._kept import NS_PER_US, Kept, check_shared, kept_as, window_us
from fake_provider._ledger import charged_by
from fake_provider._limiters import Decision, Level, decide, refusal
from fake_provider._store import LedgerLost, Store

if TYPE_CHECKING:
    from fake_provider._limit import Limit
    from fake_provider._tokens import Cost
    from fake_provider._wire._shapes import Endpoint


class _Group(NamedTuple):
    """What decides on the requests of one key, model class and endpoint.

    Args:
        keys: The store's keys: the epoch's, then one for each panel.
        fixed: What the script is told each time.
        kept: The limits in the script's order.
        order: Where each limit of a decision stands in that order.
        pack: Packs two amounts for each limit.
    """

    keys: tuple[str, ...]
    fixed: bytes
    kept: tuple[Kept, ...]
    order: tuple[int, ...]
    pack: Callable[..., bytes]

    @property
    def settles(self) -> bool:
        """True if a charge is corrected once its answer has ended."""
        return any(each.settled is not None for each in self.kept)


class SharedLedger:
    """A ledger of the same behaviour as one in this process, kept in a store.

    Processes share a count where the store, the limits, the key (and the seed that hides it) and
    the model class are the same. Instants are those of the store's clock, whoever asks.

    Args:
        limits: The limits, all of them in `SHARED` and none on concurrent requests.
        store: The store.

    """

    def __init__(self, limits: Iterable[Limit], store: Store) -> None:
        self._limits = tuple(limits)
        self._store = store
        stated = hashlib.blake2b(repr(self._limits).encode(), digest_size=8).hexdigest()
        # The braces keep all keys of a cluster in one place, where a script can reach them.
        self._prefix = f"{{fake-provider:{stated}}}"
        self._groups: dict[tuple[str, str, Endpoint], _Group] = {}
        self._owed: list[tuple[_Group, list[int], int]] = []
        self._epoch = ""
        # For the tests: microseconds of a clock of their own, in place of the store's.
        self.now_us: int | str = ""

    def admit(
        self,
        key: str,
        model_class: str,
        cost: Cost,
        now_ns: int,
        endpoint: Endpoint = "generate",
    ) -> Decision:
        """Charge an attempt to every limit, or refuse it and charge it to none.

        Args:
            key: The API key, or what stands for it.
            model_class: The group of models that shares a limit.
            cost: What the attempt costs.
            now_ns: When it arrived here, which counts for nothing: the store has the time.
            endpoint: What it asks for.

        Returns:
            The decision, with the levels after it.

        Raises:
            LedgerLost: The store cannot be asked, or has lost what was charged.
        """
        self._pay()
        group = self._group(key, model_class, endpoint)
        if not group.kept:
            return decide((), (), now_ns)
        costs = [each.charged(cost) for each in group.kept]
        amounts: list[int] = []
        for each, amount in zip(group.kept, costs, strict=True):
            amounts += (amount, each.booked(amount))
        told = self._run("decide", group, amounts)
        return _decision(group, costs, told)

    def settle(self, key: str, model_class: str, cost: Cost, admitted_ns: int, now_ns: int) -> None:  # noqa: ARG002
        """Correct what an admitted attempt was charged, now that its answer has ended.

        What a lost store cannot be told is told it before the next decision.

        Args:
            key: As for `admit`.
            model_class: As for `admit`.
            cost: What the attempt costs; its reservation is that of `admit`.
            admitted_ns: When it was charged, by the decision.
            now_ns: Of no meaning here.
        """
        group = self._group(key, model_class, "generate")
        if not group.settles:
            return
        changes: list[int] = []
        for each in group.kept:
            change = each.settled(cost) - each.charged(cost) if each.settled else 0
            changes += (change, 0)
        self._owed.append((group, changes, admitted_ns // NS_PER_US))
        if len(self._owed) == 1:
            with suppress(LedgerLost):
                self._pay()

    def release(self, key: str, model_class: str) -> None:
        """Do nothing: no limit on concurrent requests is kept here."""

    def levels(
        self,
        key: str,
        model_class: str,
        now_ns: int,  # noqa: ARG002
        endpoint: Endpoint = "generate",
    ) -> tuple[Level, ...]:
        """Return the level of every limit that the endpoint is charged against, in their order.

        Raises:
            LedgerLost: As for `admit`.
        """
        group = self._group(key, model_class, endpoint)
        if not group.kept:
            return ()
        return _levels(group, self._run("levels", group, [0, 0] * len(group.kept)))

    def reset(self) -> None:
        """Forget every charge, for all who share them.

        Raises:
            LedgerLost: The store cannot be asked.
        """
        self._store.forget(self._prefix)
        self._epoch = ""
        self._owed.clear()

    def _run(self, verb: str, group: _Group, amounts: Sequence[int], at_us: int = 0) -> list[int]:
        """Ask the script, and return what it tells."""
        if not self._epoch:
            self._epoch = self._store.epoch(group.keys[0])
        words = (verb, self._epoch, self.now_us, at_us, group.fixed, group.pack(*amounts))
        told = self._store.run(group.keys, words)
        if told[0] < 0:
            raise self._store.lost(
                "it has started anew, or another process has begun the count anew; what was "
                "charged before is not known. Reset to begin anew: POST /_fake_provider/reset"
            )
        return told

    def _pay(self) -> None:
        """Tell the store the corrections that it has not been told."""
        while self._owed:
            group, changes, charged_us = self._owed[0]
            self._run("settle", group, changes, charged_us)
            self._owed.pop(0)

    def _group(self, key: str, model_class: str, endpoint: Endpoint) -> _Group:
        """Return what decides on the requests of one key, model class and endpoint."""
        named = (key, model_class, endpoint)
        group = self._groups.get(named)
        if group is None:
            group = self._groups[named] = self._new_group(key, model_class, endpoint)
        return group

    def _new_group(self, key: str, model_class: str, endpoint: Endpoint) -> _Group:
        """Bring together the limits of one key, model class and endpoint, panel by panel."""
        panels: dict[str, list[tuple[int, Limit]]] = {}
        held = charged_by(self._limits, model_class, endpoint)
        for place, (_, limit) in enumerate(held):
            panels.setdefault(self._panel(limit, key, model_class), []).append((place, limit))
        keys, fixed, kept, places = [f"{self._prefix}:epoch"], [], [], []
        for name, limits in panels.items():
            keys.append(name)
            rows = [kept_as(limit) for _, limit in limits]
            settles = any(row.settled is not None for row in rows)
            fixed += [len(rows), 0 if rows[0].parts else window_us(rows[0].limit), settles]
            for row in rows:
                fixed += row.fixed
            kept += rows
            places += [place for place, _ in limits]
        order = tuple(sorted(range(len(places)), key=places.__getitem__))
        pack = struct.Struct(f"<{2 * len(kept)}d").pack
        fixed_floats = struct.pack(f"<{len(fixed)}d", *fixed)
        return _Group(tuple(keys), fixed_floats, tuple(kept), order, pack)

    def _panel(self, limit: Limit, key: str, model_class: str) -> str:
        """Return the store's key of a limit and of those that are always charged with it."""
        pool = [part or "" for part in limit.pool(key, model_class)]
        together = (
            limit.refills,
            0 if limit.refills else limit.window,
            limit.kind == "count_tokens",
            limit.scope,
            limit.models,
            limit.except_models,
        )
        digest = hashlib.blake2b(repr((together, pool)).encode(), digest_size=8).hexdigest()
        return f"{self._prefix}:{digest}"


def store_for(url: str | None, clock: str, limits: Iterable[Limit]) -> Store | None:
    """Return the store that keeps these limits; None where this process keeps them.

    Args:
        url: The store's URL, or None.
        clock: The clock of whoever asks.
        limits: The limits.

    Raises:
        ImportError: redis-py is not installed.
        ValueError: The URL is none, the clock is not real, or a limit cannot be kept there.
    """
    if url is None:
        return None
    store = Store(url)
    if clock != "real":
        raise ValueError(
            f'ledger={store.name!r} needs clock="real", since other processes have no part in a '
            f"virtual clock, got clock={clock!r}"
        )
    check_shared(limits)
    return store


def _levels(group: _Group, told: Sequence[int]) -> tuple[Level, ...]:
    """Return the levels that the script told, in the order of the limits."""
    kept, step = group.kept, (len(told) - 2) // len(group.kept)
    return tuple(
        [
            kept[number].level(told[2 + step * number], told[3 + step * number])
            for number in group.order
        ]
    )


def _decision(group: _Group, costs: Sequence[int], told: Sequence[int]) -> Decision:
    """Return the decision that the script told."""
    now_ns, levels, order = told[1] * NS_PER_US, _levels(group, told), group.order
    costs = [costs[number] for number in order]
    if told[0]:
        fits = [(level[1] + cost) / cost for level, cost in zip(levels, costs, strict=True) if cost]
        return Decision(True, min(fits, default=math.inf), 0, (), levels, now_ns)
    kept = [group.kept[number] for number in order]
    rows = [told[2 + 4 * number : 6 + 4 * number] for number in order]
    rooms = [each.room(arrived) for each, (_, _, arrived, _) in zip(kept, rows, strict=True)]
    waits = [
        each.wait_ns(cost, left, wait_us)
        for each, cost, (left, _, _, wait_us) in zip(kept, costs, rows, strict=True)
    ]
    return refusal(costs, rooms, waits, levels, now_ns)
