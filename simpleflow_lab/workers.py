"""The deciders and activity workers of a Lab: a list that displays itself, and that scales and stops them.

    lab.workers
    lab.start_workers(4, task_list="etl")
    lab.workers.of("etl").stop(seconds=30)

*Rule:* looking at workers costs them nothing: everything that is shown is counted anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.runtime.worker import ACTIVITY_WORKER, CurrentTask, Worker, checked_count, stop_all
from simpleflow_lab.views.formatting import shortened
from simpleflow_lab.views.listing_views import ListingView
from simpleflow_lab.views.listings import Kind, Listing

_MAX_TASKS: Final = 1
"""How many current tasks a cell names."""
_MAX_TYPES: Final = 3
"""How many types a cell names."""
_MAX_NAME: Final = 40
_MAX_ERROR: Final = 160


class Workers(ListingView[Worker]):
    """Deciders and activity workers of this process, the stopped ones, too. It displays itself as a table."""

    def of(self, task_list: str) -> Workers:
        """Those of one task list."""
        return Workers(worker for worker in self if worker.task_list == task_list)

    def scale(self, count: int) -> None:
        """Let each activity worker among them run `count` activities at once; see `Worker.scale`.

        Raises `UsageError` if there is none.
        """
        checked_count(count)
        chosen = [worker for worker in self if worker.kind == ACTIVITY_WORKER]
        if not chosen:
            raise UsageError("there is no activity worker here: start_workers() starts one")
        for worker in chosen:
            worker.scale(count)

    def start(self) -> None:
        """Start those that were stopped."""
        for worker in self:
            worker.start()

    def stop(self, *, drain: bool = True, seconds: float | None = None) -> bool:
        """Stop all of them at once; `False` if a task is still at hand after `seconds`. See `Worker.stop`."""
        return stop_all(self, drain=drain, seconds=seconds)

    def listing(self) -> Listing:
        """One row for each; texts are bounded."""
        return Listing(columns=_COLUMNS, rows=[_row(worker) for worker in self])

    @property
    def _nothing(self) -> str:
        return "no decider and no activity worker has been started here"


_COLUMNS: Final = {
    "kind": Kind.TEXT,
    "task list": Kind.TEXT,
    "state": Kind.TEXT,
    "since": Kind.TIME,
    "at once": Kind.COUNT,
    "current tasks": Kind.TEXT,
    "done": Kind.COUNT,
    "failed": Kind.COUNT,
    "last error": Kind.TEXT,
    "types": Kind.TEXT,
}


def _row(worker: Worker) -> tuple[object, ...]:
    error = worker.last_error
    return (
        worker.kind,
        shortened(worker.task_list, _MAX_NAME),
        worker.state,
        worker.since,
        worker.at_once,
        _named([_task_text(task) for task in worker.tasks], _MAX_TASKS),
        worker.done,
        worker.failed,
        None if error is None else shortened(error, _MAX_ERROR),
        _named([shortened(name, _MAX_NAME) for name in worker.types], _MAX_TYPES),
    )


def _task_text(task: CurrentTask) -> str:
    workflow_id = shortened(task.workflow_id, _MAX_NAME)
    return workflow_id if task.activity_id is None else f"{shortened(task.activity_id, _MAX_NAME)} of {workflow_id}"


def _named(names: Sequence[str], limit: int) -> str:
    """The first names, and how many there are more."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit:,} more"
