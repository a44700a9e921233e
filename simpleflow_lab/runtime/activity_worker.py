"""Activity workers: take activity tasks of one task list, run them, answer.

Several activities run at once, each in the thread that took it or in a forked process. Only
activities that this process defines are run. An activity's return value becomes its result, an exception its reason and
details. Its heartbeats go on until the answer is given.

Rule: an infrastructure error costs no retry of the activity, only time. An answer that can't be given is repeated
until SWF says that the task is gone, by its timeouts at the latest, or the worker stops; so is reading an input, or
writing a result, that is kept as an object, while S3 or the disk does not answer. An object that is missing or damaged
fails the task.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simpleflow_lab import activity
from simpleflow_lab.activity import Activity
from simpleflow_lab.activity_context import RunningTask
from simpleflow_lab.data.codec import Changes, arguments_of, encode
from simpleflow_lab.data.objects import Storage, using_storage
from simpleflow_lab.data.references import MAX_FIELD
from simpleflow_lab.exceptions import (
    ActivityCanceled,
    EncodingError,
    JumboContentError,
    JumboReferenceError,
    ObjectNotFoundError,
    SimpleflowLabError,
    StoreError,
    StoreInUseError,
    StorePausedError,
    UnknownResourceFault,
    ValidationException,
)
from simpleflow_lab.middleware import Around
from simpleflow_lab.programs.downloads import refuse_binaries
from simpleflow_lab.replay.budgets import warning_of_result
from simpleflow_lab.runtime.captured_displays import ensure_displays
from simpleflow_lab.runtime.captured_output import ensure_streams
from simpleflow_lab.runtime.context import WorkerContext
from simpleflow_lab.runtime.coroutines import run_to_end
from simpleflow_lab.runtime.given_back import give_back_activities
from simpleflow_lab.runtime.heartbeat import Heartbeats
from simpleflow_lab.runtime.lost_responses import recorded_close
from simpleflow_lab.runtime.outcomes import Abandoned, Canceled, Completed, Failed, Outcome, outcome_of
from simpleflow_lab.runtime.pauses import LOOK_FOR_ROOM_SECONDS, pauses
from simpleflow_lab.runtime.poller import NOT_ANSWERED
from simpleflow_lab.runtime.worker import ACTIVITY_WORKER, Worker
from simpleflow_lab.swf.conventions import GIVEN_BACK
from simpleflow_lab.swf.event_types import ACTIVITY

if TYPE_CHECKING:
    from simpleflow_lab.runtime.forked.parent import ForkedActivities

logger = logging.getLogger(__name__)


_WAS_STOPPED = "its worker was stopped"


class UnknownActivityError(SimpleflowLabError):
    """The activity of a task is not defined in this process."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"no activity {name!r} version {version!r} is defined in process {os.getpid()} on {socket.gethostname()}: "
            "run the cell or import the module that defines it there"
        )


class _Stopped(Exception):
    """The worker stops before it could read or write an object of the task."""


