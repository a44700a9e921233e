"""Deciders: take decision tasks of one task list, replay, answer.

The thread that polls also replays, for a greenlet lives in one thread: each task list has a decider of its own, and an
execution's decision tasks come from its list. Each thread caches the replays of open executions, at most
`REPLAY_CACHE_SIZE`, and feeds them only new events. A cached replay that does not fit is replaced by a new one, which
is fed the whole history.

So a `run` that never waits holds up its task list in this process. It is watched: after some seconds a new thread polls
in place of the one that is held up. Before its decision task times out it is interrupted, and from then on it is
retried in another thread, as every blocked decision.

*Rule:* a decision that can't be made fails the decision task, never the execution. It is blocked, and retried.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from simpleflow_lab import activity, workflow
from simpleflow_lab.constants import DEFAULT_DECISION_TASK_TIMEOUT
from simpleflow_lab.data import codec
from simpleflow_lab.data.fields import Fields
from simpleflow_lab.data.objects import using_storage
from simpleflow_lab.exceptions import (
    DecidingProcessDiedError,
    DecisionInterrupted,
    DecisionTooLongError,
    DeterminismWarning,
    ImpureWorkflowError,
    SimpleflowLabError,
    StorePausedError,
    UnknownResourceFault,
    UsageError,
    WorkflowNotRegisteredError,
)
from simpleflow_lab.replay.answer import Answer
from simpleflow_lab.replay.impurities import Impurity
from simpleflow_lab.replay.output_commit import output_waits_for
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.runtime.authors_forks import ending_forks
from simpleflow_lab.runtime.blocked_decisions import ENDS_WAIT, BlockedDecision, BlockedDecisions
from simpleflow_lab.runtime.captured_output import TaskOutput, ensure_streams
from simpleflow_lab.runtime.context import WorkerContext
from simpleflow_lab.runtime.decision_watch import DecisionWatch, WatchedDecision, time_limit
from simpleflow_lab.runtime.fingerprints import fingerprint
from simpleflow_lab.runtime.kept_sources import OF_THIS_PROCESS
from simpleflow_lab.runtime.lost_responses import closing_event
from simpleflow_lab.runtime.pauses import pauses
from simpleflow_lab.runtime.replay_cache import REPLAY_CACHE_SIZE, ReplayCache
from simpleflow_lab.runtime.type_registration import TypeRegistration
from simpleflow_lab.runtime.worker import DECIDER, Worker, checked_count
from simpleflow_lab.service.history_polling import HistoryPolling
from simpleflow_lab.swf.conventions import deaths_of
from simpleflow_lab.swf.decisions import CLOSING_DECISIONS, with_task_list
from simpleflow_lab.swf.event_types import DECISION_TASK
from simpleflow_lab.swf.history import HistoryEvent, shared_event
from simpleflow_lab.workflow import Workflow

logger = logging.getLogger(__name__)

__all__ = ["REPLAY_CACHE_SIZE", "Decider", "Listener", "registered_workflow"]


LONGEST_PAUSE_OF_ANSWERS: Final = 10.0
"""Longest pause, in seconds, before an answer is repeated: the executions of the task list wait for it."""
LONGEST_WAIT_FOR_DISK: Final = 5.0
"""Longest wait, in seconds, of a workflow's first output for the disk."""
FIRST_PAUSE_OF_TIMERS, LONGEST_PAUSE_OF_TIMERS = 0.25, 4.0
"""Seconds before timers are asked for again that SWF refused because too many were started at once."""
_REMEDIES: Final = (workflow.registry, activity.registry, codec.registry)
"""Where a new definition may be what a blocked decision waits for."""


class Listener(Protocol):
    """The receiver of a decider's reports."""

    def decided(self, run_id: str, decisions: Sequence[Mapping[str, Any]]) -> None:
        """These decisions are about to be answered."""

    def decision_blocked(self, task: Mapping[str, Any], error: Exception | None) -> None:
        """This decision task is blocked by an error, or, with `None`, no longer."""

    def warned(self, task: Mapping[str, Any], message: str) -> None:
        """There is a warning for the author of the workflow of this decision task."""


