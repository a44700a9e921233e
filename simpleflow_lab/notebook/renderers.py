"""The notebook's renderings: from the record of a command to the value of a cell.

Executions, histories and figures are handed on as they are, listings as pandas tables. A table that is too wide to read
shows its most read columns and is handed on whole. Any listing and any text has a rendering; a record that the notebook
shows otherwise has a function of its own here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Final

from simpleflow_lab.commands.command_table import Version
from simpleflow_lab.commands.compare import ExecutionsCompared
from simpleflow_lab.commands.debug import Debugged
from simpleflow_lab.commands.engine import EngineStarted
from simpleflow_lab.commands.executions import ListedExecutions
from simpleflow_lab.commands.explain import ExecutionExplanation
from simpleflow_lab.commands.inspection import (
    AnyExecution,
    ExecutionGantt,
    ExecutionHistory,
    ExecutionInfo,
    ExecutionLogs,
    ExecutionTasks,
    OpenedHistories,
    OpenedHistory,
)
from simpleflow_lab.commands.one_task import Rerun
from simpleflow_lab.commands.processes import WorkersStarted
from simpleflow_lab.commands.records import Done, ListingRecord, Record, TextRecord
from simpleflow_lab.commands.workflow import Outcome, Resumed
from simpleflow_lab.data.codec import canonical, parse
from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.execution import Execution
from simpleflow_lab.notebook.cell_values import Table, Text, table_of_frame, table_of_listing
from simpleflow_lab.views import html
from simpleflow_lab.views.attempts import Attempt
from simpleflow_lab.views.combined_tables import IDS
from simpleflow_lab.views.formatting import count, described
from simpleflow_lab.views.listing_shape import Shape
from simpleflow_lab.views.listings import Kind, Listing
from simpleflow_lab.views.tables import (
    EXECUTION_COLUMNS,
    EXECUTIONS_TABLE,
    IN_CHILD,
    OURS,
    TASKS_TABLE,
    executions_table,
)
from simpleflow_lab.views.workflow_listings import listing_of_tasks, shown_tasks


@functools.singledispatch
def cell_value(record: Record) -> Any:
    """The value of a cell for a record. Raises `TypeError` for a record without a rendering."""
    raise TypeError(f"the notebook has no rendering for {type(record).__name__}")


@cell_value.register
def _table(record: ListingRecord) -> Any:
    return table_of_listing(record.listing())


def shaped_value(record: ListingRecord, shape: Shape) -> Any:
    """The value of a cell for a record in this shape: the rows of `cell_value(record)` that it chooses, in its order.

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


@cell_value.register
def _text(record: TextRecord) -> Any:
    return Text(record.text())


@cell_value.register
def _nothing(record: Done) -> Any:
    return None


@cell_value.register
def _version(record: Version) -> Any:
    return record.version


@cell_value.register
def _engine(record: EngineStarted) -> Any:
    return record


@cell_value.register
def _rerun(record: Rerun) -> Any:
    """Gives what the activity returned, and raises what it raised, for `%debug`."""
    if record.error is not None:
        raise record.error
    return record.result


@cell_value.register
def _started(record: WorkersStarted) -> Any:
    return record.workers


# -- executions --------------------------------------------------------------------------------------------------------


@cell_value.register
def _outcome(record: Outcome) -> Any:
    """Gives the execution. Raises `UsageError` if its decision is blocked."""
    if record.error is not None and not record.finished:
        raise UsageError(blocked(record.execution, record.error))
    return record.execution


def blocked(execution: Execution, error: Exception) -> str:
    """What is said of an execution for which no decision can be made."""
    return " ".join(f"{execution.workflow_id} stays open and can't go on for now: {error}".split())


@cell_value.register
def _resumed(record: Resumed) -> Any:
    """Gives the execution, if it is one; else a list of them; `None` if there is none."""
    executions = [cell_value(outcome) for outcome in record.outcomes]
    return executions[0] if len(executions) == 1 else executions or None


