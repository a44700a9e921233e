"""Task lists that are chosen when the workflow runs."""

from simpleflow_lab import Workflow, activity


def run_on(func, task_list, **kwargs):
    return activity.with_attributes(task_list=task_list, **kwargs)(func)


def triple(x):
    return x * 3


class DynamicTaskListWorkflow(Workflow):
    name = "programs-task-lists"
    version = "example"
    task_list = "example"

    def run(self, x, task_list):
        return self.submit(run_on(triple, task_list), x).result
