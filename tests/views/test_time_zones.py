"""The times of tables in other zones, and in none for a spreadsheet."""

from __future__ import annotations

import datetime
from pathlib import Path

import pandas as pd
import pytest

from simpleflow_lab import Lab, open_history
from simpleflow_lab.exceptions import UsageError

RECORDED = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))
TABLES = ("events", "tasks", "point_events", "decisions", "steps", "unhandled_failures", "unnoticed_failures")
EAST = datetime.timezone(datetime.timedelta(hours=1))
ZONES = ("Asia/Kolkata", EAST, None)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("history", ["workflow_execution_basic", "failing_workflow_output"])
def test_a_time_is_the_same_moment_in_every_zone_and_utc_in_none(history: str, name: str) -> None:
    table = getattr(open_history(RECORDED[0].with_name(f"{history}.json")), name)
    utc, kolkata, east, without = (table(**zone) for zone in ({}, *({"timezone": zone} for zone in ZONES)))
    times = [column for column in utc if isinstance(utc[column].dtype, pd.DatetimeTZDtype)]
    assert times
    for column in times:
        pd.testing.assert_series_equal(kolkata[column], utc[column].dt.tz_convert("Asia/Kolkata"))
        pd.testing.assert_series_equal(east[column], utc[column].dt.tz_convert(EAST))
        pd.testing.assert_series_equal(without[column], utc[column].dt.tz_localize(None))
    for other in (kolkata, east, without):
        pd.testing.assert_frame_equal(other.drop(columns=times), utc.drop(columns=times))


def test_every_table_goes_to_excel_and_comes_back(tmp_path: Path) -> None:
    execution = open_history(RECORDED[0].with_name("workflow_execution_basic.json"))
    path = tmp_path / "tables.xlsx"
    with pd.ExcelWriter(path) as workbook, Lab(":memory:") as lab:
        for name in TABLES:
            getattr(execution, name)(timezone=None).to_excel(workbook, sheet_name=name)
        execution.profile().to_excel(workbook, sheet_name="profile")
        execution.waiting_for().to_pandas(timezone=None).to_excel(workbook, sheet_name="waiting_for")
        lab.executions(timezone=None).to_excel(workbook, sheet_name="executions")
    back = pd.read_excel(path, sheet_name="tasks", index_col=0)
    tasks = execution.tasks(timezone=None)
    assert back["name"].tolist() == tasks["name"].tolist()
    assert back["scheduled"].tolist() == tasks["scheduled"].tolist()


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "a\0b", 3])
def test_a_zone_that_is_none_is_one_line(zone: str) -> None:
    with pytest.raises(UsageError, match=r"no time zone .*: write one as 'Europe/Berlin', or None for times without"):
        open_history(RECORDED[0]).tasks(timezone=zone)
