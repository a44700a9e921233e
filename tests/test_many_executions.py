"""Several executions viewed together: of a Lab, and of a folder of histories."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from simpleflow_lab import Executions, Lab, Workflow, activity, open_histories, open_history
from simpleflow_lab.exceptions import HistoryError, UsageError

TASKS = {"task_list": "many-executions", "version": "1", "raises_on_failure": False}


@activity.with_attributes(name="many_executions.odd", **TASKS)
def odd(number):
    if number % 2 == 0:
        raise ValueError(f"{number} is even")
    return number


@activity.with_attributes(name="many_executions.first", **TASKS)
def first():
    return None


class Numbers(Workflow):
    name, version, task_list = "many_executions.numbers", "1", "many-executions"

    def run(self, count):
        if count == 1:
            self.submit(first).wait()
        self.submit(self.start_timer("moment", 0)).wait()
        return [future.result for future in [self.submit(odd, number) for number in range(count)]]


class Others(Numbers):
    name = "many_executions.others"

    def run(self, count):
        raise RuntimeError("on purpose")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A Lab with executions n-0 to n-4 of `Numbers`, of as many activities, and other, which failed."""
    with Lab(":memory:") as lab:
        for count in range(5):
            tags = ["even"] if count % 2 == 0 else []
            lab.start(Numbers, count, workflow_id=f"n-{count}", tag_list=tags).result(200)
        assert lab.start(Others, 1, workflow_id="other").wait(200)
        yield lab


@pytest.fixture
def folder(lab: Lab, tmp_path: Path) -> Path:
    """Their histories, each in a file of its id."""
    for execution in lab.select_executions():
        (tmp_path / f"{execution.workflow_id}.json").write_text(execution.history().to_json())
    return tmp_path


def ids(executions: Executions) -> list[str]:
    return list(executions.executions()["workflow_id"])


def test_the_tasks_of_all_are_one_table_with_the_ids_before_it(lab):
    tasks = lab.tasks(workflow=Numbers)
    alone = {each.workflow_id: each for each in lab.select_executions(workflow=Numbers)}
    assert list(tasks)[:2] == ["workflow_id", "workflow_run_id"]
    for workflow_id, rows in tasks.groupby("workflow_id"):
        assert set(rows["workflow_run_id"]) == {alone[workflow_id].run_id}
        expected = alone[workflow_id].tasks()
        pd.testing.assert_frame_equal(rows[list(expected)].reset_index(drop=True), expected)
    assert sum(map(len, (each.tasks() for each in alone.values()))) == len(tasks)


@pytest.mark.parametrize("table", ["tasks", "events", "decisions", "critical_path", "unhandled_failures", "profile"])
def test_a_table_of_none_has_the_columns_and_types_of_a_table_of_many(lab, table):
    many = getattr(lab.select_executions(), table)()
    nothing = getattr(lab.select_executions(workflow="nosuch"), table)()
    assert len(many) > 0
    assert len(nothing) == 0
    assert dict(nothing.dtypes) == dict(many.dtypes)


def test_the_profile_is_that_of_all_tasks_together(lab):
    profile = lab.profile(workflow="many_executions.numbers").set_index("name")
    tasks = lab.tasks(workflow=Numbers)
    of_odd = tasks[tasks["name"] == "many_executions.odd"]
    row = profile.loc["many_executions.odd"]
    assert (row["executions"], row["count"], row["attempts"]) == (4, 10, 10)
    assert row["failed"] == 0 + 1 + 1 + 2 + 2
    assert row["total_running"] == pytest.approx(of_odd["running"].sum())
    assert row["p95_running"] == pytest.approx(of_odd["running"].quantile(0.95))
    assert tuple(profile.loc["many_executions.first", ["executions", "count"]]) == (1, 1)


def test_the_profile_of_one_is_the_one_that_it_has_itself(lab):
    together = lab.profile(tags=["even"], workflow=Numbers)
    [execution] = [each for each in lab.select_executions() if each.workflow_id == "n-3"]
    alone = execution.profile()
    one = open_histories_of(execution).profile()
    pd.testing.assert_frame_equal(one[list(alone)], alone)
    assert set(one["executions"]) == {1}
    assert list(together) == list(one)


