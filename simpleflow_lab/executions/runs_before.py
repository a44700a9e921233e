"""The earlier runs of an execution that continued as new.

Rule: one list says which they are, for one run of an id follows the other; only the latest are read.
"""

from __future__ import annotations

from typing import Final

from simpleflow_lab.exceptions import UnknownResourceFault
from simpleflow_lab.executions.execution_reader import ExecutionReader
from simpleflow_lab.views.attempts import Attempt
from simpleflow_lab.views.continued_runs import RunsBefore, failed_tasks, run_before
from simpleflow_lab.views.history_fold import FoldedHistory

MAX_READ: Final = 10
"""The most earlier runs that are read for what failed in them."""


def runs_before(reader: ExecutionReader, folded: FoldedHistory) -> RunsBefore | None:
    """The runs from which an execution goes on; `None` if it is the first, or if they are deleted."""
    latest = run_before(folded)
    if latest is None:
        return None
    page = reader.service.list_closed_workflow_executions(
        domain=reader.domain,
        startTimeFilter={"oldestDate": 0, "latestDate": folded.history[0].timestamp},
        executionFilter={"workflowId": reader.workflow_id},
    )
    infos = sorted(page["executionInfos"], key=lambda info: info["startTimestamp"], reverse=True)
    while infos and infos[0]["execution"]["runId"] != latest:  # this one, and what started in the same millisecond
        del infos[0]
    last = next((number for number, info in enumerate(infos) if info["closeStatus"] != "CONTINUED_AS_NEW"), len(infos))
    failed: list[tuple[str, Attempt]] = []
    read = 0
    for info in infos[: min(last, MAX_READ)]:
        run_id = info["execution"]["runId"]
        try:
            run = reader.other(reader.workflow_id, run_id).folded()
        except UnknownResourceFault:  # its retention period is over
            break
        read += 1
        failed += ((run_id, each) for each in failed_tasks(run))
    return RunsBefore(
        started=[info["startTimestamp"] for info in infos[:last]],
        is_all=last < len(infos) or "nextPageToken" not in page,
        failed=failed,
        read=read,
    )
