"""Markers: values that the history keeps.

SWF refuses a marker only for want of permission, so it counts as recorded when it is commanded.
"""

from __future__ import annotations

from typing import Any, Final

from simpleflow_lab.data.codec import decode, encode
from simpleflow_lab.data.references import all_loaded
from simpleflow_lab.futures import Future, copy_outcome
from simpleflow_lab.marker import Marker
from simpleflow_lab.replay.captured_arguments import CapturedArguments
from simpleflow_lab.replay.command import Command, CommandKind
from simpleflow_lab.replay.lines import Line
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.swf import decisions
from simpleflow_lab.swf.names import check_name
from simpleflow_lab.task import MarkerTask

MARKER: Final = CommandKind(
    name="marker",
    build=lambda command: decisions.record_marker(name=command.id, details=command.input),
    id_attribute="markerName",
    input_attribute="details",
)


class Markers:
    """The markers of one run."""

    def __init__(self, run: ReplayedRun) -> None:
        self._run = run
        self._markers: list[Marker] = []
        self._futures: dict[tuple[str, str | None], Future] = {}

    def submit(self, task: MarkerTask, line: Line | None) -> Future:
        """Record a marker, once for each name and details."""
        check_name(task.name, "MarkerName", "the name of a marker")
        run = self._run
        captured = CapturedArguments(task.details)
        future = run.new_future(task.name)

        def proceed() -> None:
            value = captured.value
            text = None if value is None else run.fields.encode(value, f"details of marker {task.name}")
            same = self._futures.get((task.name, text))
            if same is not None:
                copy_outcome(same, future)
                return
            # As the history gives it back: in JSON's types, and out of reach of the author's later changes.
            marker = Marker(task.name, None if value is None else decode(encode(all_loaded(value))))
            self._futures[task.name, text] = future
            command = Command(MARKER, task.name, task=task, future=future, input=text, line=line)
            run.when_recorded(command, lambda: future.set_finished(marker.details))
            self._markers.append(marker)
            run.enqueue(command)

        captured.when_ready(run, future, proceed)
        return future

    def all(self) -> list[Marker]:
        """The markers so far, oldest first."""
        return list(self._markers)

    def unrecorded(self, name: str) -> dict[str, Any] | None:
        """Upstream's record of the latest marker of this name, if the history does not record it yet."""
        commanded = [marker for marker in self._markers if marker.name == name]
        if len(commanded) <= len(self._run.history.markers.get(name, ())):
            return None
        details = {"name": name, "details": commanded[-1].details, "event_id": None}
        return {"type": "marker", "state": "recorded", **details, "timestamp": self._run.decided_at}
