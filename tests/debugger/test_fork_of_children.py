"""Forks go on within children, too: what a child had recorded before the point is reused, at any depth."""

import datetime
import json
from collections import Counter
from collections.abc import Iterator

import pytest

from simpleflow_lab import Lab, Workflow, activity, futures
from tests.amazon.conftest import ADDRESS, environment, simulated  # noqa: F401

STARTED_CHILD = "StartChildWorkflowExecutionInitiated"
TASKS = {"task_list": "forked-children", "version": "1"}
MILLISECOND = datetime.timedelta(milliseconds=1)
calls: Counter[str] = Counter()
broken: set[str] = set()


@pytest.fixture(autouse=True)
def nothing_called() -> None:
    calls.clear()
    broken.clear()


@activity.with_attributes(name="forked_children.step", raises_on_failure=True, **TASKS)
def step(name: str) -> str:
    calls[name] += 1
    if name in broken:
        raise OSError(f"{name} is gone")
    return name.upper()


class Leaf(Workflow):
    name, version, task_list = "forked_children.leaf", "1", "forked-children"

    def run(self, name: str) -> list[str]:
        return [self.submit(step, f"{name}{number}").result for number in range(3)]


class Branch(Workflow):
    name, version, task_list = "forked_children.branch", "1", "forked-children"
    raises_on_failure = True

    def run(self, name: str) -> list[object]:
        first = self.submit(step, f"{name} first").result
        return [first, *futures.wait(self.submit(Leaf, f"{name}a"), self.submit(Leaf, f"{name}b"))]


class Tree(Workflow):
    name, version, task_list = "forked_children.tree", "1", "forked-children"

    def run(self) -> list[object]:
        begun = self.submit(step, "begun").result
        return [begun, *futures.wait(self.submit(Branch, "x"), self.submit(Branch, "y"))]


RESULT = [
    "BEGUN",
    *([f"{of} FIRST", *([f"{of.upper()}{leaf.upper()}{n}" for n in range(3)] for leaf in "ab")] for of in "XY"),
]
EVERY = {
    "begun",
    *(f"{of} first" for of in "xy"),
    *(f"{of}{leaf}{n}" for of in "xy" for leaf in "ab" for n in range(3)),
}


@pytest.fixture(params=[":memory:", ADDRESS])
def place(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The embedded engine, and a simulated Amazon SWF."""
    if request.param == ADDRESS:
        request.getfixturevalue("simulated")
    with Lab(request.param) as lab:
        yield lab


def recorded(lab: Lab, until: datetime.datetime | None = None) -> set[str]:
    """What of `step` completed by this time, as the histories of all executions say."""
    found = set()
    for info in lab.execution_infos():
        ids = info["execution"]
        events = lab.execution(ids["workflowId"], ids["runId"]).history()
        found |= {
            json.loads(event.attributes["result"])
            for event in events
            if event.type == "ActivityTaskCompleted" and (until is None or event.timestamp <= until)
        }
    return {text.lower() for text in found}


def test_a_child_that_failed_goes_on_from_its_own_first_failure_at_any_depth(place: Lab) -> None:
    broken.update({"xa1", "yb2"})
    origin = place.start(Tree)
    origin.wait(60)
    assert origin.status == "FAILED"
    for info in place.execution_infos():
        place.execution(info["execution"]["workflowId"], info["execution"]["runId"]).wait(60)
    before, ended = Counter(calls), recorded(place)
    assert {"begun", "x first", "xa0"} <= ended or {"y first", "yb0", "yb1"} <= ended
    broken.clear()
    fork = origin.fork(at="first failure")
    assert fork.result(60) == RESULT
    assert {name for name in calls if calls[name] > before[name]} == EVERY - ended, "what had completed runs once"
    children = [event.attributes["workflowId"] for event in fork.history() if event.type == STARTED_CHILD]
    explained = [str(place.execution(id).explain()) for id in children]
    forks = sum("forked from" in text for text in explained)
    assert forks, explained
    assert f"beside those of {forks} child" in str(fork.explain())


def test_before_a_decision_children_go_on_from_what_they_had_recorded_by_then() -> None:
    with Lab(":memory:") as lab:
        origin = lab.start(Branch, "z")
        result = origin.result(60)
        for step_at in origin.replay():
            point = origin.history()[step_at.started_event_id - 1].timestamp
            ended = recorded(lab, until=point - MILLISECOND)  # in the same one things may have come later
            before = Counter(calls)
            assert origin.fork(at=step_at).result(60) == result
            again = {name for name in calls if calls[name] > before[name]}
            assert not again & ended, step_at.number


def test_a_child_that_is_named_runs_again_as_a_whole_and_a_fork_of_a_fork_reuses_as_much() -> None:
    with Lab(":memory:") as lab:
        broken.add("za2")
        origin = lab.start(Branch, "z")
        origin.wait(60)
        first = next(event.attributes["workflowId"] for event in origin.history() if event.type == STARTED_CHILD)
        fork = origin.fork()  # za2 fails again
        fork.wait(60)
        assert [calls[f"za{number}"] for number in range(3)] == [1, 1, 2]
        broken.clear()
        assert fork.fork().result(60)[0] == "Z FIRST"
        assert [calls[f"za{number}"] for number in range(3)] == [1, 1, 3]
        assert origin.fork(at=first).result(60)[0] == "Z FIRST"
        assert [calls[f"za{number}"] for number in range(3)] == [2, 2, 4]
        assert calls["z first"] == 1


class Pages(Workflow):
    """Goes on in a run of its own for each page."""

    name, version, task_list = "forked_children.pages", "1", "forked-children"

    def run(self, page: int, total: int = 0) -> int:
        for part in ("a", "b"):
            total += len(self.submit(step, f"page {page}{part}").result)
        if page < 3:
            self.submit(self.continue_as_new(page + 1, total=total)).wait()
        return total


class Book(Workflow):
    name, version, task_list = "forked_children.book", "1", "forked-children"
    raises_on_failure = True

    def run(self) -> list[int]:
        pages = self.submit(Pages, 1)
        begun = [self.submit(step, f"begun {number}").result for number in range(6)]
        return [len(begun), pages.result]


def test_a_child_that_continued_as_new_goes_on_in_the_run_in_which_it_was(place: Lab) -> None:
    broken.add("page 3b")
    origin = place.start(Book)
    origin.wait(60)
    broken.clear()
    fork = origin.fork()
    assert fork.result(60) == [6, 42]
    once = [*(f"begun {number}" for number in range(6)), *(f"page {page}" for page in ("1a", "1b", "2a", "2b", "3a"))]
    assert calls == {"page 3b": 2, **dict.fromkeys(once, 1)}
    again = fork.fork(at="activity-forked_children.step-1")
    assert again.result(60) == [6, 42]
    assert calls["begun 0"] == 2
    assert calls["page 1a"] == calls["page 3b"] - 1 == 1


def test_before_a_decision_a_child_goes_on_in_the_run_in_which_it_was_then() -> None:
    with Lab(":memory:") as lab:
        origin = lab.start(Book)
        assert origin.result(60) == [6, 42]
        for step_at in origin.replay():
            point = origin.history()[step_at.started_event_id - 1].timestamp
            ended = recorded(lab, until=point - MILLISECOND)  # in the same one things may have come later
            before = Counter(calls)
            assert origin.fork(at=step_at).result(60) == [6, 42]
            again = {name for name in calls if calls[name] > before[name]}
            assert not again & ended, step_at.number
