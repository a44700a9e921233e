"""The log of an execution as a view: what its code printed and logged, as text, HTML or a pandas table.

Rule: texts are as they were written in `records`, `text` and the table; where the log displays itself, a character
that can't be seen is written as Python writes it, and HTML is escaped.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.views.attempts import Attempt
from simpleflow_lab.views.formatting import count
from simpleflow_lab.views.html import Html, piece, table
from simpleflow_lab.views.listings import Kind, Listing
from simpleflow_lab.views.text_tables import visible

if TYPE_CHECKING:
    import pandas as pd

MAX_SHOWN: Final = 200
"""Records that a log shows of itself: the latest."""

COLUMNS: Final = {
    "time": Kind.TIME,
    "task": Kind.TEXT,
    "attempt": Kind.COUNT,
    "source": Kind.TEXT,
    "text": Kind.TEXT,
}


class LogLine(NamedTuple):
    """A line that code of an execution printed, or a record that it logged."""

    time: datetime.datetime
    """When it was written."""
    task: str | None
    """Id of the activity task; `None` for the workflow's own code."""
    attempt: int | None
    """Which attempt of the task, as in `execution.tasks()`; `None` for the workflow's own code."""
    source: str
    """`stdout`, `stderr`, or the level at which it was logged, as `WARNING`."""
    text: str
    """The text as it was written. A record that was logged may have several lines."""


class ExecutionLog:
    """The log of an execution: what its code printed and logged, oldest first. A collection of `LogLine`."""

    def __init__(self, lines: Iterable[LogLine], *, dropped: int = 0) -> None:
        self._lines = tuple(lines)
        self.dropped = dropped
        """Number of earlier records that are gone, for a log is bounded."""

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[LogLine]:
        return iter(self._lines)

    def __getitem__(self, index: int) -> LogLine:
        return self._lines[index]

    def __repr__(self) -> str:
        if not self._lines:
            return "<ExecutionLog: nothing was printed or logged>"
        return "\n".join([*self._left_out(), *(_visible(line) for line in self._lines[-MAX_SHOWN:])])

    def _repr_html_(self) -> str:
        if not self._lines:
            return str(piece(Html('<div class="sfl-quiet">nothing was printed or logged</div>')))
        listing = self.listing(self._lines[-MAX_SHOWN:])
        return str(table(listing.headers, listing.rows, limit=MAX_SHOWN + 1))

    @property
    def text(self) -> str:
        """The texts alone, one after the other, as they were written."""
        return "".join(f"{line.text}\n" for line in self._lines)

    def to_pandas(self, *, timezone: str | datetime.tzinfo | None = "UTC") -> pd.DataFrame:
        """One row per record: `time`, `task`, `attempt`, `source`, `text`; see `HistoryViews` for the `timezone`."""
        from simpleflow_lab.views.tables import Column, frame, optional_integers, texts, times  # noqa: PLC0415  pandas
        from simpleflow_lab.views.time_zones import in_time_zone  # noqa: PLC0415  pandas

        columns: dict[Kind, Column] = {Kind.TIME: times, Kind.COUNT: optional_integers, Kind.TEXT: texts}
        table = frame({name: columns[kind] for name, kind in COLUMNS.items()}, self._lines)
        return in_time_zone(table, timezone)

    def listing(self, lines: Iterable[LogLine] | None = None) -> Listing:
        """One row per record; the first says how many earlier ones are gone, if some are."""
        rows: list[tuple[Any, ...]] = [tuple(line) for line in (self._lines if lines is None else lines)]
        if self.dropped:
            first = self._lines[0].time if self._lines else None
            rows.insert(0, (first, None, None, None, _gone(self.dropped)))
        return Listing(columns=COLUMNS, rows=rows)

    def _left_out(self) -> Iterator[str]:
        if self.dropped:
            yield _gone(self.dropped)
        if len(self._lines) > MAX_SHOWN:
            yield f"({count(len(self._lines) - MAX_SHOWN, 'earlier line')} not shown)"


def _gone(number: int) -> str:
    return f"({count(number, 'earlier line')} not kept)"


def _visible(line: LogLine) -> str:
    """A line of the log's own text."""
    task = "" if line.task is None else f" {line.task}" + (f" #{line.attempt}" if (line.attempt or 1) > 1 else "")
    head = f"{line.time:%H:%M:%S}.{line.time.microsecond // 1000:03d}{visible(task)} {visible(line.source)}: "
    return "\n".join(head + visible(part.expandtabs()) for part in line.text.split("\n"))


LogRow = tuple[int, int, str | None, int | None, str, str]
"""A record as a service gives it: its number, its time in milliseconds since 1970, the activity's id, the event that
started the attempt, source and text."""

# -- from records ------------------------------------------------------------------------------------------------------


def execution_log(
    rows: Iterable[LogRow],
    attempts: Mapping[int, Attempt],
    *,
    after: int = 0,
    task: str | None = None,
    source: str | None = None,
    text: str | None = None,
    tail: int | None = None,
) -> ExecutionLog:
    """The log of these rows, which come after the one with the number `after`.

    `attempts` are those of the execution by their `ActivityTaskStarted` events. See `Execution.logs` for the selection.
    """
    lines: list[LogLine] = []
    dropped, previous = 0, after
    for number, timestamp, of_task, started, of_source, written in rows:
        dropped, previous = dropped + number - previous - 1, number
        attempt = None if started is None else attempts.get(started)
        if task is not None and not (task == (of_task or "") or (attempt is not None and task == attempt.name)):
            continue
        if source is not None and source.lower() != of_source.lower():
            continue
        if text is not None and text not in written:
            continue
        time = datetime.datetime.fromtimestamp(timestamp / 1000, datetime.UTC)
        lines.append(LogLine(time, of_task, None if attempt is None else attempt.attempt, of_source, written))
    return ExecutionLog(lines if tail is None else lines[max(len(lines) - tail, 0) :], dropped=dropped)


def attempts_by_start(events: Iterable[HistoryEvent], attempts: Iterable[Attempt]) -> dict[int, Attempt]:
    """The attempts of activities by their `ActivityTaskStarted` events."""
    by_scheduled = {attempt.scheduled_event_id: attempt for attempt in attempts}
    found = {}
    for event in events:
        if event.type == "ActivityTaskStarted":
            attempt = by_scheduled.get(event.attributes.get("scheduledEventId", 0))
            if attempt is not None:
                found[event.id] = attempt
    return found
