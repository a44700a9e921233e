"""Stop the processes that supervisors of this machine started, and wait for their end: `worker.stop`.

Rule: who waits is told what for, soon and again when that changes. A `standalone` ends with its execution: it is
stopped only by whoever names it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.runtime.supervised.statuses import STANDALONE, is_suspended, supervisors_of

STOP_POLL_SECONDS: Final = 0.05
"""Seconds between two checks whether a process has ended."""
QUIET_SECONDS: Final = 1.5
"""For how long nothing is said of what is waited for."""
_NAMED: Final = 3
"""The number of tasks, or processes, that are named of those that are waited for."""
Status = Mapping[str, Any]
"""The status of a supervisor: see `supervised.statuses`."""


def supervisors_to_stop(address: str, domain: str, pids: Collection[int], task_list: str | None) -> list[Status]:
    """The supervisors of this machine with one of these PIDs, or with a process that has one, of this task list; by
    default all but those of `standalone`. Raises `UsageError` if there is none."""
    found: list[Status] = [
        each
        for each in supervisors_of(address, domain)
        if (not pids or {each["pid"], *(process["pid"] for process in each["processes"])} & set(pids))
        and (task_list is None or task_list in _task_lists_of(each))
    ]
    chosen = found if pids or task_list is not None else [each for each in found if each.get("of") != STANDALONE]
    if chosen:
        return chosen
    which = f"with PID {' or '.join(map(str, pids))} " if pids else f"of task list {task_list} " if task_list else ""
    alone = " and ".join(f"`worker.stop {each['pid']}`" for each in found)
    more = f"; a standalone is stopped by name: {alone}" if found else ""
    raise UsageError(f"no decider.start or worker.start {which}runs on this machine for domain {domain}{more}")


def tell_to_stop(supervisors: Sequence[Status], *, now: bool) -> None:
    """Tell them to drain, or `now` to cancel. Raises `UsageError`."""
    for each in supervisors:
        # Two signals of one kind may become one.
        for number in (signal.SIGTERM, signal.SIGINT) if now else (signal.SIGTERM,):
            _signal(each["pid"], number)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise UsageError(f"process {pid} can't be stopped: {error.strerror}") from None


def wait_for_end(supervisors: Sequence[Status], address: str, domain: str, tell: Callable[[str], None]) -> None:
    """Wait until these supervisors have ended. `tell` tells a person a line that says what is waited for."""
    chosen = {each["pid"] for each in supervisors}

    def left() -> list[Status]:
        return [each for each in supervisors_of(address, domain) if each["pid"] in chosen]

    def wait(seconds: float) -> bool:
        until = time.monotonic() + seconds
        while left():
            if time.monotonic() >= until:
                return False
            time.sleep(STOP_POLL_SECONDS)
        return True

    wait_and_tell(wait, lambda: [text for each in left() for text in _in_progress(each)], tell)


def wait_and_tell(
    wait: Callable[[float], bool], in_progress: Callable[[], Sequence[str]], tell: Callable[[str], None]
) -> None:
    """Wait until `wait`, which waits so many seconds, says that all is finished. What is `in_progress`, in words, is
    told before and whenever it changes."""
    said = ""
    while not wait(QUIET_SECONDS):
        found = in_progress()
        more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
        text = f"waiting for {', '.join(found[:_NAMED])}{more}"
        if found and text != said:
            tell(text)
            said = text


def _in_progress(supervisor: Status) -> Iterator[str]:
    """The tasks that a supervisor has not finished yet, else its processes, else itself."""
    processes = [each for each in supervisor["processes"] if each["pid"] is not None]
    if is_suspended(supervisor["pid"]):
        yield f"process {supervisor['pid']}, which is suspended: kill -CONT {supervisor['pid']}"
    elif not processes:
        yield f"process {supervisor['pid']}"
    for each in processes:
        tasks = [task for served in each["serves"] for task in served["tasks"]]
        if is_suspended(each["pid"]):
            yield f"process {each['pid']}, which is suspended: kill -CONT {each['pid']}"
        elif not tasks:
            yield f"process {each['pid']}"
        for task in tasks:
            yield f"{task_in_words(task['activityId'], task['workflowId'])} in process {each['pid']}"


def task_in_words(activity_id: str | None, workflow_id: str) -> str:
    """An activity task, or without an id a decision task, of an execution."""
    return f"{activity_id or 'a decision'} of {workflow_id}"


def _task_lists_of(supervisor: Status) -> set[str]:
    found = {name for process in supervisor["processes"] for name in process["taskLists"]}
    return found | {each["taskList"] for process in supervisor["processes"] for each in process["serves"]}
