"""The live view of a Lab: its executions, task lists and workers, and what can be done about the workers.

    lab

The Lab is asked once a second, until it is closed; see `notebook.following_view`. The view ends when its cell runs
again.

Rule: a view changes deciders and activity workers of this process only; those of others are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import traitlets

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.lab import Lab
from simpleflow_lab.notebook.following_view import FollowingView
from simpleflow_lab.notebook.lab_overview import LabOverview, overview_of
from simpleflow_lab.notebook.widget_messages import module_of, style_sheet
from simpleflow_lab.views.formatting import HOVER_LIMIT, bounded, shortened
from simpleflow_lab.views.style import STATUSES

EVERY: Final = 1.0
"""Seconds between two updates, at least."""
_MAX_COUNT: Final = 1_000
"""The most activities at once that a reader can ask for."""


class LabView(FollowingView):
    """One Lab, live."""

    _esm = module_of("lab_view.js")
    _css = style_sheet("live_view.css")

    overview = traitlets.Dict().tag(sync=True)
    """The overview, as `overview_record` gives it."""
    _thread_name = "simpleflow-lab lab view"
    _share = 10

    def __init__(self, lab: Lab) -> None:
        """Raises `SimpleflowLabError` if the Lab can't be asked."""
        self._lab = lab
        super().__init__(refresh=EVERY, overview=overview_record(overview_of(lab)))

    def _why_ended(self) -> str | None:
        return "this Lab was closed: what is shown is what was there before" if self._lab.closed else None

    def _update(self) -> bool:
        self._set("overview", overview_record(overview_of(self._lab)))
        return True

    def _do(self, request: Mapping[str, Any]) -> str:
        match request:
            case {"action": "start", "what": "decider", "task_list": str(name)} if name:
                self._lab.start_deciders(task_list=name)
                return f"a decider of {shortened(name)} takes tasks"
            case {"action": "start", "task_list": str(name), "count": int(number)} if name and number:
                self._lab.start_workers(min(number, _MAX_COUNT), task_list=name)
                return f"an activity worker of {shortened(name)} runs {min(number, _MAX_COUNT)} at once"
            case {"action": "stop", "what": str(kind), "task_list": str(name)}:
                found = [each for each in self._lab.workers.of(name) if each.kind == kind]
                for worker in found:
                    worker.stop(seconds=0)
                return f"the {kind} of {shortened(name)} takes no more tasks" if found else "there is none any more"
        raise UsageError("a worker needs the name of its task list")


def overview_record(overview: LabOverview) -> dict[str, Any]:
    """An overview as plain values that JSON can hold; texts are bounded and not escaped."""
    return {
        "lines": [bounded(line, HOVER_LIMIT) for line in overview.lines],
        "executions": [
            {
                "workflow_id": each.workflow_id,
                "run_id": each.run_id,
                "type": each.type,
                "status": each.status,
                "glyph": STATUSES[each.status].glyph,
                "colour": STATUSES[each.status].colour,
                "started": each.started.isoformat(" ", "seconds").removesuffix("+00:00"),
                # Of an open one coarse, so that little changes between two looks.
                "seconds": round(each.seconds, 3 if each.status != "OPEN" else 1 if each.seconds < 60 else None),
                "waits": each.waits,
                "is_child": each.is_child,
            }
            for each in overview.executions
        ],
        "task_lists": [vars(each) for each in overview.task_lists],
        "workers": [
            {
                "kind": worker.kind,
                "task_list": worker.task_list,
                "state": worker.state,
                "at_once": worker.at_once,
                "tasks": [shortened(task.activity_id or task.workflow_id) for task in worker.tasks[:3]],
                "running": len(worker.tasks),
                "done": worker.done,
                "failed": worker.failed,
                "error": shortened(worker.last_error or "", HOVER_LIMIT),
            }
            for worker in overview.workers
        ],
    }
