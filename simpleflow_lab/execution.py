"""Executions as people handle them: one that lives in a service, and one that somebody recorded.

Both are looked at in the same ways, for a look needs nothing but a history.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simpleflow_lab.activity_context import ActivityProgress
from simpleflow_lab.exceptions import (
    DecisionTaskError,
    HistoryError,
    UnknownResourceFault,
    UsageError,
    ValidationException,
    WorkflowExecutionCanceled,
    WorkflowExecutionError,
    WorkflowExecutionFailed,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
)
from simpleflow_lab.metrology import records_of
from simpleflow_lab.replay.task_records import HistoryWithRecords
from simpleflow_lab.runtime.pool import WorkerPool
from simpleflow_lab.swf.entities import Entities
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, TIMER
from simpleflow_lab.swf.history import History, HistoryEvent, event_from_wire

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_CLOSED_WITH: Mapping[str, type[WorkflowExecutionError]] = {
    "FAILED": WorkflowExecutionFailed,
    "TIMED_OUT": WorkflowExecutionTimedOut,
    "CANCELED": WorkflowExecutionCanceled,
    "TERMINATED": WorkflowExecutionTerminated,
}

_WAIT_STEP = 0.25
"""Seconds between two looks at whether a decider got stuck, while waiting for the history to grow."""


class Looks:
    """The ways to look at a history. Tables are pandas; times are timezone-aware, durations are in seconds."""

    workflow_id = ""
    run_id = ""
    domain = ""

    def history(self) -> History:
        """The events so far."""
        raise UsageError(f"{type(self).__name__} has no history")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the author of its workflow should know."""
        return ()

    def _until(self) -> datetime.datetime | None:
        """Up to when what is still open has lasted; `None` for the time of the last event."""
        return None

    def events(self) -> pd.DataFrame:
        """One row per event."""
        from simpleflow_lab.views.tables import events_table  # noqa: PLC0415  pandas

        return events_table(self.history())

    def tasks(self) -> pd.DataFrame:
        """One row per attempt of every activity task, child execution, timer, …; see `views.tables.tasks_table`."""
        from simpleflow_lab.views.tables import tasks_table  # noqa: PLC0415  pandas

        return tasks_table(self.history(), until=self._until())

    def moments(self) -> pd.DataFrame:
        """One row per marker, signal, cancel request and refused decision: what takes no time."""
        from simpleflow_lab.views.tables import moments_table  # noqa: PLC0415  pandas

        return moments_table(self.history())

    def decisions(self) -> pd.DataFrame:
        """One row per decision task."""
        from simpleflow_lab.views.tables import decisions_table  # noqa: PLC0415  pandas

        return decisions_table(self.history(), until=self._until())

    def profile(self) -> pd.DataFrame:
        """One row per activity: how many, how long they waited and ran, and their share of the whole."""
        from simpleflow_lab.views.profile import profile_table  # noqa: PLC0415  pandas

        return profile_table(self.history(), until=self._until())

    def steps(self) -> pd.DataFrame:
        """One row per step of a workflow with steps; see `views.steps.steps_table`."""
        from simpleflow_lab.views.step_tables import steps_table  # noqa: PLC0415  pandas

        return steps_table(self.history())

    def unhandled_failures(self) -> pd.DataFrame:
        """The tasks that failed for good while the execution completed and nobody looked at the error."""
        from simpleflow_lab.views.tables import unhandled_failures  # noqa: PLC0415  pandas

        return unhandled_failures(self.history())

    def gantt(self, **options: Any) -> go.Figure:
        """A Gantt chart; see `views.gantt.gantt`."""
        from simpleflow_lab.views.gantt import gantt  # noqa: PLC0415  plotly

        return gantt(self.history(), until=self._until(), **options)

    def gantt_html(self) -> str:
        """The Gantt chart and the task table as one HTML page that needs nothing else."""
        from simpleflow_lab.views.export import gantt_html  # noqa: PLC0415  plotly

        title = " ".join(part for part in (self.history().workflow_type, self.workflow_id) if part)
        return gantt_html(self.history(), until=self._until(), title=title)

    def _repr_html_(self) -> str:
        from simpleflow_lab.views.html import execution_summary  # noqa: PLC0415  only for a notebook

        return execution_summary(
            self.history(),
            workflow_id=self.workflow_id,
            run_id=self.run_id,
            domain=self.domain,
            until=self._until(),
            warnings=self.warnings,
        )


class RecordedExecution(Looks):
    """An execution that somebody recorded: to be looked at, not to be run."""

    def __init__(self, history: History, name: str = ""):
        self._history = history
        self._name = name

    def __repr__(self) -> str:
        return f"<RecordedExecution {self._name}: {self._history!r}>"

    def history(self) -> History:
        """The events."""
        return self._history


