"""Replaced functions: put in the place of others for a while, also of libraries to be imported."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from importlib.abc import Loader, MetaPathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def replaced(owner: ModuleType | type, name: str, ours: Callable[..., object]) -> ExitStack:
    """Replace a function of a module or a class.

    Args:
        owner: Whose function it is.
        name: Its name.
        ours: What takes its place.

    Returns:
        What to close in order to put it back, unless somebody has replaced ours since.
    """
    original, inherited = getattr(owner, name), name not in vars(owner)

    def undo() -> None:
        # Whoever wrapped it after us keeps theirs: without an open provider ours does nothing.
        if vars(owner).get(name) is not ours:
            return
        if inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, original)

    setattr(owner, name, ours)
    undoing = ExitStack()
    undoing.callback(undo)
    return undoing


def once_imported(name: str, attach: Callable[[ModuleType], ExitStack]) -> ExitStack:
    """Change a library now if it is imported, else as soon as it is; it is not imported for that.

    Args:
        name: Name of a module.
        attach: Called with the module, once; what it returns undoes the change.

    Returns:
        What to close in order to undo the change, or to wait for the import no longer.
    """
    undoing = ExitStack()
    module = sys.modules.get(name)
    if module is not None:
        undoing.enter_context(attach(module))
        return undoing
    finder = _Finder(name, lambda module: undoing.enter_context(attach(module)))
    sys.meta_path.insert(0, finder)
    undoing.callback(finder.stop)
    return undoing


class _Finder(MetaPathFinder):
    """Finds one module as everybody else does, and has it loaded by a loader that tells.

    Args:
        name: Name of the module.
        imported: Called with the module once it has been executed.
    """

    def __init__(self, name: str, imported: Callable[[ModuleType], object]) -> None:
        self._name = name
        self.imported = imported

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders have, for this one module."""
        if fullname != self._name:
            return None
        for finder in tuple(sys.meta_path):
            if isinstance(finder, _Finder):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _TellingLoader(spec.loader, self)
                return spec
        return None

    def stop(self) -> None:
        """Wait no longer."""
        self.imported = lambda _module: None
        if self in sys.meta_path:
            sys.meta_path.remove(self)


class _TellingLoader(Loader):
    """Loads a module as its own loader does, and leaves that loader in its place.

    Args:
        loader: The module's own loader.
        finder: Who is told.
    """

    def __init__(self, loader: Loader, finder: _Finder) -> None:
        self._loader = loader
        self._finder = finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create the module as its own loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module as its own loader does, then tell."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._finder.imported(module)
