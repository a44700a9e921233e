"""The live view of an execution: a widget that follows it, filters and zooms, and acts on it.

    %simpleflow live first-run

An open execution that is the value of a cell shows itself so, and the runs that continue it as new. The tasks that have
changed are sent at most every `FASTEST` seconds, until the execution has closed or its Lab is; see
`notebook.following_view`. The view ends when its cell runs again.

`notebook.live_display` puts views into the outputs of cells.
"""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import traitlets

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.execution import Execution
from simpleflow_lab.notebook.following_view import FollowingView
from simpleflow_lab.notebook.widget_messages import module_of, style_sheet
from simpleflow_lab.views import live_rows
from simpleflow_lab.views.attempts import UNFINISHED, Attempt
from simpleflow_lab.views.explanation_lines import STATUS, WAITS
from simpleflow_lab.views.formatting import HOVER_LIMIT, bounded
from simpleflow_lab.views.live_rows import FASTEST
from simpleflow_lab.views.reused_tasks import reused_tasks
from simpleflow_lab.views.waiting import DECISION, Wait, Waits

_EXPLAIN_EVERY: Final = 2.0
"""Seconds between two explanations, at least: they take the whole history."""
_EXPLAIN_SHARE: Final = 20
"""Explanations, and what `now_and_then` is told to do, may take one part in so many of the time."""
_GRACE: Final = 1.0
"""Seconds for which a decision is not said to be waited for: it is about to be made."""
_EXPLAINED: Final = 3
"""The most lines of the explanation of one that is open."""
_LOG_TAIL: Final = 200
"""Records of the log that are shown: the latest."""


def _rows_to_json(rows: Any, view: LiveView) -> dict[str, Any]:
    """All rows as they are now: whenever the state of the widget is asked for, as by a page that is loaded again."""
    return view.all_rows()


