"""Borders: where code leaves virtual time, or the clock can only follow it roughly."""

from typing import TYPE_CHECKING

from . import _report
from ._errors import VirtualTimeError
from ._participants import Participant
from ._stacks import current_frames

if TYPE_CHECKING:
    from ._dispatcher import Dispatcher


class Borders:
    """Keeps a record of crossed borders; a strict run is stopped at the first.

    Args:
        scheduler: The run that is watched.
        strict: Raise ``VirtualTimeError`` in the main participant.
    """

    def __init__(self, scheduler: "Dispatcher", *, strict: bool) -> None:
        self._scheduler = scheduler
        self._strict = strict
        self._told: set[tuple[str, int]] = set()
        self.crossed: list[str] = []
        self.violations: list[str] = []  # crossings that no exception has reported yet
        self.jumped_past: list[str] = []  # crossings after which time moved: worth a warning

    def cross(self, what: str, one: Participant, detail: str = "") -> None:
        """Note that a participant crossed a border; once for each kind and participant.

        Args:
            what: The border, in two words.
            one: Who crossed it.
            detail: What that means.
        """
        if (what, one.index) in self._told:
            return
        self._told.add((what, one.index))
        line = _report.where(current_frames().get(one.ident))
        message = f"{what}: thread {one.name!r} {detail}, {line}".replace(" ,", ",")
        self.crossed.append(message)
        if self._strict:
            self.violations.append(message)
            self._scheduler.stops.set(VirtualTimeError(f"strict virtual clock: {message}"))

    def jump_past(self, one: Participant) -> None:
        """Note that time moved although a participant had not come back."""
        if ("jumped past", one.index) not in self._told:
            self._told.add(("jumped past", one.index))
            line = _report.where(current_frames().get(one.ident))
            self.jumped_past.append(
                f"virtual time moved while thread {one.name!r} was outside the clock, {line}"
            )
