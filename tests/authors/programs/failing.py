"""Failures: unhandled, raised, tried again later with other arguments."""

from simpleflow_lab.swf.task import WorkflowTask

from simpleflow_lab import Workflow, activity, futures
from simpleflow_lab.canvas import Group
from simpleflow_lab.exceptions import TaskException, TaskFailed
from simpleflow_lab.log import END, GREEN
from simpleflow_lab.task import TaskFailureContext


@activity.with_attributes(task_list="quickstart", version="example", retry=1, raises_on_failure=False)
def fails_quietly():
    raise ValueError("nobody minds")


@activity.with_attributes(task_list="quickstart", version="example", raises_on_failure=True)
def fails_aloud():
    raise ValueError("this fails the workflow")


@activity.with_attributes(task_list="quickstart", version="example")
def clean_up():
    return "cleaned up"


class FailingWorkflow(Workflow):
    name = "programs-failing"
    version = "example"
    task_list = "example"

    def run(self, fail=True):
        quiet = self.submit(fails_quietly)
        if not fail:
            futures.wait(quiet)
            return "went well"
        futures.wait(quiet, self.submit(fails_aloud))
        raise AssertionError("not reached")

    def on_task_failure(self, failure_context):
        assert isinstance(failure_context.exception, TaskFailed)
        assert failure_context.event.get("started_id")
        return None


class MendingWorkflow(Workflow):
    """Tries its failing child again, the last time with an argument with which it goes well."""

    name = "programs-mending"
    version = "example"
    task_list = "example"

    def run(self, wait=1):
        self.wait = wait
        group = Group(raises_on_failure=False)
        group.append(FailingWorkflow)
        group.append(fails_quietly)
        future = self.submit(group)
        futures.wait(future)
        return [GREEN + str(future.result[0]) + END, future.result[1]]

    def on_task_failure(self, failure_context: TaskFailureContext):
        if not isinstance(failure_context.a_task, WorkflowTask):
            return None
        if failure_context.retry_count >= 2:
            return None
        failure_context.decision = failure_context.Decision.retry_later
        failure_context.retry_wait_timeout = self.wait
        if failure_context.retry_count == 1:
            failure_context.a_task.kwargs = {"fail": False}
        return failure_context


class QuietWorkflow(Workflow):
    name = "programs-quiet"
    version = "example"
    task_list = "example"

    def run(self):
        future = self.submit(fails_quietly)
        futures.wait(future)
        return [future.result, future.exception.reason, future.finished]


class FailsMeanwhileWorkflow(Workflow):
    """One task fails while another goes on."""

    name = "programs-fails-meanwhile"
    version = "example"
    task_list = "example"

    def run(self):
        failing = self.submit(fails_aloud)
        timer = self.submit(self.start_timer("meanwhile", 2))
        futures.wait(timer, failing)
        raise AssertionError("not reached")


class CleansUpWorkflow(Workflow):
    """Catches the failure, and goes on with another task."""

    name = "programs-cleans-up"
    version = "example"
    task_list = "example"

    def run(self):
        try:
            failing = self.submit(fails_aloud)
            timer = self.submit(self.start_timer("meanwhile", 2))
            futures.wait(timer, failing)
        except TaskException:
            return self.submit(clean_up).result
        raise AssertionError("not reached")