class LiveView(FollowingView):
    """One execution, live."""

    _esm = module_of("lanes.js", "live_chart.js", "live_tasks.js", "live_view.js")
    _css = style_sheet("live_view.css")

    styles = traitlets.Dict().tag(sync=True)
    """By the state of a task: its word, glyph and colour."""
    fields: Any = traitlets.List().tag(sync=True)
    """The names of the members of a row."""
    rows = traitlets.Any().tag(sync=True, to_json=_rows_to_json)
    """All tasks: a number of events, and the rows of the history up to it. Never assigned, so that it is not sent."""
    changes = traitlets.Dict().tag(sync=True)
    """The latest change: the rows that changed between two numbers of events."""
    summary = traitlets.Dict().tag(sync=True)
    """All that is not about single tasks."""
    _thread_name = "simpleflow-lab live view"
    _messages = ("act", "rows", "log", "lineage")
    _share = 5
    _max_errors = 5

    def __init__(self, execution: Execution, *, refresh: float = FASTEST) -> None:
        """Follow `execution`, with an update at most every `refresh` seconds.

        Raises what `Execution.progress` does if it can't be read.
        """
        self._execution = execution
        self._lock = threading.RLock()
        self._rows: dict[int, list[Any]] = {}
        self._failures: dict[int, Attempt] = {}
        self._reused: dict[tuple[str, str], int] = {}
        """Of a fork: the tasks that it reuses, by kind and id, each with the number of its row."""
        self._has_fewer_rows = False
        self._mark = 0
        self._log_is_shown = False
        self._log_number = -1
        self._on_closed: Callable[[], None] = _nothing
        self._sometimes = _Sometimes(_nothing, every=0.0)
        self._explained: list[str] = []
        self._explained_at = 0.0
        self._explaining = _Sometimes(self._explain, every=_EXPLAIN_EVERY)
        self._lasting = LastingWaits()
        self._runs = 0
        self._begin_with(execution)
        super().__init__(
            refresh=max(refresh, FASTEST),
            styles=live_rows.state_styles(),
            fields=list(live_rows.ROW),
            summary=self._summary(),
        )

    @property
    def execution(self) -> Execution:
        """The run that is shown: the first one, or the one that continues it."""
        return self._execution

    @property
    def is_open(self) -> bool:
        """Whether the execution was open when it was last read."""
        return bool(self.summary["open"])

    def when_closed(self, act: Callable[[], None]) -> None:
        """Call `act`, in the view's thread, when the execution has closed and that was sent; at once if it has."""
        self._on_closed = act
        if not self.is_open:
            act()

    def now_and_then(self, act: Callable[[], None], *, every: float, after: float = 0.0) -> None:
        """Call `act`, in the view's thread, every `every` seconds if there was an update since, first after `after`
        seconds; less often if a call takes long."""
        self._sometimes = _Sometimes(act, every=every, after=after)

    def all_rows(self) -> dict[str, Any]:
        """The number of events that were read, and the rows of all tasks up to it."""
        with self._lock:
            return {"mark": self._mark, "rows": list(self._rows.values())}

    # -- following --

    def _why_ended(self) -> str | None:
        closed = self._execution.lab_is_closed
        return "its Lab was closed: open one and show the execution again to see more" if closed else None

    def _update(self) -> bool:
        self._explaining.ask()  # its numbers grow with the time, also while no task changes
        self._explaining.act()
        before, rows = self._collect()
        summary = self._summary()
        if not summary["open"]:
            following = self._execution.next_run
            if following is not None:
                self._go_on_with(following)
                return True
            rows += self._collect()[1]  # it may have closed just now
            self._explain()
            summary = self._summary()
        if rows:
            self._set("changes", {"since": before, "mark": self._mark, "rows": rows})
        if self._has_fewer_rows:
            self._has_fewer_rows = False
            self.send({"kind": "rows", **self.all_rows()})
        self._set("summary", summary)
        self._send_log()
        if rows:
            self._sometimes.ask()
        if summary["open"]:
            self._sometimes.act()
            return True
        self._on_closed()
        return not self._requests.empty()

    def _begin_with(self, execution: Execution) -> None:
        """Show this run, from its beginning."""
        history = execution.history()
        with self._lock:
            self._execution = execution
            self._runs += 1
            self._rows, self._failures, self._mark, self._explained = {}, {}, 0, []
            self._start = history[0].timestamp
            self._reused = {}
            for number, task in enumerate(reused_tasks(history), 1):
                self._reused[task.kind, task.id] = -number
                self._rows[-number] = live_rows.task_row(task._replace(scheduled_event_id=-number), self._start)
            self._title = live_rows.title_record(
                workflow_type=history.workflow_type or "?",
                version=str(history[0].attributes.get("workflowType", {}).get("version", "")),
                workflow_id=execution.workflow_id,
                run_id=execution.run_id,
            )
            self._collect()

    def _go_on_with(self, execution: Execution) -> None:
        """Show another run in the place of the one before."""
        self._begin_with(execution)
        self._explaining.ask()
        self._sometimes.ask()
        self._set("summary", self._summary())
        self.send({"kind": "rows", **self.all_rows()})

    def _explain(self) -> None:
        at = (self._execution.now() - self._start).total_seconds()
        lines = self._execution.explain()
        if self._execution.status == "OPEN":  # the status and what it waits for are shown anyway
            lines_shown = [line for line in lines if line.kind not in (STATUS, WAITS)][:_EXPLAINED]
        else:
            lines_shown = list(lines)
        self._explained = [str(line) for line in lines_shown]  # each text is bounded, and what helps stands behind it
        self._explained_at = round(at, 1)

    def _collect(self) -> tuple[int, list[list[Any]]]:
        """Read what has changed: the number of events before, and the rows."""
        mark, attempts = self._execution.changed_attempts(self._mark)
        with self._lock:
            before, self._mark = self._mark, mark
            rows = []
            for attempt in attempts:
                if not live_rows.is_shown(attempt):
                    continue
                reused = self._reused.pop((attempt.kind, attempt.id), None)
                if reused is not None:  # the fork's code asked for another one of this id, and runs it itself
                    del self._rows[reused]
                    self._has_fewer_rows = True
                row = self._rows[attempt.scheduled_event_id] = live_rows.task_row(attempt, self._start)
                rows.append(row)
                if attempt.failed:
                    self._failures[attempt.scheduled_event_id] = attempt
            return before, rows

    def _summary(self) -> dict[str, Any]:
        execution = self._execution
        progress = execution.progress()
        now = execution.now()
        waits = Waits(self._lasting.of(execution.waiting_for(), now), now=now)
        is_open = progress.status == "OPEN"
        return {
            "title": self._title,
            "run": self._runs,
            "explained": self._explained,
            "explained_at": self._explained_at,
            "open": is_open,
            "status": live_rows.status_record(progress.status),
            "counts": live_rows.count_records(
                (
                    ("completed", progress.completed),
                    ("failed", progress.failed),
                    ("started", progress.running),
                    ("scheduled", progress.waiting),
                    (UNFINISHED, progress.unfinished),
                )
            ),
            "reused": len(self._reused),
            "running": live_rows.running_names(progress.running_names),
            # Of an open one coarse, so that little changes between two looks.
            "seconds": round(progress.seconds, 3 if not is_open else 1 if progress.seconds < 600 else None),
            "events": progress.events,
            "waits": live_rows.waits_record(waits, waits.lines()),
            "reports": live_rows.report_lines(
                (activity.activity_id, activity.progress) for activity in progress.activities if activity.has_progress
            ),
            "warnings": live_rows.first_lines(execution.warnings),
            "failures": [
                live_rows.failure_record(attempt) for attempt in live_rows.latest_failures(self._failures.values())
            ],
            "failed": len(self._failures),
        }

    def _send_log(self) -> None:
        if not self._log_is_shown:
            return
        log = self._execution.logs(tail=_LOG_TAIL)
        lines = [bounded(line, 2 * HOVER_LIMIT) for line in repr(log).splitlines()[-2 * _LOG_TAIL :]]
        if (number := hash(tuple(lines))) != self._log_number:
            self._log_number = number
            self.send({"kind": "log", "lines": lines})

    # -- the reader's part --

    def _answer(self, request: Mapping[str, Any]) -> None:
        match request:
            case {"kind": "rows"}:
                self.send({"kind": "rows", **self.all_rows()})
            case {"kind": "lineage", "event": int(event)}:
                self.send({"kind": "lineage", **live_rows.lineage_record(event, self._execution.lineage(event))})
            case {"kind": "log", "shown": bool(shown)}:
                self._log_is_shown, self._log_number = shown, -1
            case _:
                super()._answer(request)

    def _do(self, request: Mapping[str, Any]) -> str:
        execution = self._execution
        match request:
            case {"action": "cancel"}:
                execution.request_cancel()
                return "cancellation was requested: the workflow decides what it does"
            case {"action": "terminate"}:
                execution.terminate("terminated in the live view")
                return "it was terminated"
            case {"action": "retry"}:
                execution.retry_decision()
                return "the blocked decision is retried"
            case {"action": "restart"}:
                was = execution.run_id
                self._go_on_with(execution.restart(terminate=True))
                return f"it was started again; the run before is {was}"
            case {"action": "fork"}:
                self._go_on_with(execution.fork(at="first failure"))
                return f"{execution.workflow_id} goes on from its first failure, as {self._execution.workflow_id}"
            case {"action": "signal", "name": str(name), "input": str(text), "to": str(child)} if name and child:
                execution.open_execution(child).signal(name, text or None)
                return f"signal {name} was sent to {child}"
            case {"action": "signal", "name": str(name), "input": str(text)} if name:
                execution.signal(name, text or None)
                return f"signal {name} was sent"
        raise UsageError("a signal needs its name")


