"""Forks of groups with a `max_parallel`, event by event: what only the limit deferred is reused, and nothing else."""

import json

import pytest

from simpleflow_lab import Chain, Group, Workflow, activity
from simpleflow_lab.debugger.fork_plan import Planner
from simpleflow_lab.replay.inherited import to_text
from simpleflow_lab.swf.control import read_control
from simpleflow_lab.swf.decisions import attributes
from simpleflow_lab.swf.fork_start import EXTRA, KEY, ForkedFrom
from simpleflow_lab.swf.history import HistoryEvent
from tests.replay.story import Story

TASKS = {"task_list": "limited", "version": "1"}


@activity.with_attributes(name="limited.fetch", **TASKS)
def fetch(name):
    return name


@activity.with_attributes(name="limited.find", **TASKS)
def find():
    return "here"


class Limited(Workflow):
    name, version, task_list = "limited.limited", "1", "limited"

    def run(self, limit):
        last = Group((fetch, "d"), (fetch, "e"), max_parallel=1)
        return self.submit(Group(*[(fetch, name) for name in "abc"], last, max_parallel=limit)).result


class Finds(Limited):
    name = "limited.finds"

    def run(self, limit):
        self.submit(find).wait()
        return super().run(limit)


class Chains(Workflow):
    """Chains, of which a limit holds some back; in one a group and a chain follow."""

    name, version, task_list = "limited.chains", "1", "limited"

    def run(self, limit):
        inner = [Group((fetch, "e"), (fetch, "f")), Chain((fetch, "g"), (fetch, "h"))]
        chains = [Chain((fetch, "a"), (fetch, "b")), Chain((fetch, "c"), (fetch, "d"), *inner)]
        return self.submit(Group(*chains, (fetch, "i"), max_parallel=limit)).result


def worked_on(story: Story, at_once: int) -> list[str]:
    """The arguments of the tasks that the story asked for until it closed, so many of which completed at a time."""
    asked, scheduled = [], []
    while True:
        decisions = story.decide()
        for decision in decisions:
            if decision["decisionType"] == "CompleteWorkflowExecution":
                story.record(decision)
                return asked
            scheduled.append(story.record(decision))
            asked += json.loads(attributes(decision)["input"])["args"]
        for event in scheduled[:at_once]:
            started = story.add("ActivityTaskStarted", scheduledEventId=event.id)
            story.add("ActivityTaskCompleted", scheduledEventId=event.id, startedEventId=started.id, result="1")
        del scheduled[:at_once]


def forked(story: Story, at: list[str], limit: int) -> Story:
    plan = Planner(story.events, workflow_id="origin", run_id="first").plan(at, {})
    inherited = to_text(plan.runs)
    origin = ForkedFrom(
        workflow_id="origin", run_id="first", at=plan.at, results=plan.results, replaced=(), inherited=inherited
    )
    fork = Story(story.workflow, limit)
    input = json.dumps({"args": [limit], EXTRA: {KEY: origin.member()}})
    started = fork.events[0]
    fork.events[0] = HistoryEvent(1, started.type, started.timestamp, {**started.attributes, "input": input})
    return fork


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_what_a_limit_deferred_is_reused_however_many_tasks_complete_at_once(limit: int, at_once: int) -> None:
    story = Story(Limited, limit)
    assert worked_on(story, at_once) == list("abcde")
    again = list("abc"[:limit])
    fork = forked(story, [f"fetch-{number}" for number, _ in enumerate(again, 1)], limit)
    assert worked_on(fork, at_once) == again


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("at_once", [1, 2])
def test_a_limited_group_runs_again_as_a_whole_behind_a_task_that_runs_again(limit: int, at_once: int) -> None:
    story = Story(Finds, limit)
    assert worked_on(story, at_once) == list("abcde")
    assert worked_on(forked(story, ["find-1"], limit), at_once) == list("abcde")


def names_of(story: Story, at_once: int) -> dict[str, str]:
    """By argument, the label of each task."""
    names = worked_on(story, at_once)
    assert sorted(names) == list("abcdefghi")
    return {name: f"fetch-{number}" for number, name in enumerate(names, 1)}


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize(
    ("again", "asked"), [("a", "ab"), ("b", "b"), ("ac", "abcdefgh"), ("ae", "abegh"), ("ag", "abgh")]
)
def test_a_whole_chain_that_a_limit_deferred_is_reused_up_to_what_runs_again(
    at_once: int, again: str, asked: str
) -> None:
    story = Story(Chains, 1)
    labels = names_of(story, at_once)
    assert sorted(worked_on(forked(story, [labels[name] for name in again], 1), at_once)) == list(asked)


def test_all_members_behind_a_limit_are_recorded_as_deferred() -> None:
    story = Story(Limited, 2)
    worked_on(story, 2)
    scheduled = [event for event in story.events if event.type == "ActivityTaskScheduled"]
    assert [read_control(event.attributes["control"]).max_parallel for event in scheduled] == [None, None, 2, 2, 1]
