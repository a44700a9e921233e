"""Executions that a service holds: to wait for, view, signal, cancel, terminate, debug and fork.

Views need nothing but a history, so `recorded_execution` has the same.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from simpleflow_lab import workflow
from simpleflow_lab.activity_context import ActivityProgress
from simpleflow_lab.constants import MAX_REASON_LENGTH
from simpleflow_lab.exceptions import (
    DecisionBlockedError,
    ExecutionStillOpenError,
    SilentServiceError,
    SimpleflowLabError,
    StorePausedError,
    UnknownResourceFault,
    UsageError,
    WaitInterrupted,
    WorkflowExecutionCanceled,
    WorkflowExecutionError,
    WorkflowExecutionFailed,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
    WorkflowNotRegisteredError,
)
from simpleflow_lab.replay.task_records import HistoryWithRecords
from simpleflow_lab.runtime.answers import pauses
from simpleflow_lab.runtime.awaited import Stopped, awaited
from simpleflow_lab.runtime.pool import WorkerPool
from simpleflow_lab.service.execution_logs import NumberedRecord, page_from_json
from simpleflow_lab.service.patience import waiting_until
from simpleflow_lab.service.watchable import time_of
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD
from simpleflow_lab.swf.execution_context import reused_by
from simpleflow_lab.swf.fork_start import forked_from
from simpleflow_lab.swf.history import History, HistoryEvent, event_from_wire
from simpleflow_lab.swf.names import check_name, check_text
from simpleflow_lab.views.formatting import shortened
from simpleflow_lab.views.history_fold import FoldedHistory, HistoryFold
from simpleflow_lab.views.history_views import HistoryViews
from simpleflow_lab.views.text_tables import visible

if TYPE_CHECKING:
    import pandas as pd

    from simpleflow_lab.debugger.quiet_failures import QuietFailures
    from simpleflow_lab.debugger.rerun_attempts import Task
    from simpleflow_lab.debugger.steps import ReplaySteps
    from simpleflow_lab.debugger.time_travel import Debugger
    from simpleflow_lab.debugger.what_if import WhatIf
    from simpleflow_lab.views.attempts import Attempt
    from simpleflow_lab.views.earlier_runs import EarlierRuns
    from simpleflow_lab.views.execution_log import ExecutionLog
    from simpleflow_lab.views.explanation import Explanation
    from simpleflow_lab.views.gantt_rows import OpenedChild
    from simpleflow_lab.views.waiting import Wait, Waits
    from simpleflow_lab.views.worker_advice import Polling

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CLOSED_WITH: Mapping[str, type[WorkflowExecutionError]] = {
    "FAILED": WorkflowExecutionFailed,
    "TIMED_OUT": WorkflowExecutionTimedOut,
    "CANCELED": WorkflowExecutionCanceled,
    "TERMINATED": WorkflowExecutionTerminated,
}

_JUST_NOW = 1.0
"""Seconds for which a wait is not yet told as a reason why nothing goes on."""
_WAIT_STEP = 0.25
"""Seconds between two checks whether a decision is blocked, while waiting for the history to grow."""

_EARLIER_PAGE = 50
"""Of how many executions of its workflow the last runs that completed are looked for."""

_LOG_STEP = 0.5
"""Seconds between two readings of a log that is followed, at most."""


class Progress(NamedTuple):
    """How far an execution is: numbers of activity tasks, child executions, lambdas and timers, all attempts of one as
    one."""

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
    """How far the activities that run in this process are, by their latest heartbeats."""
    waits: str = ""
    """Why nothing goes on, in a few words, as `signal go`; empty while workers and deciders are at work."""

    @property
    def total(self) -> int:
        """All tasks so far."""
        return self.waiting + self.running + self.completed + self.failed


MAX_CHILDREN: Final = 30
"""Of how many executions below one its waits are told."""
MAX_DEPTH: Final = 10
"""How many levels below it."""
MAX_RUNS: Final = 20
"""For how many runs a child that continues as new is followed."""


class _Budget:
    """A number of things that may be looked at."""

    def __init__(self, left: int):
        self._left = left

    def take(self) -> bool:
        """Whether one more may be."""
        self._left -= 1
        return self._left >= 0


class Execution(HistoryViews):
    """One workflow execution of a service: to wait for, view, signal, cancel, terminate.

    It is a name and no state: the same execution may be had again from another kernel, another day.

    `await execution` gives its result as `result` does, and leaves the loop free: other cells of a notebook run
    meanwhile where they can, and clicks arrive. An interrupt or a cancellation ends the waiting, not the execution.
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
        self._fold = HistoryFold()
        self._fetching = threading.RLock()
        """Held while `_events` and `_fold` grow."""

    @property
    def _execution(self) -> dict[str, str]:
        return {"workflowId": self.workflow_id, "runId": self.run_id}

    def __repr__(self) -> str:
        folded, known = self._look()
        history = folded.history
        if history.close_status is None:
            from simpleflow_lab.views.waiting import phrase

            why = phrase(self._waits_with(folded, known))
            why = f", waits for {why}" if why else ""
            if not history:  # nothing of it is on the disk yet
                return visible(f"<Execution {self.workflow_id}: OPEN{why}>")
        else:
            reason = history[-1].attributes.get("reason")
            why = f", {shortened(reason, MAX_REASON_LENGTH)}" if isinstance(reason, str) else ""
        origin = forked_from(history[0].attributes)
        forked = "" if origin is None else f", {shortened(origin.words(reused_by(history)), MAX_REASON_LENGTH)}"
        status = history.close_status or "OPEN"
        return visible(f"<Execution {self.workflow_id} of {history.workflow_type}: {status}{why}{forked}>")

    # -- viewing --

    def history(self) -> HistoryWithRecords:
        """The events so far."""
        with self._fetching:
            self._fetch()
            return HistoryWithRecords(list(self._events))

    def _folded(self) -> FoldedHistory:
        return self._of_fold(self._fold_now)

    def _look(self) -> tuple[FoldedHistory, Mapping[str, Any]]:
        """The history, and what `describe_waiting` says. While nothing can be recorded, it is what was read before, or
        else what is on the disk: nothing, if the execution was to start just then."""
        known = self._service.describe_waiting(domain=self.domain, execution=self._execution)
        is_paused = "storePaused" in known
        try:
            return self._of_fold(self._fold_now, fetch=not is_paused or not self._events), known
        except StorePausedError:
            if not is_paused:
                raise
            return self._of_fold(self._fold_now, fetch=False), known

    def _fold_now(self, fold: HistoryFold) -> FoldedHistory:
        """The fold, with what is open counted up to now. Nothing is open of an execution that has closed."""
        closed = self._events and History(self._events[-1:]).close_status is not None
        return fold.folded(None if closed else self.now())

    def now(self) -> datetime.datetime:
        """The time by which its service dates events: with `clock="virtual"` it is that of the virtual clock."""
        return time_of(self._service)

    def _of_fold(self, question: Callable[[HistoryFold], T], *, fetch: bool = True) -> T:
        """The answer of the fold, once the new events have been fed to it."""
        with self._fetching:
            if fetch:
                self._fetch()
            # A fold that an interrupt left half way is forgotten: the next view folds the whole history.
            fold, self._fold = self._fold, HistoryFold()
            fold.feed(self._events[fold.mark :])
            answer = question(fold)
            self._fold = fold
            return answer

    def changed_attempts(self, since: int) -> tuple[int, list[Attempt]]:
        """The number of events so far, and the attempts that are new or changed by those after the first `since`.

        For whoever follows it: each call costs what has changed, not the whole history.
        """

        def ask(fold: HistoryFold) -> tuple[int, list[Attempt]]:
            return fold.mark, fold.changed_since(since)

        return self._of_fold(ask)

    def metrology(self, *, by: str = "step") -> pd.DataFrame:
        """What its activities read and wrote, as they noted it with `simpleflow_lab.metrology`.

        One row per step of each attempt; `by="activity"` sums them up, one row per activity and step. See
        `views.metrology_tables`. Raises `StoreError` if the notes can't be read, `UsageError` for another `by`.
        """
        from simpleflow_lab.metrology import records_of

        return self._metrology(records_of(self._pool.context.storage, self.workflow_id, self.run_id), by)

    def logs(
        self,
        *,
        task: str | None = None,
        source: str | None = None,
        text: str | None = None,
        tail: int | None = None,
    ) -> ExecutionLog:
        """What its code printed and logged so far, in whichever process it ran, with task, attempt, time and stream.

        Only records of a `task`: an activity's id, or the name of its type, or `""` for the workflow's own code; of a
        `source`: `stdout`, `stderr` or a level, as `WARNING`; those that contain a `text`; of these the last `tail`.

        The log is kept with the store for as long as the execution is, up to 10,000 records and 4 MiB: the oldest go.
        Amazon SWF has no place for it: there it is what ran in this process. Raises `UsageError`, `StoreError`.
        """
        from simpleflow_lab.views.execution_log import attempts_by_start, execution_log

        if tail is not None and tail < 0:
            raise UsageError(f"tail is how many records are shown, not {tail}")
        self._pool.context.log.offer()
        attempts = attempts_by_start(self.history(), self._folded().attempts)
        rows = ((number, *record) for number, record in self._log_records())
        return execution_log(rows, attempts, task=task, source=source, text=text, tail=tail)

    def follow_logs(
        self, *, task: str | None = None, source: str | None = None, text: str | None = None, tail: int | None = None
    ) -> Iterator[ExecutionLog]:
        """What `logs` gives, at once, and then, until the execution has closed, what is added to it, as it comes."""
        from simpleflow_lab.views.execution_log import attempts_by_start, execution_log

        after, first, closed = 0, True, False
        while not closed:
            closed = self._is_closed  # before its log is read: what it wrote is there then
            self._pool.context.log.offer()
            records = self._log_records(after)
            attempts = attempts_by_start(self.history(), self._folded().attempts)
            rows = ((number, *record) for number, record in records)
            log = execution_log(
                rows, attempts, after=after, task=task, source=source, text=text, tail=tail if first else None
            )
            if first or len(log):
                yield log
            after, first = records[-1].number if records else after, False
            if not closed:
                self._wait_for_growth(_LOG_STEP)

    def _wait_for_growth(self, seconds: float) -> None:
        self._service.wait_for_history(
            domain=self.domain, execution=self._execution, after_event_id=len(self._events), timeout=seconds
        )

    def _log_records(self, after: int = 0) -> list[NumberedRecord]:
        records: list[NumberedRecord] = []
        while page := page_from_json(
            self._service.read_log(domain=self.domain, execution=self._execution, after=after)
        ):
            records.extend(page)
            after = page[-1].number
        return records

    @property
    def status(self) -> str:
        """OPEN, or SWF's close status: COMPLETED, FAILED, CANCELED, TERMINATED, CONTINUED_AS_NEW, TIMED_OUT."""
        try:
            info: Mapping[str, Any] = self.describe()["executionInfo"]
        except StorePausedError:  # what was read before
            return self.history().close_status or "OPEN"
        return str(info.get("closeStatus", "OPEN"))

    @property
    def decision_error(self) -> Exception | None:
        """Why no decision can be made for now, or `None`; in whichever process deciders tried, and on Amazon SWF in
        this one. It goes on when the cause is mended."""
        reports = [report for report in self._reports()["decisionErrors"] if report["execution"] == self._execution]
        return self._error_of(reports[0]) if reports else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the author of its workflow should know: lines that read a clock, draw by chance or take long, values
        that JSON holds otherwise than Python does, SWF's limits that come near. On Amazon SWF it is what this process
        knows."""
        return tuple(dict.fromkeys((*self._pool.warnings(self.run_id), *self._reports()["warnings"])))

    def _reports(self) -> Mapping[str, Any]:
        """What deciders reported of it and of the executions below it."""
        return self._service.describe_reports(domain=self.domain, execution=self._execution)

    def _error_of(self, report: Mapping[str, Any]) -> Exception:
        """The error of a report: the very one, if it was this process that could not decide for this execution."""
        blocked, message = report["execution"], report["message"]
        here = self._pool.decision_error(blocked["runId"])
        if here is not None and (type(here).__name__, str(here)[: len(message)]) != (report["error"], message):
            here = None
        if here is not None and blocked == self._execution:
            return here
        pid = None if here is not None else report.get("pid")
        error = DecisionBlockedError(self.workflow_id, blocked["workflowId"], report["error"], message, pid)
        error.__cause__ = here
        return error

    def replay(self, workflow: type[workflow.Workflow] | None = None) -> ReplaySteps:
        """Its history so far replayed with this workflow class, as steps, one for each decision; see `debugger.steps`.

        Without a class it is the one that this process defines for its type. Nothing is sent and no activity runs.
        Raises `UsageError`.
        """
        from simpleflow_lab.debugger.steps import ReplaySteps

        return ReplaySteps(
            self.history(),
            workflow,
            domain=self.domain,
            workflow_id=self.workflow_id,
            run_id=self.run_id,
            fields=self._fields,
            defaults=self._pool.context.activity_defaults,
            max_open_activities=self._pool.context.settings.swf_max_open_activity_count,
        )

    def quiet_failures(self, workflow: type[workflow.Workflow] | None = None) -> QuietFailures:
        """What went wrong or came to nothing in it without anybody saying so, each with its line; see
        `debugger.quiet_failures`. Its history is replayed with the workflow that this process defines for it. Raises
        `UsageError`."""
        with self.replay(workflow) as steps:
            return steps.quiet_failures()

    def debug(self, workflow: type[workflow.Workflow] | None = None, *, at: int | None = None) -> Debugger:
        """The debugger's view of its replay: it moves through the steps, forward and back; see `debugger.time_travel`.

        It stands at step `at`, by default where the execution failed, or waits. Without a class the workflow is the one
        that this process defines for its type. Nothing is sent and no activity runs. Raises `UsageError`.
        """
        from simpleflow_lab.debugger.time_travel import Debugger

        return Debugger(lambda: self.replay(workflow), at=at, decided=self._decided, find_other=self._beside)

    def _beside(self, workflow_id: str) -> Execution | None:
        """The latest execution with this id in its domain."""
        lists = self._service.list_open_workflow_executions, self._service.list_closed_workflow_executions
        infos = [
            info
            for each in lists
            for info in each(
                domain=self.domain,
                startTimeFilter={"oldestDate": 0},
                executionFilter={"workflowId": workflow_id},
                maximumPageSize=1,
            )["executionInfos"]
        ]
        if not infos:
            return None
        latest = max(infos, key=lambda info: info["startTimestamp"])
        return Execution(self._pool, workflow_id, latest["execution"]["runId"], domain=self.domain)

    def _decided(self) -> int:
        """How many decisions are recorded by now."""
        from simpleflow_lab.debugger.steps import decisions_in

        with self._fetching:
            self._fetch()
            return decisions_in(self._events)

    def waiting_for(self) -> Waits:
        """What it waits for, and what each of its children waits for; empty if it has closed.

        It displays itself as a table; each row is a `views.waiting.Wait`. Of at most `MAX_CHILDREN` executions below
        it, at most `MAX_DEPTH` levels deep, their own waits are told.
        """
        from simpleflow_lab.views.waiting import Waits

        return Waits(self._advising(self._waits_down(0, _Budget(MAX_CHILDREN))), now=self.now())

    def explain(self) -> Explanation:
        """What became of it and why, in at most ten lines: its status and who gave it, what it waits for, what failed,
        where the time went, and how long the last runs of its workflow took. See `views.explanation`."""
        from simpleflow_lab.views.explanation import Explanation, explain

        folded = self._folded()
        waits = [] if folded.history.close_status is not None else list(self._waits_down(0, _Budget(MAX_CHILDREN)))
        lines = explain(
            folded,
            workflow_id=self.workflow_id,
            waits=waits,
            earlier=self._earlier_runs(folded),
            polling=self._polling(),
        )
        return Explanation(self._advising(lines))

    def _polling(self) -> Polling:
        """How many activities run at once on each task list, in all processes that its service knows."""
        from simpleflow_lab.views.worker_advice import Polling

        instance = self._pool.context.session.instance
        here = {worker.task_list: worker.at_once for worker in self._pool.activity_workers_that_poll()}
        at_once: dict[str, int] = dict(here) if self.domain == self._pool.context.domain else {}
        for each in self._service.pollers(domain=self.domain)["pollers"]:
            if each["kind"] == ACTIVITY and (instance is None or each.get("instance") != instance):
                number = each["waitingPolls"] + len(each["tasks"])
                at_once[each["taskList"]] = at_once.get(each["taskList"], 0) + number
        return Polling(at_once=at_once, is_all=instance is not None, default=self._pool.activity_threads)

    def _earlier_runs(self, folded: FoldedHistory) -> EarlierRuns:
        """The last runs of its workflow that completed before it started."""
        from simpleflow_lab.views.critical_path import critical_path
        from simpleflow_lab.views.earlier_runs import MAX_RUNS as MAX_EARLIER_RUNS
        from simpleflow_lab.views.earlier_runs import EarlierRuns, is_slower

        started = folded.history[0]
        infos = self._service.list_closed_workflow_executions(
            domain=self.domain,
            startTimeFilter={"oldestDate": 0, "latestDate": started.timestamp},
            typeFilter={"name": started.attributes["workflowType"]["name"]},
            maximumPageSize=_EARLIER_PAGE,
        )["executionInfos"]
        runs = [
            ((info["closeTimestamp"] - info["startTimestamp"]).total_seconds(), info["execution"])
            for info in infos
            if info.get("closeStatus") == "COMPLETED" and info["closeTimestamp"] <= started.timestamp
        ][:MAX_EARLIER_RUNS]
        earlier = EarlierRuns(seconds=[seconds for seconds, _ in runs])
        took = folded.until - started.timestamp if folded.history.close_status is None else None
        seconds = (took or folded.history[-1].timestamp - started.timestamp).total_seconds()
        if not runs or not is_slower(seconds, earlier.usual):
            return earlier
        ids = next(ids for taken, ids in runs if taken == earlier.usual)
        typical = Execution(self._pool, ids["workflowId"], ids["runId"], domain=self.domain)
        return EarlierRuns(seconds=earlier.seconds, typical=critical_path(typical.history()))

    def waits_in_short(self) -> str:
        """What it waits for in a few words, as `signal go, 3 activities`; empty if it has closed.

        It is made of what SWF says of an execution without its history, and so costs the same however long that is.
        """
        from simpleflow_lab.views.history_waits import description_in_words

        description = self.describe()
        if "closeStatus" in description["executionInfo"]:
            return ""
        blocked = self._reports()["decisionErrors"]
        return description_in_words(description, blocked[0] if blocked else None)

    def _waits_down(self, depth: int, budget: _Budget) -> Iterator[Wait]:
        folded, known = self._look()
        for wait in self._own_waits(folded, known, self._reports()["decisionErrors"], depth):
            yield wait
            if wait.kind == CHILD and wait.run_id is not None and depth < MAX_DEPTH:
                child = self._open_child(wait) if budget.take() else None
                if child is not None:
                    yield from child._waits_down(depth + 1, budget)

    def _waits_of(self, folded: FoldedHistory) -> list[Wait]:
        if folded.history.close_status is not None:
            return []
        known = self._service.describe_waiting(domain=self.domain, execution=self._execution)
        return self._waits_with(folded, known)

    def _waits_with(self, folded: FoldedHistory, known: Mapping[str, Any]) -> list[Wait]:
        """Its own waits, and what blocks those below it."""
        from simpleflow_lab.views.history_waits import blocked_wait

        errors = self._reports()["decisionErrors"]
        below = [
            blocked_wait(error, workflow_id=error["execution"]["workflowId"], depth=1)
            for error in errors
            if error["execution"] != self._execution
        ]
        return [*self._own_waits(folded, known, errors), *below]

    def _own_waits(
        self, folded: FoldedHistory, known: Mapping[str, Any], errors: Sequence[Mapping[str, Any]], depth: int = 0
    ) -> list[Wait]:
        from simpleflow_lab.views.history_waits import disk_wait, waits_of
        from simpleflow_lab.views.worker_advice import UNKNOWN

        own = [error for error in errors if error["execution"] == self._execution]
        waits = waits_of(
            folded,
            workflow_id=self.workflow_id,
            depth=depth,
            tasks=known["tasks"],
            errors=own,
            running_line=self._pool.slow_line(self.run_id),
            polling=self._polling() if folded.task_counts.waiting else UNKNOWN,
        )
        paused = known.get("storePaused")
        return waits if paused is None else [disk_wait(paused, workflow_id=self.workflow_id, depth=depth), *waits]

    def _opened_children(self, folded: FoldedHistory) -> Mapping[int, OpenedChild]:
        return self._children_down(folded, _Budget(MAX_CHILDREN), 0)

    def _children_down(self, folded: FoldedHistory, budget: _Budget, depth: int) -> dict[int, OpenedChild]:
        """The histories of its children and of those below them, as far as they may be looked at."""
        from simpleflow_lab.views.gantt_rows import OpenedChild

        found: dict[int, OpenedChild] = {}
        for attempt in folded.attempts:
            if attempt.kind == CHILD and attempt.run_id is not None and depth < MAX_DEPTH and budget.take():
                child = Execution(self._pool, attempt.id, attempt.run_id, domain=self.domain)
                own = child._folded()
                found[attempt.scheduled_event_id] = OpenedChild(own, child._children_down(own, budget, depth + 1))
        return found

    def _open_child(self, wait: Wait) -> Execution | None:
        """The child of this row, in the run that is open now; `None` if that is not known."""
        run_id = wait.run_id
        for _ in range(MAX_RUNS):
            if wait.id is None or run_id is None:
                return None
            child = Execution(self._pool, wait.id, run_id, domain=self.domain)
            last = child._last_event()
            if History([last]).close_status is None:
                return child
            run_id = last.attributes.get("newExecutionRunId")
        return None

    def is_same_as(self, other: Execution) -> bool:
        """Whether the other is the same run of the same service."""
        mine, its = ((each._service, each.domain, each.run_id) for each in (self, other))
        return mine == its

    @property
    def lab_is_closed(self) -> bool:
        """Whether its Lab was closed: nothing more is learned of it here."""
        return self._pool.is_stopped

    def describe(self) -> Mapping[str, Any]:
        """What SWF says of it: boto3's `describe_workflow_execution`."""
        return self._service.describe_workflow_execution(domain=self.domain, execution=self._execution)

    def progress(self) -> Progress:
        """How many of its tasks wait, run, completed and failed, and how far the activities are that run here."""
        from simpleflow_lab.views.waiting import phrase, reasons

        folded = self._folded()
        counts, first, last = folded.task_counts, folded.history[0], folded.history[-1]
        closed = folded.history.close_status
        end = last.timestamp if closed else folded.until
        waits = reasons(self._waits_of(folded))
        # What was scheduled just now is about to be taken.
        waits = [wait for wait in waits if wait.since is None or (end - wait.since).total_seconds() > _JUST_NOW]
        return Progress(
            status=closed or "OPEN",
            events=last.id,
            waiting=counts.waiting,
            running=counts.running,
            completed=counts.completed,
            failed=counts.failed,
            seconds=max((end - first.timestamp).total_seconds(), 0.0),
            running_names=counts.running_names,
            waits=phrase(waits),
            activities=tuple(self._pool.activity_progress(self.run_id)),
        )

    def _fetch(self) -> None:
        """Get the new events, latest first so that nothing is got twice. Call it with `_fetching` held."""
        if self._events and History(self._events[-1:]).close_status is not None:
            return
        new: list[HistoryEvent] = []
        page: dict[str, Any] = {}
        while True:
            try:
                answer = self._service.get_workflow_execution_history(
                    domain=self.domain, execution=self._execution, reverseOrder=True, **page
                )
            except StorePausedError:
                if not self._events:
                    raise
                return  # what was read before is shown
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

        Raises `DecisionTaskError` if no decision can be made for now, for it or for a child that it waits for: waiting
        would not help.
        """
        return self._wait(timeout)[0]

    def _wait(self, timeout: float | None) -> tuple[bool, str]:
        """Whether it has closed; and that its service does not answer, in words, if that is why this is not known."""
        deadline = _deadline(timeout)
        try:
            for _ in self._watch(deadline, _WAIT_STEP, True):
                pass
            return self._patiently(lambda: self._is_closed, deadline), ""
        except SilentServiceError as error:
            return False, str(error)
        except KeyboardInterrupt:
            raise WaitInterrupted(self.workflow_id) from None

    def watch(
        self, *, timeout: float | None = None, interval: float = _WAIT_STEP, until_closed: bool = False
    ) -> Iterator[None]:
        """Come back whenever its history has grown, at most every `interval` seconds, and once when it has closed.

        Raises `DecisionTaskError` if no decision can be made for now.
        """
        deadline = _deadline(timeout)
        with contextlib.suppress(SilentServiceError):
            yield from self._watch(deadline, interval, until_closed)

    def _watch(
        self, deadline: float | None, interval: float, until_closed: bool, stopped: Stopped = lambda: False
    ) -> Iterator[None]:
        seen = 0
        while not stopped() and not self._patiently(lambda: self._is_closed, deadline):
            left = interval if deadline is None else min(interval, deadline - time.monotonic())
            if left <= 0 and deadline is not None and time.monotonic() >= deadline:
                return
            wait = functools.partial(
                self._service.wait_for_history,
                domain=self.domain,
                execution=self._execution,
                after_event_id=seen,
                timeout=max(left, 0),
                until_closed=until_closed,
            )
            last = self._patiently(wait, deadline)
            blocked = [
                report for report in self._patiently(self._reports, deadline)["decisionErrors"] if report["endsWait"]
            ]
            if blocked and not self._is_closed:
                raise self._error_of(blocked[0])
            if last > seen:
                seen = last
                yield
            elif left > 0:
                self._patiently(self._check_defined, deadline)

    def _patiently(self, call: Callable[[], T], deadline: float | None) -> T:
        """The result of `call`; repeated while Amazon SWF is too busy or can't be reached, until the deadline."""
        for pause in pauses(1.0):
            try:
                with waiting_until(deadline):
                    return call()
            except SimpleflowLabError as error:
                left = math.inf if deadline is None else deadline - time.monotonic()
                if not error.is_transient or left <= 0:
                    raise
                logger.warning("waiting for %s goes on, next look in %.1f s: %s", self.workflow_id, pause, error)
            time.sleep(min(pause, left))
        raise AssertionError("pauses never end")

    def _check_defined(self) -> None:
        """Raise `WorkflowNotRegisteredError` if what it waits for is for this process to do, and no process can.

        That is a decision of a workflow that no process defines; or activity tasks that no process defines, while the
        workflow is not defined here either.
        """
        served = {name for names in self._pool.task_lists for name in names}
        if not served:
            return
        tasks = self._service.describe_waiting(domain=self.domain, execution=self._execution)["tasks"]
        if not tasks or not all(_is_undefined(task) and task["taskList"] in served for task in tasks):
            return
        try:
            type = self.describe()["executionInfo"]["workflowType"]
        except StorePausedError:
            return
        name, version = type["name"], type["version"]
        if workflow.defined(name, version) is None:  # else it was only now defined, and is offered with the next poll
            raise WorkflowNotRegisteredError(name, version)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for it, and give what `run` returned.

        Raises `WorkflowExecutionError` if it closed otherwise than completed, with the task that failed, its error and
        traceback; `DecisionTaskError` if no decision can be made for now; `ExecutionStillOpenError`, a builtin
        `TimeoutError`, if it is still open after `timeout` seconds. In the last two cases it stays open. An interrupt
        ends the waiting with `WaitInterrupted`, a `KeyboardInterrupt`, and the execution goes on.
        """
        is_closed, silence = self._wait(timeout)
        if not is_closed:
            raise ExecutionStillOpenError(self.workflow_id, timeout, silence or self._why_open())
        last = self._patiently(self._last_event, None)
        following = self._next_run(last)
        return self._result_in(last) if following is None else following.result(timeout)

    def _why_open(self) -> str:
        """What it waits for, in words: its service, if that does not answer."""
        from simpleflow_lab.views.waiting import phrase

        try:
            return phrase(self._waits_with(*self._patiently(self._look, time.monotonic())))
        except SilentServiceError as error:
            return str(error)

    @staticmethod
    def while_awaited(execution: Execution) -> contextlib.AbstractContextManager[Any]:
        """The context in which an execution is awaited. A notebook puts another one here, to show it meanwhile."""
        return contextlib.nullcontext()

    def __await__(self) -> Generator[Any, None, Any]:
        """Its result, as `result()` gives it."""
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        __tracebackhide__ = True  # see `awaited`
        with type(self).while_awaited(self):
            return await awaited(self._result_unless, name=f"simpleflow-lab waits for {self.workflow_id}")

    def _result_unless(self, stopped: Stopped) -> Any:
        """Wait for its result; give it, or nothing as soon as the waiting was stopped."""
        run: Execution = self
        while True:
            for _ in run._watch(None, _WAIT_STEP, True, stopped):
                pass
            if stopped():
                return None
            last = run._patiently(run._last_event, None)
            following = run._next_run(last)
            if following is None:
                return run._result_in(last)
            run = following

    @property
    def next_run(self) -> Execution | None:
        """The run that goes on in its place, if it continued as new; `None` if it did not, or is open."""
        return self._next_run(self._last_event())

    def _next_run(self, last: HistoryEvent) -> Execution | None:
        run_id = last.attributes.get("newExecutionRunId")
        return None if run_id is None else Execution(self._pool, self.workflow_id, run_id, domain=self.domain)

    def _result_in(self, last: HistoryEvent) -> Any:
        """The result in the event that closed it. Raises `WorkflowExecutionError`."""
        status = History([last]).close_status
        if status == "COMPLETED":
            return self._fields.decode(last.attributes.get("result"))
        reason = self._fields.text_or_reference(last.attributes.get("reason")) or last.attributes.get("cause")
        details = self._fields.text_or_reference(last.attributes.get("details"))
        raise _CLOSED_WITH[str(status)](self.workflow_id, reason, details)

    @property
    def _is_closed(self) -> bool:
        try:
            return "closeStatus" in self.describe()["executionInfo"]
        except StorePausedError:  # it has not closed as long as that is not on disk
            return False

    # -- acting --

    def open_execution(self, workflow_id: str) -> Execution:
        """The open execution of its domain with this id, as one of its children. Raises `UsageError` if none is."""
        infos = self._service.list_open_workflow_executions(
            domain=self.domain, startTimeFilter={"oldestDate": 0}, executionFilter={"workflowId": workflow_id}
        )["executionInfos"]
        if not infos:
            raise UsageError(f"no execution {workflow_id!r:.80} is open")
        return Execution(self._pool, workflow_id, infos[0]["execution"]["runId"], domain=self.domain)

    def signal(self, name: str, input: str | None = None) -> None:
        """Send it a signal; `input` is SWF's string, or longer. Raises `UsageError` for another one, for a name that
        SWF does not take, and if it is closed."""
        if input is not None and not isinstance(input, str):
            raise UsageError(f"the input of a signal is a string, not {input!r:.80}: json.dumps makes one")
        check_name(name, "SignalName", "the name of a signal")
        members = {} if input is None else {"input": self._fields.store(input, f"input of signal {name}")}
        with self._only_if_open():
            self._service.signal_workflow_execution(
                domain=self.domain, workflowId=self.workflow_id, runId=self.run_id, signalName=name, **members
            )

    def what_if(
        self,
        *,
        workers: int | Mapping[str, int] | None = None,
        scale: float | Mapping[str, float] | None = None,
        without_retries: bool = False,
        workflow: type[workflow.Workflow] | None = None,
    ) -> WhatIf:
        """How long it would have taken with `workers` activities at once on each task list, or as many as are given for
        each; with the durations of tasks multiplied by `scale`, one number or some by id or name; without the attempts
        that failed and were tried again. It displays itself: the new total and the old one, what was waited for before
        and after; `gantt()` has both charts.

        The workflow's code decides, with the recorded durations and outcomes, at a time that passes by itself: no
        activity runs. With nothing changed it takes as long as it took. See `debugger.what_if`. Raises `UsageError`.
        """
        from simpleflow_lab.debugger.what_if import what_if

        return what_if(
            self.history(),
            domain=self.domain,
            workflow_id=self.workflow_id,
            run_id=self.run_id,
            fields=self._fields,
            settings=self._pool.context.settings,
            defaults=self._pool.context.activity_defaults,
            workflow=workflow,
            workers=workers,
            scale=scale,
            without_retries=without_retries,
        )

    def task(self, task_id: str) -> Task:
        """A task, by its id, its short label or its name if only one has that: its attempts, with inputs and outcomes.

        `execution.task("fetch-3").attempt(2).rerun()` runs that attempt again in this process, with its recorded input;
        see `debugger.rerun_attempts`. Raises `UsageError` if there is no such task.
        """
        from simpleflow_lab.debugger.rerun_attempts import Task

        names = {"domain": self.domain, "workflow_id": self.workflow_id, "run_id": self.run_id}
        return Task(self._pool, self.history(), task_id, **names)

    def fork(
        self,
        at: Any = None,
        *,
        replace: Mapping[str, Any] | None = None,
        anew: str | Sequence[str] = (),
        workflow_id: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Execution:
        """Start a new execution that goes on from where this one was, with the results recorded by then; give it.

        `at` is where: the number of a decision or a step of `replay()`, before which it forks; the id of a task, or of
        several, from which on it runs again, while what does not depend on them is reused; or "first failure", also the
        default of one that failed. `replace` gives results of its own to tasks, by id. `anew` names further tasks that
        run again: ids, or a regular expression for the ids and names of their types. Nothing that is reused runs a
        second time: no activity, no child execution, no signal to another execution. The workflow's code is that of
        today. `options` are those of `Lab.start` that the fork has otherwise than this execution: `task_list`,
        `tag_list`, the timeouts. This execution stays as it is.

        Raises `UsageError` for what it does not have, and for results that JSON can't hold.
        """
        from simpleflow_lab.debugger.fork_execution import fork_execution

        ids = fork_execution(
            self._pool,
            self.history(),
            domain=self.domain,
            workflow_id=self.workflow_id,
            run_id=self.run_id,
            at=at,
            replace=replace,
            anew=anew,
            new_workflow_id=workflow_id,
            options=options or {},
        )
        return Execution(self._pool, *ids, domain=self.domain)

    def request_cancel(self) -> None:
        """Ask it to cancel; the workflow decides. Raises `UsageError` if it is closed."""
        with self._only_if_open():
            self._service.request_cancel_workflow_execution(
                domain=self.domain, workflowId=self.workflow_id, runId=self.run_id
            )

    def restart(self, *, terminate: bool = False, serves: bool = True) -> Execution:
        """Start it again: the same workflow, id, input, tags, task list and timeouts; gives the new run.

        One that is open is ended first with `terminate`. With `serves` its Lab decides and works for the new run as for
        one that it started. Raises `UsageError` for one that is open, without `terminate`.
        """
        attributes = self.history()[0].attributes
        request = {name: attributes[name] for name in _KEPT_BY_RESTART if attributes.get(name) is not None}
        if self.status == "OPEN":
            if not terminate:
                raise UsageError(f"execution {self.workflow_id} is open: restart(terminate=True) ends it first")
            self.terminate("restart")
        if serves:
            self._pool.serve_execution(request["taskList"]["name"])
        run_id = self._service.start_workflow_execution(domain=self.domain, workflowId=self.workflow_id, **request)[
            "runId"
        ]
        return Execution(self._pool, self.workflow_id, run_id, domain=self.domain)

    def retry_decision(self) -> None:
        """Retry the blocked decision of it, and of each execution below it whose decisions are blocked, now.

        Decisions are retried by themselves, after pauses that double up to a minute, and as soon as the process that
        makes them defines something again. This is for a cause that was mended elsewhere: a file, a module on disk that
        the process reloads, a permission. Raises `UsageError` if no decision is blocked, or if the process that can't
        make it is out of reach, as it is on Amazon SWF.
        """
        errors = self._reports()["decisionErrors"]
        if not errors:
            raise UsageError(f"no decision of {self.workflow_id} is blocked: waiting_for() says what it waits for")
        for error in [error for error in errors if not self._retry(error["execution"])]:
            holder = f"process {error['pid']}" if "pid" in error else "another process"
            raise UsageError(
                f"the decision of {error['execution']['workflowId']} is blocked in {holder}, which retries it by "
                "itself, after pauses of a minute at most: call retry_decision() there"
            )

    def _retry(self, blocked: Mapping[str, str]) -> bool:
        """Retry the blocked decision of this execution; whether it could be."""
        answer = self._service.retry_decision(domain=self.domain, execution=blocked)
        return bool(answer["isRetried"]) or self._pool.retry_decision(blocked["runId"])

    def terminate(self, reason: str | None = None, details: str | None = None) -> None:
        """End it now; its child policy is applied. Raises `UsageError` if it is closed, or if SWF does not take these
        texts."""
        for text, shape, what in ((reason, "TerminateReason", "the reason"), (details, "Data", "the details")):
            if text is not None:
                check_text(text, shape, f"{what} of a termination")
        members = {name: value for name, value in (("reason", reason), ("details", details)) if value is not None}
        with self._only_if_open():
            self._service.terminate_workflow_execution(
                domain=self.domain, workflowId=self.workflow_id, runId=self.run_id, **members
            )

    @contextlib.contextmanager
    def _only_if_open(self) -> Iterator[None]:
        """SWF knows no execution that is closed, for what acts on it: raises `UsageError`."""
        try:
            yield
        except UnknownResourceFault:
            raise UsageError(f"execution {self.workflow_id} is closed already: {self.status}") from None


_KEPT_BY_RESTART: Final = (
    "workflowType",
    "taskList",
    "taskPriority",
    "input",
    "tagList",
    "executionStartToCloseTimeout",
    "taskStartToCloseTimeout",
    "childPolicy",
    "lambdaRole",
)
"""What a new run takes over from the first event; SWF's StartWorkflowExecution has the same names."""


def _is_undefined(task: Mapping[str, Any]) -> bool:
    """A task of `describe_waiting` that nobody has taken, and no process defines."""
    return task["state"] == "scheduled" and not task["isDefined"]


def _deadline(timeout: float | None) -> float | None:
    """When a timeout that begins now ends, on the monotonic clock. Raises `UsageError`."""
    if timeout is not None and math.isnan(timeout):
        raise UsageError(f"a timeout of {timeout} is no number of seconds: None waits without a limit")
    return None if timeout is None else time.monotonic() + timeout
