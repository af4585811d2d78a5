"""Neighbours: other tools that know about time, each met when a clock opens or it is imported.

None of them is imported here.
"""

import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import _freezegun, _time_machine, _tools, _trio

if TYPE_CHECKING:
    from ._scheduler import Scheduler

Meet = Callable[["Scheduler", Any], None]

_NEIGHBOURS: dict[str, Meet] = {
    "_pytest.timing": _tools.meet_pytest,
    "freezegun.api": _freezegun.meet,
    "hypothesis.core": _tools.meet_hypothesis,
    "time_machine": _time_machine.meet,
    "trio": _trio.meet,
    "uvloop": _tools.meet_uvloop,
}


def meet_all(scheduler: "Scheduler") -> None:
    """Meet those that are imported, and look out for the others."""
    for name, meet in _NEIGHBOURS.items():
        module = sys.modules.get(name)
        if module is not None:
            meet(scheduler, module)
    scheduler.patches.add(LateImports(scheduler))


class LateImports:
    """A finder that meets a neighbour which is first imported while the clock is open."""

    def __init__(self, scheduler: "Scheduler") -> None:
        self._scheduler = scheduler

    def on(self) -> None:
        """Take part in the search for modules, before all other finders."""
        sys.meta_path.insert(0, self)

    def off(self) -> None:
        """Leave the search."""
        sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Let the other finders find a neighbour, and meet it when its code has run."""
        meet = _NEIGHBOURS.get(name)
        if meet is None:
            return None
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    self._meet_after_import(spec, meet)
                    return spec
        return None

    def _meet_after_import(self, spec: importlib.machinery.ModuleSpec, meet: Meet) -> None:
        loader: Any = spec.loader
        original = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module
            original(module)
            if not self._scheduler.closed:
                meet(self._scheduler, module)

        loader.exec_module = exec_module
