"""Child workflows: their ids, what they are started with, failures, retries."""

import zlib

import pytest

from simpleflow_lab import Chain, Group, Lab, Workflow, activity, exceptions, futures
from simpleflow_lab.exceptions import SameChildError
from simpleflow_lab.task import ChildWorkflowTask, WorkflowTask

TASKS = {"task_list": "children", "version": "1"}
pytestmark = pytest.mark.usefixtures("replays_anew")


@activity.with_attributes(name="children.double", **TASKS)
def double(x):
    return 2 * x


class Children(Workflow):
    version = "1"
    task_list = "children"


class Child(Children):
    name = "children.child"

    def run(self, *args, **kwargs):
        return [list(args), kwargs]


def one_off(run, **attributes):
    """A workflow whose `run` is this function."""
    return type("OneOff", (Children,), {"run": run, **attributes})


def initiated(execution):
    """What the parent asked for, child by child."""
    return [event.attributes for event in execution.history() if event.type == "StartChildWorkflowExecutionInitiated"]


def started(lab, execution):
    """What the children were started with."""
    return [
        lab.execution(event.attributes["workflowExecution"]["workflowId"]).history()[0].attributes
        for event in execution.history()
        if event.type == "ChildWorkflowExecutionStarted"
    ]


# -- ids ---------------------------------------------------------------------------------------------------------------


def test_a_childs_id_tells_of_its_parent_and_its_run(virtual_lab):
    """CW-01: as upstream's."""

    def run(self):
        return futures.wait(self.submit(Child, 1), self.submit(Child, x=2))

    execution = virtual_lab.start(one_off(run, name="children.ids"), workflow_id="children-parent")
    assert execution.result(200) == [[[1], {}], [[], {"x": 2}]]
    hashed = f"{zlib.adler32(execution.run_id.encode()):x}"
    assert [asked["workflowId"] for asked in initiated(execution)] == [
        f"workflow-children.child-children-parent--{hashed}--{n}" for n in (1, 2)
    ]


def test_an_idempotent_child_is_one_child_for_equal_arguments(virtual_lab):
    class Idempotent(Child):
        name = "children.idempotent"
        idempotent = True

    def run(self):
        one = self.submit(double, 1)
        return futures.wait(
            [self.submit(Idempotent, one, x=1), self.submit(Idempotent, 2, x=1), self.submit(Idempotent)]
        )

    execution = virtual_lab.start(one_off(run, name="children.idempotents"))
    assert execution.result(200) == [[[2], {"x": 1}], [[2], {"x": 1}], [[], {}]]
    ids = [asked["workflowId"] for asked in initiated(execution)]
    assert len(ids) == 2
    assert all(len(child_id.rpartition("--")[2]) == 32 for child_id in ids)


def _as_class_method(name, say):
    return classmethod(lambda cls, *args, **kwargs: say(cls, *args, **kwargs))


def _as_static_method(name, say):
    return staticmethod(say)


def _as_function(name, say):
    return say


@pytest.mark.parametrize("way", [_as_class_method, _as_static_method, _as_function])
def test_ub_08_a_class_may_say_id_task_list_and_tags_of_its_arguments(virtual_lab, way):
    """Class method, static method or plain function: each gets the class, then the arguments, futures resolved."""

    def say(what):
        return way(what, lambda cls, x, *, where="here": _said(cls, what, x, where))

    def _said(cls, what, x, where):
        assert issubclass(cls, Workflow)
        return [f"tag {x}"] if what == "tags" else f"{what}-{x}-{where}-{way.__name__}"

    saying = type(
        "Saying",
        (Child,),
        {
            "name": f"children.saying{way.__name__}",
            "get_workflow_id": say("id"),
            "get_task_list": say("list"),
            "get_tag_list": say("tags"),
        },
    )

    def run(self):
        return futures.wait(self.submit(saying, 1), self.submit(saying, self.submit(double, 1), where="there"))

    execution = virtual_lab.start(one_off(run, name=f"children.says{way.__name__}"))
    assert execution.result(200) == [[[1], {}], [[2], {"where": "there"}]]
    assert [(asked["workflowId"], asked["taskList"]["name"], asked["tagList"]) for asked in initiated(execution)] == [
        (f"id-1-here-{way.__name__}", f"list-1-here-{way.__name__}", ["tag 1"]),
        (f"id-2-there-{way.__name__}", f"list-2-there-{way.__name__}", ["tag 2"]),
    ]


def test_a_class_that_says_no_id_leaves_it_to_the_count(virtual_lab):
    class Sometimes(Child):
        name = "children.sometimes"

        @classmethod
        def get_workflow_id(cls, number):
            return None if number % 2 else f"children-even-{number}"

    def run(self):
        return futures.wait([self.submit(Sometimes, n) for n in range(3)])

    execution = virtual_lab.start(one_off(run, name="children.sometimes_said"))
    execution.result(200)
    ids = [asked["workflowId"] for asked in initiated(execution)]
    assert (ids[0], ids[1][-3:], ids[2]) == ("children-even-0", "--2", "children-even-2")


