"""One execution of a service, read: its events, each of them fetched once, and what the service says of it besides.

Rule: while a store takes nothing more, what was read before is given; nothing raises for it that could be answered.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from simpleflow_lab.exceptions import StorePausedError
from simpleflow_lab.replay.task_records import HistoryWithRecords
from simpleflow_lab.runtime.pool import WorkerPool
from simpleflow_lab.service.watchable import time_of
from simpleflow_lab.swf.history import History, HistoryEvent, event_from_wire

if TYPE_CHECKING:
    from simpleflow_lab.views.history_fold import FoldedHistory, HistoryFold

T = TypeVar("T")


class ExecutionReader:
    """Reads one execution from its service; any thread may read."""

    def __init__(self, pool: WorkerPool, workflow_id: str, run_id: str, *, domain: str) -> None:
        """`pool` is what this process does for the service that holds it."""
        self.pool = pool
        self.service = pool.context.service
        self.domain = domain
        self.workflow_id = workflow_id
        self.run_id = run_id
        self._events: list[HistoryEvent] = []
        self._fold: HistoryFold | None = None
        self._fetching = threading.RLock()
        """Held while `_events` and `_fold` grow."""

    def other(self, workflow_id: str, run_id: str) -> ExecutionReader:
        """Another execution of the same domain."""
        return ExecutionReader(self.pool, workflow_id, run_id, domain=self.domain)

    @property
    def ids(self) -> dict[str, str]:
        """Its names, as SWF's WorkflowExecution."""
        return {"workflowId": self.workflow_id, "runId": self.run_id}

    # -- its history --

    def history(self) -> HistoryWithRecords:
        """The events so far."""
        with self._fetching:
            self._fetch()
            history = HistoryWithRecords(list(self._events))
        history.execution_ids = self.workflow_id, self.run_id
        return history

    def folded(self) -> FoldedHistory:
        """The events so far, folded, with what is open counted up to now."""
        return self.of_fold(self._fold_now)

    def of_fold(self, question: Callable[[HistoryFold], T], *, fetch: bool = True) -> T:
        """The answer of the fold, once the new events have been fed to it."""
        from simpleflow_lab.views.history_fold import HistoryFold

        with self._fetching:
            if fetch:
                self._fetch()
            # A fold that an interrupt left half way is forgotten: the next view folds the whole history.
            fold, self._fold = self._fold or HistoryFold(), None
            fold.feed(self._events[fold.mark :])
            answer = question(fold)
            self._fold = fold
            return answer

    def of_events(self, question: Callable[[list[HistoryEvent]], T]) -> T:
        """The answer to a question about the events so far, which it does not keep."""
        with self._fetching:
            self._fetch()
            return question(self._events)

    def folded_and_waiting(self) -> tuple[FoldedHistory, Mapping[str, Any]]:
        """The history folded, and what `describe_waiting` says. While nothing can be recorded, it is what was read
        before, or else what is on the disk: nothing, if the execution was to start just then."""
        known = self.waiting()
        is_paused = "storePaused" in known
        try:
            return self.of_fold(self._fold_now, fetch=not is_paused or not self._events), known
        except StorePausedError:
            if not is_paused:
                raise
            return self.of_fold(self._fold_now, fetch=False), known

    def last_event(self) -> HistoryEvent:
        """Its latest event, and no other."""
        answer = self.service.get_workflow_execution_history(
            domain=self.domain, execution=self.ids, reverseOrder=True, maximumPageSize=1
        )
        return event_from_wire(answer["events"][0])

    def wait_for_growth(self, seconds: float) -> None:
        """Wait until its history is longer than what was read of it, for so long at most."""
        self.service.wait_for_history(
            domain=self.domain, execution=self.ids, after_event_id=len(self._events), timeout=seconds
        )

    def _fold_now(self, fold: HistoryFold) -> FoldedHistory:
        """The fold, with what is open counted up to now. Nothing is open of an execution that has closed."""
        closed = self._events and History(self._events[-1:]).close_status is not None
        return fold.folded(None if closed else time_of(self.service))

    def _fetch(self) -> None:
        """Get the new events, latest first so that nothing is got twice. Call it with `_fetching` held."""
        if self._events and History(self._events[-1:]).close_status is not None:
            return
        new: list[HistoryEvent] = []
        page: dict[str, Any] = {}
        while True:
            try:
                answer = self.service.get_workflow_execution_history(
                    domain=self.domain, execution=self.ids, reverseOrder=True, **page
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

    # -- what the service says besides --

    def now(self) -> datetime.datetime:
        """The time by which its service dates events."""
        return time_of(self.service)

    def describe(self) -> Mapping[str, Any]:
        """SWF's description of it: boto3's `describe_workflow_execution`."""
        return self.service.describe_workflow_execution(domain=self.domain, execution=self.ids)

    def waiting(self) -> Mapping[str, Any]:
        """The open tasks and what each waits for, in whichever process."""
        return self.service.describe_waiting(domain=self.domain, execution=self.ids)

    def reports(self) -> Mapping[str, Any]:
        """The reports of deciders about it and the executions below it."""
        return self.service.describe_reports(domain=self.domain, execution=self.ids)

    @property
    def is_closed(self) -> bool:
        """Whether it has closed, on the disk."""
        try:
            return "closeStatus" in self.describe()["executionInfo"]
        except StorePausedError:  # it has not closed as long as that is not on disk
            return False
