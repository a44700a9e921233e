"""Several executions viewed together: of a folder of histories, or of the last days of a Lab.

    week = lab.select_executions(last="7d", workflow="nightly")
    week.profile()
    open_histories("histories/").tasks()

Rule: an execution of a service is read when a table is made of it, and let go: only the rows are held.
"""

from __future__ import annotations

import datetime
import functools
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, overload

from simpleflow_lab.exceptions import HistoryError, UsageError
from simpleflow_lab.recorded_execution import RecordedExecution, open_history
from simpleflow_lab.swf.event_types import CLOSE_STATUS
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.history_views import UTC, HistoryViews, TimeZone
from simpleflow_lab.views.listings import Kind, Listing
from simpleflow_lab.views.summary import OPEN, execution_summary

if TYPE_CHECKING:
    import pandas as pd

_UNITS: Final[Mapping[str, str]] = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COLUMNS: Final = {
    "execution": Kind.TEXT,
    "workflow": Kind.TEXT,
    "status": Kind.STATE,
    "started": Kind.TIME,
    "closed": Kind.TIME,
    "seconds": Kind.SECONDS,
    "events": Kind.COUNT,
}
_STATUSES: Final = (OPEN, *dict.fromkeys(CLOSE_STATUS.values()))
_MAX_NAMED: Final = 3
"""So many files that are no histories are named in the warning."""


class Member(NamedTuple):
    """One of several executions."""

    workflow_id: str
    """Its workflow id; of a file without one, the name of the file."""
    run_id: str
    """Its run id; empty if it is not known."""
    open: Callable[[], HistoryViews]
    """Gives the execution itself, which reads its history when it is asked for something."""


class Executions(Sequence[HistoryViews]):
    """Several executions in order. Tables are those of one execution, with two columns before them: `workflow_id`, and
    `workflow_run_id`, for the `run_id` of a task is that of a child."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._members = tuple(members)

    @classmethod
    def of(cls, *executions: HistoryViews) -> Executions:
        """These executions."""
        return cls(
            Member(each.workflow_id or str(number), each.run_id, functools.partial(_same, each))
            for number, each in enumerate(executions, 1)
        )

    def __repr__(self) -> str:
        names = ", ".join(member.workflow_id for member in self._members[:5])
        more = ", …" if len(self) > 5 else ""
        return f"<Executions: {len(self):,}{': ' if names else ''}{names}{more}>"

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[HistoryViews]:
        return (member.open() for member in self._members)

    @overload
    def __getitem__(self, index: int) -> HistoryViews: ...
    @overload
    def __getitem__(self, index: slice) -> Executions: ...
    def __getitem__(self, index: int | slice) -> HistoryViews | Executions:
        """The execution at this place, from 0; of a slice, those executions."""
        if isinstance(index, slice):
            return Executions(self._members[index])
        return self._members[index].open()

    def execution(self, workflow_id: str) -> HistoryViews:
        """The first one with this workflow id, or of the file of this name. Raises `UsageError` if there is none."""
        found = next((member for member in self._members if member.workflow_id == workflow_id), None)
        if found is None:
            raise UsageError(f"no execution {workflow_id!r:.80} among these {len(self):,}")
        return found.open()

    def executions(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """One row per execution; the columns are those of `views.tables.executions_table`."""
        from simpleflow_lab.views.tables import executions_table
        from simpleflow_lab.views.time_zones import in_time_zone

        infos = [_info(member, member.open().history()) for member in self._members]
        return in_time_zone(executions_table(infos), timezone)

    def listing(self) -> Listing:
        """One row per execution."""
        rows = [
            (member.workflow_id, each.workflow_type, each.status, each.started, each.closed, each.duration, each.events)
            for member in self._members
            for each in [execution_summary(member.open().history())]
        ]
        return Listing(columns=_COLUMNS, rows=rows)

    def tasks(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """One row per attempt of every task of every execution; see `views.tables.tasks_table`."""
        from simpleflow_lab.views.time_zones import in_time_zone

        return in_time_zone(self._tasks(), timezone)

    def events(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """One row per event of every execution; see `views.tables.events_table`."""
        return self._combined(lambda execution: execution.events(timezone=timezone))

    def decisions(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """One row per decision task of every execution; see `views.tables.decisions_table`."""
        return self._combined(lambda execution: execution.decisions(timezone=timezone))

    def critical_path(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """The critical paths of all, a row per segment; see `views.path_tables.critical_path_table`."""
        return self._combined(lambda execution: execution.critical_path(timezone=timezone))

    def unhandled_failures(self, *, timezone: TimeZone = UTC) -> pd.DataFrame:
        """The tasks that failed at their last attempt, and whose failure the closed workflow never handled."""
        return self._combined(lambda execution: execution.unhandled_failures(timezone=timezone))

    def profile(self) -> pd.DataFrame:
        """One row per activity, child type, …, of all executions together; see
        `views.combined_tables.profile_of_many`."""
        from simpleflow_lab.views.combined_tables import profile_of_many

        seconds: list[float] = []
        return profile_of_many(self._tasks(seconds.append), sum(seconds))

    def _tasks(self, took: Callable[[float], object] | None = None) -> pd.DataFrame:
        """The tasks of all; `took` is told how long each execution took, in seconds."""
        from simpleflow_lab.views.combined_tables import Attempts, combined_tasks

        def attempts() -> Iterator[Attempts]:
            for member in self._members:
                execution = member.open()
                folded = execution._folded()
                if took is not None:
                    took(execution_summary(folded).duration)
                yield Attempts(member.workflow_id, member.run_id, folded.tasks)

        return combined_tasks(attempts())

    def _combined(self, table: Callable[[HistoryViews], pd.DataFrame]) -> pd.DataFrame:
        from simpleflow_lab.views.combined_tables import Part, combined

        nothing = table(RecordedExecution(History([])))
        return combined((Part(each.workflow_id, each.run_id, table(each.open())) for each in self._members), nothing)

    def _repr_html_(self) -> str:
        """The table of the executions, as a notebook shows it."""
        return self.executions().to_html(max_rows=60, show_dimensions=True, border=0)


def _same(execution: HistoryViews) -> HistoryViews:
    return execution


def _info(member: Member, history: History) -> Mapping[str, Any]:
    """SWF's `executionInfo` of an execution, as its history tells it."""
    summary = execution_summary(history)
    return {
        "execution": {"workflowId": member.workflow_id, "runId": member.run_id},
        "workflowType": {"name": summary.workflow_type, "version": summary.version},
        "startTimestamp": summary.started,
        "closeTimestamp": summary.closed,
        "tagList": summary.tag_list,
        "parent": {"workflowId": summary.parent},
        "cancelRequested": summary.cancel_requested,
        "closeStatus": None if summary.status == OPEN else summary.status,
    }