class Decider(Worker):
    """Decides for the executions of one task list."""

    kind = DECIDER
    task_kind = DECISION_TASK

    def __init__(
        self,
        context: WorkerContext,
        task_list: str,
        *,
        registration: TypeRegistration,
        listener: Listener,
        watch: DecisionWatch,
        replay_cache_size: int = REPLAY_CACHE_SIZE,
        task_list_of_all: str | None = None,
    ) -> None:
        """It caches up to `replay_cache_size` replays; with 0 each decision is a whole replay. `task_list_of_all` is
        that of every activity and child that it schedules; by default it is what their definitions say."""
        super().__init__(context, task_list, limit=1)
        self._registration = registration
        self._listener = listener
        self._replay_cache_size = replay_cache_size
        self._task_list_of_all = task_list_of_all
        self._too_long: dict[str, DecisionTooLongError] = {}
        """By run id: the code that was interrupted when it was run last."""
        self._killing: dict[str, str | None] = {}
        """By run id: the fingerprint of the code of which processes have died."""
        self._watch = watch
        self._blocked = BlockedDecisions(f"retries of {task_list}", self._retry)
        self._blocked_since: dict[str, tuple[float, Mapping[str, Any]]] = {}
        """By run id: when its decisions were blocked, by `time.time`."""
        self._of_thread = threading.local()
        self.is_giving_up = False
        """Whether its decisions should end soon."""

    @property
    def blocked_since(self) -> float | None:
        """See `Worker`."""
        return min([since for since, _ in list(self._blocked_since.values())], default=None)

    @property
    def blocked_tasks(self) -> list[Mapping[str, Any]]:
        """The decision tasks that can't be answered for now."""
        return [task for _, task in list(self._blocked_since.values())]

    @property
    def types(self) -> list[str]:
        """See `Worker`."""
        default = self._context.settings.workflow_default_task_list
        own, others = list[str](), list[str]()
        for (name, version), definition in list(workflow.registry.items()):
            task_list = definition.task_list or default
            (own if task_list == self.task_list else others).append(f"{name} {version}")
        return sorted(own) + sorted(others)

    def retry_decision(self, run_id: str) -> bool:
        """Retry the blocked decision of this run at once; whether it has one. It counts as blocked no more, until the
        retry has failed, too."""
        for task in self.blocked_tasks:
            if task["workflowExecution"]["runId"] == run_id:
                self._listener.decision_blocked(task, None)
        return self._blocked.retry_now(run_id)

    def take_no_more(self) -> None:
        """Take no more tasks, and be told of no remedies any more."""
        super().take_no_more()
        for registry in _REMEDIES:
            registry.unsubscribe(self._retry_blocked)

    def give_back(self) -> None:
        """Retry no blocked decision any more: its task is given out again."""
        self._context.session.release(task["taskToken"] for task in self._blocked.stop())

    def forget_blocked(self) -> None:
        """See `Worker`. No decision counts as blocked any more."""
        for _, task in list(self._blocked_since.values()):
            self._listener.decision_blocked(task, None)
        self._blocked_since.clear()

    def scale(self, count: int) -> None:
        """Raise `UsageError` for more than one decision at once."""
        if checked_count(count) != 1:
            raise UsageError(
                f"the decider of {self.task_list!r} makes one decision at a time, for the replays of its executions "
                "stay in its thread: divide the executions among several task lists, or processes"
            )

    def abandon_tasks(self) -> None:
        """Leave the current decision to `give_up`: it is interrupted, and not answered."""

    def give_up(self) -> None:
        """Let the current decision go on for a second at most."""
        self.is_giving_up = True
        self._watch.hurry(self)

    def _begin(self) -> None:
        self.is_giving_up = False
        self._blocked_since.clear()
        self._blocked.start()
        for registry in _REMEDIES:
            registry.subscribe(self._retry_blocked)

    def _cache(self) -> ReplayCache:
        """The replays of this thread: greenlets can't change threads."""
        cache: ReplayCache | None = getattr(self._of_thread, "cache", None)
        if cache is None:
            cache = self._of_thread.cache = ReplayCache(self._replay_cache_size)
        return cache

    def _at_end(self) -> None:
        self._cache().clear()

    # -- a decision task --

    def _poll(self) -> Mapping[str, Any]:
        return self._service.poll_for_decision_task(
            domain=self._context.domain,
            taskList={"name": self.task_list},
            identity=self._context.identity,
            startAtPreviousStartedEvent=True,
        )

    def _handle(self, task: Mapping[str, Any]) -> str | None:
        run_id = task["workflowExecution"]["runId"]
        self._blocked.drop(run_id)
        deaths = _deaths_of(task)
        if deaths >= self._context.settings.lab_max_lost_attempts:
            self._killing[run_id] = self._fingerprint_of(task)
            kind = task["workflowType"]
            error = DecidingProcessDiedError(f"{kind['name']} {kind['version']}", deaths)
            return self._block(task, error, attempts=1)
        self._killing.pop(run_id, None)
        too_long = self._too_long.get(run_id)
        if too_long is not None:
            # Here it would hold up the others once more: it is run by the thread of the retries.
            return self._block(task, too_long, attempts=self._blocked.attempts(run_id))
        return self._attempt(task, self._cache(), attempts=1)

    def _retry(self, blocked: BlockedDecision) -> None:
        if self._watch.is_running(blocked.run_id) or (
            blocked.run_id in self._killing and self._killing[blocked.run_id] == self._fingerprint_of(blocked.task)
        ):
            # Another thread is held up in this very code, or processes died of it.
            self._block(blocked.task, blocked.error, attempts=blocked.attempts + 1)
            return
        self.poller.count(self._attempt(blocked.task, ReplayCache(0), attempts=blocked.attempts + 1))

    def _attempt(self, task: Mapping[str, Any], cache: ReplayCache, *, attempts: int) -> str | None:
        """Make this decision and answer it, or block it. `attempts` is how often it was attempted, with this time.

        Gives the error that blocks it.
        """
        run_id = task["workflowExecution"]["runId"]
        cached: Replay | None = None
        try:
            new = self._new_events(task)
            cached = cache.take(run_id)
            replay, answer = self._decide(task, new, cached, is_first=attempts == 1)
        except Exception as error:  # what comes from the author's code, too, blocks this decision and no other one
            if cached is not None:
                cached.close()  # in its own thread, whatever still refers to it
            if isinstance(error, UnknownResourceFault):
                logger.info("a decision is no longer needed: %s", error)
                self._too_long.pop(run_id, None)
                self._blocked_since.pop(run_id, None)
                self._listener.decision_blocked(task, None)
                return None
            return self._block(task, error, attempts=attempts)
        return self._respond(task, replay, answer, cache, attempts=attempts, timeout=_timeout_of(new))

    def _fingerprint_of(self, task: Mapping[str, Any]) -> str | None:
        """The fingerprint of the workflow that this process defines for a task; `None` if it defines none."""
        found = workflow.registry.get((task["workflowType"]["name"], task["workflowType"]["version"]))
        return None if found is None else fingerprint(found)

    def _decide(
        self, task: Mapping[str, Any], new: list[HistoryEvent], cached: Replay | None, *, is_first: bool
    ) -> tuple[Replay, Answer]:
        """Replay up to this decision task. A cached replay goes on if its last decision is the one that SWF names.
        `is_first` says that this decision was not attempted before.
        """
        before = list[HistoryEvent]()
        started = cached.started if cached is not None else None
        if started is None:
            before = self._events_before(task, new[0].id)
            started = (before or new)[0]
        kind = task["workflowType"]
        definition = registered_workflow(kind["name"], kind["version"], started, self._context.fields)
        if cached is not None and (
            cached.workflow is not definition
            or cached.decided_for != task.get("previousStartedEventId", 0)
            or cached.last_event_id + 1 < new[0].id
        ):
            cached.close()
            cached, before = None, self._events_before(task, new[0].id)
        output = self._output_of(task["workflowExecution"], started)
        if cached is None:
            OF_THIS_PROCESS.take_up((kind["name"], kind["version"]), definition, at=new[-1].timestamp.timestamp())
        replay = cached or self._new_replay(definition, task["workflowExecution"], output)
        try:
            if cached is None:
                self._warn_of(task, replay.impurities)
            # What the author writes outside of fibers, in hooks, goes where the output of the fibers goes.
            answer = output.context().run(self._run_watched, replay, task, before, new, is_first)
        except BaseException:  # an interrupt too: the greenlets of the replay must end
            replay.close()
            raise
        finally:
            output.end()
        for message in replay.take_warnings():
            self._listener.warned(task, message)
        return replay, answer

    def _new_replay(self, definition: type[Workflow], execution: Mapping[str, Any], output: TaskOutput) -> Replay:
        return Replay(
            definition,
            domain=self._context.domain,
            workflow_id=execution["workflowId"],
            run_id=execution["runId"],
            context=output.context(),
            defaults=self._context.activity_defaults,
            max_open_activities=self._context.settings.swf_max_open_activity_count,
            fields=self._context.fields,
        )

    def _run_watched(
        self,
        replay: Replay,
        task: Mapping[str, Any],
        before: list[HistoryEvent],
        new: list[HistoryEvent],
        is_first: bool,
    ) -> Answer:
        """Run the code within its time limit. Raises `DecisionTooLongError` if it had to be interrupted,
        `CloseNotPermittedError` at the first attempt if SWF refused the latest one for good."""
        run_id = task["workflowExecution"]["runId"]
        watched = self._watch.begin(task, replay.workflow.__module__, _limit_of(new), self)
        try:
            try:
                # The storage is for a workflow's hooks.
                with (
                    ending_forks("a workflow"),
                    using_storage(self._context.storage),
                    output_waits_for(lambda: self._wait_for_disk(task)),
                ):
                    replay.feed(itertools.chain(before, new))
                    refused = replay.not_permitted if is_first else None
                    if refused is not None:
                        raise refused
                    answer = replay.decide(task["startedEventId"])
            finally:
                self._watch.end(watched)
        except DecisionInterrupted:
            self._watch.end(watched)  # the interrupt may have come in the midst of the first call
            self._too_long[run_id] = error = watched.error()
            raise error from None
        self._too_long.pop(run_id, None)
        return answer

    def _wait_for_disk(self, task: Mapping[str, Any]) -> None:
        """Return when the events before this decision task are on disk. Raises `StorePausedError` if they are not after
        `LONGEST_WAIT_FOR_DISK` seconds: nothing was shown yet, and the decision is retried."""
        if isinstance(self._service, HistoryPolling):
            return  # what Amazon SWF tells a decider is recorded
        before = task["startedEventId"] - 1  # its own start may be lost: then it is given out again
        last = self._service.wait_for_history(
            domain=self._context.domain,
            execution=task["workflowExecution"],
            after_event_id=before - 1,
            timeout=LONGEST_WAIT_FOR_DISK,
        )
        if last < before:
            raise StorePausedError(
                f"event {before} is not on disk after {LONGEST_WAIT_FOR_DISK:.0f} s: what the workflow prints, logs or "
                "does in a hook waits for it, so that it shows nothing that could be lost"
            )

    def _warn_of(self, task: Mapping[str, Any], impurities: Sequence[Impurity]) -> None:
        """Warn of each line once in this process. Raises `ImpureWorkflowError` where such warnings are errors."""
        for impurity in impurities:
            self._listener.warned(task, str(impurity))
            if impurity not in _warned:
                try:
                    warnings.warn_explicit(
                        str(impurity), DeterminismWarning, impurity.line.filename, impurity.line.lineno
                    )
                except DeterminismWarning as warning:
                    raise ImpureWorkflowError(str(warning)) from None
                _warned.add(impurity)

    def _respond(
        self,
        task: Mapping[str, Any],
        replay: Replay,
        answer: Answer,
        cache: ReplayCache,
        *,
        attempts: int,
        timeout: float,
    ) -> str | None:
        """Answer the task, and cache its replay unless the answer closes the execution. The task has a `timeout`, in
        seconds.

        Gives the error that blocks it.
        """
        blocked: str | None = None
        run_id = task["workflowExecution"]["runId"]
        closes = bool(answer.decisions) and answer.decisions[-1]["decisionType"] in CLOSING_DECISIONS
        if not closes:
            cache.put(run_id, replay)
        try:
            if self._task_list_of_all is not None:
                answer = answer._replace(decisions=with_task_list(answer.decisions, self._task_list_of_all))
            for reference, text in answer.large:
                # Before answering: a history never refers to an object that is not there.
                self._context.fields.write(reference, text)
            self._registration.register_types_of(answer.decisions)
            self._listener.decided(run_id, answer.decisions)
            context: dict[str, Any] = (
                {} if answer.execution_context is None else {"executionContext": answer.execution_context}
            )
            self._give(task, timeout, refusals=answer.refused_timers, decisions=answer.decisions, **context)
        except UnknownResourceFault as error:
            logger.info("this decision came too late: %s", error)
            cache.take(run_id)
            self._blocked_since.pop(run_id, None)
            self._listener.decision_blocked(task, None)  # it is not for this task any more
        except (SimpleflowLabError, OSError) as error:
            cache.take(run_id)
            blocked = self._block(task, error, attempts=attempts)
        else:
            self._blocked_since.pop(run_id, None)
            self._listener.decision_blocked(task, None)
        if run_id not in cache:
            replay.close()
        return blocked

    def _give(self, task: Mapping[str, Any], timeout: float, *, refusals: int, **members: Any) -> None:
        """Give an answer, repeatedly if the service is too busy or can't be reached, until the task has timed out.

        `refusals` is how often SWF has refused timers of this answer because too many were started at once.

        Raises `UnknownResourceFault` if the answer is not recorded because the task is not open any more.
        """
        until = time.monotonic() + timeout
        is_repeated = False
        if refusals:
            # SWF wakes the decider at once, and would refuse them again: thirteen times a second, up to 25,000 events.
            time.sleep(min(FIRST_PAUSE_OF_TIMERS * 2 ** (refusals - 1), LONGEST_PAUSE_OF_TIMERS))
        for pause in pauses(longest=LONGEST_PAUSE_OF_ANSWERS):
            try:
                self._service.answer_decision_task(taskToken=task["taskToken"], **members)
                return
            except UnknownResourceFault as fault:
                if (is_repeated or fault.was_repeated) and self._is_recorded(task):
                    return  # by an earlier request, whose response was lost
                raise
            except SimpleflowLabError as error:
                if not error.is_transient or self.is_giving_up or time.monotonic() > until:
                    raise
                is_repeated = True
                logger.warning(
                    "decisions of %s could not be answered, next try in %.1f s: %s",
                    task["workflowExecution"]["workflowId"],
                    pause,
                    error,
                )
            time.sleep(pause)

    def _is_recorded(self, task: Mapping[str, Any]) -> bool:
        """Whether the history has an answer to this decision task."""
        try:
            closed = closing_event(
                self._service,
                domain=self._context.domain,
                execution=task["workflowExecution"],
                started_event_id=task["startedEventId"],
            )
        except SimpleflowLabError as error:
            logger.info("the history of %s can't be read: %s", task["workflowExecution"]["workflowId"], error)
            return False
        return closed is not None and closed.type == "DecisionTaskCompleted"

    def _new_events(self, task: Mapping[str, Any]) -> list[HistoryEvent]:
        """The events since the previous decision task, all pages."""
        events = [shared_event(event) for event in task["events"]]
        page = task.get("nextPageToken")
        while page:
            answer = self._service.poll_for_decision_task(
                domain=self._context.domain,
                taskList={"name": self.task_list},
                identity=self._context.identity,
                startAtPreviousStartedEvent=True,
                nextPageToken=page,
            )
            events.extend(shared_event(event) for event in answer["events"])
            page = answer.get("nextPageToken")
        return events

    def _events_before(self, task: Mapping[str, Any], event_id: int) -> list[HistoryEvent]:
        """The events before this id."""
        events: list[HistoryEvent] = []
        if event_id == 1:
            return events
        page: dict[str, Any] = {}
        while True:
            answer = self._service.get_workflow_execution_history(
                domain=self._context.domain, execution=dict(task["workflowExecution"]), **page
            )
            events.extend(shared_event(event) for event in answer["events"] if event["eventId"] < event_id)
            if not answer.get("nextPageToken") or len(events) >= event_id - 1:
                return events
            page = {"nextPageToken": answer["nextPageToken"]}

    def _output_of(self, execution: Mapping[str, Any], started: HistoryEvent) -> TaskOutput:
        """Where the output of this execution goes: of a child, where its parent's does."""
        parent = started.attributes.get("parentWorkflowExecution")
        if parent is not None:
            contexts = self._context.output_contexts
            contexts.inherit(self._context.domain, execution["workflowId"], parent["workflowId"])
        ensure_streams()
        return self._context.task_output(execution["workflowId"], execution["runId"])

    # -- blocked decisions --

    def _block(self, task: Mapping[str, Any], error: Exception, *, attempts: int) -> str:
        execution = task["workflowExecution"]
        if isinstance(error, WorkflowNotRegisteredError) and (error.name, error.version) not in _not_here:
            # The person who waits for it may be at another process, and does not see what this one reports.
            _not_here.add((error.name, error.version))
            logger.warning(
                "a decision task of %s came here: %s. Give each code base a task list of its own",
                execution["workflowId"],
                error,
            )
        if isinstance(error, ENDS_WAIT):
            # The author's to remedy: `Execution.decision_error` has it, and waiting for the execution raises it.
            logger.info("decisions of %s are blocked: %s", execution["workflowId"], error)
        else:
            logger.log(
                # After `stop` the service may be closed: the task is given out again when it is open.
                logging.DEBUG if self.poller.is_stopping else logging.ERROR,
                "decisions of %s are blocked: %s",
                execution["workflowId"],
                error,
                exc_info=None if isinstance(error, SimpleflowLabError) else error,
            )
        self._blocked_since.setdefault(execution["runId"], (time.time(), task))
        if self._blocked.put(task, error, attempts=attempts):
            self._listener.decision_blocked(task, error)
        else:
            self._blocked_since.pop(execution["runId"], None)
            self._context.session.release([task["taskToken"]])
        return _text_of(error)

    def stand_in(self, watched: WatchedDecision) -> None:
        """Start another thread for one whose code takes long; that one ends when it has made its decision."""
        self._blocked.replace_thread(watched.thread)
        self.poller.replace_thread(watched.thread)

    def replace_thread(self, watched: WatchedDecision) -> None:
        """Start another thread for one whose code can't be interrupted; that one ends when its code comes back."""
        self._too_long[watched.run_id] = error = watched.error()
        self._blocked_since.setdefault(watched.run_id, (time.time(), watched.task))
        self.poller.last_error = _text_of(error)
        self._listener.decision_blocked(watched.task, error)
        self.stand_in(watched)

    def _retry_blocked(self, definition: object) -> None:
        """Retry everything that is blocked: the new definition may be the remedy. Code that it replaces is interrupted
        if it has run long."""
        self._too_long.clear()
        if isinstance(definition, type) and issubclass(definition, Workflow):
            self._watch.interrupt_slow(self, definition.type_name(), definition.type_version())
        self._blocked.retry_all_now()


