"""What if: how long an execution would have taken with other workers, other durations, without its retries.

    execution.what_if(workers=8, scale={"fetch": 0.5}, without_retries=True)

The workflow's code is run by the real replay in a simulation (`runtime.simulation`), where each attempt takes as long
as it took and ends as it ended, each decision too, and signals come when they came. With nothing changed it takes as
long as it took.

*Rule:* nothing of it is guessed where the history says it. What it does not say, because other tasks are asked for than
were recorded, is taken from tasks of the same type, and said.
"""

from __future__ import annotations

import datetime
import heapq
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.data.fields import Fields
from simpleflow_lab.debugger.replayed_workflow import definition_for
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.runtime.simulation import Attempted, Script, simulated
from simpleflow_lab.settings import Settings, current
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import TASKS, Attempt
from simpleflow_lab.views.chart import Chart
from simpleflow_lab.views.comparison import Comparison, compare
from simpleflow_lab.views.critical_path import CriticalPath, critical_path
from simpleflow_lab.views.explanation_lines import STATUS, TIME, ExplanationLine, first_few
from simpleflow_lab.views.formatting import duration
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.line_views import LineView
from simpleflow_lab.views.list_loads import loads_of
from simpleflow_lab.views.task_labels import task_label
from simpleflow_lab.views.time_lines import time_lines

MAX_SCALE: Final = 1_000_000.0
"""By how much a duration can be multiplied."""
MAX_PATH_LINES: Final = 2
"""How many lines tell of each critical path."""


class WhatIf(LineView):
    """What a simulation gave, beside what was recorded. It displays itself."""

    def __init__(self, lines: Sequence[ExplanationLine], recorded: FoldedHistory, simulated: FoldedHistory) -> None:
        super().__init__(lines)
        self._recorded, self._simulated = recorded, simulated

    @property
    def history(self) -> History:
        """The history that the simulation wrote."""
        return self._simulated.history

    @property
    def status(self) -> str:
        """How it closed in the simulation: SWF's close status, or OPEN."""
        return self.history.close_status or "OPEN"

    @property
    def seconds(self) -> float:
        """How long it would have taken."""
        return _seconds(self._simulated.history)

    @property
    def recorded_seconds(self) -> float:
        """How long it took."""
        return _seconds(self._recorded.history)

    @property
    def critical_path(self) -> CriticalPath:
        """What it would have waited for, one after the other."""
        return critical_path(self._simulated)

    @property
    def recorded_critical_path(self) -> CriticalPath:
        """What it waited for, one after the other."""
        return critical_path(self._recorded)

    def gantt(self, **options: Any) -> Chart:
        """The Gantt chart of the simulation above that of the execution, on one axis of time."""
        from simpleflow_lab.views.gantt_pair import gantt_pair  # noqa: PLC0415  plotly

        return gantt_pair(self._simulated, self._recorded, **options)

    def compare(self) -> Comparison:
        """The simulation compared with the execution, task by task."""
        return compare(self._simulated, self._recorded)


def what_if(
    history: History,
    *,
    domain: str,
    workflow_id: str,
    run_id: str,
    fields: Fields,
    settings: Settings | None = None,
    workflow: Any = None,
    workers: int | Mapping[str, int] | None = None,
    scale: float | Mapping[str, float] | None = None,
    without_retries: bool = False,
) -> WhatIf:
    """Simulate a recorded execution; see `Execution.what_if`. Raises `UsageError`, and what a decider raises for a
    decision that can't be made."""
    used = settings or current()
    definition = definition_for(history, workflow, fields)
    if history.close_status is None:
        raise UsageError("this execution is open: what might have been is asked of one that has closed")
    folded = fold_history(history)
    factors = _Factors(scale, folded)
    script = _script(folded, workers, factors, without_retries=without_retries)
    events = simulated(
        definition,
        history[0],
        script,
        settings=used,
        domain=domain,
        workflow_id=workflow_id,
        run_id=run_id,
        fields=fields,
        defaults=used.activity_defaults,
        max_open_activities=used.swf_max_open_activity_count,
    )
    outcome = fold_history(History(events))
    return WhatIf(_lines(folded, outcome, script), folded, outcome)


# -- what was recorded -------------------------------------------------------------------------------------------------


