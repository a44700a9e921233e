"""The records of commands as tables of pandas, and our tables in a cell.

A table that is too wide to read shows its most read columns and is handed on whole. A cell of a table is written by the
kind of its column, whatever command made the table.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from simpleflow_lab.commands.executions import ListedExecutions
from simpleflow_lab.commands.inspection import AnyExecution, ExecutionInfo, ExecutionTasks
from simpleflow_lab.commands.records import ListingRecord, Record
from simpleflow_lab.data.codec import canonical, parse
from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.notebook.columns_read_most import LOOKS, Look
from simpleflow_lab.views import html
from simpleflow_lab.views.attempts import Attempt
from simpleflow_lab.views.combined_tables import IDS
from simpleflow_lab.views.formatting import count, described
from simpleflow_lab.views.listing_shape import Shape
from simpleflow_lab.views.listing_views import listing_html
from simpleflow_lab.views.listings import Kind, Listing
from simpleflow_lab.views.tables import (
    EXECUTION_COLUMNS,
    EXECUTIONS_TABLE,
    IN_CHILD,
    OURS,
    TASKS_TABLE,
    executions_table,
    failed_rows_first,
    listing_table,
)
from simpleflow_lab.views.workflow_listings import listing_of_tasks, shown_tasks


class Table(pd.DataFrame):
    """A DataFrame that shows the columns that people read; what is made of it is a plain DataFrame."""

    _metadata: Final = ["_shown", "_html", "_as_made"]

    def __init__(self, frame: pd.DataFrame, shown: Sequence[str], html_text: str) -> None:
        super().__init__(frame)  # type: ignore[call-arg]
        self.attrs = dict(frame.attrs)
        self._shown = list(shown)
        self._html = html_text
        self._as_made = pd.DataFrame(frame).copy()

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def _plain(self) -> pd.DataFrame:
        frame = pd.DataFrame(self)
        frame.attrs = self.attrs
        return frame

    def __repr__(self) -> str:
        frame = self._plain()
        if not frame.equals(self._as_made):
            return repr(frame)
        return repr(failed_rows_first(frame, limit=pd.get_option("display.max_rows"))[self._shown])

    def _repr_html_(self) -> str | None:
        """The HTML with which it was made, or that of a plain frame if it was changed in place since."""
        frame = self._plain()
        if frame.equals(self._as_made):
            return self._html
        of_pandas: str | None = frame._repr_html_()  # type: ignore[operator]
        return own_html(frame) or of_pandas


def table_of_listing(listing: Listing) -> Table:
    """A listing as a table."""
    return Table(listing_table(listing), listing.headers, listing_html(listing))


def table_of_frame(frame: pd.DataFrame, look: Look) -> Table:
    """A frame as a table that shows these columns, by their kinds. Of tasks that are too many to be shown those that
    failed come first."""
    shown = {**look.columns, **{name: kind for name, kind in look.if_any.items() if _has_any(frame, name)}}
    limit = _row_limit(frame)
    whole, frame = frame, failed_rows_first(frame, limit=limit)
    columns = [_shown_values(frame[name], look.cells.get(name)) for name in shown]
    listing = Listing(
        columns={look.titles.get(name, name.replace("_", " ")): kind for name, kind in shown.items()},
        rows=list(zip(*columns, strict=True)),
    )
    return Table(whole, list(shown), listing_html(listing, limit=limit, ends=look.leaves_out_the_middle))


def _row_limit(frame: pd.DataFrame) -> int:
    """The number of rows that are shown: ours, unless pandas is told another one."""
    max_rows = pd.get_option("display.max_rows")
    if max_rows is None:
        return len(frame)
    return html.MAX_ROWS if max_rows in (0, _PANDAS_MAX_ROWS) else int(max_rows)


_PANDAS_MAX_ROWS: Final = 60
"""The `display.max_rows` of pandas that nobody set."""


def _has_any(frame: pd.DataFrame, name: str) -> bool:
    return name in frame.columns and bool(frame[name].notna().any())


def _shown_values(column: pd.Series[Any], of: Callable[[Any], Any] | None) -> list[Any]:
    values = (None if _is_missing(value) else value for value in column.tolist())
    return [value if value is None or of is None else of(value) for value in values]


def _is_missing(value: Any) -> bool:
    return value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value))


@functools.singledispatch
def table_value(record: Record) -> Any:
    """The value of a cell for a record that is shown as a table. Raises `TypeError` for one without a rendering."""
    raise TypeError(f"the notebook has no rendering for {type(record).__name__}")


@table_value.register
def _listing(record: ListingRecord) -> Any:
    return table_of_listing(record.listing())


def shaped_value(record: ListingRecord, shape: Shape) -> Any:
    """The value of a cell for a record in this shape: the rows of `table_value(record)` that it chooses, in its order.

    Columns are named as in a shell; with `--columns` there are those alone. Raises `UsageError`.
    """
    table = _tables_in_full(record)
    if table is None:
        return table_of_listing(record.shaped(shape))
    listing, frame, show = table
    places = shape.places(listing)
    if shape.columns:
        rows = [listing.rows[place] for place in places]
        return table_of_listing(Shape(columns=shape.columns).of(Listing(columns=listing.columns, rows=rows)))
    chosen = frame.iloc[places]
    if shape.sort:
        chosen.attrs.pop(OURS, None)  # what failed comes where the order puts it
    return show(chosen, frame)


# -- tables that are wider than what is shown --------------------------------------------------------------------------

_EXECUTIONS: Final = {
    "workflow_id": Kind.TEXT,
    "workflow_type": Kind.TEXT,
    "version": Kind.TEXT,
    "status": Kind.STATE,
    "started": Kind.TIME,
    "duration": Kind.SECONDS,
}
_TASKS: Final = {
    "id": Kind.TEXT,
    "attempt": Kind.COUNT,
    "state": Kind.STATE,
    "waiting": Kind.SECONDS,
    "running": Kind.SECONDS,
    "input": Kind.TEXT,
    "result": Kind.TEXT,
}


@table_value.register
def _executions(record: ListedExecutions) -> Any:
    frame = _frame_of_executions(record)
    return _table_of_executions(frame, frame)


def _frame_of_executions(record: ListedExecutions) -> pd.DataFrame:
    frame = executions_table(record.infos)
    if record.waits:
        frame["waits_for"] = [record.waits.get(run_id, "") for run_id in frame["run_id"]]
    return frame


def _table_of_executions(rows: pd.DataFrame, whole: pd.DataFrame) -> Table:
    kinds = dict(_EXECUTIONS)
    if "waits_for" in whole.columns:
        kinds["waits_for"] = Kind.TEXT
    if whole["forked_from"].notna().any():
        kinds["forked_from"] = Kind.TEXT
    return table_of_frame(rows, Look(columns=kinds))


def _tables_in_full(
    record: Record,
) -> tuple[Listing, pd.DataFrame, Callable[[pd.DataFrame, pd.DataFrame], Table]] | None:
    """Of a table that is wider than what is shown: its rows as a shell knows them, the same as a frame, and what shows
    some rows of that frame in its columns; `None` of any other."""
    match record:
        case ListedExecutions():
            return record.in_full(), _frame_of_executions(record), _table_of_executions
        case ExecutionTasks():
            frame = _frame_of_tasks(record.execution, record.nb_tasks, record)
            attempts = {each.scheduled_event_id: each for each in record.execution.attempts()}
            tasks = [attempts[event_id] for event_id in frame["scheduled_event_id"]]
            listing = listing_of_tasks(tasks, with_time=record.choice().slowest is not None, in_full=True)
            return listing, frame, _table_of_tasks
    return None


@table_value.register
def _info(record: ExecutionInfo) -> Any:
    table = table_of_listing(record.listing())
    return Table(table, list(table.columns), record.execution._repr_html_())


@table_value.register
def _tasks(record: ExecutionTasks) -> Any:
    frame = _frame_of_tasks(record.execution, record.nb_tasks, record)
    return _table_of_tasks(frame, frame)


def _frame_of_tasks(
    execution: AnyExecution, nb_tasks: int | None = None, selection: ExecutionTasks | None = None
) -> pd.DataFrame:
    """The tasks that were asked for, or all attempts if nothing is said of them."""
    frame = execution.tasks()
    if selection is not None and any(selection.chosen.values()):
        frame = _rows_of(frame, selection.choice().of(execution.attempts()))
    if nb_tasks is not None and selection is not None and len(frame) > nb_tasks:
        choice = selection.choice()
        tasks = shown_tasks(choice.of(execution.attempts()), nb_tasks, choice=choice)
        if choice.slowest is None:
            tasks.sort(key=lambda task: task.scheduled_event_id)
        frame = _rows_of(frame, tasks)
    return frame


def table_of_all_tasks(execution: AnyExecution) -> Table:
    """All attempts of an execution."""
    frame = _frame_of_tasks(execution)
    return _table_of_tasks(frame, frame)


def _table_of_tasks(rows: pd.DataFrame, whole: pd.DataFrame) -> Table:
    shown = {**_TASKS, "reason": Kind.TEXT} if whole["reason"].notna().any() else _TASKS
    return table_of_frame(rows, Look(columns=shown, cells={"input": _arguments}))


def own_html(frame: pd.DataFrame) -> str | None:
    """The HTML of a table of ours, or of some rows of one, with the columns that are read most; of tasks that are too
    many to be shown with what failed first. `None` for any other frame, for one that has a column of somebody else's,
    which is to be seen, and for one whose values are of other kinds, as those of `tasks.isna()`."""
    look = _look_of(frame)
    if look is None or not _holds_its_values(frame, look):
        return None
    table = table_of_frame(frame, look)
    if len(table._shown) == len(frame.columns):
        return table._html
    number = count(len(frame.columns), "column")
    return f"{table._html}{html.quiet(f'{len(table._shown)} of {number}; .columns names them')}"


def _look_of(frame: pd.DataFrame) -> Look | None:
    names, kind = set(frame.columns), frame.attrs.get(OURS)
    ids = {IDS[0]: Kind.TEXT} if IDS[0] in names else {}
    if kind == TASKS_TABLE and {*_TASKS, "reason"} <= names <= {*Attempt._fields, *IDS, IN_CHILD}:
        columns = {**ids, **_TASKS, "reason": Kind.TEXT}
        return Look(columns=columns, if_any={IN_CHILD: Kind.TEXT}, cells={"input": _arguments})
    if kind == EXECUTIONS_TABLE and names == set(EXECUTION_COLUMNS):
        return Look(columns=_EXECUTIONS, if_any={"forked_from": Kind.TEXT})
    look = LOOKS.get(kind) if isinstance(kind, str) else None
    if look is None or not look.of(names):
        return None
    return dataclasses.replace(look, columns={**ids, **look.columns})


def _holds_its_values(frame: pd.DataFrame, look: Look) -> bool:
    """Whether each column that is shown is there once, and holds values of its kind."""
    kinds = {name: kind for name, kind in {**look.columns, **look.if_any}.items() if name in frame.columns}
    return frame.columns.is_unique and all(
        pd.api.types.infer_dtype(frame[name], skipna=True) in (look.inferred.get(name), *_INFERRED[kind], "empty")
        and not (kind.is_number and frame[name].isin([math.inf, -math.inf]).any())
        for name, kind in kinds.items()
    )


_INFERRED: Final = {
    **dict.fromkeys((Kind.TEXT, Kind.STATE, Kind.JSON), ("string",)),
    Kind.TIME: ("datetime64", "datetime"),
    Kind.COUNT: ("integer",),
    **dict.fromkeys((Kind.SECONDS, Kind.PERCENTAGE), ("floating", "integer", "mixed-integer-float")),
}
"""What `pandas.api.types.infer_dtype` says of a column of a kind."""


def _rows_of(frame: pd.DataFrame, tasks: Iterable[Attempt]) -> pd.DataFrame:
    """The rows of these attempts, in their order."""
    chosen = [each.scheduled_event_id for each in tasks]
    return frame.set_index("scheduled_event_id", drop=False).loc[chosen].reset_index(drop=True)


def _arguments(text: object) -> object:
    """The input of a task, without the frame that simpleflow puts around it where that is empty."""
    if not isinstance(text, str):
        return text
    try:
        value = described(parse(text))
    except ValueError:
        return text
    match value:
        case {"args": [*args], "kwargs": {}} if len(value) == 2 and not value["kwargs"]:
            return canonical(args)
        case {"args": [], "kwargs": {**kwargs}} if len(value) == 2:
            return canonical(kwargs)
    return text