class Progress(NamedTuple):
    """How far an execution is: numbers of activity tasks, child executions and timers, all attempts of one as one."""

    status: str
    """OPEN, or SWF's close status."""
    events: int
    """Events so far."""
    waiting: int
    """Scheduled, and not started."""
    running: int
    """Started, and not closed."""
    completed: int
    failed: int
    """Failed, timed out, canceled or terminated at their latest attempt."""
    seconds: float
    """Since the execution started, up to its close."""
    running_names: tuple[str, ...]
    """Names of the types of what runs, without repetition."""
    activities: tuple[ActivityProgress, ...] = ()
    """How far the activities are that run in this process, by their latest heartbeats."""

    @property
    def total(self) -> int:
        """All tasks so far."""
        return self.waiting + self.running + self.completed + self.failed


class Execution(Looks):
    """One workflow execution of a service: to wait for, look at, signal, cancel, terminate.

    It is a name and no state: the same execution may be had again from another kernel, another day.
    """

    def __init__(
        self, pool: WorkerPool, workflow_id: str, run_id: str, *, domain: str | None = None, attached: bool = False
    ):
        """`pool` is what this process does for its service; `domain` is another one than is served there."""
        self._pool = pool
        self._service = pool.context.service
        self._fields = pool.context.fields
        self.domain = domain or pool.context.domain
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.attached = attached
        """It was open before `Lab.start` found it."""
        self._events: list[HistoryEvent] = []

    @property
    def _execution(self) -> dict[str, str]:
        return {"workflowId": self.workflow_id, "runId": self.run_id}

    def __repr__(self) -> str:
        return f"<Execution {self.workflow_id} of {self.history().workflow_type}: {self.status}>"

    # -- looking --

    def history(self) -> History:
        """The events so far."""
        self._fetch()
        return HistoryWithRecords(list(self._events))

    def metrology(self, *, by: str = "step") -> pd.DataFrame:
        """What its activities read and wrote, as they noted it with `simpleflow_lab.metrology`.

        One row per step of each attempt; `by="activity"` sums them up, one row per activity and step. See
        `views.metrology`. Raises `StoreError` if the notes can't be read, `UsageError` for another `by`.
        """
        from simpleflow_lab.views.metrology_tables import metrology_by_activity, metrology_table  # noqa: PLC0415  pandas

        if by not in ("step", "activity"):
            raise UsageError(f"metrology is given by 'step' or by 'activity', not by {by!r}")
        records = records_of(self._pool.context.storage, self.workflow_id, self.run_id)
        table = metrology_table(self.history(), records)
        return table if by == "step" else metrology_by_activity(table)

    @property
    def status(self) -> str:
        """OPEN, or SWF's close status: COMPLETED, FAILED, CANCELED, TERMINATED, CONTINUED_AS_NEW, TIMED_OUT."""
        info: Mapping[str, Any] = self.describe()["executionInfo"]
        return str(info.get("closeStatus", "OPEN"))

    @property
    def decision_error(self) -> Exception | None:
        """Why no decision can be made for now, or `None`. It goes on when the cause is mended."""
        return self._pool.decision_error(self.run_id)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the author of its workflow should know: lines that read a clock, draw by chance or take long, a history
        that has become long. Of what was decided in this process."""
        return self._pool.warnings(self.run_id)

    def describe(self) -> Mapping[str, Any]:
        """What SWF says of it: boto3's `describe_workflow_execution`."""
        return self._service.describe_workflow_execution(domain=self.domain, execution=self._execution)

    def progress(self) -> Progress:
        """How far it is."""
        activities = tuple(self._pool.activity_progress(self.run_id))
        return progress(self.history(), self._until())._replace(activities=activities)

    def _until(self) -> datetime.datetime | None:
        return datetime.datetime.now(datetime.UTC)

    def _fetch(self) -> None:
        """Get the events since the last look, latest first so that nothing is got twice."""
        if self._events and History(self._events[-1:]).close_status is not None:
            return
        new: list[HistoryEvent] = []
        page: dict[str, Any] = {}
        while True:
            answer = self._service.get_workflow_execution_history(
                domain=self.domain, execution=self._execution, reverseOrder=True, **page
            )
            events = [event_from_wire(event) for event in answer["events"] if event["eventId"] > len(self._events)]
            new.extend(events)
            if len(events) < len(answer["events"]) or not answer.get("nextPageToken"):
                break
            page = {"nextPageToken": answer["nextPageToken"]}
        self._events.extend(reversed(new))

    def _last_event(self) -> HistoryEvent:
        answer = self._service.get_workflow_execution_history(
            domain=self.domain, execution=self._execution, reverseOrder=True, maximumPageSize=1
        )
        return event_from_wire(answer["events"][0])

    # -- waiting --

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has closed; `False` if it is still open after `timeout` seconds.

        Raises `DecisionTaskError` if no decision can be made for now: waiting would not help.
        """
        for _ in self.watch(timeout=timeout, until_closed=True):
            pass
        return self._is_closed

    def watch(
        self, *, timeout: float | None = None, interval: float = _WAIT_STEP, until_closed: bool = False
    ) -> Iterator[None]:
        """Come back whenever its history has grown, at most every `interval` seconds, and once when it has closed.

        Raises `DecisionTaskError` if no decision can be made for now.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        seen = 0
        while not self._is_closed:
            left = interval if deadline is None else min(interval, deadline - time.monotonic())
            if left <= 0 and deadline is not None and time.monotonic() >= deadline:
                return
            last = self._service.wait_for_history(
                domain=self.domain,
                execution=self._execution,
                after_event_id=seen,
                timeout=max(left, 0),
                until_closed=until_closed,
            )
            stuck = self.decision_error
            if isinstance(stuck, DecisionTaskError | ValidationException | HistoryError) and not self._is_closed:
                raise stuck
            if last > seen:
                seen = last
                yield

    def result(self, timeout: float | None = None) -> Any:
        """Wait for it, and give what `run` returned.

        Raises `WorkflowExecutionError` if it closed otherwise than completed, with the task that failed, its error and
        traceback; `DecisionTaskError` if no decision can be made for now; the builtin `TimeoutError` if it is still
        open after `timeout` seconds. In the last two cases it stays open.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"execution {self.workflow_id} is still open after {timeout} s: it goes on; ask again")
        last = self._last_event()
        status = History([last]).close_status
        if status == "COMPLETED":
            return self._fields.decode(last.attributes.get("result"))
        if status == "CONTINUED_AS_NEW":
            next_run = last.attributes["newExecutionRunId"]
            following = Execution(self._pool, self.workflow_id, next_run, domain=self.domain)
            return following.result(timeout)
        reason = self._fields.text_or_reference(last.attributes.get("reason")) or last.attributes.get("cause")
        details = self._fields.text_or_reference(last.attributes.get("details"))
        raise _CLOSED_WITH[str(status)](self.workflow_id, reason, details)

    @property
    def _is_closed(self) -> bool:
        return "closeStatus" in self.describe()["executionInfo"]

    # -- acting --

    def signal(self, name: str, input: str | None = None) -> None:
        """Send it a signal; `input` is SWF's string, or longer."""
        members = {} if input is None else {"input": self._fields.store(input, f"input of signal {name}")}
        self._service.signal_workflow_execution(
            domain=self.domain, workflowId=self.workflow_id, runId=self.run_id, signalName=name, **members
        )

    def request_cancel(self) -> None:
        """Ask it to cancel; the workflow decides."""
        self._service.request_cancel_workflow_execution(
            domain=self.domain, workflowId=self.workflow_id, runId=self.run_id
        )

    def terminate(self, reason: str | None = None, details: str | None = None) -> None:
        """End it now; its child policy is applied. Raises `UsageError` if it is closed."""
        members = {name: value for name, value in (("reason", reason), ("details", details)) if value is not None}
        try:
            self._service.terminate_workflow_execution(
                domain=self.domain, workflowId=self.workflow_id, runId=self.run_id, **members
            )
        except UnknownResourceFault:
            raise UsageError(f"execution {self.workflow_id} is closed already: {self.status}") from None