# -- what they are started with ----------------------------------------------------------------------------------------


def test_a_child_is_started_with_what_its_class_says(virtual_lab):
    """CW-02, CW-05."""

    class Configured(Child):
        name = "children.configured"
        version = "7"
        task_list = "children-configured"
        tag_list = ("one", "two")
        task_priority = 9
        child_policy = "REQUEST_CANCEL"
        execution_timeout = 1_234
        decision_tasks_timeout = 56
        lambda_role = "arn:aws:iam::000000000000:role/lambda"

    execution = virtual_lab.start(one_off(lambda self: self.submit(Configured).result, name="children.configures"))
    execution.result(200)
    expected = {
        "workflowType": {"name": "children.configured", "version": "7"},
        "taskList": {"name": "children-configured"},
        "tagList": ["one", "two"],
        "taskPriority": "9",
        "childPolicy": "REQUEST_CANCEL",
        "executionStartToCloseTimeout": "1234",
        "taskStartToCloseTimeout": "56",
        "lambdaRole": "arn:aws:iam::000000000000:role/lambda",
    }
    (attributes,) = started(virtual_lab, execution)
    assert {name: attributes.get(name) for name in expected} == expected
    assert attributes["parentWorkflowExecution"] == {
        "workflowId": execution.workflow_id,
        "runId": execution.run_id,
    }


def test_an_execution_is_started_with_what_its_class_says(virtual_lab):
    """UB-09, and the role."""

    class Top(Children):
        name = "children.top"
        tag_list = ("a",)
        execution_timeout = 7_200
        lambda_role = "arn:aws:iam::000000000000:role/lambda"

        def run(self):
            return self.get_run_context()["tag_list"]

    execution = virtual_lab.start(Top)
    assert execution.result(200) == ["a"]
    attributes = execution.history()[0].attributes
    assert (attributes["executionStartToCloseTimeout"], attributes["lambdaRole"]) == ("7200", Top.lambda_role)


def test_what_a_child_does_not_say_it_takes_from_its_parent(virtual_lab):
    class Silent(Workflow):
        name = "children.silent"
        tag_list = Workflow.INHERIT_TAG_LIST

        def run(self):
            return self.get_run_context()["tag_list"]

    parent = one_off(
        lambda self: self.submit(Silent).result,
        name="children.inherits",
        tag_list=["inherited"],
        execution_timeout=4_321,
        decision_tasks_timeout=65,
        child_policy="ABANDON",
    )
    execution = virtual_lab.start(parent)
    assert execution.result(200) == ["inherited"]
    (attributes,) = started(virtual_lab, execution)
    assert attributes["taskList"] == {"name": "children"}
    assert attributes["executionStartToCloseTimeout"] == "4321"
    assert attributes["taskStartToCloseTimeout"] == "65"
    assert attributes["childPolicy"] == "ABANDON"


def test_a_task_list_given_with_the_task_goes_before_the_class(virtual_lab):
    """CW-03: it is no argument of the child's run."""

    class Dynamic(Child):
        name = "children.dynamic"

        @staticmethod
        def get_task_list(workflow, *args, **kwargs):
            return "children-of-the-class"

    def run(self):
        by_hand = WorkflowTask(self.executor, Dynamic, 1, workflow_task_list="children-by-hand", x=2)
        without = ChildWorkflowTask(Dynamic, 3, workflow_task_list="children-without-executor")
        return futures.wait(self.submit(by_hand), self.submit(without), self.submit(Dynamic, 4))

    execution = virtual_lab.start(one_off(run, name="children.task_lists"))
    assert execution.result(200) == [[[1], {"x": 2}], [[3], {}], [[4], {}]]
    assert [asked["taskList"]["name"] for asked in initiated(execution)] == [
        "children-by-hand",
        "children-without-executor",
        "children-of-the-class",
    ]


def test_a_priority_given_at_submit_goes_before_the_class(virtual_lab):
    class Important(Child):
        name = "children.important"
        task_priority = 5

    def run(self):
        return futures.wait(
            self.submit(Important), self.submit(Important, __priority=7), self.submit(Important, __priority=None)
        )

    execution = virtual_lab.start(one_off(run, name="children.priorities"))
    assert execution.result(200) == [[[], {}]] * 3
    assert [asked.get("taskPriority") for asked in initiated(execution)] == ["5", "7", None]


# -- how they end ------------------------------------------------------------------------------------------------------


class Fails(Children):
    name = "children.fails"

    def run(self, tries=None):
        raise ValueError("broken")


def test_a_child_that_fails_raises_at_its_result(virtual_lab):
    def run(self):
        child = self.submit(Fails)
        try:
            return child.result
        except exceptions.TaskFailed as error:
            return error.reason

    assert virtual_lab.start(one_off(run, name="children.failure")).result(200) == "ValueError: broken"