def open_histories_of(execution) -> Executions:
    return Executions.of(execution)


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, ["other", "n-4", "n-3", "n-2", "n-1", "n-0"]),
        ({"workflow": Others}, ["other"]),
        ({"workflow": "many_executions.numbers", "tags": ["even"]}, ["n-4", "n-2", "n-0"]),
        ({"tags": "even"}, ["n-4", "n-2", "n-0"]),
        ({"status": "failed"}, ["other"]),
        ({"status": ["FAILED", "OPEN"]}, ["other"]),
        ({"last": "1h", "status": "open"}, []),
        ({"last": datetime.timedelta(weeks=1), "workflow": Others}, ["other"]),
        ({"until": datetime.datetime(2001, 1, 1)}, []),
        ({"since": datetime.datetime(2001, 1, 1), "workflow": Others}, ["other"]),
    ],
)
def test_what_is_selected(lab, criteria, expected):
    assert ids(lab.select_executions(**criteria)) == expected


def test_what_was_started_before_is_left_out(lab):
    started = lab.executions().set_index("workflow_id")["started"]
    assert ids(lab.select_executions(since=started["n-4"])) == ["other", "n-4"]
    assert ids(lab.select_executions(until=started["n-1"])) == ["n-1", "n-0"]


@pytest.mark.parametrize(
    ("criteria", "says"),
    [
        ({"last": "7"}, "last is a number with s, m, h, d or w, as in '7d', or a timedelta, not '7'"),
        ({"last": 7}, "or a timedelta, not 7"),
        ({"last": "-1d"}, "not '-1d'"),
        ({"last": "99999999w"}, "is longer ago than the calendar goes"),
        ({"last": "1d", "since": datetime.datetime(2001, 1, 1)}, "not both"),
        ({"since": "2001"}, "since is a datetime.datetime, not '2001'"),
        ({"workflow": 3}, "workflow is a workflow's class or the name of its type, not 3"),
        ({"status": "DONE"}, "no status 'DONE': there is OPEN, COMPLETED,"),
    ],
)
def test_criteria_that_make_no_sense_are_refused_in_one_line(lab, criteria, says):
    with pytest.raises(UsageError) as refused:
        lab.tasks(**criteria)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


# -- a folder of histories ---------------------------------------------------------------------------------------------


def test_a_folder_of_histories_is_one_table(folder, lab):
    histories = open_histories(folder)
    assert ids(histories) == ["n-0", "n-1", "n-2", "n-3", "n-4", "other"]
    tasks = histories.tasks()
    there = lab.tasks()
    assert len(tasks) == len(there)
    assert set(tasks["workflow_id"]) == set(there["workflow_id"])
    assert dict(tasks.dtypes) == dict(there.dtypes)
    assert histories.profile()["count"].sum() == lab.profile()["count"].sum()
    assert "n-3" in histories._repr_html_()


def test_they_are_had_by_place_by_name_and_in_parts(folder):
    histories = open_histories(folder)
    assert len(histories) == 6
    assert histories[-1].history().close_status == "FAILED"
    assert ids(histories[1:3]) == ["n-1", "n-2"]
    assert histories.execution("n-2").history().close_status == "COMPLETED"
    assert [each.history().close_status for each in histories].count("FAILED") == 1
    with pytest.raises(UsageError, match="no execution 'n-9' among these 6"):
        histories.execution("n-9")


def test_named_files_are_opened_in_their_order(folder):
    assert ids(open_histories([folder / "other.json", str(folder / "n-1.json")])) == ["other", "n-1"]
    assert ids(open_histories(folder / "n-1.json")) == ["n-1"]


def test_what_is_no_history_is_left_out_of_a_folder_and_named(folder):
    (folder / "<b>notes.json").write_text("[]")
    (folder / "read.me").write_text("not looked at")
    with pytest.warns(UserWarning, match="1 left out, for they are no histories: <b>notes.json"):
        assert len(open_histories(folder)) == 6
    with pytest.raises(HistoryError):
        open_histories([folder / "<b>notes.json"])


def test_a_folder_given_for_a_history_is_told_what_opens_it(folder):
    with pytest.raises(HistoryError, match=r"is a folder: open_histories\(…\), or simpleflow open, opens"):
        open_history(folder)


def test_a_history_given_for_its_file_is_told_how_to_write_one(folder):
    history = open_history(next(folder.glob("*.json"))).history()
    with pytest.raises(UsageError, match=r"takes the name of a file, not a \w+: execution.export\('run.json'\)"):
        open_history(history)


def test_a_folder_without_histories_says_so(tmp_path):
    with pytest.raises(HistoryError, match=r"has no history of an execution: it has no \*\.json file"):
        open_histories(tmp_path)
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(HistoryError, match="has no history of an execution: "):
        open_histories(tmp_path)


def test_a_hostile_id_is_text(lab):
    name = "<img src=x onerror=alert(1)>"
    lab.start(Numbers, 0, workflow_id="hostile", tag_list=[name]).result(200)
    table = Executions.of(lab.execution("hostile"))
    assert "<img" not in table._repr_html_()
