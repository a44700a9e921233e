"""The views of one history as methods: tables, charts and HTML of an execution.

Rule: importing this module imports neither pandas nor plotly nor any view, for a command that starts an execution shows
none. The methods import what they draw with.
"""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.swf.history import History

if TYPE_CHECKING:
    import pandas as pd

    from simpleflow_lab.views.attempts import Attempt
    from simpleflow_lab.views.chart import Chart
    from simpleflow_lab.views.comparison import Comparison
    from simpleflow_lab.views.continued_runs import RunsBefore
    from simpleflow_lab.views.explanation import Explanation
    from simpleflow_lab.views.explanation_lines import ExplanationLine
    from simpleflow_lab.views.history_fold import FoldedHistory
    from simpleflow_lab.views.lineage import Lineage
    from simpleflow_lab.views.opened_child import OpenedChild
    from simpleflow_lab.views.waiting import Wait, Waits

TimeZone = str | datetime.tzinfo | None
"""The zone of the times in a table: see `views.time_zones.in_time_zone`."""
UTC: Final = "UTC"

Advised = TypeVar("Advised", "ExplanationLine", "Wait")
"""A record that gives advice, in its `to_do`."""


def _as_it_is(execution: HistoryViews, to_do: str) -> str:
    """The advice as it is."""
    return to_do


