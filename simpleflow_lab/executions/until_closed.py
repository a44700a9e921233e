"""Waiting until an execution closes, or until it is known that waiting does not help.

Rule: a service that is busy, silent or out of reach for a while ends no waiting; a decision that can't be made does.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from simpleflow_lab import workflow
from simpleflow_lab.exceptions import (
    DecisionBlockedError,
    SimpleflowLabError,
    StorePausedError,
    UsageError,
    WorkflowNotRegisteredError,
)
from simpleflow_lab.executions.decided_elsewhere import DecidedElsewhere
from simpleflow_lab.executions.execution_reader import ExecutionReader
from simpleflow_lab.runtime.awaited import Stopped
from simpleflow_lab.runtime.pauses import LOOK_FOR_ROOM_SECONDS, pauses
from simpleflow_lab.service.call_deadline import waiting_until

logger = logging.getLogger(__name__)

T = TypeVar("T")

WAIT_STEP: Final = 0.25
"""Seconds between two checks whether a decision is blocked, while waiting for the history to grow."""


def deadline_of(timeout: float | None) -> float | None:
    """The time at which a timeout that begins now ends, on the monotonic clock. Raises `UsageError`."""
    if timeout is not None and math.isnan(timeout):
        raise UsageError(f"a timeout of {timeout} is no number of seconds: None waits without a limit")
    return None if timeout is None else time.monotonic() + timeout


def growths(
    reader: ExecutionReader,
    decided_elsewhere: DecidedElsewhere,
    *,
    deadline: float | None,
    interval: float = WAIT_STEP,
    until_closed: bool = True,
    stopped: Stopped = lambda: False,
) -> Iterator[None]:
    """Come back whenever its history has grown, at most every `interval` seconds, until it has closed.

    With `until_closed` the service need not wake it before. Raises `DecisionTaskError` if no decision can be made.
    """
    seen = 0
    while not stopped() and not patiently(reader, lambda: reader.is_closed, deadline):
        left = interval if deadline is None else min(interval, deadline - time.monotonic())
        if left <= 0 and deadline is not None and time.monotonic() >= deadline:
            return
        wait = functools.partial(
            reader.service.wait_for_history,
            domain=reader.domain,
            execution=reader.ids,
            after_event_id=seen,
            timeout=max(left, 0),
            until_closed=until_closed,
        )
        last = patiently(reader, wait, deadline)
        errors = patiently(reader, reader.reports, deadline)["decisionErrors"]
        blocked = [report for report in errors if report["endsWait"]]
        if blocked and not reader.is_closed:
            raise error_of(reader, blocked[0])
        patiently(reader, functools.partial(decided_elsewhere.look, last), deadline)
        if last > seen:
            seen = last
            yield
        elif left > 0:
            patiently(reader, functools.partial(_check_defined, reader), deadline)


def patiently(reader: ExecutionReader, call: Callable[[], T], deadline: float | None) -> T:
    """The result of `call`; repeated while Amazon SWF is too busy or can't be reached, or a store has no
    owner for want of room, until the deadline."""
    reported = ""
    for pause in pauses(1.0):
        try:
            with waiting_until(deadline):
                return call()
        except SimpleflowLabError as error:
            left = math.inf if deadline is None else deadline - time.monotonic()
            if not error.is_transient or left <= 0:
                raise
            if isinstance(error, StorePausedError):
                pause = min(pause, LOOK_FOR_ROOM_SECONDS)
                if reported == (reported := str(error)):
                    time.sleep(min(pause, left))
                    continue
            logger.warning("waiting for %s goes on, next try in %.1f s: %s", reader.workflow_id, pause, error)
        time.sleep(min(pause, left))
    raise AssertionError("pauses never end")


def error_of(reader: ExecutionReader, report: Mapping[str, Any]) -> Exception:
    """The error of a report: the very one, if it was this process that could not decide for this execution."""
    blocked, message = report["execution"], report["message"]
    here = reader.pool.decision_error(blocked["runId"])
    if here is not None and (type(here).__name__, str(here)[: len(message)]) != (report["error"], message):
        here = None
    if here is not None and blocked == reader.ids:
        return here
    pid = None if here is not None else report.get("pid")
    error = DecisionBlockedError(reader.workflow_id, blocked["workflowId"], report["error"], message, pid)
    error.__cause__ = here
    return error


def _check_defined(reader: ExecutionReader) -> None:
    """Raise `WorkflowNotRegisteredError` if what it waits for is for this process to do, and no process can.

    That is a decision of a workflow that no process defines; or activity tasks that no process defines, while the
    workflow is not defined here either.
    """
    served = {name for names in reader.pool.task_lists for name in names}
    if not served:
        return
    tasks = reader.waiting()["tasks"]
    if not tasks or not all(_is_undefined(task) and task["taskList"] in served for task in tasks):
        return
    try:
        type = reader.describe()["executionInfo"]["workflowType"]
    except StorePausedError:
        return
    name, version = type["name"], type["version"]
    if workflow.defined(name, version) is None:  # else it was only now defined, and is offered with the next poll
        raise WorkflowNotRegisteredError(name, version)


def _is_undefined(task: Mapping[str, Any]) -> bool:
    """A task of `describe_waiting` that nobody has taken, and no process defines."""
    return task["state"] == "scheduled" and not task["isDefined"]
