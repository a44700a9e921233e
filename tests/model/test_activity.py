"""Activities as authors see them."""

import pytest

from simpleflow_lab import Workflow, activity
from simpleflow_lab.activity import Activity
from simpleflow_lab.exceptions import DefinitionWarning, UsageError

TASKS = {"task_list": "activities", "version": "1"}


def test_an_activity_is_called_like_the_function_it_wraps():
    @activity.with_attributes(**TASKS)
    def double(x):
        """Twice as much."""
        return 2 * x

    assert double(2) == 4
    assert double.__doc__ == "Twice as much."
    assert double.__name__ == "double"
    assert double.name.endswith("test_activity.test_an_activity_is_called_like_the_function_it_wraps.double")


def test_the_attributes_are_upstreams_with_upstreams_defaults():
    @activity.with_attributes(name="model.plain")
    def plain():
        pass

    assert (plain.version, plain.task_list, plain.retry, plain.raises_on_failure) == ("default", "default", 0, False)
    assert plain.task_start_to_close_timeout == plain.task_heartbeat_timeout == "300"


@pytest.mark.parametrize(("given", "written"), [(5, "5"), ("7", "7"), (None, "NONE"), ("NONE", "NONE"), (60.0, "60")])
def test_a_timeout_is_written_as_swf_writes_it(given, written):
    made = activity.with_attributes(name="model.timeouts", heartbeat_timeout=given)(lambda: None)
    assert made.task_heartbeat_timeout == written


@pytest.mark.parametrize("given", [-1, "soon", 1.5, float("inf")])
def test_a_timeout_that_is_none_is_refused_in_one_line(given):
    with pytest.raises(UsageError, match=r"model\.bad.*whole seconds"):
        activity.with_attributes(name="model.bad", heartbeat_timeout=given)(lambda: None)


def test_defining_it_again_replaces_it():
    first = activity.with_attributes(name="model.again", **TASKS)(lambda: 1)
    with pytest.warns(DefinitionWarning, match=r"model\.again"):
        second = activity.with_attributes(name="model.again", **TASKS)(lambda: 2)
    assert activity.registry["model.again", "1"] is second
    assert first is not second


def test_wrapping_at_call_time_gives_another_activity_of_the_same_name():
    @activity.with_attributes(name="model.wrapped", **TASKS)
    def wrapped():
        pass

    elsewhere = activity.with_attributes(task_list="elsewhere")(wrapped)
    assert isinstance(elsewhere, Activity)
    assert (elsewhere.name, elsewhere.version, elsewhere.task_list) == ("model.wrapped", "1", "elsewhere")
    assert wrapped.task_list == "activities"


def test_a_class_is_made_executed_and_has_its_context(lab):
    @activity.with_attributes(name="model.class", **TASKS)
    class Greeting:
        def __init__(self, name):
            self.name = name

        def execute(self):
            return [f"hello {self.name}", self.context["activity_id"], Greeting.context["name"]]

        def post_execute(self):
            done.append(self.name)

    done = []

    class Greets(Workflow):
        name = "model.greets"
        task_list = "activities"

        def run(self):
            return self.submit(Greeting, "you").result

    assert lab.start(Greets).result(200) == ["hello you", "activity-model.class-1", "model.class"]
    assert done == ["you"]
    assert not Greeting.context


def test_the_priority_is_the_submits_then_the_activitys_then_the_workflows(lab):
    plain = activity.with_attributes(name="model.priority", **TASKS)(lambda: None)
    eager = activity.with_attributes(name="model.eager", task_priority=7, **TASKS)(lambda: None)

    class Prioritised(Workflow):
        name = "model.prioritised"
        task_list = "activities"
        task_priority = 3

        def run(self):
            for task, options in [(plain, {}), (eager, {}), (eager, {"__priority": 9}), (eager, {"__priority": None})]:
                self.submit(task, **options).wait()

    execution = lab.start(Prioritised)
    execution.result(200)
    scheduled = [e.attributes.get("taskPriority") for e in execution.history() if e.type == "ActivityTaskScheduled"]
    assert scheduled == ["3", "7", "9", None]
    assert execution.history()[0].attributes["taskPriority"] == "3"


def test_children_may_say_their_task_list_tags_and_id_from_their_arguments(lab):
    """UB-08: a class method gets the arguments, as documented."""

    class Child(Workflow):
        name = "model.child"
        tag_list = Workflow.INHERIT_TAG_LIST

        @classmethod
        def get_task_list(cls, number, **options):
            return f"list-{number}"

        @classmethod
        def get_workflow_id(cls, number, **options):
            return f"child-{number}"

        def run(self, number):
            return self.get_run_context()

    class Parent(Workflow):
        name = "model.parent"
        task_list = "activities"
        tag_list = ("team=data",)

        def run(self):
            return self.submit(Child, 7).result

    context = lab.start(Parent).result(200)
    assert context["workflow_id"] == "child-7"
    assert context["tag_list"] == ["team=data"]
    assert context["parent_workflow_id"]
    started = lab.execution("child-7").history()[0].attributes
    assert started["taskList"] == {"name": "list-7"}
