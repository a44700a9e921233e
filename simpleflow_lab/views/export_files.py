"""An execution as files that other programs open: pages, pictures, tables, traces.

Rule: a text of a history is a text in every program that opens the file. What a spreadsheet would take for a formula
or a link is written so that it takes it for neither.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.chart import Chart
from simpleflow_lab.views.chrome_trace import chrome_trace
from simpleflow_lab.views.formatting import HOVER_LIMIT, shortened
from simpleflow_lab.views.listings import json_text
from simpleflow_lab.views.replaced_files import replaced_file
from simpleflow_lab.views.spreadsheet_texts import for_spreadsheet
from simpleflow_lab.views.text_tables import visible


class Viewed(Protocol):
    """An object that can be exported: it has the views of a history."""

    def history(self) -> History:
        """The events."""

    def ids(self) -> tuple[str, str]:
        """Its workflow id and run id; empty where they are not known."""

    def tasks(self, *, timezone: Any = ...) -> pd.DataFrame:
        """One row per attempt."""

    def decisions(self, *, timezone: Any = ...) -> pd.DataFrame:
        """One row per decision task."""

    def events(self, *, timezone: Any = ...) -> pd.DataFrame:
        """One row per event."""

    def critical_path(self, *, timezone: Any = ...) -> pd.DataFrame:
        """One row per segment."""

    def profile(self) -> pd.DataFrame:
        """One row per activity."""

    def gantt(self, **options: Any) -> Chart:
        """The chart."""

    def gantt_html(self) -> str:
        """The page."""


_MAX_CELL: Final = 32_767
"""Characters of a cell of Excel's."""


def export(view: Viewed, path: str | Path, *, force: bool = False) -> Path:
    """Write an execution to a file, in the form that its name ends with; gives the path.

    `.html` is the Gantt chart and the task table as a page that needs nothing else, `.svg` the chart as a picture,
    `.json` the history as `aws swf get-workflow-execution-history` prints it, with the ids of the execution beside it,
    `.csv` its tasks, `.xlsx` its tasks, profile, decisions, critical path and events as sheets, `.trace.json` a trace
    for Chrome and Perfetto.

    Raises `UsageError` for another ending, for a file that is there (unless `force` is given), for one that can't be
    written, and for `.xlsx` without the package xlsxwriter.
    """
    path = Path(path)
    write = next((write for ending, write in _WRITERS.items() if path.name.lower().endswith(ending)), None)
    if write is None:
        raise UsageError(f"{path.name!r:.80} ends with none of {', '.join(_WRITERS)}: that says what is written")
    if "\0" in str(path):
        raise _not_written(path, "no name of a file holds a NUL")
    try:
        is_there = path.exists()
    except OSError as error:  # it is too long
        raise _not_written(path, error.strerror) from None
    if is_there and not force:
        raise UsageError(f"{path} is there already: give another name, or force=True to replace it")
    try:
        with replaced_file(path) as beside:
            write(view, beside)
    except OSError as error:
        raise _not_written(path, error.strerror or error) from None
    return path


def _not_written(path: Path, why: object) -> UsageError:
    return UsageError(f"{visible(shortened(str(path), HOVER_LIMIT))} can't be written: {why}")


def _text(make: Callable[[Viewed], str]) -> Callable[[Viewed, Path], None]:
    def write(view: Viewed, path: Path) -> None:
        path.write_text(make(view), encoding="utf-8", newline="\n")

    return write


def _json(view: Viewed) -> str:
    workflow_id, run_id = view.ids()
    return view.history().to_json(workflow_id=workflow_id, run_id=run_id) + "\n"


def _csv(view: Viewed) -> str:
    return str(plain_table(view.tasks(timezone=None)).map(_no_formula).to_csv(index=False, lineterminator="\n"))


def _no_formula(value: Any) -> Any:
    return for_spreadsheet(value) if isinstance(value, str) else value


def _excel(view: Viewed, path: Path) -> None:
    if importlib.util.find_spec("xlsxwriter") is None:
        raise UsageError("to write .xlsx needs a package that is not here: pip install xlsxwriter")
    import xlsxwriter  # type: ignore[import-untyped]  # noqa: PLC0415  one may do without it

    # Row by row, which pandas' own `to_excel` does not do: it takes twice as long, and holds every cell.
    options = {"constant_memory": True, "nan_inf_to_errors": True}
    with path.open("wb") as file, xlsxwriter.Workbook(file, options) as workbook:
        title, time = workbook.add_format({"bold": True}), workbook.add_format({"num_format": _EXCEL_TIME})
        for name, table in _sheets(view).items():
            _write_sheet(workbook.add_worksheet(name), plain_table(table), title, time)


_EXCEL_TIME: Final = "yyyy-mm-dd hh:mm:ss.000"
_WIDEST: Final = 57
"""Characters of a column."""
_READ_FOR_WIDTH: Final = 200
"""The rows that say how wide a column is."""


def _write_sheet(sheet: Any, table: pd.DataFrame, title: Any, time: Any) -> None:
    columns = [_cells(table[name]) for name in table.columns]
    for place, (name, cells) in enumerate(zip(table.columns, columns, strict=True)):
        widths = [len(str(cell)) for cell in cells[:_READ_FOR_WIDTH] if cell is not None]
        sheet.set_column(place, place, min(max([len(str(name)), *widths]) + 2, _WIDEST))
    sheet.freeze_panes(1, 0)
    for place, name in enumerate(table.columns):
        sheet.write_string(0, place, str(name), title)
    for row, values in enumerate(zip(*columns, strict=True), 1):
        for place, value in enumerate(values):
            if value is None:
                continue
            if isinstance(value, str):
                sheet.write_string(row, place, _bounded(value))
            elif isinstance(value, bool):
                sheet.write_boolean(row, place, value)
            elif isinstance(value, int | float):
                sheet.write_number(row, place, value)
            else:
                sheet.write_datetime(row, place, value, time)


def _cells(column: pd.Series[Any]) -> list[Any]:
    """The values of a column as Python's own; `None` for what is missing."""
    if column.dtype.kind == "M":
        return [None if value is pd.NaT else value.to_pydatetime() for value in column]
    return [None if missing else value for missing, value in zip(column.isna(), column.tolist(), strict=True)]


def _sheets(view: Viewed) -> Mapping[str, pd.DataFrame]:
    return {
        "tasks": view.tasks(timezone=None),
        "profile": view.profile(),
        "decisions": view.decisions(timezone=None),
        "critical path": view.critical_path(timezone=None),
        "events": view.events(timezone=None),
    }


def _bounded(value: Any) -> Any:
    return value[: _MAX_CELL - 1] + "…" if isinstance(value, str) and len(value) > _MAX_CELL else value


def plain_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table with attributes and tuples of ids as JSON text: what a file of cells can hold."""
    objects = [name for name, column in table.items() if column.dtype == object]
    return table.assign(**{str(name): table[name].map(_as_text) for name in objects})


def _as_text(value: Any) -> Any:
    if isinstance(value, tuple | list | Mapping):
        return json_text(value) if value else None
    return value


_WRITERS: Final[Mapping[str, Callable[[Viewed, Path], None]]] = {
    ".html": _text(lambda view: view.gantt_html()),
    ".svg": _text(lambda view: view.gantt().to_svg() + "\n"),
    ".trace.json": _text(lambda view: chrome_trace(view.history())),
    ".json": _text(_json),
    ".csv": _text(_csv),
    ".xlsx": _excel,
}
"""By the end of a file's name, the longer one first."""
