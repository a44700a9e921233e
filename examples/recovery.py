"""A workflow that decides by itself what becomes of a failed task.

    simpleflow workflow.start --local examples.recovery.Publish --input '["holiday.mov"]'

`on_task_failure` is asked for each failed attempt, before the task's own `retry` and `raises_on_failure`. Here it knows
three ways out:

* a film that is too large for the machine is tried again, in a lower resolution: it changes the task's arguments;
* an upload that fails is handled by another task, whose result becomes that of the upload;
* a tweet that fails is not worth more than a line.

What it does not speak of is left to the task. It runs again in each replay, so it decides by what it is told and by
nothing else.
"""

from __future__ import annotations

from simpleflow_lab import Workflow, activity
from simpleflow_lab.task import TaskFailureContext


@activity.with_attributes(task_list="recovery", version="example", raises_on_failure=True)
def encode(film: str, lines: int) -> str:
    if lines > 1080:
        raise MemoryError(f"{lines} lines don't fit")
    return f"{film}-{lines}p.mp4"


@activity.with_attributes(task_list="recovery", version="example", raises_on_failure=True)
def upload(file: str, host: str) -> str:
    if host == "video.example":
        raise ConnectionError(f"{host} is down")
    return f"https://{host}/{file}"


@activity.with_attributes(task_list="recovery", version="example", raises_on_failure=True)
def tweet(url: str) -> str:
    raise PermissionError("the password has expired")


class Publish(Workflow):
    name = "recovery"
    version = "example"
    task_list = "recovery"

    def run(self, film: str) -> str:
        file = self.submit(encode, film, lines=4320)
        url = self.submit(upload, file, host="video.example")
        self.submit(tweet, url).wait()
        published: str = url.result
        return published

    def on_task_failure(self, failure_context: TaskFailureContext) -> TaskFailureContext | None:
        task = failure_context.a_task
        print(f"{failure_context.task_name}, attempt {failure_context.attempt_number}: {failure_context.reason}")
        if failure_context.payload is encode and failure_context.task_error == "MemoryError":
            task.kwargs["lines"] //= 2
            return failure_context.decide_retry()
        if failure_context.payload is upload and task.kwargs["host"] == "video.example":
            return failure_context.decide_handled(task, self.submit(upload, *task.args, host="mirror.example"))
        if failure_context.payload is tweet:
            return failure_context.decide_ignore()
        return None
