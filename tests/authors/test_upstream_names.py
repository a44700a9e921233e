"""Names and hooks that upstream's own documentation uses."""

from __future__ import annotations

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.canvas import Chain, ChainFuture, Group, GroupFuture
from simpleflow_lab.exceptions import UsageError
from tests.replay.story import Story


@activity.with_attributes(name="upstream_names.double", task_list="upstream-names", version="1")
def double(x):
    return 2 * x


class Chosen(Workflow):
    name, version, task_list = "upstream_names.chosen", "1", "upstream-names"

    @classmethod
    def get_workflow_id(cls, n):
        return f"chosen-{n}"

    @classmethod
    def get_task_list(cls, n):
        return f"upstream-names-{n}"

    @classmethod
    def get_tag_list(cls, n):
        return [f"n={n}"]

    def run(self, n):
        return n


class InheritsTags(Workflow):
    name, version, task_list = "upstream_names.inherits", "1", "upstream-names"
    tag_list = Workflow.INHERIT_TAG_LIST

    def run(self):
        return 1


class Submits(Workflow):
    name, version, task_list = "upstream_names.submits", "1", "upstream-names"

    def run(self):
        assert self._executor is self.executor
        futures = [self.executor.submit(double, 1), self.executor.submit(double, x=2)]
        group = self.executor.submit(Group((double, 3)))
        return [future.result for future in (*futures, group)]


class Signals(Workflow):
    name, version, task_list = "upstream_names.signals", "1", "upstream-names"

    def run(self):
        sent = self.submit(self.signal("s", 1, k=2, propagate=False)).result
        return sent and [sent["args"], sent["kwargs"]]


def test_a_class_computes_id_task_list_and_tags_of_a_start_of_its_own():
    with Lab(":memory:") as lab:
        execution = lab.start(Chosen, 3)
        assert execution.workflow_id == "chosen-3"
        assert execution.result(60) == 3
        started = execution.history()[0].attributes
        assert started["taskList"]["name"] == "upstream-names-3"
        assert started["tagList"] == ["n=3"]
        given = lab.start(Chosen, 4, workflow_id="given", tag_list=["mine"])
        assert given.workflow_id == "given"
        assert given.history()[0].attributes["tagList"] == ["mine"]
        assert given.result(60) == 4


def test_a_start_has_no_parent_to_inherit_tags_from():
    with Lab(":memory:") as lab:
        execution = lab.start(InheritsTags)
        assert execution.result(60) == 1
        assert "tagList" not in execution.history()[0].attributes


def test_an_executor_takes_what_a_workflow_takes():
    with Lab(":memory:") as lab:
        assert lab.start(Submits).result(60) == [2, 4, [6]]


def test_the_result_of_a_signal_that_was_sent_is_its_input():
    with Lab(":memory:") as lab:
        assert lab.start(Signals).result(60) == [[1], {"k": 2}]


def test_earlier_deciders_gave_it_none_and_their_histories_are_replayed():
    for identity, result in (('{"simpleflow_lab":1}', "null"), ('{"simpleflow_lab":2}', '[[1],{"k":2}]')):
        story = Story(Signals)
        story.identity = identity
        [signal] = story.decide()
        sent = story.record(signal)
        story.add("ExternalWorkflowExecutionSignaled", initiatedEventId=sent.id)
        [close] = story.decide()
        assert close["completeWorkflowExecutionDecisionAttributes"].get("result", "null") == result


# -- types that have the name of the class -----------------------------------------------------------------------------


def test_an_execution_of_the_type_that_upstream_gives_a_child_is_run_by_its_class():
    with Lab(":memory:") as lab:
        kind = {"name": f"{__name__}.Submits", "version": "1"}
        lab.service.register_workflow_type(domain=lab.domain, **kind)
        lab.start_deciders(task_list="upstream-names")
        lab.start_workers(task_list="upstream-names")
        run_id = lab.service.start_workflow_execution(
            domain=lab.domain,
            workflowId="child",
            workflowType=kind,
            taskList={"name": "upstream-names"},
            executionStartToCloseTimeout="60",
            taskStartToCloseTimeout="60",
            childPolicy="TERMINATE",
            input='{"args":[],"kwargs":{}}',
        )["runId"]
        assert lab.execution("child", run_id).result(60) == [2, 4, [6]]


