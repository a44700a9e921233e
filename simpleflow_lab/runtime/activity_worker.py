"""Activity workers: take activity tasks of one task list, run them, answer.

Several threads poll, so several activities run at once. Only activities registered in this process are run. What an
activity returns or raises becomes its result, or its reason and details; an answer that can't be given is tried again
until SWF says that nobody waits for it. So is an input or result kept elsewhere, while S3 or a disk does not answer:
the world's errors cost no retry, only time. One that is gone, or is not what was written, is the task's failure.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from simpleflow_lab import activity, storage
from simpleflow_lab.activity import Activity
from simpleflow_lab.codec import arguments_of, encode
from simpleflow_lab.exceptions import (
    EncodingError,
    JumboContentError,
    JumboReferenceError,
    ObjectNotFoundError,
    ServiceUnreachableError,
    SimpleflowLabError,
    StoreError,
    ThrottlingException,
    UnknownResourceFault,
    ValidationException,
)
from simpleflow_lab.failures import details_of, reason_of
from simpleflow_lab.fields import Fields
from simpleflow_lab.runtime.heartbeat import Heartbeats, interval
from simpleflow_lab.runtime.poller import Poller
from simpleflow_lab.service.protocol import SWFService
from simpleflow_lab.storage import Storage

logger = logging.getLogger(__name__)

Contexts = Callable[[str], contextvars.Context | None]
"""From a workflow id to the `contextvars` in which its code runs: where its output goes."""

ANSWER_TRIES = 8
"""How often an answer is tried, with pauses from 0.1 s doubling."""
FIRST_OBJECT_PAUSE, LONGEST_OBJECT_PAUSE = 0.1, 30.0
"""Seconds before an object is tried again: the first, and the longest."""


class UnknownActivityError(SimpleflowLabError):
    """A task of an activity that nobody registered in this process."""


class ActivityWorker:
    """Threads that run the activity tasks of one task list."""

    def __init__(
        self,
        service: SWFService,
        domain: str,
        task_list: str,
        *,
        threads: int,
        identity: str,
        heartbeats: Heartbeats,
        contexts: Contexts,
        storage: Storage,
        fields: Fields,
    ):
        self._service = service
        self._fields = fields
        self._storage = storage
        self._domain = domain
        self._task_list = task_list
        self._identity = identity
        self._heartbeats = heartbeats
        self._contexts = contexts
        self.pollers = [
            Poller(f"activity worker {number} of {task_list}", self._poll, self._handle)
            for number in range(1, threads + 1)
        ]

    def start(self) -> None:
        """Begin to take tasks."""
        for poller in self.pollers:
            poller.start()

    def _poll(self) -> Mapping[str, Any]:
        return self._service.poll_for_activity_task(
            domain=self._domain, taskList={"name": self._task_list}, identity=self._identity
        )

    def _handle(self, task: Mapping[str, Any]) -> None:
        token = task["taskToken"]
        kind = task["activityType"]
        registered = activity.registry.get((kind["name"], kind["version"]))
        timeout = registered.task_heartbeat_timeout if registered is not None else "NONE"
        self._heartbeats.begin(token, interval(timeout))
        try:
            result = self._run(registered, task)
        except BaseException as error:  # whatever an activity raises, sys.exit() included, is its failure
            reason, details = reason_of(error), self._details_of(error, kind["name"])
            self._heartbeats.end(token)
            self._answer(
                lambda: self._service.respond_activity_task_failed(taskToken=token, reason=reason, details=details)
            )
        else:
            self._heartbeats.end(token)
            self._answer(lambda: self._service.respond_activity_task_completed(taskToken=token, result=result))

    def _run(self, registered: Activity | None, task: Mapping[str, Any]) -> str:
        kind, execution = task["activityType"], task["workflowExecution"]
        if registered is None:
            raise UnknownActivityError(
                f"no activity {kind['name']!r} version {kind['version']!r} is defined in this process: "
                "run the cell or import the module that defines it"
            )
        value = self._patiently(task, lambda: self._fields.decode_input(task["input"])) if task.get("input") else []
        if isinstance(value, dict):
            value.pop("meta", None)
        args, kwargs = arguments_of(value, where="the input of the task")
        context = {
            "name": kind["name"],
            "version": kind["version"],
            "domain_name": self._domain,
            "workflow_id": execution["workflowId"],
            "run_id": execution["runId"],
            "activity_id": task["activityId"],
            "input": value,
            "activity_task_list": self._task_list,
        }
        found = self._contexts(execution["workflowId"])
        surroundings = found.copy() if found is not None else contextvars.copy_context()
        result = surroundings.run(self._execute, registered, args, kwargs, context)
        try:
            text = encode(result)
        except EncodingError as error:
            raise EncodingError(f"the result of {kind['name']} can't be recorded: {error}") from None
        field, large = self._fields.fit(text, f"result of {kind['name']}")
        if large is not None:
            self._patiently(task, lambda: self._fields.keep(*large))
        return field

    def _details_of(self, error: BaseException, name: str) -> str:
        """The details of a failure: whole if they can be kept, else cut; it must be told whatever else fails."""
        return self._fields.told(details_of(error, whole=True), f"details of {name}", lambda _: details_of(error))

    def _patiently(self, task: Mapping[str, Any], call: Callable[[], Any]) -> Any:
        """Read or write an object, again and again while the place does not answer and SWF waits for the task.

        Raises `StoreError` for what waiting can't mend, `UnknownResourceFault` when nobody waits any more.
        """
        pause = FIRST_OBJECT_PAUSE
        while True:
            try:
                return call()
            except (ObjectNotFoundError, JumboReferenceError, JumboContentError):
                raise
            except StoreError as error:
                if self.pollers[0].stopping:
                    raise
                logger.warning("task %s waits %.1f s for an object: %s", task["activityId"], pause, error)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_OBJECT_PAUSE)
            with contextlib.suppress(ThrottlingException, ServiceUnreachableError):
                self._service.record_activity_task_heartbeat(taskToken=task["taskToken"])

    def _execute(self, registered: Activity, args: list[Any], kwargs: dict[str, Any], context: dict[str, Any]) -> Any:
        with storage.using(self._storage):
            return registered.execute(args, kwargs, context)

    def _answer(self, respond: Callable[[], object]) -> None:
        pause = 0.1
        for tries_left in reversed(range(ANSWER_TRIES)):
            try:
                respond()
            except UnknownResourceFault as error:
                logger.info("nobody waits for this task any more: %s", error)
            except (ValidationException, StoreError):
                raise
            except Exception:
                if not tries_left:
                    raise
                logger.exception("an answer could not be given, next try in %.1f s", pause)
                time.sleep(pause)
                pause *= 2
                continue
            return
