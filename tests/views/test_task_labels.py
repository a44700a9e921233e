"""Labels of tasks: what is read in charts, tables and lines in the place of an id."""

from __future__ import annotations

import pytest

from simpleflow_lab import Lab, Workflow
from simpleflow_lab.views.task_labels import task_label

NESTED = "workflow-shop.orders-workflow-shop.day-monday--1a2b3c4d--1--782a1025"


@pytest.mark.parametrize(
    ("id", "name", "label"),
    [
        ("activity-shop.orders.load-1", "shop.orders.load", "load-1"),
        (f"{NESTED}--2", "shop.orders", "orders-2"),
        (f"{NESTED}--0cc175b9c0f1b6a831c399e269772661", "shop.orders", "orders-0cc175b9"),  # it is idempotent
        ("orders--of--monday", "shop.orders", "orders--of--monday"),  # the author's own
        ("workflow-shop.orders-monday", "shop.orders", "workflow-shop.orders-monday"),
    ],
)
def test_a_label_is_the_last_part_of_the_name_and_what_sets_the_id_apart(id: str, name: str, label: str) -> None:
    assert task_label(id, name) == label


class Orders(Workflow):
    name, version, task_list = "labels.orders-of-a-day", "1", "labels"

    def run(self, day):
        return self.submit(Orders, day - 1).result + 1 if day else 0


def test_the_row_of_a_child_is_called_by_its_workflow_and_a_task_can_be_named_so() -> None:
    with Lab(":memory:") as lab:
        execution = lab.start(Orders, 2, workflow_id="the-orders-of-all-the-days-of-november-2026")
        assert execution.result(60) == 2
        child = lab.execution(execution.tasks().id[0])

        assert "child orders-of-a-day-1" in execution.gantt().layout.yaxis.ticktext
        assert "child orders-of-a-day-1" in child.gantt(lineage="orders-of-a-day-1").layout.yaxis.ticktext