@cell_value.register
def _opened(record: OpenedHistory) -> Any:
    return record.execution


@cell_value.register
def _opened_folder(record: OpenedHistories) -> Any:
    return record.executions


@cell_value.register
def _debugged(record: Debugged) -> Any:
    return record.debugger


@cell_value.register
def _gantt(record: ExecutionGantt) -> Any:
    return record.execution.gantt()


@cell_value.register
def _history(record: ExecutionHistory) -> Any:
    if record.form != "cooked":
        return record.execution.history()
    frame = _frame_of_tasks(record.execution)
    return _table_of_tasks(frame, frame)


@cell_value.register
def _logs(record: ExecutionLogs) -> Any:
    if record.follow:
        raise UsageError("a cell shows what there is: leave out --follow, and run it again to see more")
    return record.execution.logs(**record.selection)


# -- tables that are wider than what is shown --------------------------------------------------------------------------

_EXECUTIONS: Final = {
    "workflow_id": Kind.TEXT,
    "workflow_type": Kind.TEXT,
    "version": Kind.TEXT,
    "status": Kind.TEXT,
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


@cell_value.register
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
    return table_of_frame(rows, kinds)


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


@cell_value.register
def _info(record: ExecutionInfo) -> Any:
    table = table_of_listing(record.listing())
    return Table(table, list(table.columns), record.execution._repr_html_())


@cell_value.register
def _explanation(record: ExecutionExplanation) -> Any:
    return record.execution.explain()


@cell_value.register
def _comparison(record: ExecutionsCompared) -> Any:
    return record.comparison()


@cell_value.register
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


def _table_of_tasks(rows: pd.DataFrame, whole: pd.DataFrame) -> Table:
    shown = {**_TASKS, "reason": Kind.TEXT} if whole["reason"].notna().any() else _TASKS
    return table_of_frame(rows, shown, {"input": _arguments})


def own_html(frame: pd.DataFrame) -> str | None:
    """The HTML of a table of tasks or of executions, or of some rows of one, with the columns that are read most; of
    tasks that are too many to be shown with what failed first. `None` for any other frame, and for one that has a
    column of somebody else's, which is to be seen."""
    shown = _columns_read_most(frame)
    if shown is None:
        return None
    table = table_of_frame(frame, shown, {"input": _arguments} if "input" in shown else {})
    number = count(len(frame.columns), "column")
    return f"{table._repr_html_()}{html.quiet(f'{len(shown)} of {number}; .columns names them')}"


def _columns_read_most(frame: pd.DataFrame) -> dict[str, Kind] | None:
    names, kind = set(frame.columns), frame.attrs.get(OURS)
    if kind == TASKS_TABLE and {*_TASKS, "reason"} <= names <= {*Attempt._fields, *IDS, IN_CHILD}:
        ids: dict[str, Kind] = {name: Kind.TEXT for name in (IDS[0], IN_CHILD) if name in names}
        return {**ids, **_TASKS, "reason": Kind.TEXT}
    # Times in another zone are shown as pandas does: a cell of ours has them in UTC.
    if kind == EXECUTIONS_TABLE and names == set(EXECUTION_COLUMNS) and str(frame["started"].dtype).endswith("UTC]"):
        return {**_EXECUTIONS, "forked_from": Kind.TEXT} if frame["forked_from"].notna().any() else _EXECUTIONS
    return None


def _rows_of(frame: pd.DataFrame, tasks: Iterable[Attempt]) -> pd.DataFrame:
    """The rows of these attempts, in their order."""
    chosen = [each.scheduled_event_id for each in tasks]
    return frame.set_index("scheduled_event_id", drop=False).loc[chosen].reset_index(drop=True)


def _arguments(text: str) -> str:
    """The input of a task, without the frame that simpleflow puts around it where that is empty."""
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
