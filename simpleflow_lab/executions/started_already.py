"""The execution for which a start was refused: it is taken up if it is what was to be started."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.executions.execution_infos import execution_infos
from simpleflow_lab.replay.json_texts import same_json
from simpleflow_lab.service.protocol import SWFService
from simpleflow_lab.swf.history import event_from_wire

_LISTED_AFTER: Final = (0.2, 0.4, 0.8, 1.6, 3.2)
"""Pauses, in seconds, between searches for what has just been started: Amazon's lists show it only after a while."""
_CLOCKS_DIFFER: Final = datetime.timedelta(minutes=1)
"""The most by which the clock of this computer and Amazon's may differ: signatures of other clocks are refused."""


def run_like(
    service: SWFService,
    *,
    domain: str,
    workflow_id: str,
    workflow_type: Mapping[str, str],
    text: str,
    began: datetime.datetime,
) -> str:
    """The run id of the execution of this id that is open, or has closed since `began`, if it is the same workflow
    with the same input. Raises `UsageError` if it is another one.

    It may have closed just after a start was refused for it; or the first response to a start was lost, and what
    that started is done.
    """
    infos: list[Mapping[str, Any]] = []
    for pause in (0.0, *_LISTED_AFTER):
        time.sleep(pause)
        infos = [
            info
            for info in execution_infos(service, domain=domain, workflow_id=workflow_id)
            if info["executionStatus"] == "OPEN" or info["closeTimestamp"] >= began - _CLOCKS_DIFFER
        ]
        if infos:
            break
    if infos:
        run_id: str = infos[0]["execution"]["runId"]
        answer = service.get_workflow_execution_history(
            domain=domain, execution=infos[0]["execution"], maximumPageSize=1
        )
        started = event_from_wire(answer["events"][0]).attributes
        if started["workflowType"] == workflow_type and same_json(started.get("input"), text):
            return run_id
    raise UsageError(
        f"an open execution has the id {workflow_id!r}, with another workflow or input: "
        "terminate it, or choose another workflow_id"
    )
