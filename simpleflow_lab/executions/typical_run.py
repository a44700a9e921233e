"""The last runs of a workflow that completed before an execution started: what it is measured by.

Rule: a fork reuses what another run did: it is measured by none, and none by it.
"""

from __future__ import annotations

from typing import Final

from simpleflow_lab.executions.execution_reader import ExecutionReader
from simpleflow_lab.swf.fork_start import forked_from, tag_of_origin
from simpleflow_lab.views.critical_path import critical_path
from simpleflow_lab.views.earlier_runs import MAX_RUNS, EarlierRuns, is_slower
from simpleflow_lab.views.history_fold import FoldedHistory

_PAGE: Final = 50
"""Number of executions of its workflow among which these are looked for."""


def earlier_runs(reader: ExecutionReader, folded: FoldedHistory) -> EarlierRuns:
    """The durations of earlier runs; if this execution takes clearly longer, with the critical path of a usual one."""
    started = folded.history[0]
    if forked_from(started.attributes) is not None:
        return EarlierRuns(seconds=[])
    infos = reader.service.list_closed_workflow_executions(
        domain=reader.domain,
        startTimeFilter={"oldestDate": 0, "latestDate": started.timestamp},
        typeFilter={"name": started.attributes["workflowType"]["name"]},
        maximumPageSize=_PAGE,
    )["executionInfos"]
    runs = [
        ((info["closeTimestamp"] - info["startTimestamp"]).total_seconds(), info["execution"])
        for info in infos
        if info.get("closeStatus") == "COMPLETED"
        and info["closeTimestamp"] <= started.timestamp
        and tag_of_origin(info.get("tagList")) is None
    ][:MAX_RUNS]
    earlier = EarlierRuns(seconds=[seconds for seconds, _ in runs])
    took = folded.until - started.timestamp if folded.history.close_status is None else None
    seconds = (took or folded.history[-1].timestamp - started.timestamp).total_seconds()
    if not runs or not is_slower(seconds, earlier.usual):
        return earlier
    ids = next(ids for taken, ids in runs if taken == earlier.usual)
    usual = reader.other(ids["workflowId"], ids["runId"])
    return EarlierRuns(seconds=earlier.seconds, typical=critical_path(usual.history()))