class LastingWaits:
    """Tells the waits that last from those that are over in a moment: decisions that are about to be taken, or made."""

    def __init__(self) -> None:
        self._seen: dict[Any, float] = {}
        """When each decision was waited for at first, by the real clock: a virtual one may stand still."""

    def of(self, waits: Iterable[Wait], now: datetime.datetime) -> list[Wait]:
        """Of these waits, at this time of the execution's clock, those that last."""
        at = time.monotonic()
        lasting, seen = [], {}
        for wait in waits:
            if wait.kind == DECISION:
                key = wait.workflow_id, wait.run_id, wait.since
                seen[key] = self._seen.get(key, at)
                is_old = wait.since is not None and (now - wait.since).total_seconds() >= _GRACE
                if not is_old and at - seen[key] < _GRACE:
                    continue
            lasting.append(wait)
        self._seen = seen
        return lasting


class _Sometimes:
    """Something that is done now and then, when it was asked for."""

    def __init__(self, act: Callable[[], None], *, every: float, after: float = 0.0) -> None:
        self._act, self._every = act, every
        self._due = time.monotonic() + after
        self._is_wanted = True

    def ask(self) -> None:
        """It should be done again."""
        self._is_wanted = True

    def act(self) -> None:
        """Do it, if it was asked for and it is time."""
        began = time.monotonic()
        if not self._is_wanted or began < self._due:
            return
        self._is_wanted = False
        self._act()
        ended = time.monotonic()
        self._due = ended + max(self._every, _EXPLAIN_SHARE * (ended - began))


def _nothing() -> None:
    """Do nothing."""
