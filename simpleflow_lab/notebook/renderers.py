"""From the record of a command to what a cell shows and hands on.

One case a record: executions, histories and figures as they are, tables as pandas. A table that is too wide to read is
shown in part and handed on whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import pandas as pd

from simpleflow_lab.commands.records import (
    About,
    Asked,
    EngineStarted,
    Executions,
    Gantt,
    Help,
    HistoryShown,
    Info,
    Opened,
    Outcome,
    Profile,
    Record,
    Resumed,
    Tasks,
    Version,
)
from simpleflow_lab.commands.table import CommandSpec
from simpleflow_lab.data.codec import canonical, parse
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.execution import Execution, RecordedExecution
from simpleflow_lab.views import html
from simpleflow_lab.views.formatting import described, duration
from simpleflow_lab.views.listings import workflow_info
from simpleflow_lab.views.style import look
from simpleflow_lab.views.tables import executions_table


class Table(pd.DataFrame):
    """A DataFrame that shows the part of it that is read; what is made of it is a plain DataFrame."""

    _metadata: Final = ["_shown", "_html"]

    def __init__(self, frame: pd.DataFrame, shown: Sequence[str], html_text: str):
        super().__init__(frame)  # type: ignore[call-arg]
        self._shown = list(shown)
        self._html = html_text

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        return repr(pd.DataFrame(self)[self._shown])

    def _repr_html_(self) -> str:
        return self._html


class Text:
    """Text in a font of fixed width."""

    def __init__(self, text: str):
        self._text = text.rstrip()

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return html.piece(f"<pre>{html.escape(self._text, _MAX_HELP)}</pre>")


_MAX_HELP: Final = 20_000


class Commands:
    """Every command, as a table."""

    def __init__(self, specs: Iterable[CommandSpec]):
        self._rows = [(spec.name, spec.summary) for spec in specs if spec.name]

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self._rows)
        lines = [f"%simpleflow {name.ljust(width)}  {summary}" for name, summary in self._rows]
        return "\n".join([*lines, _MORE_HELP])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td><code>%simpleflow {html.escape(name)}</code></td><td>{html.escape(summary)}</td></tr>"
            for name, summary in self._rows
        )
        return html.piece(
            f"<table><thead><tr><th>command</th><th>what it does</th></tr></thead><tbody>{rows}</tbody></table>",
            f'<div class="sfl-quiet">{html.escape(_MORE_HELP)}</div>',
        )


_MORE_HELP: Final = (
    "%simpleflow help COMMAND shows its options. -o NAME keeps the result in a variable; --input takes JSON or the "
    "name of a variable. %%simpleflow runs the definitions of a cell and says what they are."
)


def answer(record: Record) -> Any:
    """What a cell gets for a record. Raises `UsageError` for an execution that can't go on for now."""
    match record:
        case Outcome(finished=False, error=error, execution=execution) if error is not None:
            raise UsageError(f"{execution.workflow_id} stays open and can't go on for now: {error}")
        case Outcome(execution=execution):
            return execution
        case Resumed(outcomes=outcomes):
            return _resumed(outcomes)
        case Executions(infos=infos):
            return _executions(executions_table(infos))
        case Info(execution=execution):
            return _info(execution)
        case Tasks(execution=execution, nb_tasks=nb_tasks):
            return _tasks(execution, nb_tasks)
        case Profile(execution=execution, nb_tasks=nb_tasks):
            return _profile(execution, nb_tasks)
        case HistoryShown(execution=execution, form=form):
            return _tasks(execution, None) if form == "cooked" else execution.history()
        case Gantt(execution=execution):
            return execution.gantt()
        case Opened(execution=execution):
            return execution
        case EngineStarted():
            return record
        case About(sections=sections):
            rows = [(section, name, value) for section, of in sections.items() for name, value in of.items()]
            return _table(pd.DataFrame(rows, columns=["section", "name", "value"]))
        case Help(text=text):
            return Text(text)
        case Version(version=version):
            return version
    return None


def said(record: Record) -> str | None:
    """What a command did beside its answer, in a line."""
    match record:
        case Asked(message=message):
            return message
        case Resumed(outcomes=()):
            return "nothing to resume: no execution of this store is open"
        case HistoryShown(file=file) | Gantt(file=file) if file is not None:
            return f"written to {file}"
    return None


# -- tables ------------------------------------------------------------------------------------------------------------


def _resumed(outcomes: Sequence[Outcome]) -> Any:
    """The execution, if it is one; else all of them."""
    executions = [answer(outcome) for outcome in outcomes]
    return executions[0] if len(executions) == 1 else executions or None


def _executions(frame: pd.DataFrame) -> Table:
    return _table(frame, ("workflow_id", "workflow_type", "version", "status", "started", "duration"))


def _tasks(execution: Execution | RecordedExecution, nb_tasks: int | None) -> Table:
    frame = execution.tasks() if nb_tasks is None else execution.tasks().tail(nb_tasks)
    shown = ["id", "attempt", "state", "waiting", "running", "input", "result"]
    return _table(frame, [*shown, "reason"] if frame["reason"].notna().any() else shown)


def _profile(execution: Execution | RecordedExecution, nb_tasks: int | None) -> Table:
    frame = execution.profile()
    shown = ("name", "count", "attempts", "failed", "total_running", "mean_running", "total_waiting", "percentage")
    return _table(frame if nb_tasks is None else frame.head(nb_tasks), shown)


def _info(execution: Execution | RecordedExecution) -> Table:
    listing = workflow_info(
        execution.history(), domain=execution.domain, workflow_id=execution.workflow_id, run_id=execution.run_id
    )
    frame = pd.DataFrame(listing.rows, columns=list(listing.headers))
    return Table(frame, listing.headers, execution._repr_html_())


def _table(frame: pd.DataFrame, shown: Sequence[str] = ()) -> Table:
    columns = list(shown) or list(frame.columns)
    rows = ([_cell(name, value) for name, value in zip(columns, row, strict=True)] for row in _values(frame[columns]))
    headers = [column.replace("_", " ") for column in columns]
    return Table(frame, columns, html.table(headers, rows))


def _values(frame: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    return zip(*(frame[column].tolist() for column in frame), strict=True) if len(frame) else ()


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    if name in _SECONDS:
        return duration(value)
    if name == "state":
        return f"{look(value).sign} {look(value).word}"
    if name == "input" and isinstance(value, str):
        return _arguments(value)
    if name == "percentage":
        return f"{value:.1f} %"
    return None if value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)) else value


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


_SECONDS: Final = frozenset({"duration", "waiting", "running", "total_running", "mean_running", "total_waiting"})

__all__ = ["Commands", "Table", "Text", "answer", "said"]