class HistoryViews(ABC):
    """An execution with its history, and the views of it. Tables are pandas frames; durations are in seconds.

    Their times are in UTC, or in the zone that `timezone` names, as in `tasks(timezone="Europe/Berlin")`. With
    `timezone=None` they are in UTC and without a zone, as Excel takes them: `tasks(timezone=None).to_excel(…)`.
    """

    spelled: Callable[[Any, str], str] = staticmethod(_as_it_is)
    """Spells advice about an execution, with calls of `execution` and `lab`, as it is shown. A notebook puts
    another function here, which knows the names of its variables."""

    workflow_id = ""
    run_id = ""
    domain = ""

    @abstractmethod
    def history(self) -> History:
        """The events so far."""

    def ids(self) -> tuple[str, str]:
        """The workflow id and the run id of its execution; empty where they are not known."""
        return self.workflow_id, self.run_id

    def _folded(self) -> FoldedHistory:
        """The history folded, with open tasks counted up to now if it goes on."""
        from simpleflow_lab.views.history_fold import fold_history

        return fold_history(self.history())

    @property
    def warnings(self) -> tuple[str, ...]:
        """Lines for the author of the workflow."""
        return ()

    def waiting_for(self) -> Waits:
        """Its waits, as its history shows them; empty if it has closed. See `views.waiting.Wait`."""
        from simpleflow_lab.views.waiting import Waits

        folded = self._folded()
        return Waits(self._advising(self._waits_of(folded)), now=folded.until)

    def _advising(self, lines: Iterable[Advised]) -> list[Advised]:
        """These waits, or lines, with what helps as it is spelled here."""
        spelled = type(self).spelled
        return [replace(each, to_do=spelled(self, each.to_do)) if each.to_do else each for each in lines]

    def _waits_of(self, folded: FoldedHistory) -> list[Wait]:
        """The waits of it itself, and what blocks those below it."""
        from simpleflow_lab.views.history_waits import waits_of

        return waits_of(folded, workflow_id=self.workflow_id)

    def _runs_before(self, folded: FoldedHistory) -> RunsBefore | None:
        """The runs from which it goes on, if they can be read."""
        return None

    def explain(self) -> Explanation:
        """An explanation of it, in at most ten lines: its status and who gave it, what it waits for, what failed,
        and where the time went. See `views.explanation`."""
        from simpleflow_lab.views.explanation import Explanation, explain

        folded = self._folded()
        lines = explain(folded, workflow_id=self.workflow_id, waits=self._waits_of(folded))
        return Explanation(self._advising(lines))

    def critical_path(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """The critical path, where its time went: one row per segment; see `views.path_tables`."""
        from simpleflow_lab.views.path_tables import critical_path_table

        return _in_zone(critical_path_table(self._folded()), timezone)

    def compare(self, other: HistoryViews) -> Comparison:
        """The differences of this execution from another one: the first task that differs, and what on the critical
        path took longer. It displays itself; `tasks()` has one row per task. See `views.comparison`. Raises
        `UsageError` for what is no execution."""
        from simpleflow_lab.views.comparison import compare

        if not isinstance(other, HistoryViews):
            raise UsageError(f"an execution is compared with another execution, not with {other!r:.80}")
        return compare(self._folded(), other._folded(), call=self._call_of_compare(other))

    def _call_of_compare(self, other: HistoryViews) -> str:
        """The call that compares them, by the names that are known where it is shown; empty if there is none."""
        calls = [type(each).spelled(each, "execution.tasks()") for each in (self, other)]
        if any(not call.endswith(".tasks()") for call in calls):
            return ""
        one, two = (call.removesuffix(".tasks()") for call in calls)
        return "comparison" if one == two else f"{one}.compare({two})"

    def slack(self) -> pd.DataFrame:
        """The time by which each task could have taken longer without delay; see `views.path_tables.slack_table`."""
        from simpleflow_lab.views.path_tables import slack_table

        return slack_table(self._folded())

    def time_spent(self) -> pd.DataFrame:
        """The time that it spent on each of these: running, waiting for a worker, deciding, waiting for a decider, a
        signal or a timer, idle. One row for each; see `views.time_spent.time_spent_table`."""
        from simpleflow_lab.views.time_spent import time_spent_table

        return time_spent_table(self._folded())

    def concurrency(self, *, by: str | None = None) -> Chart:
        """The number of tasks that ran at once and of those that were queued, over time; what ran is told apart `by`
        `name`, `task_list` or `worker`. Raises `UsageError` for another `by`."""
        from simpleflow_lab.views.time_spent import concurrency

        return concurrency(self._folded(), by=by)

    def lineage(self, scheduled_event_id: int) -> Lineage:
        """The attempts that one depended on, and those that depended on it; each is named by the id of the event that
        scheduled it, as in `attempts()`. See `views.lineage`."""
        from simpleflow_lab.views.lineage import dependencies_of

        return dependencies_of(self._folded()).of(scheduled_event_id)

    def graph(self, *, open: str | Collection[str] = ()) -> Chart:
        """Its dependency graph: a map or a group is one row with counts, until it is opened by the name of its tasks;
        see `views.graph.graph`. Raises `UsageError` if there are no such tasks."""
        from simpleflow_lab.views.graph import graph

        return graph(self._folded(), open=open)

    def events(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """One row per event; see `views.tables.events_table`."""
        from simpleflow_lab.views.tables import events_table

        return _in_zone(events_table(self.history()), timezone)

    def tasks(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """One row per attempt of every activity task, child execution, timer, …; see `views.tables.tasks_table`."""
        from simpleflow_lab.views.tables import tasks_table

        return _in_zone(tasks_table(self._folded()), timezone)

    def attempts(self) -> tuple[Attempt, ...]:
        """Every attempt as a record, in the order of scheduling: the rows of `tasks()`, without pandas."""
        return self._folded().tasks

    def point_events(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """One row per marker, signal, cancel request and refused decision: what takes no time."""
        from simpleflow_lab.views.tables import point_events_table

        return _in_zone(point_events_table(self._folded()), timezone)

    def decisions(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """One row per decision task; see `views.tables.decisions_table`."""
        from simpleflow_lab.views.tables import decisions_table

        return _in_zone(decisions_table(self._folded()), timezone)

    def profile(self) -> pd.DataFrame:
        """One row per activity: how many, how long they waited and ran, and their share of the whole."""
        from simpleflow_lab.views.profile import profile_table

        return profile_table(self._folded())

    def steps(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """One row per step of a workflow with steps; see `views.step_tables.steps_table`."""
        from simpleflow_lab.views.step_tables import steps_table

        return _in_zone(steps_table(self.history()), timezone)

    def unhandled_failures(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """The tasks that failed at their last attempt, and whose failure the closed workflow never handled; of an open
        execution those that have failed so far: its code may handle them yet.

        Those in children that closed stand below, with the child's workflow id in the column `in_child`; a recorded
        history has its own only. See `views.tables.unhandled_failures`.
        """
        from simpleflow_lab.views.tables import unhandled_failures

        folded = self._folded()
        return _in_zone(unhandled_failures(folded, self._unhandled_in_children(folded)), timezone)

    def _unhandled_in_children(self, folded: FoldedHistory) -> Sequence[tuple[str, Attempt]]:
        """The attempts in its children, and in theirs, whose failure nobody handled, each with the id of the child."""
        return ()

    def unnoticed_failures(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """The earlier name of `unhandled_failures`."""
        return self.unhandled_failures(timezone=timezone)

    def _metrology(self, records: Iterable[Mapping[str, Any]], by: str) -> pd.DataFrame:
        """These figures of its activities, by `step` or by `activity`."""
        from simpleflow_lab.views.metrology_tables import metrology_by_activity, metrology_table

        if by not in ("step", "activity"):
            raise UsageError(f"metrology is given by 'step' or by 'activity', not by {by!r}")
        table = metrology_table(self._folded(), records)
        return table if by == "step" else metrology_by_activity(table)

    def gantt(self, *, children: bool = False, **options: Any) -> Chart:
        """A Gantt chart. With `children` the tasks of its children stand below these; the other options are those of
        `views.gantt.gantt`: `by`, `elapsed`, `fold`, `lineage`, `title`, `max_bars`. Raises `UsageError`."""
        from simpleflow_lab.views.gantt import OPTIONS, gantt
        from simpleflow_lab.views.waiting import phrase

        for name in options:
            if name not in OPTIONS:
                known = ", ".join(sorted((*OPTIONS, "children")))
                raise UsageError(f"a Gantt chart has no option {name!r:.80}: there are {known}")
        folded = self._folded()
        opened = self._opened_children(folded) if children else {}
        return gantt(folded, **{"waits": phrase(self._waits_of(folded)), **options}, children=opened)

    def _opened_children(self, folded: FoldedHistory) -> Mapping[int, OpenedChild]:
        """The histories of its children, by the events that initiated them."""
        raise UsageError("a recorded history has no tasks of its children: open their own histories")

    def gantt_html(self) -> str:
        """The Gantt chart and the task table as one HTML page that needs nothing else."""
        from simpleflow_lab.views.execution_page import gantt_html
        from simpleflow_lab.views.waiting import Waits

        folded = self._folded()
        title = " ".join(part for part in (folded.history.workflow_type, self.workflow_id) if part)
        return gantt_html(folded, title=title, waits=Waits(self._waits_of(folded), now=folded.until))

    def export(self, path: str | Path, *, force: bool = False) -> Path:
        """Write it to a file, in the form that its name ends with: `.html`, `.svg`, `.json`, `.csv`, `.xlsx`, or
        `.trace.json` for Chrome and Perfetto; gives the path. See `views.export_files.export`. Raises `UsageError`."""
        from simpleflow_lab.views.export_files import export

        return export(self, path, force=force)

    def _repr_html_(self) -> str:
        """The summary that a notebook shows, with the extension loaded or without."""
        from simpleflow_lab.views.explanation import explain
        from simpleflow_lab.views.html import execution_html

        folded = self._folded()
        waits, before = self._waits_of(folded), self._runs_before(folded)
        lines = explain(folded, workflow_id=self.workflow_id, waits=waits, before=before)
        html = execution_html(
            folded,
            workflow_id=self.workflow_id,
            run_id=self.run_id,
            domain=self.domain,
            warnings=self.warnings,
            explanation=self._advising(lines),
            below=[] if folded.history.close_status is None else self._unhandled_in_children(folded),
        )
        return str(html)


def _in_zone(table: pd.DataFrame, timezone: TimeZone) -> pd.DataFrame:
    from simpleflow_lab.views.time_zones import in_time_zone

    return in_time_zone(table, timezone)
