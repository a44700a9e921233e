"""Executions that a service holds: to wait for, view, signal, cancel, terminate, debug and fork.

Views need nothing but a history, so `recorded_execution` has the same.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from simpleflow_lab import workflow
from simpleflow_lab.exceptions import (
    ExecutionStillOpenError,
    SilentServiceError,
    UnknownResourceFault,
    UsageError,
    WaitInterrupted,
    WorkflowExecutionCanceled,
    WorkflowExecutionError,
    WorkflowExecutionFailed,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
)
from simpleflow_lab.executions.decided_elsewhere import DecidedElsewhere
from simpleflow_lab.executions.execution_infos import execution_infos, latest_run
from simpleflow_lab.executions.execution_views import ExecutionViews
from simpleflow_lab.executions.task_progress import Progress as Progress  # users' path
from simpleflow_lab.executions.until_closed import WAIT_STEP, deadline_of, growths, patiently
from simpleflow_lab.runtime.awaited import Stopped, awaited
from simpleflow_lab.runtime.pool import WorkerPool
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.swf.names import check_name, check_text

if TYPE_CHECKING:
    from simpleflow_lab.debugger.quiet_failures import QuietFailures
    from simpleflow_lab.debugger.rerun_attempts import RecordedTask
    from simpleflow_lab.debugger.steps import ReplaySteps
    from simpleflow_lab.debugger.time_travel import Debugger
    from simpleflow_lab.debugger.what_if import WhatIf

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CLOSED_WITH: Mapping[str, type[WorkflowExecutionError]] = {
    "FAILED": WorkflowExecutionFailed,
    "TIMED_OUT": WorkflowExecutionTimedOut,
    "CANCELED": WorkflowExecutionCanceled,
    "TERMINATED": WorkflowExecutionTerminated,
}


class Execution(ExecutionViews):
    """One workflow execution of a service: to wait for, view, signal, cancel, terminate.

    It is a name and no state: the same execution may be had again from another kernel, another day.

    `await execution` gives its result as `result` does, and leaves the loop free: other cells of a notebook run
    meanwhile where they can, and clicks arrive. An interrupt or a cancellation ends the waiting, not the execution.
    """

    def __init__(
        self, pool: WorkerPool, workflow_id: str, run_id: str, *, domain: str | None = None, attached: bool = False
    ) -> None:
        """`pool` is what this process does for its service; `domain` is another one than is served there."""
        super().__init__(pool, workflow_id, run_id, domain=domain)
        self.attached = attached
        """It was open before `Lab.start` found it."""
        self._decided_elsewhere = DecidedElsewhere(self._reader)

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
        """The failures in it that nobody reported, and the tasks, signals and results that nothing read, each with its
        line; see `debugger.quiet_failures`. Its history is replayed with the workflow that this process defines for it.
        Raises `UsageError`."""
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
        run_id = latest_run(self._service, workflow_id, domain=self.domain)
        return None if run_id is None else Execution(self._pool, workflow_id, run_id, domain=self.domain)

    def _decided(self) -> int:
        """The number of decisions that are recorded by now."""
        from simpleflow_lab.debugger.steps import decisions_in

        return self._reader.of_events(decisions_in)

    # -- waiting --

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has closed; `False` if it is still open after `timeout` seconds.

        Raises `DecisionTaskError` if no decision can be made for now, for it or for a child that it waits for: waiting
        would not help.
        """
        return self._wait(deadline_of(timeout))[0]

    def _wait(self, deadline: float | None) -> tuple[bool, str]:
        """Whether it has closed by then; and that its service does not answer, in words, if that hides whether."""
        try:
            for _ in growths(self._reader, self._decided_elsewhere, deadline=deadline):
                pass
            return patiently(self._reader, lambda: self._reader.is_closed, deadline), ""
        except SilentServiceError as error:
            return False, str(error)
        except KeyboardInterrupt:
            raise WaitInterrupted(self.workflow_id) from None

    def watch(
        self, *, timeout: float | None = None, interval: float = WAIT_STEP, until_closed: bool = False
    ) -> Iterator[None]:
        """Come back whenever its history has grown, at most every `interval` seconds, and once when it has closed.

        Raises `DecisionTaskError` if no decision can be made for now.
        """
        deadline = deadline_of(timeout)
        with contextlib.suppress(SilentServiceError):
            yield from growths(
                self._reader, self._decided_elsewhere, deadline=deadline, interval=interval, until_closed=until_closed
            )

    def result(self, timeout: float | None = None) -> Any:
        """Wait for it, and for the runs that go on in its place, and give what `run` returned.

        Raises `WorkflowExecutionError` if it closed otherwise than completed, with the task that failed, its error and
        traceback; `DecisionTaskError` if no decision can be made for now; `ExecutionStillOpenError`, a builtin
        `TimeoutError`, if it is still open after `timeout` seconds. In the last two cases it stays open. An interrupt
        ends the waiting with `WaitInterrupted`, a `KeyboardInterrupt`, and the execution goes on.
        """
        deadline = deadline_of(timeout)
        run: Execution = self
        has_ended = False
        while True:
            is_closed, silence = run._wait(deadline)
            if not is_closed:
                raise ExecutionStillOpenError(self.workflow_id, timeout, silence or run._why_open())
            last = patiently(run._reader, run._reader.last_event, None)
            following = run._next_run(last)
            if following is None:
                return run._result_in(last)
            if deadline is not None and not has_ended and time.monotonic() >= deadline:
                if patiently(run._reader, run._latest_of_open_runs, None) is not None:
                    raise ExecutionStillOpenError(self.workflow_id, timeout, f"it goes on as run {following.run_id}")
                has_ended = True
            run = following

    @staticmethod
    def while_awaited(execution: Execution) -> contextlib.AbstractContextManager[Any]:
        """The context in which an execution is awaited. A notebook puts another one here, to show it meanwhile."""
        return contextlib.nullcontext()

    def __await__(self) -> Generator[Any, None, Any]:
        """Its result, as `result()` gives it."""
        name = f"simpleflow-lab waits for {self.workflow_id}"
        return awaited(self._result_unless, name=name, context=type(self).while_awaited(self)).__await__()

    def _result_unless(self, stopped: Stopped) -> Any:
        """Wait for its result; give it, or nothing as soon as the waiting was stopped."""
        run: Execution = self
        while True:
            for _ in growths(run._reader, run._decided_elsewhere, deadline=None, stopped=stopped):
                pass
            if stopped():
                return None
            last = patiently(run._reader, run._reader.last_event, None)
            following = run._next_run(last)
            if following is None:
                return run._result_in(last)
            run = following

    def check_open(self) -> None:
        """Raise `UsageError` if it is closed; the error names its next run, if it continued as new."""
        status = self.status
        if status != "OPEN":
            following = self.next_run
            next_run = "" if following is None else f"; its next run is {following.run_id}"
            raise UsageError(f"execution {self.workflow_id} is closed already: {status}{next_run}") from None

    @property
    def next_run(self) -> Execution | None:
        """The run that goes on in its place, if it continued as new; `None` if it did not, or is open."""
        return self._next_run(self._reader.last_event())

    @property
    def latest_run(self) -> Execution:
        """The last of the runs that went on in its place by now; itself, if it did not continue as new."""
        run, following = self, self.next_run
        latest = None if following is None else self._latest_of_open_runs()
        if latest is not None:
            return Execution(self._pool, self.workflow_id, latest, domain=self.domain)
        while following is not None:
            run, following = following, following.next_run
        return run

    def _latest_of_open_runs(self) -> str | None:
        """The run id of the latest of the runs that go on in its place; `None` if one of them has ended them.

        They may come faster than they can be followed one by one.
        """
        infos = execution_infos(self._service, domain=self.domain, workflow_id=self.workflow_id)
        places = [place for place, info in enumerate(infos) if info["execution"]["runId"] == self.run_id]
        since = infos[: places[0]] if places else infos
        has_ended = any(info.get("closeStatus", "CONTINUED_AS_NEW") != "CONTINUED_AS_NEW" for info in since)
        return None if has_ended or not since else str(since[0]["execution"]["runId"])

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
        raise _CLOSED_WITH[str(status)](self.workflow_id, reason, details, self._unhandled_before(reason, details))

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
        with self._only_if_open("WorkflowExecutionSignaled", signalName=name, **members):
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
        """A simulation of how long it would have taken with `workers` activities at once on each task list, or as many
        as are given for each; with the durations of tasks multiplied by `scale`, one number or some by id or name;
        without the attempts that failed and were tried again. It displays itself: the new total and the old one, what
        was waited for before and after; `gantt()` has both charts.

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
            workflow=workflow,
            workers=workers,
            scale=scale,
            without_retries=without_retries,
        )

    def task(self, task_id: str) -> RecordedTask:
        """A task, by its id, its short label or its name if only one has that: its attempts, with inputs and outcomes.

        `execution.task("fetch-3").attempt(2).rerun()` runs that attempt again in this process, with its recorded input;
        see `debugger.rerun_attempts`. Raises `UsageError` if there is no such task.
        """
        from simpleflow_lab.debugger.rerun_attempts import RecordedTask

        names = {"domain": self.domain, "workflow_id": self.workflow_id, "run_id": self.run_id}
        return RecordedTask(self._pool, self.history(), task_id, **names)

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

        `at` is where: the number of a decision or a step of `replay()`, before which it forks; a task or its id, or the
        ids of several, from which on it runs again, while what does not depend on them is reused; or "first failure",
        also the default of one that failed. `replace` gives results of its own to tasks, by id. `anew` names further
        tasks that run again: ids, or a regular expression for the ids and names of their types. Nothing that is reused
        runs a second time: no activity, no child execution, no signal to another execution. A child that failed or was
        open is started anew as a fork of its own. The workflow's code is that of today. `options` are those of
        `Lab.start` that the fork has otherwise than this execution: `task_list`, `tag_list`, the timeouts. This one
        stays as it is.

        Raises `UsageError` for what it does not have, and for results that JSON can't hold.
        """
        from simpleflow_lab.debugger.fork_execution import fork_execution
        from simpleflow_lab.debugger.rerun_attempts import RecordedTask

        ids = fork_execution(
            self._pool,
            self.history(),
            domain=self.domain,
            workflow_id=self.workflow_id,
            run_id=self.run_id,
            read=lambda workflow_id, run_id: self._reader.other(workflow_id, run_id).history(),
            at=at.id if isinstance(at, RecordedTask) else at,
            replace=replace,
            anew=anew,
            new_workflow_id=workflow_id,
            options=options or {},
        )
        self._pool.last_started = ids
        return Execution(self._pool, *ids, domain=self.domain)

    def request_cancel(self) -> None:
        """Ask it to cancel; the workflow decides. Raises `UsageError` if it is closed."""
        with self._only_if_open("WorkflowExecutionCancelRequested"):
            self._service.request_cancel_workflow_execution(
                domain=self.domain, workflowId=self.workflow_id, runId=self.run_id
            )

    def restart(self, *, terminate: bool = False, serves: bool = True) -> Execution:
        """Start it again: the same workflow, id, input, tags, task list and timeouts; gives the new run.

        One that is open is ended first with `terminate`. With `serves` its Lab decides and works for the new run as for
        one that it started. Raises `UsageError` for one that is open, without `terminate`.
        """
        attributes = self.history()[0].attributes
        request = {name: attributes[name] for name in _RESTARTED_WITH if attributes.get(name) is not None}
        if self.status == "OPEN":
            if not terminate:
                raise UsageError(f"execution {self.workflow_id} is open: restart(terminate=True) ends it first")
            self.terminate("restart")
        if serves:
            self._pool.serve_execution(request["taskList"]["name"])
        run_id = self._service.start_workflow_execution(domain=self.domain, workflowId=self.workflow_id, **request)[
            "runId"
        ]
        self._pool.last_started = self.workflow_id, run_id
        return Execution(self._pool, self.workflow_id, run_id, domain=self.domain)

    def retry_decision(self) -> None:
        """Retry the blocked decision of it, and of each execution below it whose decisions are blocked, now.

        Decisions are retried by themselves, after pauses that double up to a minute, and as soon as the process that
        makes them defines something again. This is for a cause that was fixed elsewhere: a file, a module on disk that
        the process reloads, a permission. Raises `UsageError` if no decision is blocked, or if the process that can't
        make it is out of reach, as it is on Amazon SWF.
        """
        errors = self._reader.reports()["decisionErrors"]
        if not errors:
            raise UsageError(
                f"no decision of {self.workflow_id} is blocked: waiting_for(), or workflow.info, says what it waits for"
            )
        for error in [error for error in errors if not self._retry(error["execution"])]:
            holder = f"process {error['pid']}" if "pid" in error else "another process"
            raise UsageError(
                f"the decision of {error['execution']['workflowId']} is blocked in {holder}, which retries it by "
                "itself, after pauses of a minute at most: retry it there"
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
        with self._only_if_open("WorkflowExecutionTerminated", **members):
            self._service.terminate_workflow_execution(
                domain=self.domain, workflowId=self.workflow_id, runId=self.run_id, **members
            )

    @contextlib.contextmanager
    def _only_if_open(self, event_type: str, **attributes: str) -> Iterator[None]:
        """For a request that records an event of this type, with these attributes. SWF knows no execution that is
        closed: raises `UsageError`.

        If the response to a first request was lost, the execution may have closed since: with the event it is done.
        """
        try:
            yield
        except UnknownResourceFault as fault:
            if fault.was_repeated and any(
                event.type == event_type and attributes.items() <= event.attributes.items() for event in self.history()
            ):
                return
            self.check_open()
            raise


_RESTARTED_WITH: Final = (
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
"""Attributes that a new run takes over from the first event; SWF's StartWorkflowExecution has the same names."""
