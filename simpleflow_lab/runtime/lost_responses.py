"""Finds out what became of the answer to a task whose response was lost: given, or too late.

SWF may carry out a request whose response never arrives. The request is then made again, and refused with
`UnknownResourceFault`, for the task is closed: by that very answer, or by a timeout. Nobody else can close it, so the
history tells which it was.

Rule: a task counts as answered only if SWF said so, or its history does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.runtime.context import WorkerContext
from simpleflow_lab.service.protocol import Structure, SWFService
from simpleflow_lab.swf.event_types import CLOSE_STATUS
from simpleflow_lab.swf.history import HistoryEvent, event_from_wire

logger = logging.getLogger(__name__)

_CLOSED: Final = frozenset(
    {
        "DecisionTaskCompleted",
        "DecisionTaskTimedOut",
        "ActivityTaskCompleted",
        "ActivityTaskFailed",
        "ActivityTaskCanceled",
        "ActivityTaskTimedOut",
    }
)
"""The events that close a task; each names the event that started it."""
_READ_AGAIN: Final = (0.25, 0.5, 1.0)
"""Seconds between readings of a history that does not show yet how the task was closed."""


def recorded_close(context: WorkerContext, task: Mapping[str, Any]) -> HistoryEvent | None:
    """The event that closed a task that this process took; `None` if the history has none, or can't be read.

    If it has none, the execution was closed before the task was.
    """
    execution = task["workflowExecution"]
    try:
        for pause in (*_READ_AGAIN, None):
            found, is_final = _look_for(context.service, context.domain, execution, task["startedEventId"])
            if found is not None or is_final or pause is None:
                return found
            time.sleep(pause)
    except SimpleflowLabError as error:
        logger.info("the history of %s can't be read: %s", execution["workflowId"], error)
    return None


def _look_for(
    service: SWFService, domain: str, execution: Structure, started_event_id: int
) -> tuple[HistoryEvent | None, bool]:
    """The event, if the history has it, and whether the execution is closed."""
    page: dict[str, Any] = {}
    is_closed = False
    while True:
        answer: Mapping[str, Any] = service.get_workflow_execution_history(
            domain=domain, execution=execution, reverseOrder=True, **page
        )
        for wire in answer["events"]:
            event = event_from_wire(wire)
            is_closed = is_closed or event.type in CLOSE_STATUS
            if event.type in _CLOSED and event.attributes.get("startedEventId") == started_event_id:
                return event, is_closed
            if event.id <= started_event_id:
                return None, is_closed
        if not answer.get("nextPageToken"):
            return None, is_closed
        page = {"nextPageToken": answer["nextPageToken"]}
