"""What if of tasks, children and signals that take no time: what happens in one millisecond keeps its order."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity, canvas, futures, open_history
from simpleflow_lab.swf.history import History

DECISIONS = "short-decisions"


@activity.with_attributes(name="short.nothing", task_list="short", version="1")
def nothing(number: int) -> int:
    return number


class Waves(Workflow):
    name, version, task_list = "short.waves", "1", DECISIONS

    def run(self, many: int, width: int) -> None:
        for _ in range(many):
            futures.wait(*[self.submit(nothing, number) for number in range(width)])


class Limited(Workflow):
    name, version, task_list = "short.limited", "1", DECISIONS

    def run(self, many: int, width: int) -> None:
        self.submit(canvas.Group(*[(nothing, number) for number in range(many)], max_parallel=width)).wait()


class FanOut(Workflow):
    """More tasks than one decision can ask for: timers of no time wake its decider, and fire late on a busy machine."""

    name, version, task_list = "short.fan_out", "1", DECISIONS

    def run(self, many: int) -> None:
        futures.wait(*[self.submit(nothing, number) for number in range(many)])


class Child(Workflow):
    name, version, task_list = "short.child", "1", DECISIONS

    def run(self, number: int) -> int:
        return number


class Children(Workflow):
    """The start of a child wakes the decider, which the child's end may find at work."""

    name, version, task_list = "short.children", "1", DECISIONS

    def run(self, many: int, width: int) -> None:
        for _ in range(many):
            futures.wait(*[self.submit(Child, number) for number in range(width)])


class ToItself(Workflow):
    name, version, task_list = "short.to_itself", "1", DECISIONS

    def run(self, many: int) -> None:
        for number in range(many):
            self.submit(self.signal(f"note {number}"))
            self.submit(self.wait_signal(f"note {number}")).wait()


@pytest.fixture(scope="module", params=[1, 2, 8])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(":memory:", activity_threads=request.param) as opened:
        yield opened


@pytest.mark.parametrize(
    ("workflow", "arguments"),
    [
        *((Waves, (4, 40)), (Limited, (150, 4)), (FanOut, (200,))),
        *((Children, (40, 1)), (Children, (8, 5)), (ToItself, (60,))),
    ],
)
def test_with_nothing_changed_it_takes_as_long(lab: Lab, workflow: type[Workflow], arguments: tuple[int, ...]) -> None:
    execution = lab.start(workflow, *arguments)
    execution.wait(timeout=60)
    found = execution.what_if()
    assert found.status == "COMPLETED"
    assert found.seconds == pytest.approx(found.recorded_seconds, rel=0.05)


@pytest.mark.parametrize(
    ("workflow", "arguments"), [(Waves, (3, 20)), (Limited, (60, 4)), (Children, (20, 1)), (ToItself, (30,))]
)
def test_what_happens_in_one_millisecond_happens_in_the_recorded_order(
    lab: Lab, tmp_path: Any, workflow: type[Workflow], arguments: tuple[int, ...]
) -> None:
    execution = lab.start(workflow, *arguments)
    execution.wait(timeout=60)
    path = tmp_path / "history.json"
    path.write_text(History(coarse(execution.history())).to_json())
    found = open_history(path).what_if(workflow)
    assert order_of(found.history) == order_of(execution.history())
    assert found.seconds == found.recorded_seconds


def coarse(history: History) -> list[Any]:
    """The events of this history by a clock that shows a tenth of a second only."""
    return [
        event._replace(
            timestamp=event.timestamp - datetime.timedelta(microseconds=event.timestamp.microsecond % 100_000)
        )
        for event in history
    ]


def order_of(history: History) -> list[tuple[Any, ...]]:
    """What happened, in order."""
    return [
        (event.type, event.attributes.get("activityId"), event.attributes.get("scheduledEventId")) for event in history
    ]