def open_history(path: str | Path) -> RecordedExecution:
    """An execution from a file: the output of `aws swf get-workflow-execution-history`, or of `History.to_json`.

    It gives the same tables and figures as one that runs here, and runs nothing. Raises `HistoryError`.
    """
    return RecordedExecution(HistoryWithRecords.from_file(path), Path(path).name)


def progress(history: History, until: datetime.datetime | None) -> Progress:
    """How far the execution of this history is; `until` is now, for one that is open."""
    entities = Entities()
    for event in history:
        entities.apply(event)
    latest = {(entity.kind, entity.name): entity for entity in entities if entity.kind in (ACTIVITY, CHILD, TIMER)}
    waiting = running = completed = failed = 0
    names: dict[str, None] = {}
    for entity in latest.values():
        if entity.closed:
            # A timer that is called off, such as a deadline that was met, is no failure.
            good = entity.state in ("completed", "fired") or (entity.kind == TIMER and entity.state == "canceled")
            completed, failed = completed + good, failed + (not good)
        elif entity.state in ("scheduled", "initiated"):
            waiting += 1
        else:
            running += 1
            kind = entity.attribute("activityType") or entity.attribute("workflowType") or {}
            names[str(kind.get("name") or entity.name)] = None
    if not history:
        raise HistoryError("this history has no events")
    end = history[-1].timestamp if history.close_status or until is None else until
    return Progress(
        status=history.close_status or "OPEN",
        events=len(history),
        waiting=waiting,
        running=running,
        completed=completed,
        failed=failed,
        seconds=max((end - history[0].timestamp).total_seconds(), 0.0),
        running_names=tuple(names),
    )
