"""Child executions: their ids and tags, idempotent ones, tasks that name their task list."""

from simpleflow_lab import Workflow, activity, futures
from simpleflow_lab.task import WorkflowTask


@activity.with_attributes(task_list="quickstart", version="example")
def increment(x, who):
    return x + 1


@activity.with_attributes(task_list="quickstart", version="example")
def add(*numbers):
    return sum(numbers)


class Child(Workflow):
    name = "programs-child"
    version = "example"
    task_list = "example"
    execution_timeout = 60 * 5

    @classmethod
    def get_tag_list(cls, *args, **kwargs):
        return kwargs.get("my_tag_list")

    def run(self, x, who="child", **kwargs):
        y = self.submit(increment, x, who)
        z = self.submit(increment, y, who)
        tags = self.get_run_context().get("tag_list")
        return [z.result, tags]


class IdempotentChild(Workflow):
    name = "programs-idempotent-child"
    version = "example"
    task_list = "example"
    execution_timeout = 60 * 5
    idempotent = True
    tag_list = Workflow.INHERIT_TAG_LIST

    def run(self, x):
        grandchild = self.submit(Child, x, who="grandchild", my_tag_list=["abc", "def=3"])
        context = self.get_run_context()
        return [grandchild.result, context["tag_list"], context["run_id"]]


class ChildWithId(Workflow):
    name = "programs-child-with-id"
    version = "example"
    task_list = "example"
    execution_timeout = 60 * 5

    @classmethod
    def get_workflow_id(cls, *args, **kwargs):
        return kwargs.get("my_id")

    def run(self, my_id=None):
        context = self.get_run_context()
        return [context["workflow_id"], context["parent_workflow_id"] is not None]


class ParentWorkflow(Workflow):
    name = "programs-parent"
    version = "example"
    task_list = "example"
    tag_list = ["these", "are", "tags"]

    def __init__(self, executor):
        super().__init__(executor)
        self._submitted = []

    def submit(self, submittable, *args, **kwargs):
        future = super().submit(submittable, *args, **kwargs)
        self._submitted.append(future)
        return future

    def run(self, x=1):
        self._submitted = []
        y = self.submit(increment, x, "parent")
        child = self.submit(Child, y)
        one = self.submit(IdempotentChild, y)
        same = self.submit(IdempotentChild, y)
        named = self.submit(ChildWithId, my_id="programs-child-43")
        task = self.submit(WorkflowTask(self.executor, Child, y))
        futures.wait(*self._submitted)
        assert one.result[2] == same.result[2]
        return [child.result, one.result[0], named.result, task.result]


class TwoLevelsWorkflow(Workflow):
    name = "programs-two-levels"
    version = "example"
    task_list = "example"

    def run(self, x):
        y = self.submit(Leaf, x)
        z = self.submit(Leaf, x + 1)
        return self.submit(add, y, z).result


class Leaf(Workflow):
    name = "programs-leaf"
    version = "example"
    task_list = "example"

    def run(self, x):
        return self.submit(increment, x, "leaf").result


class OneOfAType(Workflow):
    """The first of two classes of one type."""

    name = "programs-of-one-type"
    version = "example"
    task_list = "example"

    def run(self):
        return "one"


class OtherOfAType(Workflow):
    """The second of them."""

    name = "programs-of-one-type"
    version = "example"
    task_list = "example"

    def run(self):
        return "other"


class BothOfATypeWorkflow(Workflow):
    name = "programs-both-of-one-type"
    version = "example"
    task_list = "example"

    def run(self):
        return futures.wait(self.submit(OneOfAType), self.submit(OtherOfAType))
