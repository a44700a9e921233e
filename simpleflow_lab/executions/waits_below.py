"""The waits of an execution and of those below it, each in its own history.

Rule: of a tree of executions only so many are read, and only so deep: see `reading_budget`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.executions.execution_reader import ExecutionReader
from simpleflow_lab.executions.reading_budget import MAX_DEPTH, Budget
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.history_fold import FoldedHistory
from simpleflow_lab.views.history_waits import blocked_wait, disk_wait, waits_of
from simpleflow_lab.views.waiting import Wait
from simpleflow_lab.views.worker_advice import UNKNOWN, Polling

MAX_RUNS: Final = 20
"""The most runs for which a child that continues as new is followed."""


def waits_down(reader: ExecutionReader) -> Iterator[Wait]:
    """The waits of the execution, and after each child those of that one."""
    return _waits_down(reader, 0, Budget())


def waits_with(reader: ExecutionReader, folded: FoldedHistory, known: Mapping[str, Any]) -> list[Wait]:
    """Its own waits, and what blocks those below it; `known` is what `describe_waiting` says."""
    errors = reader.reports()["decisionErrors"]
    below = [
        blocked_wait(error, workflow_id=error["execution"]["workflowId"], depth=1)
        for error in errors
        if error["execution"] != reader.ids
    ]
    return [*_own_waits(reader, folded, known, errors), *below]


def polling_of(reader: ExecutionReader) -> Polling:
    """The number of activities that run at once on each task list, in all processes that its service knows."""
    pool = reader.pool
    instance = pool.context.session.instance
    here = {worker.task_list: worker.at_once for worker in pool.activity_workers_that_poll()}
    at_once: dict[str, int] = dict(here) if reader.domain == pool.context.domain else {}
    for each in reader.service.pollers(domain=reader.domain)["pollers"]:
        if each["kind"] == ACTIVITY and (instance is None or each.get("instance") != instance):
            number = each["waitingPolls"] + len(each["tasks"])
            at_once[each["taskList"]] = at_once.get(each["taskList"], 0) + number
    return Polling(at_once=at_once, is_all=instance is not None, default=pool.activity_threads)


def _waits_down(reader: ExecutionReader, depth: int, budget: Budget) -> Iterator[Wait]:
    folded, known = reader.folded_and_waiting()
    for wait in _own_waits(reader, folded, known, reader.reports()["decisionErrors"], depth):
        yield wait
        if wait.kind == CHILD and wait.run_id is not None and depth < MAX_DEPTH:
            child = _open_child(reader, wait) if budget.take() else None
            if child is not None:
                yield from _waits_down(child, depth + 1, budget)


def _own_waits(
    reader: ExecutionReader,
    folded: FoldedHistory,
    known: Mapping[str, Any],
    errors: Sequence[Mapping[str, Any]],
    depth: int = 0,
) -> list[Wait]:
    own = [error for error in errors if error["execution"] == reader.ids]
    waits = waits_of(
        folded,
        workflow_id=reader.workflow_id,
        depth=depth,
        tasks=known["tasks"],
        errors=own,
        running_line=reader.pool.slow_line(reader.run_id),
        polling=polling_of(reader) if folded.task_counts.waiting else UNKNOWN,
    )
    paused = known.get("storePaused")
    return waits if paused is None else [disk_wait(paused, workflow_id=reader.workflow_id, depth=depth), *waits]


def _open_child(reader: ExecutionReader, wait: Wait) -> ExecutionReader | None:
    """The child of this row, in the run that is open now; `None` if that is not known."""
    run_id = wait.run_id
    for _ in range(MAX_RUNS):
        if wait.id is None or run_id is None:
            return None
        child = reader.other(wait.id, run_id)
        last = child.last_event()
        if History([last]).close_status is None:
            return child
        run_id = last.attributes.get("newExecutionRunId")
    return None