class ActivityWorker(Worker):
    """Runs the activity tasks of one task list, several at once."""

    kind = ACTIVITY_WORKER
    task_kind = ACTIVITY

    def __init__(
        self,
        context: WorkerContext,
        task_list: str,
        *,
        limit: int,
        heartbeats: Heartbeats,
        executor: str,
        forked_activities: Callable[[], ForkedActivities],
        middleware: Sequence[Around],
        warned: Callable[[Mapping[str, Any], str], None],
    ) -> None:
        """`limit` activities run at once. `executor`, "threads" or "processes", is for activities that leave theirs
        unset; `forked_activities` gives what runs them in processes. `middleware` may grow while the worker works.
        `warned` is called with a task and a warning for the author of its execution."""
        super().__init__(context, task_list, limit=limit)
        self._fields = context.fields
        self._heartbeats = heartbeats
        self._executor = executor
        self._forked_activities = forked_activities
        self._middleware = middleware
        self._warned = warned
        self._stopping = threading.Event()

    @property
    def types(self) -> list[str]:
        """See `Worker`."""
        default = self._context.activity_defaults["task_list"]
        own, others = list[str](), list[str]()
        for definition in list(activity.registry.values()):
            task_list = default if "task_list" in definition.unset else definition.task_list
            (own if task_list == self.task_list else others).append(f"{definition.name} {definition.version}")
        return sorted(own) + sorted(others)

    def give_up(self) -> None:
        """Repeat no answer any more, read and write no objects, and give back a task that comes all the same."""
        self._stopping.set()

    def abandon_tasks(self) -> None:
        """Cancel the activities in progress, and give their tasks back."""
        for running in self._heartbeats.tasks:
            if running.context["activity_task_list"] == self.task_list:
                running.cancel(_WAS_STOPPED, is_gone=True)
        give_back_activities(self._context, self.tokens)

    def give_back(self) -> None:
        """See `Worker`; no activity waits for a retry."""

    def forget_blocked(self) -> None:
        """See `Worker`; no activity waits for a retry."""

    def _begin(self) -> None:
        self._stopping.clear()

    def _at_end(self) -> None:
        """Keep nothing for a thread."""

    def _poll(self) -> Mapping[str, Any]:
        return self._service.poll_for_activity_task(**self._poll_request)

    def _handle(self, task: Mapping[str, Any]) -> str | None:
        token, kind = task["taskToken"], task["activityType"]
        registered = activity.registry.get((kind["name"], kind["version"]))

        def report(text: str | None) -> None:
            self._heartbeats.send_soon(token)

        running = RunningTask(self._activity_context(task), report=report, finish=run_to_end)
        self._heartbeats.begin(token, running, self._heartbeat_timeout_of(registered))
        try:
            try:
                if self._stopping.is_set():
                    raise _Stopped(_WAS_STOPPED)
                outcome = self._run(registered, task, running)
            except ActivityCanceled:
                outcome = Canceled(details=None)
            except _Stopped as error:
                outcome = Abandoned(why=str(error))
            except Exception as error:  # whatever the author's code raises is the attempt's outcome
                outcome = Failed.of(error)
            return self._answer(task, running, outcome)
        finally:
            self._heartbeats.end(token)

    def _heartbeat_timeout_of(self, registered: Activity | None) -> str:
        if registered is None:
            return "NONE"
        if "heartbeat_timeout" in registered.unset:
            return self._context.activity_defaults["heartbeat_timeout"]  # as deciders ask for it
        return registered.task_heartbeat_timeout

    # -- running --

    def _activity_context(self, task: Mapping[str, Any]) -> dict[str, Any]:
        kind, execution = task["activityType"], task["workflowExecution"]
        return {
            "name": kind["name"],
            "version": kind["version"],
            "domain_name": self._context.domain,
            "workflow_id": execution["workflowId"],
            "run_id": execution["runId"],
            "activity_id": task["activityId"],
            "started_event_id": task["startedEventId"],
            "input": None,
            "activity_task_list": self.task_list,
        }

    def _run(self, registered: Activity | None, task: Mapping[str, Any], running: RunningTask) -> Outcome:
        """Run the activity of this task. Raises an error for an input or a result that is wrong."""
        kind = task["activityType"]
        if registered is None:
            return Failed.not_here(UnknownActivityError(kind["name"], kind["version"]))
        running.context["input"], meta, args, kwargs = self._input_of(task, running)
        if meta:
            running.context["meta"] = meta
        output = self._context.task_output(
            running.context["workflow_id"],
            running.context["run_id"],
            task=task["activityId"],
            started_event_id=task["startedEventId"],
        )
        ensure_streams()
        ensure_displays()
        middleware = tuple(self._middleware)

        def call(running: RunningTask, storage: Storage) -> Outcome:
            def execute() -> Completed:
                with using_storage(storage):
                    return _encoded(kind["name"], registered.execute(args, kwargs, running, middleware))

            return outcome_of(lambda: context.run(execute), running)

        context = output.context()
        try:
            if (registered.executor or self._executor) == "processes":
                outcome = self._forked_activities().run(call, running, storage=self._context.storage, output=output)
            else:
                outcome = call(running, self._context.storage)
        finally:
            output.end()
        if isinstance(outcome, Completed):
            near_limit = None
            if not self._fields.has_place:
                near_limit = warning_of_result(kind["name"], len(outcome.result))
            for message in (*outcome.warnings, *([near_limit] if near_limit is not None else ())):
                self._warned(task, message)
            if len(outcome.result) > MAX_FIELD:
                return Completed(result=self._large_result(kind["name"], outcome.result, running))
        return outcome

    def _input_of(self, task: Mapping[str, Any], running: RunningTask) -> tuple[Any, Any, list[Any], dict[str, Any]]:
        """The input of a task, the `meta` of its activity, its positional arguments and its keyword arguments."""
        field = task.get("input")
        value = self._until_available(running, lambda: self._fields.decode_input(field)) if field else []
        meta: Any = None
        if isinstance(value, dict) and not {"args", "kwargs"}.isdisjoint(value):
            meta = value.pop("meta", None)
            refuse_binaries(meta)
        return value, meta, *arguments_of(value, where="the input of the task")

    def _large_result(self, name: str, text: str, running: RunningTask) -> str:
        """The reference to a result whose JSON is too long for SWF, kept as an object."""
        field, large = self._fields.fit(text, f"result of {name}")
        if large is not None:
            self._until_available(running, lambda: self._fields.write(*large))
        return field

    def _until_available(self, running: RunningTask, call: Callable[[], Any]) -> Any:
        """The result of `call`, which reads or writes an object; repeated while the storage does not answer.

        Raises `StoreError` where repeating is no remedy, `ActivityCanceled`, or `_Stopped` if the worker stops.
        """
        for pause in pauses():
            try:
                return call()
            except (ObjectNotFoundError, JumboReferenceError, JumboContentError):
                raise
            except StoreError as error:
                cancellation = running.take_cancellation()
                if cancellation is not None:
                    raise cancellation from error
                if self._stopping.is_set():
                    raise _Stopped(str(error)) from error
                logger.warning("task %s waits %.1f s for an object: %s", running.context["activity_id"], pause, error)
            self._stopping.wait(pause)
        raise AssertionError("pauses never end")

    # -- answering --

    def _answer(self, task: Mapping[str, Any], running: RunningTask, outcome: Outcome) -> str | None:
        """Answer the task, repeatedly if need be, until SWF has the answer or the task is gone.

        Gives the error with which the task failed, or for which it was not answered.
        """
        for pause in pauses():
            if running.is_gone:
                break
            try:
                self._respond(task["taskToken"], outcome)
                return _error_of(outcome)
            except UnknownResourceFault as fault:
                running.cancel(f"nobody waits for it any more: {fault.message}", is_gone=True)
                break
            except ValidationException as error:
                if isinstance(outcome, Failed):
                    raise
                outcome = Failed.of(error)
                continue
            except Exception as error:  # whatever it is: the outcome is kept, and sent again
                # A store whose owner does not answer gets another, and one whose disk is full has room again; one that
                # is closed or broken does not answer again.
                is_paused = isinstance(error, StorePausedError)
                is_final = isinstance(error, StoreError) and not (is_paused or isinstance(error, StoreInUseError))
                if self._stopping.is_set():
                    raise
                if is_final:
                    self._context.session.give_up(task["taskToken"])
                    raise
                if is_paused:
                    pause = min(pause, LOOK_FOR_ROOM_SECONDS)
                logger.warning(
                    "the answer to %s of %s could not be given, next try in %.1f s: %s",
                    running.context["activity_id"],
                    running.context["workflow_id"],
                    pause,
                    error,
                    exc_info=not isinstance(error, SimpleflowLabError),
                )
                self._stopping.wait(pause)
        return self._unanswered(task, running, outcome)

    def _unanswered(self, task: Mapping[str, Any], running: RunningTask, outcome: Outcome) -> str | None:
        """The outcome of a task that SWF does not know as open: the answer may be recorded, and its response lost.

        Gives the error with which the task failed, or for which it was not answered.
        """
        closed = recorded_close(self._context, task)
        if closed is not None and closed.attributes.get("details") == GIVEN_BACK:
            activity_id, workflow_id = running.context["activity_id"], running.context["workflow_id"]
            logger.info("%s of %s was given back: it runs again", activity_id, workflow_id)
            return NOT_ANSWERED
        if closed is not None and closed.type != "ActivityTaskTimedOut":
            return _error_of(outcome)
        if closed is not None and isinstance(outcome, Completed):
            timeout = closed.attributes.get("timeoutType")
            logger.warning(
                "the result of %s of %s came too late: the task was closed by its %s timeout. It counts as not run",
                running.context["activity_id"],
                running.context["workflow_id"],
                timeout,
            )
            return f"its result came after the {timeout} timeout"
        logger.info(
            "%s of %s was not answered: %s",
            running.context["activity_id"],
            running.context["workflow_id"],
            running.canceled,
        )
        return NOT_ANSWERED if running.canceled == _WAS_STOPPED else running.canceled

    def _respond(self, token: str, outcome: Outcome) -> None:
        match outcome:
            case Completed(result=result):
                self._answered(self._service.answer_activity_task, taskToken=token, result=result)
            case Failed(reason=reason, details=details, cut=cut):
                details = self._fields.store_or_truncate(details, "details of a failure", lambda _: cut)
                self._service.respond_activity_task_failed(taskToken=token, reason=reason, details=details)
            case Canceled(details=None):
                self._service.respond_activity_task_canceled(taskToken=token)
            case Canceled(details=str(details)):
                self._service.respond_activity_task_canceled(taskToken=token, details=details)
            case Abandoned(why=why):
                logger.info("an activity task is given back: %s", why)
                give_back_activities(self._context, [token])


def _error_of(outcome: Outcome) -> str | None:
    match outcome:
        case Failed(reason=reason):
            return reason
        case Abandoned():
            return NOT_ANSWERED
        case _:
            return None


def _encoded(name: str, result: Any) -> Completed:
    """The outcome of an activity that returned this. Raises `EncodingError`, which names the activity."""
    changes: Changes = {}
    try:
        text = encode(result, changes)
    except EncodingError as error:
        raise EncodingError(f"the result of {name} can't be recorded: {error}") from None
    return Completed(result=text, warnings=[f"result of {name}: {change}" for change in changes.values()])
