"""Names and hooks that upstream's own documentation uses."""

from __future__ import annotations

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.canvas import Group
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
