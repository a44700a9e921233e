"""Changes of code under open executions: which executions take the new way.

The first time that an execution comes to a patch, what it takes is settled for the whole run: the new way, with a
marker that says so, if that is done for the first time now; while it is replayed, the new way if its history has that
marker at this decision, else the old one, for it passed here before the patch was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from simpleflow_lab.data.codec import decode, encode
from simpleflow_lab.replay import requests
from simpleflow_lab.replay.fibers import Line
from simpleflow_lab.replay.requests import Asked, Request
from simpleflow_lab.swf.history import HistoryEvent

MARKER_NAME: Final = "simpleflow_lab.patch"
"""Name of the markers; their details are `{"patch": …, "deprecated": …}`."""


class Patches:
    """The patches of one run."""

    def __init__(self) -> None:
        self._settled: dict[str, bool] = {}
        self._recorded: dict[str, str] = {}

    def recorded(self, batch: Iterable[HistoryEvent]) -> None:
        """These events record the decision that is about to be replayed."""
        self._recorded = {}
        for event in batch:
            if is_patch(event):
                details = str(event.attributes.get("details"))
                self._recorded[str(decode(details).get("patch"))] = details

    def settle(
        self, patch: str, *, deprecated: bool, replaying: bool, line: Line | None
    ) -> tuple[bool, Request | None]:
        """Whether to take the new way, and the marker to ask for, if this settles it."""
        if patch in self._settled:
            return self._settled[patch], None
        # Replayed, the same marker as then is asked for, whether or not the patch is deprecated by now.
        details = self._recorded.get(patch) if replaying else encode({"deprecated": deprecated, "patch": patch})
        self._settled[patch] = deprecated or details is not None
        if details is None:
            return self._settled[patch], None
        return self._settled[patch], Request(requests.MARKER, MARKER_NAME, input=details, line=line)


def is_patch(event: HistoryEvent) -> bool:
    """The event is the marker of a patch."""
    return event.type == "MarkerRecorded" and event.attributes.get("markerName") == MARKER_NAME


def may_be_missed(event: HistoryEvent, asked: Asked) -> bool:
    """The marker of a deprecated patch that the code no longer knows of, as it may."""
    if not is_patch(event):
        return False
    details = str(event.attributes.get("details"))
    known = any(request.input == details for request in asked.named(requests.MARKER, MARKER_NAME))
    return not known and bool(decode(details).get("deprecated"))
