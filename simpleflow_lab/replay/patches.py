"""Changes of code under open executions: which executions take the new way.

The first time that an execution comes to a patch, its way is chosen for the whole run: the new way, with a marker that
says so, if the code runs for the first time now; while it is replayed, the new way if its history has that marker at
this decision, else the old one, for it passed here before the patch was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from simpleflow_lab.data.codec import decode, encode
from simpleflow_lab.replay.command import Command, PendingCommands
from simpleflow_lab.replay.commands.marker import MARKER
from simpleflow_lab.replay.lines import Line
from simpleflow_lab.swf.history import HistoryEvent

MARKER_NAME: Final = "simpleflow_lab.patch"
"""Name of the markers; their details are `{"patch": …, "deprecated": …}`."""


class Patches:
    """The patches of one run."""

    def __init__(self) -> None:
        self._chosen: dict[str, bool] = {}
        self._recorded: dict[str, str] = {}

    def recorded(self, batch: Iterable[HistoryEvent]) -> None:
        """Take the events that record the decision that is about to be replayed."""
        self._recorded = {}
        for event in batch:
            if is_patch(event):
                details = str(event.attributes.get("details"))
                self._recorded[str(decode(details).get("patch"))] = details

    def choose(
        self, patch: str, *, deprecated: bool, replaying: bool, line: Line | None
    ) -> tuple[bool, Command | None]:
        """Whether to take the new way, and the marker command, if this chooses it."""
        if patch in self._chosen:
            return self._chosen[patch], None
        # Replayed, the same marker as then is commanded, whether or not the patch is deprecated by now.
        details = self._recorded.get(patch) if replaying else encode({"deprecated": deprecated, "patch": patch})
        self._chosen[patch] = deprecated or details is not None
        if details is None:
            return self._chosen[patch], None
        return self._chosen[patch], Command(MARKER, MARKER_NAME, input=details, line=line)


def is_patch(event: HistoryEvent) -> bool:
    """The event is the marker of a patch."""
    return event.type == "MarkerRecorded" and event.attributes.get("markerName") == MARKER_NAME


def may_be_missing(event: HistoryEvent, pending: PendingCommands) -> bool:
    """The event is the marker of a deprecated patch that the code no longer names, as it may."""
    if not is_patch(event):
        return False
    details = str(event.attributes.get("details"))
    known = any(command.input == details for command in pending.named(MARKER, MARKER_NAME))
    return not known and bool(decode(details).get("deprecated"))
