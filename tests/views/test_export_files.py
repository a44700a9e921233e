"""An execution as files: every program reads them as data, whatever a history holds."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.recorded_execution import RecordedExecution, open_history
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.chrome_trace import chrome_trace
from simpleflow_lab.views.history_fold import fold_history
from simpleflow_lab.views.spreadsheet_texts import FORMULA
from tests.views.story import eventful, large
from tests.views.test_hostile import hostile

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://example.com")']


def recorded(history: History) -> RecordedExecution:
    return RecordedExecution(history)


@pytest.mark.parametrize("ending", [".html", ".svg", ".json", ".csv", ".xlsx", ".trace.json"])
def test_the_end_of_the_name_says_what_is_written(tmp_path: Path, ending: str) -> None:
    path = recorded(eventful()).export(tmp_path / f"run{ending}")

    data = path.read_bytes()
    assert path.name == f"run{ending}"
    begins = {".html": b"<!DOCTYPE html>", ".svg": b"<svg ", ".xlsx": b"PK"}.get(ending)
    assert data.startswith(begins or (b"{" if "json" in ending else b"kind,name,version,id"))


def test_a_history_that_is_exported_is_opened_again(tmp_path: Path) -> None:
    path = recorded(eventful()).export(tmp_path / "run.json")

    assert open_history(path).tasks().equals(recorded(eventful()).tasks())


class Below(Workflow):
    name, version, task_list = "exported.below", "1", "exported"

    def run(self) -> int:
        return 1


class WithChild(Workflow):
    name, version, task_list = "exported.with_child", "1", "exported"

    def run(self) -> int:
        return 1 + int(self.submit(Below).result)


def test_an_execution_with_children_that_is_exported_is_replayed_from_its_file(tmp_path: Path) -> None:
    with Lab(":memory:") as lab:
        execution = lab.start(WithChild)
        assert execution.result(60) == 2
        path = execution.export(tmp_path / "run.json")
    steps = open_history(path).replay(WithChild)
    assert (len(steps), steps[-1].error) == (2, None)
    again = open_history(path).export(tmp_path / "again.json")
    assert again.read_bytes() == path.read_bytes()


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("mine")

    with pytest.raises(UsageError, match=r"run\.csv is there already: give another name, or force=True to replace it"):
        recorded(eventful()).export(path)
    assert path.read_text() == "mine"
    recorded(eventful()).export(path, force=True)
    assert path.read_text().startswith("kind,")


@pytest.mark.parametrize("name", ["a\0b.html", "x" * 300 + ".svg", "folder\0/run.csv", "\u202ex\0.json"])
@pytest.mark.parametrize("force", [False, True])
def test_a_name_that_no_file_can_have_is_said_in_one_line(tmp_path: Path, name: str, force: bool) -> None:
    with pytest.raises(UsageError, match=r"can't be written: (no name of a file holds|File name too long)") as raised:
        recorded(eventful()).export(tmp_path / name, force=force)
    assert "\n" not in str(raised.value)
    assert "\0" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("run.pdf", "ends with none of .html, .svg"),
        ("run", "ends with none of"),
        ("no/run.csv", "can't be written: No such"),
    ],
)
def test_what_can_not_be_written_is_said_in_one_line(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        recorded(eventful()).export(tmp_path / name)

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("payload", FORMULAS)
def test_no_text_is_a_formula_in_a_csv(tmp_path: Path, payload: str) -> None:
    path = recorded(hostile(payload)).export(tmp_path / "run.csv")

    cells = [cell for row in list(csv.reader(io.StringIO(path.read_text())))[1:] for cell in row]
    assert f"'{payload}" in cells
    assert not [cell for cell in cells if cell.startswith(FORMULA)]


def workbook(path: Path) -> Any:
    """What an Excel file holds."""
    import openpyxl  # large, and collected by every process

    return openpyxl.load_workbook(path)


@pytest.mark.parametrize("payload", FORMULAS)
def test_no_text_is_a_formula_or_a_link_in_a_workbook(tmp_path: Path, payload: str) -> None:
    path = recorded(hostile(payload)).export(tmp_path / "run.xlsx")

    book = workbook(path)
    assert book.sheetnames == ["tasks", "profile", "decisions", "critical path", "events"]
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert any(cell.value == payload for cell in cells)
    assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink is not None]


def test_numbers_and_times_stay_what_they_are_in_a_workbook(tmp_path: Path) -> None:
    execution = recorded(eventful())
    sheet = workbook(execution.export(tmp_path / "run.xlsx"))["tasks"]

    titles = [cell.value for cell in next(sheet.iter_rows())]
    first = dict(zip(titles, (cell.value for cell in list(sheet.iter_rows())[1]), strict=True))
    row = execution.tasks(timezone=None).iloc[0]
    assert first["running"] == pytest.approx(row["running"])
    assert first["scheduled"] == row["scheduled"].to_pydatetime()


def test_a_trace_has_what_ran_with_its_times() -> None:
    folded = fold_history(eventful())
    origin = folded.history[0].timestamp

    slices = [event for event in json.loads(chrome_trace(folded))["traceEvents"] if event["ph"] == "X"]

    shown = {
        (event["args"]["id"], event["args"]["attempt"], event["ts"], event["dur"])
        for event in slices
        if event["cat"].startswith("task list")
    }
    ran = {
        (
            attempt.id,
            attempt.attempt,
            round((attempt.started - origin).total_seconds() * 1e6),
            round(((attempt.closed or folded.until) - attempt.started).total_seconds() * 1e6),
        )
        for attempt in folded.attempts
        if attempt.started is not None and attempt.kind not in ("timer", "child")
    }
    assert shown == ran


def test_no_two_slices_of_one_thread_lie_across_each_other() -> None:
    slices = [event for event in json.loads(chrome_trace(large(400)))["traceEvents"] if event["ph"] == "X"]

    ends: dict[tuple[int, int], int] = {}
    for event in sorted(slices, key=lambda event: event["ts"]):
        place = event["pid"], event["tid"]
        assert event["ts"] >= ends.get(place, 0)
        ends[place] = event["ts"] + event["dur"]


def test_a_picture_that_is_exported_is_well_formed(tmp_path: Path) -> None:
    ET.parse(recorded(hostile("</svg><script>alert(1)</script>")).export(tmp_path / "run.svg"))


def test_a_sheet_holds_the_values_of_its_table_with_their_types(tmp_path: Path) -> None:
    execution = recorded(large(300))
    table = execution.tasks(timezone=None)

    book = workbook(execution.export(tmp_path / "run.xlsx"))

    assert book.sheetnames == ["tasks", "profile", "decisions", "critical path", "events"]
    titles, *rows = book["tasks"].iter_rows(values_only=True)
    assert list(titles) == list(table.columns)
    assert len(rows) == len(table)
    first = dict(zip(titles, rows[0], strict=True))
    assert first["scheduled"] == table["scheduled"].iloc[0].to_pydatetime()
    assert first["waiting"] == pytest.approx(table["waiting"].iloc[0])
    assert (first["attempt"], first["open"], first["priority"]) == (1, False, None)


def test_a_sheet_that_can_not_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be written"):
        recorded(large(3)).export(tmp_path / "nowhere" / "run.xlsx")
