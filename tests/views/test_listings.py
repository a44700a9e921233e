"""The listings of the `simpleflow` command: upstream's columns, right values."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simpleflow_lab.swf.history import History
from simpleflow_lab.views import listings
from simpleflow_lab.views.listings import Kind, Listing
from simpleflow_lab.views.workflow_listings import (
    workflow_history,
    workflow_info,
    workflow_list,
    workflow_profile,
    workflow_tasks,
)
from tests.views.story import Story, eventful, when

PACKAGE = Path(listings.__file__).parents[1]


KINDS = {
    Kind.TEXT: str,
    Kind.STATE: str,
    Kind.TIME: datetime.datetime,
    Kind.SECONDS: float | int,
    Kind.COUNT: int,
    Kind.PERCENTAGE: float,
    Kind.JSON: str,
}


@pytest.mark.parametrize("make", [workflow_info, workflow_tasks, workflow_profile, workflow_history])
def test_every_cell_is_of_the_kind_of_its_column_or_none(make: Callable[[History], Listing]) -> None:
    listing = make(eventful())

    assert listing.rows
    for row in listing.rows:
        for (title, kind), value in zip(listing.columns.items(), row, strict=True):
            assert value is None or isinstance(value, KINDS[kind]), title


def test_workflow_history_has_a_row_per_event() -> None:
    listing = workflow_history(eventful())

    assert listing.headers == ("Event", "Time", "Type", "Attributes")
    number, at, type, attributes = listing.rows[0]
    assert (number, at, type) == (1, when(0), "WorkflowExecutionStarted")
    assert json.loads(attributes) == eventful()[0].attributes
    assert len(listing.rows) == len(eventful())


def test_workflow_list() -> None:
    info = {
        "execution": {"workflowId": "w-1", "runId": "r"},
        "workflowType": {"name": "pkg.Story", "version": "1"},
        "executionStatus": "OPEN",
    }

    listing = workflow_list([info, {**info, "executionStatus": "CLOSED", "closeStatus": "TIMED_OUT"}])

    assert listing.headers == ("Workflow ID", "Workflow Type", "Status")
    assert listing.rows == [("w-1", "pkg.Story", "OPEN"), ("w-1", "pkg.Story", "TIMED_OUT")]


def test_workflow_info_has_the_input_and_the_time_of_the_execution() -> None:
    story = Story(input="[7]", tagList=["a=1", "b"])
    story.at(1).run("a-1", start=2, end=3)
    story.at(10).end()

    listing = workflow_info(story.history(), domain="test", workflow_id="w-1", run_id="r-1")

    assert listing.headers == (
        "domain",
        "workflow_type.name",
        "workflow_type.version",
        "task_list",
        "workflow_id",
        "run_id",
        "tag_list",
        "execution_time",
        "input",
    )
    assert listing.rows == [("test", "pkg.Story", "1.2", "deciders", "w-1", "r-1", "a=1,b", 10.0, "[7]")]


def test_workflow_info_of_an_open_execution_counts_up_to_now() -> None:
    assert workflow_info(eventful()).rows[0][7] == 7.0
    assert workflow_info(eventful(), until=when(100)).rows[0][7] == 100.0


def test_workflow_tasks_has_a_row_per_task_the_newest_first() -> None:
    listing = workflow_tasks(eventful())

    assert listing.headers == ("Tasks", "Last State", "Last State Time", "Scheduled Time")
    assert listing.rows[:3] == [
        ("shop.busy", "started", when(5.8), when(5.6)),
        ("shop.queue", "scheduled", when(5.6), when(5.6)),
        ("shop.gone", "schedule_failed", when(5.6), when(5.6)),
    ]
    assert ("shop.load", "completed", when(5), when(3.7)) in listing.rows, "the last of three attempts"
    assert len(listing.rows) == 8
    assert workflow_tasks(eventful(), 8).rows == listing.rows
    first = workflow_tasks(eventful(), 3).rows[0]
    assert first == listing.rows[2], "what failed comes first where not all are shown"


def test_workflow_profile_has_what_ran_longest_first_and_what_is_open_too() -> None:
    listing = workflow_profile(eventful())

    assert listing.headers == (
        "Task",
        "Last State",
        "Scheduled",
        "Time Scheduled",
        "Start",
        "Time Running",
        "End",
        "Percentage of total time",
    )
    assert listing.rows[0] == (
        "audit-2026",
        "started",
        when(1.9),
        0.5,
        when(2.4),
        4.6,
        None,
        pytest.approx(100 * 4.6 / 7),
    )
    assert {row[0] for row in listing.rows if row[5] is None} == {
        "activity-shop.render-1",
        "activity-shop.gone-1",
        "activity-shop.queue-1",
    }
    assert workflow_profile(eventful(), 2).rows == listing.rows[:2]


def test_an_execution_that_took_no_time_has_no_percentages() -> None:
    story = Story()
    story.run("a-1", start=0, end=0)

    assert workflow_profile(story.history()).rows[0][-1] is None


def test_listings_of_a_history_without_events_are_empty() -> None:
    assert workflow_tasks(History()).rows == workflow_profile(History()).rows == []


def test_listings_and_html_do_without_pandas_and_plotly() -> None:
    # The module of the package itself is left out: who imports what on the way to it is its own test's business.
    program = (
        "import sys, types\n"
        f"package = types.ModuleType('simpleflow_lab'); package.__path__ = {[str(PACKAGE)]!r}\n"
        "sys.modules['simpleflow_lab'] = package\n"
        "import simpleflow_lab.views.listings, simpleflow_lab.views.html\n"
        "sys.exit(bool({'pandas', 'plotly', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