_not_here: set[tuple[str, str]] = set()
"""Workflow types that this process did not define when a decision task of theirs came, of which there was a warning."""
_warned: set[Impurity] = set()
"""Lines of which there was a warning in this process."""


def _text_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _deaths_of(task: Mapping[str, Any]) -> int:
    """How many processes in a row have died deciding this task."""
    for event in reversed(task["events"]):
        if event["eventId"] == task["startedEventId"]:
            return deaths_of(event.get("decisionTaskStartedEventAttributes", {}).get("identity"))
    return 0


def _limit_of(events: Sequence[HistoryEvent]) -> float:
    """How many seconds the code may run for the decision task that these events end with."""
    return time_limit(_timeout_of(events))


def _timeout_of(events: Sequence[HistoryEvent]) -> float:
    """The timeout, in seconds, of the decision task that these events end with."""
    for event in reversed(events):
        if event.type == "DecisionTaskScheduled":
            timeout = str(event.attributes.get("startToCloseTimeout"))
            return float(timeout if timeout.isdigit() else DEFAULT_DECISION_TASK_TIMEOUT)
    return float(DEFAULT_DECISION_TASK_TIMEOUT)


def registered_workflow(name: str, version: str, started: HistoryEvent, fields: Fields) -> type[Workflow]:
    """The workflow that this process defines for an execution with this `WorkflowExecutionStarted` event.

    Raises `WorkflowNotRegisteredError`.
    """
    # The input names the class where two classes have one type; otherwise it need not be read.
    several = len(workflow.same_type.get((name, version), ())) > 1
    found = workflow.defined(name, version, fields.decode(started.attributes.get("input")) if several else None)
    if found is None:
        raise WorkflowNotRegisteredError(name, version)
    return found
