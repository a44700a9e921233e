"""The notebook's renderings: from the record of a command to the value of a cell.

Executions, histories and figures are handed on as they are, listings as tables of pandas: those are made in
`notebook.table_renderers`, so that pandas is imported by who asks for the first table. Any listing and any text has a
rendering; a record that the notebook shows otherwise has a function of its own here or there.
"""

from __future__ import annotations

import functools
from typing import Any

from simpleflow_lab.commands.command_table import Version
from simpleflow_lab.commands.compare import ExecutionsCompared
from simpleflow_lab.commands.debug import Debugged
from simpleflow_lab.commands.engine import EngineStarted
from simpleflow_lab.commands.explain import ExecutionExplanation
from simpleflow_lab.commands.inspection import (
    ExecutionGantt,
    ExecutionHistory,
    ExecutionLogs,
    OpenedHistories,
    OpenedHistory,
)
from simpleflow_lab.commands.one_task import Rerun
from simpleflow_lab.commands.processes import WorkersStarted
from simpleflow_lab.commands.records import Done, Record, TextRecord
from simpleflow_lab.commands.workflow import Outcome, Resumed
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.execution import Execution
from simpleflow_lab.notebook.cell_values import Text


@functools.singledispatch
def cell_value(record: Record) -> Any:
    """The value of a cell for a record. Raises `TypeError` for a record without a rendering."""
    from simpleflow_lab.notebook.table_renderers import table_value  # noqa: PLC0415  imports pandas

    return table_value(record)


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
    """The text about an execution for which no decision can be made."""
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
    from simpleflow_lab.notebook.table_renderers import table_of_all_tasks  # noqa: PLC0415  imports pandas

    return table_of_all_tasks(record.execution)


@cell_value.register
def _logs(record: ExecutionLogs) -> Any:
    if record.follow:
        raise UsageError("a cell shows what there is: leave out --follow, and run it again to see more")
    return record.execution.logs(**record.selection)


@cell_value.register
def _explanation(record: ExecutionExplanation) -> Any:
    return record.execution.explain()


@cell_value.register
def _comparison(record: ExecutionsCompared) -> Any:
    return record.comparison()
