"""Starts workers here for what an execution schedules, also when another process decides for it.

A decider starts activity workers for what it schedules (`runtime.pool`). Any process that polls the same task list may
get the decision instead: on Amazon SWF a poll can't say of which executions, and a store gives decisions to programs of
SDKs, too. So whoever waits for an execution looks in its history, and in those of its open children, for what nobody
has taken.

Rule: only of executions whose task list this process decides for, and only of types that it defines; and not while
decisions of this process do the same.
"""

from __future__ import annotations

import math
import time
from typing import Final

from simpleflow_lab.exceptions import UnknownResourceFault
from simpleflow_lab.executions.execution_reader import ExecutionReader
from simpleflow_lab.executions.reading_budget import MAX_DEPTH, Budget
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD
from simpleflow_lab.swf.history import HistoryEvent

LOOK_SECONDS: Final = 1.0
"""The least seconds between two looks, and between a decision of this process and a look."""


class DecidedElsewhere:
    """The events that were read of one execution, and of those below it."""

    def __init__(self, reader: ExecutionReader) -> None:
        self._reader = reader
        self._looked_at = -math.inf
        self._looked_events = 0
        self._task_list = ""
        self._children: dict[int, DecidedElsewhere] = {}
        """Those that are open, by the events that initiated them."""

    def look(self, last_event_id: int | None = None) -> None:
        """If it is time, start deciders and activity workers for what is scheduled and nobody has taken.

        `last_event_id` is that of its latest event, if that is known.
        """
        pool = self._reader.pool
        if pool.serve == "everything" and self._reader.domain == pool.context.domain:
            self._look(last_event_id, Budget(), 0)

    def _look(self, last_event_id: int | None, budget: Budget, depth: int) -> None:
        decided_at = self._reader.pool.decided_at(self._reader.run_id)
        if time.monotonic() < max(self._looked_at, decided_at) + LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        if last_event_id is None:
            last_event_id = self._reader.last_event().id
        if last_event_id > self._looked_events:
            new = self._reader.of_events(lambda events: events[self._looked_events :])
            self._looked_events += len(new)
            self._take_up(new)
        for initiated, child in list(self._children.items()) if depth < MAX_DEPTH else ():
            if not budget.take():
                return
            # The next look begins with those that this one leaves out: it costs the same of however many are open.
            self._children[initiated] = self._children.pop(initiated)
            try:
                child._look(None, budget, depth + 1)
            except UnknownResourceFault:  # it has closed, and is deleted
                self._children.pop(initiated, None)

    def _take_up(self, events: list[HistoryEvent]) -> None:
        """Serve what these events leave open, and note which children are."""
        scheduled: dict[int, HistoryEvent] = {}
        for event in events:
            attributes, row = event.attributes, event.row
            if event.type == "WorkflowExecutionStarted":
                self._task_list = attributes["taskList"]["name"]
            elif event.type in ("ActivityTaskScheduled", "StartChildWorkflowExecutionInitiated"):
                scheduled[event.id] = event
            elif row.entity == ACTIVITY:
                scheduled.pop(attributes.get("scheduledEventId", 0), None)
            elif event.type == "ChildWorkflowExecutionStarted":
                ids = attributes["workflowExecution"]
                child = self._reader.other(ids["workflowId"], ids["runId"])
                self._children[attributes["initiatedEventId"]] = DecidedElsewhere(child)
            elif row.entity == CHILD and row.closes:
                self._children.pop(attributes.get("initiatedEventId", 0), None)
                scheduled.pop(attributes.get("initiatedEventId", 0), None)
            elif event.type == "WorkflowExecutionContinuedAsNew":
                next_run = self._reader.other(self._reader.workflow_id, attributes["newExecutionRunId"])
                self._children = {event.id: DecidedElsewhere(next_run)}
        pool = self._reader.pool
        if self._task_list in pool.task_lists[0]:
            for event in scheduled.values():
                pool.serve_scheduled(event)