def test_a_child_that_fails_quietly_is_noticed_by_who_looks(virtual_lab):
    class FailsQuietly(Fails):
        name = "children.fails_quietly"
        raises_on_failure = False

    def run(self):
        child = self.submit(FailsQuietly)
        return [child.result, type(child.exception).__name__]

    assert virtual_lab.start(one_off(run, name="children.quiet_failure")).result(200) == [None, "TaskFailed"]


def test_a_child_is_tried_again_under_the_same_id(virtual_lab):
    """EH-07: a workflow id is free again when its execution has closed."""
    runs: list[str] = []

    class Flaky(Children):
        name = "children.flaky"
        retry = 2

        def run(self):
            run_id = self.get_run_context()["run_id"]
            if run_id not in runs:
                runs.append(run_id)
            if runs.index(run_id) < 2:
                raise ValueError("not yet")
            return runs.index(run_id) + 1

    execution = virtual_lab.start(one_off(lambda self: self.submit(Flaky).result, name="children.retries"))
    assert execution.result(200) == 3
    assert len({asked["workflowId"] for asked in initiated(execution)}) == 1
    assert len(initiated(execution)) == 3


def test_a_child_that_takes_too_long_times_out(virtual_lab):
    class Slow(Children):
        name = "children.slow"
        execution_timeout = 60

        def run(self):
            self.submit(self.start_timer("hour", 3_600)).wait()

    def run(self):
        error = self.submit(Slow).exception
        return [type(error).__name__, error.timeout_type, error.timeout_value]

    execution = virtual_lab.start(one_off(run, name="children.timeout"))
    assert execution.result(200) == ["TimeoutError", "START_TO_CLOSE", 60]


@pytest.mark.parametrize(
    ("policy", "status"), [("TERMINATE", "TERMINATED"), ("REQUEST_CANCEL", "CANCELED"), ("ABANDON", "COMPLETED")]
)
def test_what_becomes_of_a_child_is_its_parents_policy(virtual_lab, policy, status):
    """SWF applies the policy of the execution that closes, however it closes."""

    class Stays(Children):
        name = "children.stays"

        def run(self):
            self.submit(self.start_timer("minute", 60)).wait()

    def run(self):
        self.submit(Stays)
        self.submit(self.start_timer("second", 1)).wait()

    execution = virtual_lab.start(one_off(run, name=f"children.leaves_{policy}", child_policy=policy))
    execution.result(200)
    child = virtual_lab.execution(initiated(execution)[0]["workflowId"])
    assert child.wait(200)
    assert child.status == status


def test_children_in_groups_and_chains(virtual_lab):
    def run(self):
        return self.submit(Chain(Group(Child, (Child, 1), ChildWorkflowTask(Child, x=2)), (Child, 3))).result

    assert virtual_lab.start(one_off(run, name="children.canvas")).result(200) == [
        [[[], {}], [[1], {}], [[], {"x": 2}]],
        [[3], {}],
    ]


class OfOneId(Children):
    name = "children.of_one_id"

    @classmethod
    def get_workflow_id(cls, n):
        return "of-one-id"

    def run(self, n):
        return 2 * n


class OtherOfOneId(OfOneId):
    name = "children.other_of_one_id"


@pytest.mark.parametrize(
    "second", [lambda: (OfOneId, 2), lambda: (OtherOfOneId, 1)], ids=["another input", "another type"]
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_child_with_the_id_of_an_earlier_one_and_other_input_is_refused_at_its_line(second, at_once):
    def run(self):
        first = self.submit(OfOneId, 1)
        if not at_once:
            first.wait()
        return [first.result, self.submit(*second()).result]

    with Lab(":memory:") as lab:
        execution = lab.start(one_off(run))
        with pytest.raises(SameChildError, match=r"test_children\.py.*has the workflow id 'of-one-id'"):
            execution.result(60)
        assert execution.status == "OPEN"


def test_a_child_with_the_id_and_the_input_of_an_earlier_one_is_that_one():
    with Lab(":memory:") as lab:
        execution = lab.start(one_off(lambda self: [self.submit(OfOneId, 1).result, self.submit(OfOneId, 1).result]))
        assert execution.result(60) == [2, 2]
        assert len([each for each in execution.attempts() if each.kind == "child"]) == 1


class FailsForOdd(OfOneId):
    name = "children.fails_for_odd"

    def run(self, n):
        if n % 2:
            raise ValueError("odd")
        return 2 * n


@pytest.mark.parametrize("again", [1, 2], ids=["as it was submitted", "as it was retried"])
def test_a_child_that_was_retried_with_another_input_may_be_submitted_again(again):
    class Retries(Children):
        name = "children.retries_with_another_input"

        def on_task_failure(self, failure_context):
            failure_context.a_task = ChildWorkflowTask(FailsForOdd, 2)
            failure_context.decision = failure_context.Decision.retry_now
            return failure_context

        def run(self):
            return [self.submit(FailsForOdd, 1).result, self.submit(FailsForOdd, again).result]

    with Lab(":memory:") as lab:
        assert lab.start(Retries).result(60) == [4, 4]
