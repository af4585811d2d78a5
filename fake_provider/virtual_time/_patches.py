"""Patches: changes to things that the whole process shares, each of which can be undone."""

from collections.abc import Iterable
from typing import Any, Protocol


class Patch(Protocol):
    """A change to something that is shared by the whole process."""

    def on(self) -> None:
        """Make the change."""

    def off(self) -> None:
        """Undo the change; nothing happens if it was not made."""


class AttributePatch:
    """One attribute of a module, of a Python class or of an instance."""

    def __init__(self, owner: Any, name: str, value: Any) -> None:
        self._owner, self._name, self._ours = owner, name, value
        self._is_on = False
        self._before: list[Any] = []

    def on(self) -> None:
        """Replace the attribute, remembering the raw entry (a staticmethod stays one)."""
        if not self._is_on:
            own = vars(self._owner)
            self._before = [own[self._name]] if self._name in own else []
            setattr(self._owner, self._name, self._ours)
            self._is_on = True

    def off(self) -> None:
        """Put the attribute back, or remove it where it was inherited."""
        if self._is_on:
            self._is_on = False
            if self._before:
                setattr(self._owner, self._name, self._before.pop())
            else:
                delattr(self._owner, self._name)


class PatchSet:
    """Patches that go on together and come off in the reverse order."""

    def __init__(self, patches: Iterable[Patch] = ()) -> None:
        self._patches = list(patches)
        self._on: list[Patch] = []

    def on(self) -> None:
        """Make every change, unless they are made; when one fails, undo the others."""
        if self._on:
            return
        try:
            for patch in self._patches:
                patch.on()
                self._on.append(patch)
        except BaseException:
            self.off()
            raise

    def add(self, patch: Patch) -> None:
        """Make one more change, to be undone with the rest."""
        patch.on()
        self._on.append(patch)

    def off(self) -> None:
        """Undo every change that was made."""
        while self._on:
            self._on.pop().off()
