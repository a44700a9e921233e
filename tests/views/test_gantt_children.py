"""Children opened in place: their tasks stand below them, in the chart of their parent."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.executions.reading_budget import MAX_CHILDREN
from simpleflow_lab.recorded_execution import RecordedExecution


@activity.with_attributes(name="children.sell", task_list="children", version="1")
def sell(shop):
    return len(shop)


class Shop(Workflow):
    name = "children-shop"
    version = "1"
    task_list = "children"

    @classmethod
    def get_workflow_id(cls, shop):
        return f"shop-{shop}"

    def run(self, shop):
        return self.submit(sell, shop).result


class Region(Workflow):
    name = "children-region"
    version = "1"
    task_list = "children"

    @classmethod
    def get_workflow_id(cls, *shops):
        return f"region-{'-'.join(shops)[:40]}"

    def run(self, *shops):
        return sum(futures.wait(*(self.submit(Shop, shop) for shop in shops)))


class Company(Workflow):
    name = "children-company"
    version = "1"
    task_list = "children"

    def run(self):
        north = self.submit(Region, "a", "b<b>")
        first = self.submit(sell, "own")
        return north.result + first.result


def labels(figure):
    return [str(text).strip() for text in figure.layout.yaxis.ticktext]


def test_the_tasks_of_children_stand_below_them() -> None:
    with Lab(":memory:") as lab:
        company = lab.start(Company)
        company.result(60)

        shown = labels(company.gantt(children=True))
        closed = labels(company.gantt())

    tasks = shown[shown.index("child region-a-b&lt;b&gt;") :]
    assert tasks == [
        "child region-a-b&lt;b&gt;",
        "↳ child shop-a",
        "↳ sell-1",
        "↳ child shop-b&lt;b&gt;",
        "↳ sell-1",
        "sell-1",
    ]
    assert [label for label in shown if "↳" not in label] == closed


def test_the_path_of_the_parent_stays_on_the_rows_of_the_parent() -> None:
    with Lab(":memory:") as lab:
        company = lab.start(Company)
        company.result(60)
        figure = company.gantt(children=True)
        plain = company.gantt()

    def rows_of_path(figure):
        (line,) = [trace for trace in figure.data if trace.name == "critical path"]
        of_row = {
            int(y): str(t) for y, t in zip(figure.layout.yaxis.tickvals, figure.layout.yaxis.ticktext, strict=True)
        }
        return [of_row[int(y)] for y in line.y]

    assert rows_of_path(figure) == rows_of_path(plain)
    ET.fromstring(figure.to_svg())


def test_only_so_many_children_are_looked_at() -> None:
    with Lab(":memory:") as lab:
        region = lab.start(Region, *(f"s{number:02}" for number in range(MAX_CHILDREN + 5)))
        region.result(120)

        shown = labels(region.gantt(children=True))

    assert sum(label.startswith("child ") for label in shown) == MAX_CHILDREN + 5
    assert sum(label.startswith("↳ sell") for label in shown) == MAX_CHILDREN


def test_a_recorded_history_has_none_of_the_tasks_of_its_children() -> None:
    with Lab(":memory:") as lab:
        company = lab.start(Company)
        company.result(60)
        recorded = RecordedExecution(company.history())

    with pytest.raises(UsageError, match="open their own histories"):
        recorded.gantt(children=True)
