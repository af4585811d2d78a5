"""Marker: the settings of `@pytest.mark.ratelimit`, nearest marker first."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_ratelimit import _options

# Keywords of the marker that speak to the judge and not to the provider.
JUDGE = ("alpha", "ignore", "policy")
THRESHOLDS = tuple(name for name in _options.THRESHOLDS if name != "alpha")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the markers of one test state.

    Args:
        limits: Positional limits, nearest marker first.
        provider: Keyword arguments of FakeProvider.
        judge: Keyword arguments of the judge: alpha, ignore, policy and thresholds.
    """

    limits: tuple[Any, ...] = ()
    provider: Mapping[str, Any] = field(default_factory=dict)
    judge: Mapping[str, Any] = field(default_factory=dict)


def merge(markers: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> Settings:
    """Return the settings of several markers; the nearest one wins for each keyword.

    Args:
        markers: Positional and keyword arguments of each marker, nearest first.

    Returns:
        The settings.

    Raises:
        TypeError: A keyword is unknown; the message names the nearest one there is.
    """
    limits: tuple[Any, ...] = ()
    stated: dict[str, Any] = {}
    for args, kwargs in markers:
        limits = limits or args
        for name, value in kwargs.items():
            _check_keyword(name)
            stated.setdefault(name, value)
    judge = {name: stated.pop(name) for name in JUDGE if name in stated}
    thresholds = {name: stated.pop(name) for name in THRESHOLDS if name in stated}
    if thresholds:
        judge["thresholds"] = thresholds
    return Settings(limits, stated, judge)


def _check_keyword(name: str) -> None:
    """Raise for a keyword that neither the provider nor the judge knows."""
    from fake_provider import FakeProvider

    known = [
        parameter.name
        for parameter in inspect.signature(FakeProvider).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    known += [*JUDGE, *THRESHOLDS]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        raise TypeError(f"unknown keyword {name!r}: {hint}")
