"""The executor that a running workflow talks to: it takes tasks and gives futures.

It is the author's side of a replay, and holds nothing of its own but patches: each kind of task does its part
(`commands`), on what the run is (`run`).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import greenlet

from simpleflow_lab import canvas
from simpleflow_lab.activity import Activity
from simpleflow_lab.canvas import GroupFuture
from simpleflow_lab.data.references import is_reference
from simpleflow_lab.exceptions import ExecutionBlocked, WorkflowCanceled
from simpleflow_lab.futures import Future
from simpleflow_lab.marker import Marker
from simpleflow_lab.replay.commands.kinds import Kinds
from simpleflow_lab.replay.patches import Patches
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.replay.task_records import HistoryWithRecords
from simpleflow_lab.swf.fork_start import tags_of_run
from simpleflow_lab.task import Task, TaskFailureContext
from simpleflow_lab.workflow import Workflow


class ReplayExecutor:
    """The executor of one workflow execution while it is replayed; implements `workflow.Executor`."""

    def __init__(self, run: ReplayedRun, kinds: Kinds, patches: Patches) -> None:
        self._run = run
        self._kinds = kinds
        self._patches = patches

    @property
    def workflow(self) -> Workflow | None:
        """The workflow that runs on it: a container of the author's own submits its members to that."""
        return self._run.workflow

    @property
    def history(self) -> HistoryWithRecords:
        """The events up to the current decision."""
        return self._run.history

    @property
    def is_replaying(self) -> bool:
        """The current decision was made before, or is only inspected."""
        return not self._run.is_live

    def now(self) -> datetime.datetime:
        """The time at which the current decision task was started."""
        return self._run.decided_at

    @property
    def random_seed(self) -> str:
        """The seed of `Workflow.random`: the run id, of a fork that of the run it was forked from."""
        return self._run.random_seed

    def run_context(self) -> Mapping[str, Any]:
        """See `Workflow.get_run_context`."""
        run = self._run
        attributes = run.started.attributes
        parent = attributes.get("parentWorkflowExecution") or {}
        type = attributes.get("workflowType") or {}
        return {
            "name": type.get("name"),
            "version": type.get("version"),
            "domain_name": run.domain,
            "workflow_id": run.workflow_id,
            "run_id": run.run_id,
            "tag_list": tags_of_run(attributes.get("tagList")),
            "continued_execution_run_id": attributes.get("continuedExecutionRunId"),
            "parent_workflow_id": parent.get("workflowId"),
            "parent_run_id": parent.get("runId"),
        }

    def markers(self) -> list[Marker]:
        """The markers of this run, oldest first."""
        return self._kinds.markers.all()

    def event_details(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """See `Workflow.get_event_details`. What was commanded in this decision counts as done."""
        found = self._run.history.event_details(kind, name)
        for key in ("details", "input"):
            if found is not None and is_reference(found.get(key)):
                found = {**found, key: self._run.fields.decode(found[key])}
        if kind == "marker":
            return self._kinds.markers.unrecorded(name) or found
        if (
            kind == "timer"
            and found is not None
            and found["state"] == "started"
            and self._kinds.timers.is_canceled(name)
        ):
            return {**found, "state": "canceled"}
        return found

    def submit(self, task: Any, *args: Any, **kwargs: Any) -> Future:
        """Take a task; gives its future at once. Raises `TypeError` for a task of no known kind.

        As upstream's it also takes what `Workflow.submit` takes: an activity or a workflow class with its arguments.
        """
        if not isinstance(task, Task):
            return canvas.submit(self, task, *args, **kwargs)
        fibers = self._run.fibers
        if fibers.closed:
            # Code in a `finally` of an abandoned fiber: no command can be made any more.
            raise greenlet.GreenletExit
        line = fibers.line()
        future = self._kinds.submit(task, line)
        if self._run.observer is not None:
            self._run.observer.task_submitted(task, future, line, fibers.current)
        return future

    # -- upstream's further names --

    @property
    def workflow_class(self) -> type[Workflow] | None:
        """The class of the workflow that runs on it."""
        return None if self._run.workflow is None else type(self._run.workflow)

    @staticmethod
    def default_failure_handling(failure_context: TaskFailureContext) -> TaskFailureContext:
        """In `on_task_failure`: leave the task to its own `retry` and `raises_on_failure`, as without that hook."""
        failure_context.decision = TaskFailureContext.Decision.none
        return failure_context

    def map(self, activity: Activity, iterable: Iterable[Any]) -> list[Future]:
        """See `Workflow.map`."""
        return self.starmap(activity, ((item,) for item in iterable))

    def starmap(self, activity: Activity, iterable: Iterable[Iterable[Any]]) -> list[Future]:
        """See `Workflow.starmap`."""
        return [self.submit(activity, *arguments) for arguments in iterable]

    def get_run_context(self) -> Mapping[str, Any]:
        """See `Workflow.get_run_context`."""
        return self.run_context()

    # -- what containers need --

    def spawn(self, future: Future, body: Callable[[], Any], label: str = "") -> None:
        """Run `body` in a fiber of its own; its result or error closes the future. `label` says what runs there."""
        run = self._run

        def to_future() -> None:
            try:
                result = body()
            except ExecutionBlocked:
                run.blocked = True
            except WorkflowCanceled as error:
                if not future.done:
                    future.set_cancelled(error)
            except (Exception, SystemExit) as error:  # of the author's code, reported by the future
                run.note_author_error(error)
                if not future.done:
                    future.set_exception(error, raises=True)
            else:
                if not future.done:
                    future.set_finished(result)

        run.fibers.spawn(to_future, run.fibers.line(), label=label)

    def new_future(self, make: Callable[[], Future], *, raises: bool) -> Future:
        """A future of a container."""
        run, future = self._run, make()
        future.belong_to(run.waiter, raises=raises)
        if isinstance(future, GroupFuture):
            future.all_deferring = run.deferring
        future.add_done_callback(run.failures.count)
        if run.observer is not None:
            run.observer.container_submitted(future, run.fibers.line(), run.fibers.current)
        return future

    def patched(self, patch: str, *, deprecated: bool) -> bool:
        """See `Workflow.patched`."""
        run = self._run
        new_way, marker = self._patches.choose(
            patch, deprecated=deprecated, replaying=run.is_replaying, line=run.fibers.line()
        )
        if marker is not None:
            run.enqueue_own(marker)
        return new_way