def test_a_definition_that_is_renamed_later_is_found_by_the_name_that_it_has_then():
    class Renamed(Workflow):
        name, version, task_list = "upstream_names.before", "1", "upstream-names"

        def run(self):
            renamed = activity.with_attributes(name="upstream_names.first", task_list="upstream-names", version="1")(
                abs
            )
            renamed.name = "upstream_names.then"
            return self.submit(renamed, -1).result

    class Parent(Workflow):
        name, version, task_list = "upstream_names.parent", "1", "upstream-names"

        def run(self):
            return self.submit(Renamed).result

    Renamed.name = "upstream_names.after"
    with Lab(":memory:") as lab:
        execution = lab.start(Renamed)
        assert execution.result(60) == 1
        assert execution.history()[0].attributes["workflowType"]["name"] == "upstream_names.after"
        Renamed.name = "upstream_names.after_all"
        assert lab.start(Parent).result(60) == 1


# -- the executor, the context of an activity, futures of containers ---------------------------------------------------


@activity.with_attributes(name="upstream_names.meta", task_list="upstream-names", version="1", meta={"team": "etl"})
def meta():
    return dict(activity.current_context()["meta"])


@activity.with_attributes(name="upstream_names.fails", task_list="upstream-names", version="1", retry=1)
def fails():
    raise ValueError("always")


class Executes(Workflow):
    name, version, task_list = "upstream_names.executes", "1", "upstream-names"

    def run(self):
        assert self.executor.workflow_class is Executes
        assert self.executor.get_run_context() == self.get_run_context()
        futures = [*self.executor.map(double, [1, 2]), *self.executor.starmap(double, [(3,)])]
        failed = self.submit(fails)
        return [[future.result for future in futures], failed.result, self.submit(meta).result]

    def on_task_failure(self, failure_context):
        return self.executor.default_failure_handling(failure_context)


def test_upstreams_names_of_the_executor_and_meta():
    with Lab(":memory:") as lab:
        execution = lab.start(Executes)
        assert execution.result(60) == [[2, 4, 6], None, {"team": "etl"}]
        assert [event.type for event in execution.history()].count("ActivityTaskFailed") == 2


class Named(GroupFuture):
    def __init__(self, activities, workflow, max_parallel=None, bubbles_exception_on_failure=True):
        super().__init__(activities, workflow, max_parallel, bubbles_exception_on_failure)
        self.seen = [len(activities), type(workflow).__name__, max_parallel, bubbles_exception_on_failure]


class NamedChain(ChainFuture):
    def __init__(self, activities, workflow, bubbles_exception_on_failure, send_result, break_on_failure):
        super().__init__(activities, workflow, bubbles_exception_on_failure, send_result, break_on_failure)
        self.seen = [len(activities), bubbles_exception_on_failure, send_result, break_on_failure]


class OtherArguments(GroupFuture):
    def __init__(self, one):
        super().__init__()


class Contains(Workflow):
    name, version, task_list = "upstream_names.contains", "1", "upstream-names"

    def run(self):
        group = self.submit(Group((double, 1), (double, 2), max_parallel=1, future_class=Named))
        chain = self.submit(Chain((double, 1), double, send_result=True, future_class=NamedChain))
        with pytest.raises(UsageError, match=r"OtherArguments does not take \(activities, workflow, max_parallel"):
            self.submit(Group((double, 1), future_class=OtherArguments))
        return [group.result, group.seen, chain.result, chain.seen]


def test_the_class_of_a_containers_future_gets_upstreams_arguments():
    with Lab(":memory:") as lab:
        assert lab.start(Contains).result(60) == [
            [2, 4],
            [2, "Contains", 1, True],
            [2, 4],
            [2, True, True, True],
        ]
