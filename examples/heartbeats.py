"""Progress: an activity says how far it is.

    simpleflow workflow.start --local examples.heartbeats.Backup --input '[["photos", "letters"]]'

In a terminal the live line shows `copy 60 %` while it runs; so do a notebook and `execution.progress()`. `heartbeat`
may be called as often as one likes: it sends the newest every now and then. What keeps a long task alive is sent by its
worker anyway: only a worker that has died, or lost its way to SWF, misses the `heartbeat_timeout`.

What an attempt said last before it timed out is in the history. `check` hangs at its third file; the workflow lets the
next attempt begin there.
"""

from __future__ import annotations

import time

from simpleflow_lab import Workflow, activity
from simpleflow_lab.exceptions import TimeoutError
from simpleflow_lab.task import TaskFailureContext


@activity.with_attributes(task_list="heartbeats", version="example", raises_on_failure=True, heartbeat_timeout=60)
def copy(folder: str, files: int = 20) -> str:
    for number in range(files):
        activity.heartbeat(number / files, {"folder": folder, "file": number})
        time.sleep(0.02)
    return f"{files} files of {folder}"


@activity.with_attributes(task_list="heartbeats", version="example", raises_on_failure=True, start_to_close_timeout=2)
def check(files: int, first: int = 0) -> str:
    for number in range(first, files):
        activity.heartbeat(number)
        if number == 2 and first == 0:
            time.sleep(2.5)
    return f"{files - first} files of {files} checked"


class Backup(Workflow):
    name = "heartbeats"
    version = "example"
    task_list = "heartbeats"

    def run(self, folders: list[str]) -> list[str]:
        copies = [self.submit(copy, folder) for folder in folders]
        checked = self.submit(check, 20)
        return [*(copied.result for copied in copies), checked.result]

    def on_task_failure(self, failure_context: TaskFailureContext) -> TaskFailureContext | None:
        if failure_context.payload is check and isinstance(failure_context.exception, TimeoutError):
            reached = failure_context.details["progress"]
            print(f"{failure_context.reason} at file {reached}")
            failure_context.a_task.kwargs["first"] = reached
            return failure_context.decide_retry()
        return None
