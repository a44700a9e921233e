"""Waiting for a history to grow, where the service can't wait: it is read again and again, with growing pauses."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Unpack

from simpleflow_lab.service.delegation import DelegatingService, call_operation
from simpleflow_lab.service.execution_logs import MemoryLogs, checked_records, page_to_json
from simpleflow_lab.service.protocol import Answer, Structure, SWFService
from simpleflow_lab.service.reports import MAX_RUNS, Reports, RunName
from simpleflow_lab.service.watchable import ActivityAnswer, ClientRecord, DecisionAnswer
from simpleflow_lab.swf.event_types import CLOSE_STATUS

FIRST_PAUSE: Final = 0.02
"""Seconds until the second reading. Each pause is half as long again as the one before, up to the longest."""


class HistoryPolling(DelegatingService):
    """A `WatchableService` made of a service that has SWF's operations only."""

    def __init__(
        self,
        service: SWFService,
        *,
        longest_pause: float,
        close: Callable[[], None] = lambda: None,
        logs: MemoryLogs | None = None,
    ) -> None:
        """`longest_pause`, in seconds, bounds what waiting costs: Amazon SWF limits the rate of calls. `logs` are those
        of executions, which other connections of this process to the same service share."""
        self._service = service
        self._longest_pause = longest_pause
        self._close = close
        self._reports = Reports()
        self._parents: dict[RunName, RunName | None] = {}
        self._logs = logs or MemoryLogs()

    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """The service's own operation."""
        return call_operation(self._service, operation, request)

    def now(self) -> int:
        """The time of this computer: Amazon's clocks don't differ much."""
        return time.time_ns() // 1_000_000

    def wait_for_history(
        self, *, domain: str, execution: Structure, after_event_id: int, timeout: float, until_closed: bool = False
    ) -> int:
        """See `WatchableService`."""
        deadline, pause = time.monotonic() + timeout, FIRST_PAUSE
        while True:
            answer = self._service.get_workflow_execution_history(
                domain=domain, execution=execution, reverseOrder=True, maximumPageSize=1
            )
            last = answer["events"][0]
            closed = last["eventType"] in CLOSE_STATUS
            left = deadline - time.monotonic()
            if closed or (last["eventId"] > after_event_id and not until_closed) or left <= 0:
                return int(last["eventId"])
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, self._longest_pause)

    def answer_decision_task(self, *, then_poll: Structure | None = None, **request: Unpack[DecisionAnswer]) -> Answer:
        """Complete a decision task. When it returns, the decisions are on disk."""
        return self._service.respond_decision_task_completed(**request)

    def answer_activity_task(self, *, then_poll: Structure | None = None, **request: Unpack[ActivityAnswer]) -> Answer:
        """Complete an activity task. When it returns, the result is on disk."""
        return self._service.respond_activity_task_completed(**request)

    # Nobody but this process hears of what its deciders report.

    def report_decision_error(self, *, domain: str, execution: Structure, error: Structure) -> Answer:
        """Keep it in this process."""
        run = (domain, execution["workflowId"], execution["runId"])
        if "error" in error:
            self._reports.block(run, error, time.time())
        else:
            self._reports.unblock(run[2])
        return {}

    def report_warning(self, *, domain: str, execution: Structure, message: str) -> Answer:
        """Keep it in this process."""
        self._reports.warn((domain, execution["workflowId"], execution["runId"]), message)
        return {}

    def describe_reports(self, *, domain: str, execution: Structure) -> Answer:
        """The reports of the deciders of this process."""
        return self._reports.describe((domain, execution["workflowId"], execution["runId"]), self._parent_of)

    def retry_decision(self, *, domain: str, execution: Structure) -> Answer:
        """Do nothing: who holds a decision task answers it, or lets it time out."""
        return {"isRetried": False}

    def _parent_of(self, run: RunName) -> RunName | None:
        if run not in self._parents:
            domain, workflow_id, run_id = run
            first = self._service.get_workflow_execution_history(
                domain=domain, execution={"workflowId": workflow_id, "runId": run_id}, maximumPageSize=1
            )["events"][0]
            parent = first["workflowExecutionStartedEventAttributes"].get("parentWorkflowExecution")
            if len(self._parents) >= MAX_RUNS:
                self._parents.clear()
            self._parents[run] = None if parent is None else (domain, parent["workflowId"], parent["runId"])
        return self._parents[run]

    def append_log(
        self, *, domain: str, execution: Structure, records: Sequence[Structure], dropped: int = 0
    ) -> Answer:
        """Keep records of the log of an execution in this process's memory."""
        checked = checked_records(records, dropped)
        self._logs.append((domain, execution["workflowId"], execution["runId"]), checked, dropped)
        return {}

    def read_log(self, *, domain: str, execution: Structure, after: int = 0) -> Answer:
        """The records of an execution that this process appended; see `WatchableService`."""
        return page_to_json(self._logs.page((domain, execution["workflowId"], execution["runId"]), after))

    def release_polls(self) -> None:
        """Do nothing: a poll that waits elsewhere ends when its time is over, and a poller that stops leaves it."""

    # Amazon SWF knows no sessions.

    def open_session(self, *, instance: str, record: ClientRecord, taskTokens: Sequence[str] = ()) -> Answer:
        """Do nothing."""
        return {}

    def keep_session(self, *, instance: str, record: ClientRecord) -> Answer:
        """Do nothing."""
        return {}

    def close_session(self, *, instance: str) -> Answer:
        """Do nothing."""
        return {}

    def release_task(self, *, taskToken: str) -> Answer:
        """Do nothing: the task comes back by its timeout."""
        return {}

    def attach_execution(self, *, domain: str, execution: Structure, instance: str, takes_over: bool = True) -> Answer:
        """Do nothing."""
        return {}

    def pollers(self, *, domain: str) -> Answer:
        """Nobody that is known of."""
        return {"pollers": []}

    def describe_waiting(self, *, domain: str, execution: Structure) -> Answer:
        """Nothing that is known of."""
        return {"tasks": []}

    def damaged_executions(self, *, domain: str) -> Answer:
        """None that is known of."""
        return {"executionInfos": []}

    def close(self) -> None:
        """Close the connections."""
        self._close()
