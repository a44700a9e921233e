"""`worker.start --one-task`: one activity task in this process, and no supervisor. `--poll-data` brings the task along.

It is for schedulers that start a process for each task: of a cluster, say, whose job polls, or gets what was polled.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.commands.served_process import open_lab
from simpleflow_lab.data.codec import parse
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.lab import Lab
from simpleflow_lab.runtime.worker import Worker

WAIT_SECONDS: Final = 0.02
"""Seconds between two checks whether the task is done."""
_MEMBERS: Final = {"taskToken": str, "activityId": str, "startedEventId": int, "workflowExecution": dict}
"""Members of the answer to a poll, beside its types and its input."""


def run_one_task(work: Mapping[str, Any], poll_data: str | None) -> str:
    """Take one task, or that of the poll data, run its activity, and answer; gives what became of it, in words.

    Raises `UsageError`.
    """
    task = None if poll_data is None else task_of_poll_data(poll_data)
    with open_lab(work) as lab:
        task_lists = work["taskLists"] or lab.task_lists_defined[1]
        if task is None and len(task_lists) > 1:
            raise UsageError(f"one task, of which task list? --task-list is one of {', '.join(task_lists)}")
        worker = _handled(lab, task_lists[0], task)
        how = "is done" if worker.last_error is None else f"failed: {worker.last_error}"
        return f"one activity task {how}"


def _handled(lab: Lab, task_list: str, task: Mapping[str, Any] | None) -> Worker:
    if task is not None:
        return lab.handle_task(task, task_list=task_list)
    (worker,) = lab.start_workers(1, task_list=task_list, only_one_task=True)
    while worker.state != "stopped":
        time.sleep(WAIT_SECONDS)
    return worker


def task_of_poll_data(text: str) -> dict[str, Any]:
    """The activity task of an answer to PollForActivityTask, as base64 of its JSON. Raises `UsageError`."""
    try:
        task = parse(base64.b64decode(text, validate=True).decode())
    except (ValueError, binascii.Error) as error:
        raise UsageError(f"--poll-data is no base64 of JSON: {error}") from None
    if not isinstance(task, dict):
        raise UsageError("--poll-data is no JSON object: give SWF's answer to PollForActivityTask")
    wrong = [name for name, kind in _MEMBERS.items() if not isinstance(task.get(name), kind)]
    if not _has_texts(task.get("workflowExecution"), "workflowId", "runId"):
        wrong.append("workflowExecution")
    if not _has_texts(task.get("activityType"), "name", "version"):
        wrong.append("activityType")
    if not isinstance(task.get("input", ""), str):
        wrong.append("input")
    if wrong:
        raise UsageError(f"--poll-data is no activity task: {', '.join(dict.fromkeys(wrong))} is missing or wrong")
    return task


def _has_texts(record: Any, *names: str) -> bool:
    return isinstance(record, dict) and all(isinstance(record.get(name), str) for name in names)