# -- which executions --------------------------------------------------------------------------------------------------


def open_histories(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Executions:
    """The executions of history files: of these files, or of all `*.json` files of a folder, by name.

    The files of a folder that are no histories are left out, with a `UserWarning` that names them. Raises
    `HistoryError` for one that is named, and for a folder without histories.
    """
    if not isinstance(paths, str | os.PathLike):
        return Executions(_of_file(Path(path)) for path in paths)
    if not os.path.isdir(paths):
        return Executions([_of_file(Path(paths))])
    executions, left_out = histories_of(paths)
    if left_out is not None:
        warnings.warn(left_out, stacklevel=2)
    return executions


def histories_of(folder: str | os.PathLike[str]) -> tuple[Executions, str | None]:
    """The executions of a folder, and a line about its `*.json` files that are no histories, if there are any.

    Raises `HistoryError` if it has no history.
    """
    members: list[Member] = []
    others: dict[str, HistoryError] = {}
    for path in sorted(Path(folder).glob("*.json")):
        try:
            members.append(_of_file(path))
        except HistoryError as error:
            others[path.name] = error
    if not members:
        why = next(iter(others.values()), "it has no *.json file")
        raise HistoryError(f"{os.fspath(folder)} has no history of an execution: {why}")
    if not others:
        return Executions(members), None
    names = ", ".join(list(others)[:_MAX_NAMED]) + (", …" if len(others) > _MAX_NAMED else "")
    return Executions(members), f"{os.fspath(folder)}: {len(others)} left out, for they are no histories: {names}"


def _of_file(path: Path) -> Member:
    execution = open_history(path)
    return Member(path.name.removesuffix(".json"), "", functools.partial(_same, execution))


def period(
    last: str | datetime.timedelta | None,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    now: datetime.datetime,
) -> tuple[datetime.datetime | None, datetime.datetime | None]:
    """The start and the end of a range: `last` is a time before now, as "7d", "12h", "30m", "90s", "2w". Raises
    `UsageError`."""
    if last is not None and since is not None:
        raise UsageError("give last=… or since=…, not both")
    since, until = _aware(since, "since"), _aware(until, "until")
    if last is None:
        return since, until
    try:
        return now - (last if isinstance(last, datetime.timedelta) else _duration(last)), until
    except OverflowError:
        raise UsageError(f"last={last!r:.40} is longer ago than the calendar goes") from None


def _aware(time: datetime.datetime | None, name: str) -> datetime.datetime | None:
    """The time; one without a zone is in that of this computer."""
    if time is not None and not isinstance(time, datetime.datetime):
        raise UsageError(f"{name} is a datetime.datetime, not {time!r:.40}")
    if time is None or time.tzinfo is not None:
        return time
    return datetime.datetime.combine(time.date(), time.time()).astimezone()  # pandas' times, too


def _duration(text: object) -> datetime.timedelta:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", text) if isinstance(text, str) else None
    if found is None:
        raise UsageError(f"last is a number with s, m, h, d or w, as in '7d', or a timedelta, not {text!r:.40}")
    return datetime.timedelta(**{_UNITS[found[2]]: float(found[1])})


def _status(text: object) -> str:
    if not isinstance(text, str) or text.upper() not in _STATUSES:
        raise UsageError(f"no status {text!r:.40}: there is {', '.join(_STATUSES)}")
    return text.upper()


def selected(
    infos: Iterable[Mapping[str, Any]],
    *,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    workflow: str | None,
    status: str | Sequence[str] | None,
    tags: Iterable[str],
) -> Iterator[Mapping[str, Any]]:
    """The `executionInfos` of SWF for which all of this holds; see `Lab.select_executions`."""
    statuses = None if status is None else {_status(each) for each in ([status] if isinstance(status, str) else status)}
    wanted = {tags} if isinstance(tags, str) else set(tags)
    for info in infos:
        if (
            (since is None or info["startTimestamp"] >= since)
            and (until is None or info["startTimestamp"] <= until)
            and workflow in (None, info["workflowType"]["name"])
            and (statuses is None or (info.get("closeStatus") or OPEN) in statuses)
            and wanted <= set(info.get("tagList") or ())
        ):
            yield info
