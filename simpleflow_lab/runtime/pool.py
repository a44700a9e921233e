"""The deciders and activity workers of one Lab, started for every task list that turns up.

A notebook has no operator who starts a worker for each task list. So starting or resuming an execution starts the
decider of its list, and each answer of a decider starts workers for the lists of the activities and children that it
schedules. That is the automatic policy "everything"; the others of `SERVE` start less, and what is left out is
started by hand.

Rule: everything that a decider or worker reports about an execution comes here, and is kept within a bound.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from simpleflow_lab import activity, workflow
from simpleflow_lab.activity import Activity
from simpleflow_lab.activity_context import ActivityProgress
from simpleflow_lab.constants import DEFAULT_ACTIVITY_THREADS
from simpleflow_lab.middleware import Around
from simpleflow_lab.runtime.activity_worker import ActivityWorker
from simpleflow_lab.runtime.blocked_decisions import ENDS_WAIT
from simpleflow_lab.runtime.bounded import LatestUsed
from simpleflow_lab.runtime.captured_output import CapturedOutput
from simpleflow_lab.runtime.context import WorkerContext
from simpleflow_lab.runtime.decider import REPLAY_CACHE_SIZE, Decider
from simpleflow_lab.runtime.decision_watch import DecisionWatch
from simpleflow_lab.runtime.given_back import give_back_activities
from simpleflow_lab.runtime.heartbeat import LONGEST_INTERVAL, Heartbeats
from simpleflow_lab.runtime.last_polls import wait_for_last_polls
from simpleflow_lab.runtime.output_of_others import OutputOfOthers
from simpleflow_lab.runtime.poller import join_all
from simpleflow_lab.runtime.reporting import Reporting
from simpleflow_lab.runtime.type_registration import TypeRegistration
from simpleflow_lab.runtime.worker import ACTIVITY_WORKER, DECIDER, Worker
from simpleflow_lab.service.reports import MAX_TEXT
from simpleflow_lab.swf import decisions as swf_decisions
from simpleflow_lab.swf.history import HistoryEvent

if TYPE_CHECKING:
    from simpleflow_lab.runtime.forked.parent import ForkedActivities

logger = logging.getLogger(__name__)

SERVE: Final[Mapping[str, frozenset[str]]] = {
    "everything": frozenset((DECIDER, ACTIVITY_WORKER)),
    "decisions": frozenset((DECIDER,)),
    "activities": frozenset((ACTIVITY_WORKER,)),
    "nothing": frozenset(),
}
"""The automatic policies: what is started for a task list that turns up."""
MAX_REPORTED_RUNS: Final = 1_000
"""Runs of which the warnings, and the error that blocks their decisions, are remembered: the latest."""
PROCESS_END_SECONDS: Final = 0.3
"""Seconds that the threads that wait for killed processes may need to end."""


class _Warnings(NamedTuple):
    """The warnings of one run, for the author."""

    execution: Mapping[str, str]
    """Its workflowId and runId."""
    messages: dict[str, None]
    """The warnings, in order."""


class WorkerPool:
    """The deciders and activity workers of this process for one domain of a service.

    It is the `Listener` of its deciders.
    """

    def __init__(
        self,
        context: WorkerContext,
        *,
        activity_threads: int = DEFAULT_ACTIVITY_THREADS,
        activity_executor: str = "threads",
        middleware: Iterable[Around] = (),
        longest_heartbeat: float = LONGEST_INTERVAL,
        replay_cache_size: int = REPLAY_CACHE_SIZE,
        serve: str = "everything",
        task_list_of_all: str | None = None,
        registers_domain: bool = True,
    ) -> None:
        """`activity_threads` activities run at once for each task list, in threads or, with `activity_executor`
        "processes", in forked processes. `longest_heartbeat` is in seconds. Each decider keeps the replays of
        `replay_cache_size` open executions. `serve` is the automatic policy, one of `SERVE`. `task_list_of_all` is that
        of every activity and child that is scheduled; by default it is what their definitions say. Without
        `registers_domain` the domain must be there."""
        self.context = context
        self.activity_threads = activity_threads
        """Number of activities of a task list that run at once, unless its worker was given another number."""
        self._activity_executor = activity_executor
        self._replay_cache_size = replay_cache_size
        self._task_list_of_all = task_list_of_all
        self.registration = TypeRegistration(
            context.service, context.domain, context.settings, registers_domain=registers_domain
        )
        self._heartbeats = Heartbeats(context.service, longest=longest_heartbeat)
        self._forked: ForkedActivities | None = None
        self.last_started: tuple[str, str] | None = None
        """Workflow id and run id of the execution that was started, or forked, last through this pool's Lab."""
        self.middleware = list(middleware)
        """The middleware of each activity that is taken from now on, the outermost first."""
        self._reporting = Reporting()
        self._watch = DecisionWatch(on_slow=self.warned)
        self._deciders: dict[str, Decider] = {}
        self._workers: dict[str, ActivityWorker] = {}
        self._decision_errors: LatestUsed[str, Exception] = LatestUsed(MAX_REPORTED_RUNS)
        self._warnings: LatestUsed[str, _Warnings] = LatestUsed(MAX_REPORTED_RUNS)
        self._decided_at: LatestUsed[str, float] = LatestUsed(MAX_REPORTED_RUNS)
        self._lock = threading.Lock()
        self._stopped = False
        self._automatic = SERVE[serve]
        self._serve = serve
        self._follows_definitions = False
        self._captured_output = CapturedOutput()
        OutputOfOthers.follow(context.service, context.output_contexts, context.log, context.session)
        context.session.on_new_owner.append(self._report_again)

    @property
    def is_stopped(self) -> bool:
        """Whether all have been stopped, for good: their Lab was closed."""
        return self._stopped

    # -- starting --

    @property
    def serve(self) -> str:
        """The automatic policy, one of `SERVE`. What runs already goes on."""
        return self._serve

    @serve.setter
    def serve(self, serve: str) -> None:
        self._serve, self._automatic = serve, SERVE[serve]

    @property
    def longest_heartbeat(self) -> float:
        """Seconds between the heartbeats of a task without a heartbeat timeout."""
        return self._heartbeats.longest

    @longest_heartbeat.setter
    def longest_heartbeat(self, seconds: float) -> None:
        self._heartbeats.longest = seconds

    def set_output_context(self, workflow_id: str, context: contextvars.Context | None) -> contextvars.Context | None:
        """Run the code of this execution in this context, which says where its output goes; gives the one before."""
        contexts, domain = self.context.output_contexts, self.context.domain
        before = contexts.get(domain, workflow_id)
        contexts.put(domain, workflow_id, context)
        return before

    def serve_execution(self, task_list: str) -> None:
        """Start the decider of an execution that somebody starts here, by the automatic policy.

        That somebody asks for it: a decider that was stopped starts again.
        """
        if DECIDER in self._automatic:
            self.start_decider(task_list)

    def serve_definitions(self) -> None:
        """Start activity workers for the activities that this process defines, now and later, by the automatic policy.

        Only in a process that runs activities and makes no decisions, for such a process learns no task lists from
        decisions.
        """
        if DECIDER in self._automatic or ACTIVITY_WORKER not in self._automatic:
            return
        with self._lock:
            if not (self._follows_definitions or self._stopped):
                self._follows_definitions = True
                activity.registry.subscribe(self._serve_definition)
        for each in self.task_lists_of_activities():
            self._serve_activities(each)

    def _serve_definition(self, definition: Activity) -> None:
        """Start an activity worker for the task list of an activity that was just defined."""
        task_list = self._task_list_of(definition)
        if DECIDER not in self._automatic and task_list not in self._workers:
            # In a thread: a definition does not wait for a service, and does not fail with it.
            name = f"start of the activity worker of {task_list}"
            threading.Thread(target=self._serve_activities, args=(task_list,), name=name, daemon=True).start()

    def serve_history(self, events: Iterable[HistoryEvent]) -> None:
        """Start deciders and activity workers for every task list that this history names, by the automatic policy.

        It is the history of an execution that somebody asks for: deciders that were stopped start again.
        """
        named = {(event.type, (event.attributes.get("taskList") or {}).get("name")) for event in events}
        for type, task_list in sorted((type, task_list) for type, task_list in named if task_list is not None):
            if type == "ActivityTaskScheduled":
                self._serve_activities(task_list)
            elif type in (
                "WorkflowExecutionStarted",
                "StartChildWorkflowExecutionInitiated",
                "DecisionTaskScheduled",
            ):
                self.serve_execution(task_list)

    def serve_scheduled(self, event: HistoryEvent) -> None:
        """Start what does the activity task or the child that this event schedules, by the automatic policy, if this
        process defines its type. What was stopped stays so."""
        task_list = (event.attributes.get("taskList") or {}).get("name")
        if task_list is None:
            return
        if event.type == "ActivityTaskScheduled":
            kind = event.attributes["activityType"]
            if (kind["name"], kind["version"]) in activity.registry:
                self._serve_activities(task_list)
        elif event.type == "StartChildWorkflowExecutionInitiated":
            kind = event.attributes["workflowType"]
            if workflow.defined(kind["name"], kind["version"]) is not None:
                self._serve_decisions(task_list)

    def start_decider(self, task_list: str) -> Worker | None:
        """Start the decider of this task list, unless it runs; `None` when all have been stopped."""
        if not self._stopped:
            self.registration.register_domain()
        with self._lock:
            if self._stopped:
                return None
            self._captured_output.begin()
            decider = self._deciders.get(task_list)
            if decider is None:
                decider = self._deciders[task_list] = Decider(
                    self.context,
                    task_list,
                    registration=self.registration,
                    listener=self,
                    watch=self._watch,
                    replay_cache_size=self._replay_cache_size,
                    task_list_of_all=self._task_list_of_all,
                )
            decider.start()
        return decider

    def start_activity_worker(
        self, task_list: str, count: int | None = None, *, only_one_task: bool = False
    ) -> Worker | None:
        """Start the activity worker of this task list, unless it runs; `None` when all have been stopped.

        `count` activities run at once, by default as many as before, or as `activity_threads` says. With
        `only_one_task` it stops when it has taken one.
        """
        if not self._stopped:
            self.registration.register_domain()
        with self._lock:
            if self._stopped:
                return None
            self._captured_output.begin()
            worker = self._workers.get(task_list)
            if worker is None:
                worker = self._workers[task_list] = self._new_activity_worker(task_list, count)
            elif count is not None and count != worker.at_once:
                worker.scale(count)
            worker.poller.stops_after_one = only_one_task
            worker.start()
        return worker

    def activity_worker(self, task_list: str) -> Worker:
        """The activity worker of this task list, which is made, and not started, if there is none."""
        with self._lock:
            self._captured_output.begin()
            if task_list not in self._workers:
                self._workers[task_list] = self._new_activity_worker(task_list, None)
            return self._workers[task_list]

    def _new_activity_worker(self, task_list: str, count: int | None) -> ActivityWorker:
        return ActivityWorker(
            self.context,
            task_list,
            limit=self.activity_threads if count is None else count,
            heartbeats=self._heartbeats,
            executor=self._activity_executor,
            forked_activities=self._forked_activities,
            middleware=self.middleware,
            warned=self.warned,
        )

    def _forked_activities(self) -> ForkedActivities:
        """The runner of activities in processes, made when the first one is to run."""
        from simpleflow_lab.runtime.forked.parent import ForkedActivities  # noqa: PLC0415  most run in threads

        with self._lock:
            if self._forked is None:
                self._forked = ForkedActivities(sigterm_wait=self.context.settings.activity_sigterm_wait_sec)
        return self._forked

    def _serve_decisions(self, task_list: str) -> None:
        """Start a decider for a task list that turned up; one that was stopped stays so."""
        if DECIDER in self._automatic and task_list not in self._deciders:
            self.start_decider(task_list)

    def _serve_activities(self, task_list: str) -> None:
        """Start an activity worker for a task list that turned up; one that was stopped stays so."""
        if ACTIVITY_WORKER in self._automatic and task_list not in self._workers:
            self.start_activity_worker(task_list)

    def task_lists_of_activities(self) -> list[str]:
        """The task lists of the activities that this process defines."""
        return sorted({self._task_list_of(definition) for definition in list(activity.registry.values())})

    def _task_list_of(self, definition: Activity) -> str:
        default = self.context.activity_defaults["task_list"]
        return default if "task_list" in definition.unset else definition.task_list

    def task_lists_of_workflows(self, workflows: Iterable[type[workflow.Workflow]] = ()) -> list[str]:
        """The task lists of these workflows, or if there are none of all that this process defines."""
        default = self.context.settings.workflow_default_task_list
        return sorted({each.task_list or default for each in list(workflows) or list(workflow.registry.values())})

    # -- the state of executions in this process --

    def decision_error(self, run_id: str) -> Exception | None:
        """The error that blocks the decisions of this run, or `None`."""
        return self._decision_errors.get(run_id)

    def decided_at(self, run_id: str) -> float:
        """The time at which this process decided for this run last, on the monotonic clock; minus infinity if that is
        not known."""
        found = self._decided_at.get(run_id)
        return -math.inf if found is None else found

    def retry_decision(self, run_id: str) -> bool:
        """Retry the blocked decision of this run at once; whether a decider of this process has it."""
        return any(decider.retry_decision(run_id) for decider in list(self._deciders.values()))

    def slow_line(self, run_id: str) -> str:
        """The author's line that runs in a decision of this process for this run, if it takes long; else empty."""
        return self._watch.slow_line(run_id)

    def warnings(self, run_id: str) -> tuple[str, ...]:
        """The warnings for the author of this run's workflow, each once."""
        known = self._warnings.get(run_id)
        return () if known is None else tuple(known.messages)

    def activity_progress(self, run_id: str) -> list[ActivityProgress]:
        """The progress of this run's activities in this process, in the order in which they were taken."""
        return [task.progress for task in self._heartbeats.tasks if task.context["run_id"] == run_id]

    @property
    def task_lists(self) -> tuple[list[str], list[str]]:
        """The task lists with a decider, and those with an activity worker, in order; not those that were stopped."""
        with self._lock:
            deciders = [name for name, decider in self._deciders.items() if not decider.poller.is_stopping]
            workers = [name for name, worker in self._workers.items() if not worker.poller.is_stopping]
        return sorted(deciders), sorted(workers)

    @property
    def workers(self) -> list[Worker]:
        """The deciders and then the activity workers, those that were stopped, too; each in order of the task lists."""
        with self._lock:
            found: list[Worker] = [self._deciders[task_list] for task_list in sorted(self._deciders)]
            return found + [self._workers[task_list] for task_list in sorted(self._workers)]

    def activity_workers_that_poll(self) -> list[Worker]:
        """Those that were not stopped."""
        with self._lock:
            return [worker for worker in self._workers.values() if not worker.poller.is_stopping]

    # -- stopping --

    def end_polls(self, tell: Callable[[str], None]) -> None:
        """Take no more tasks, and wait until the polls at Amazon SWF have come back; see `last_polls`. `tell` tells a
        person a line."""
        self.serve = "nothing"
        for each in self.workers:
            each.take_no_more()
        wait_for_last_polls(lambda: self.workers, tell)

    def stop(self, *, release: Callable[[], object] | None = None, seconds: float = 2.0) -> bool:
        """Take no more tasks, and wait up to `seconds` for those in progress; `False` if some still run.

        `release` makes the service answer the polls that wait.
        """
        with self._lock:
            self._stopped = True
            activity.registry.unsubscribe(self._serve_definition)
            served: list[Worker] = [*self._deciders.values(), *self._workers.values()]
        pollers = [each.poller for each in served]
        for each in served:
            each.is_closed = True
            each.take_no_more()
            each.give_up()
        self._watch.stop()
        if release is not None:
            release()
        for each in served:
            each.give_back()
        ended = join_all(pollers, seconds)
        if not ended:
            # A thread that runs an activity can't be ended; a forked process can.
            self._forked_activities().stop()
            ended = join_all(pollers, PROCESS_END_SECONDS)
            self.context.session.release(token for each in self._deciders.values() for token in each.tokens)
            give_back_activities(self.context, [token for each in self._workers.values() for token in each.tokens])
        self._heartbeats.stop()
        with contextlib.suppress(ValueError):  # it was stopped before
            self.context.session.on_new_owner.remove(self._report_again)
        self._captured_output.end()
        self.context.log.stop()
        return ended

    # -- reports of deciders: `decider.Listener` --

    def decided(self, run_id: str, decisions: Sequence[Mapping[str, Any]]) -> None:
        """Start deciders and activity workers for the task lists that these decisions name."""
        self._decided_at.put(run_id, time.monotonic())
        for decision in decisions:
            kind, attributes = decision["decisionType"], swf_decisions.attributes(decision)
            task_list = (attributes.get("taskList") or {}).get("name")
            if task_list is None:
                continue
            if kind == "ScheduleActivityTask":
                self._serve_activities(task_list)
            elif kind in ("StartChildWorkflowExecution", "ContinueAsNewWorkflowExecution"):
                self._serve_decisions(task_list)

    def decision_blocked(self, task: Mapping[str, Any], error: Exception | None) -> None:
        """Set what `decision_error` gives for the run of this decision task, and report it to the service."""
        run_id = task["workflowExecution"]["runId"]
        if error is not None:
            self._decision_errors.put(run_id, error)
            self._report_decision_error(
                task,
                error=type(error).__name__,
                message=str(error)[:MAX_TEXT],
                endsWait=isinstance(error, ENDS_WAIT),
                pid=os.getpid(),
            )
        elif self._decision_errors.get(run_id) is not None:
            self._decision_errors.drop(run_id)
            self._report_decision_error(task)

    def warned(self, task: Mapping[str, Any], message: str) -> None:
        """Add a message to the warnings of this task's run, if it is new, and report it to the service."""
        run_id = task["workflowExecution"]["runId"]
        known = self._warnings.get(run_id)
        if known is None:
            known = _Warnings(task["workflowExecution"], {})
            self._warnings.put(run_id, known)
        if message not in known.messages:
            known.messages[message] = None
            self._report_warning(known.execution, message)
            logger.info("run %s: %s", run_id, message)

    def _report_warning(self, execution: Mapping[str, str], message: str) -> None:
        call = functools.partial(
            self.context.service.report_warning,
            domain=self.context.domain,
            execution=execution,
            message=message[:MAX_TEXT],
        )
        self._reporting.send(call)

    def _report_again(self) -> None:
        """Report to an engine that has taken over what still holds: the one before kept it in its memory."""
        for decider in list(self._deciders.values()):
            for task in decider.blocked_tasks:
                error = self._decision_errors.get(task["workflowExecution"]["runId"])
                if error is not None:
                    self.decision_blocked(task, error)
        for known in self._warnings.values():
            for message in list(known.messages):
                self._report_warning(known.execution, message)

    def _report_decision_error(self, task: Mapping[str, Any], **error: Any) -> None:
        call = functools.partial(
            self.context.service.report_decision_error,
            domain=self.context.domain,
            execution=task["workflowExecution"],
            error={"startedEventId": task["startedEventId"], **error},
        )
        self._reporting.send(call)