class _Factors:
    """By what the durations of tasks are multiplied."""

    def __init__(self, scale: float | Mapping[str, float] | None, folded: FoldedHistory) -> None:
        given = scale if isinstance(scale, Mapping) else {}
        self._by_name = {str(name): _factor(factor, f"scale of {name}") for name, factor in given.items()}
        self._all = 1.0 if scale is None or isinstance(scale, Mapping) else _factor(scale, "scale")
        known = {name for attempt in folded.attempts for name in _names_of(attempt)}
        for name in self._by_name:
            if name not in known:
                names = sorted({attempt.name for attempt in folded.attempts if attempt.kind in TASKS})
                raise UsageError(f"scale: no task is named {name!r:.80}: there are {first_few(names) or 'none'}")

    def of(self, attempt: Attempt) -> float:
        """The factor of this attempt: of its id, or else of its name."""
        return next((self._by_name[name] for name in _names_of(attempt) if name in self._by_name), self._all)


def _names_of(attempt: Attempt) -> tuple[str, ...]:
    return attempt.id, task_label(attempt.id, attempt.name), attempt.name, attempt.name.rpartition(".")[2]


def _factor(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SCALE:
        raise UsageError(f"{what} is a number from 0 to {MAX_SCALE:,.0f}, not {value!r:.80}")
    return float(value)


def _script(
    folded: FoldedHistory,
    workers: int | Mapping[str, int] | None,
    factors: _Factors,
    *,
    without_retries: bool,
) -> Script:
    recorded: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in folded.attempts:
        if attempt.kind in TASKS:
            recorded[attempt.id].append(attempt)
    loads = loads_of(folded.attempts, folded.until)
    most = {name: load.most_at_once for name, load in loads.items()}
    delays = _delays(folded, most)
    attempts = {
        id: [_attempted(each, factors, delays) for each in (found[-1:] if without_retries else found)]
        for id, found in recorded.items()
    }
    by_name: dict[str, Attempted] = {}
    for id, found in recorded.items():
        if found[-1].state == "completed":
            by_name.setdefault(found[-1].name, attempts[id][-1])
    decisions, later = _decisions(folded.history)
    return Script(
        attempts=attempts,
        by_name=by_name,
        slots=_slots(most, workers),
        default_slots=workers if isinstance(workers, int) else max(most.values(), default=1),
        decisions=decisions,
        later_decisions=later,
        incoming=_incoming(folded.history),
        not_signaled=frozenset(
            (str(initiated.get("signalName")), str(initiated.get("workflowId")))
            for event in folded.history
            if event.type == "SignalExternalWorkflowExecutionFailed" and event.attributes.get("initiatedEventId")
            for initiated in [folded.history.event(event.attributes["initiatedEventId"]).attributes]
        ),
        runs_out=folded.history.close_status == "TIMED_OUT",
    )


def _slots(most: Mapping[str, int], workers: Any) -> dict[str, int]:
    """How many activities run at once, by task list: as many as did, unless it is said."""
    given = dict(workers) if isinstance(workers, Mapping) else dict.fromkeys(most, workers)
    for name, count in given.items():
        if name not in most:
            raise UsageError(
                f"workers: no activity ran on a task list {name!r:.80}: there are {first_few(sorted(most))}"
            )
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
            raise UsageError(f"workers is a number from 1, or one for each task list, not {count!r:.80}")
    if not most and workers is not None and not isinstance(workers, Mapping | int):
        raise UsageError(f"workers is a number from 1, or one for each task list, not {workers!r:.80}")
    return {name: given.get(name) or count or 1 for name, count in most.items()}


def _delays(folded: FoldedHistory, most: Mapping[str, int]) -> dict[int, int]:
    """By the event that scheduled an activity task: milliseconds from when a worker was free for it to its start."""
    by_list: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in folded.attempts:
        if attempt.kind == "activity" and attempt.started is not None and attempt.task_list is not None:
            by_list[attempt.task_list].append(attempt)
    found: dict[int, int] = {}
    begin = folded.history[0].timestamp
    for name, attempts in by_list.items():
        # The worker that has been free longest takes the next task: so the simulation gives them out.
        free = [begin] * most.get(name, 1)
        busy: list[datetime.datetime] = []
        for attempt in sorted(attempts, key=lambda each: (each.started or begin, each.scheduled_event_id)):
            started = attempt.started or begin
            while busy and (busy[0] <= started or not free):
                heapq.heappush(free, heapq.heappop(busy))
            since = heapq.heappop(free) if free else begin
            found[attempt.scheduled_event_id] = _milliseconds(started - max(attempt.scheduled, min(since, started)))
            if attempt.closed is not None:
                heapq.heappush(busy, attempt.closed)
    return found


def _attempted(attempt: Attempt, factors: _Factors, delays: Mapping[int, int]) -> Attempted:
    ended = attempt.closed is not None and attempt.started is not None
    return Attempted(
        state=attempt.state,
        running=round(_milliseconds(attempt.closed - attempt.started) * factors.of(attempt)) if ended else None,  # type: ignore[operator]
        delay=delays.get(attempt.scheduled_event_id, 0),
        result=attempt.result,
        reason=attempt.reason,
        details=attempt.details,
        timeout_type=attempt.timeout_type,
    )


def _decisions(history: History) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """How long each decision waited for a decider and took, and the medians of that, in milliseconds."""
    found: list[tuple[int, int]] = []
    free_since = history[0].timestamp  # the next decision may be due while one is made
    for event in history:
        if event.type == "DecisionTaskCompleted":
            scheduled = history.event(event.attributes["scheduledEventId"])
            started = history.event(event.attributes["startedEventId"])
            found.append(
                (
                    _milliseconds(started.timestamp - max(scheduled.timestamp, free_since)),
                    _milliseconds(event.timestamp - started.timestamp),
                )
            )
            free_since = event.timestamp
    if not found:
        return [], (0, 0)
    waits, takes = zip(*found, strict=True)
    return found, (round(statistics.median(waits)), round(statistics.median(takes)))


def _incoming(history: History) -> list[tuple[int, str, Mapping[str, Any]]]:
    """The signals and cancel requests that came, and the termination, with their times after the start."""
    found: list[tuple[int, str, Mapping[str, Any]]] = []
    for event in history:
        after = _milliseconds(event.timestamp - history[0].timestamp)
        if event.type == "WorkflowExecutionSignaled":
            given = {name: event.attributes[name] for name in ("signalName", "input") if name in event.attributes}
            found.append((after, "signal_workflow_execution", given))
        elif event.type == "WorkflowExecutionCancelRequested":
            found.append((after, "request_cancel_workflow_execution", {}))
        elif event.type == "WorkflowExecutionTerminated":
            given = {name: event.attributes[name] for name in ("reason", "details") if event.attributes.get(name)}
            found.append((after, "terminate_workflow_execution", given))
    return found


def _milliseconds(length: datetime.timedelta) -> int:
    return max(0, round(length.total_seconds() * 1000))


# -- what came of it ---------------------------------------------------------------------------------------------------


def _seconds(history: History) -> float:
    return (history[-1].timestamp - history[0].timestamp).total_seconds()


def _lines(recorded: FoldedHistory, simulated: FoldedHistory, script: Script) -> list[ExplanationLine]:
    new, old = _seconds(simulated.history), _seconds(recorded.history)
    change = f", {duration(abs(new - old))} {'less' if new < old else 'more'}" if round(new - old, 3) else ""
    share = f" ({(new - old) / old:+.0%})" if old and change else ""
    status = simulated.history.close_status or "OPEN"
    was = recorded.history.close_status
    closes = "" if status == was else f", and it would be {status} instead of {was}"
    lines = [
        ExplanationLine.of(
            STATUS,
            f"it would take {duration(new)} instead of {duration(old)}{change}{share}{closes}",
            to_do="gantt() shows both",
            seconds=new,
        )
    ]
    for words, folded in (("it would wait for", simulated), ("it waited for", recorded)):
        for line in list(time_lines(folded, critical_path(folded)))[:MAX_PATH_LINES]:
            lines.append(ExplanationLine.of(TIME, f"{words}: {line.text}", seconds=line.seconds))
    known = set(script.attempts)
    others = [attempt for attempt in simulated.attempts if attempt.kind in TASKS and attempt.id not in known]
    for words, is_assumed in (
        ("not recorded, and taken as others of their type", True),
        ("not recorded, nor another of their type that completed, so that nobody runs them", False),
    ):
        ids = [attempt.id for attempt in others if (attempt.name in script.by_name) is is_assumed]
        if ids:
            lines.append(ExplanationLine.of("assumed", f"{words}: {first_few(dict.fromkeys(ids))}"))
    return lines
