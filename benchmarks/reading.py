"""What is measured of histories that are read: replayed, parsed, tabulated, drawn."""

from __future__ import annotations

import datetime
import functools
import io
import json
from collections.abc import Callable, Mapping
from typing import Final

from benchmarks.stopwatch import Seconds, Stopwatch
from simpleflow_lab import Workflow
from simpleflow_lab.debugger.steps import ReplaySteps
from simpleflow_lab.recorded_execution import RecordedExecution
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.replay.task_records import HistoryWithRecords
from simpleflow_lab.swf.history import History, HistoryEvent, event_from_wire

BEGAN: Final = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def replay(workflow: type[Workflow], n: int, *, from_wire: bool) -> Seconds:
    """Seconds of a whole replay of a fan-out, in one decision with all of its events: `from_wire` with the making of
    these from boto3's form, in which upstream gets them, too."""
    execution = history(n)
    events = execution[: len(execution) - 1]
    wires = [event.to_wire() for event in events] if from_wire else []
    with Stopwatch() as stopwatch:
        replayed = Replay(workflow, workflow_id="benchmark", run_id="benchmark")
        replayed.feed(map(event_from_wire, wires) if from_wire else events)
        answer = replayed.decide(len(events))
    assert answer.decisions[-1]["decisionType"] == "CompleteWorkflowExecution"
    replayed.close()
    return stopwatch.seconds


def steps(workflow: type[Workflow], n: int) -> Seconds:
    """Seconds of a whole replay of the same fan-out to steps of the debugger: the records of its decisions."""
    execution = history(n)
    with Stopwatch() as stopwatch:
        replayed = ReplaySteps(execution[: len(execution) - 1], workflow, workflow_id="benchmark", run_id="benchmark")
        last = replayed[-1]
    assert last.close is not None
    assert last.close.decision_type == "CompleteWorkflowExecution"
    assert sum(future.kind == "activity" for future in last.futures) == n
    replayed.close()
    return stopwatch.seconds


@functools.cache
def history(n: int) -> History:
    """The history of a fan-out of n tasks that a decider saw twice: when it began, and when all had completed.

    It has an event more than that, which closes the execution.
    """
    types = {"name": "benchmark.increment", "version": "1"}
    events: list[HistoryEvent] = []

    def add(event_type: str, **attributes: object) -> int:
        when = BEGAN + datetime.timedelta(milliseconds=10 * len(events))
        events.append(HistoryEvent(len(events) + 1, event_type, when, attributes))
        return len(events)

    add(
        "WorkflowExecutionStarted",
        input=json.dumps({"args": [n], "kwargs": {}}),
        workflowType={"name": "benchmark.fan-out", "version": "1"},
        taskList={"name": "benchmark"},
        parentInitiatedEventId=0,
    )
    scheduled = add("DecisionTaskScheduled", taskList={"name": "benchmark"})
    started = add("DecisionTaskStarted", scheduledEventId=scheduled)
    completed = add("DecisionTaskCompleted", scheduledEventId=scheduled, startedEventId=started)
    ids = [
        add(
            "ActivityTaskScheduled",
            activityType=types,
            activityId=f"activity-benchmark.increment-{k + 1}",
            input=json.dumps({"args": [k], "kwargs": {}}),
            taskList={"name": "benchmark"},
            decisionTaskCompletedEventId=completed,
        )
        for k in range(n)
    ]
    starts = [add("ActivityTaskStarted", scheduledEventId=each, identity="benchmark") for each in ids]
    for k, (each, start) in enumerate(zip(ids, starts, strict=True)):
        add("ActivityTaskCompleted", scheduledEventId=each, startedEventId=start, result=str(k + 1))
    scheduled = add("DecisionTaskScheduled", taskList={"name": "benchmark"})
    started = add("DecisionTaskStarted", scheduledEventId=scheduled)
    add("WorkflowExecutionTerminated", childPolicy="TERMINATE")
    return History(events)


@functools.cache
def _text(n: int) -> str:
    return history(n).to_json(indent=None)


def parse(n: int) -> Seconds:
    """Seconds in which the JSON of a history of n tasks becomes a history."""
    text = _text(n)
    with Stopwatch() as stopwatch:
        History.from_json(text)
    return stopwatch.seconds


def json_loads(n: int) -> Seconds:
    """Seconds of `json.loads` of the same text."""
    text = _text(n)
    with Stopwatch() as stopwatch:
        json.loads(text)
    return stopwatch.seconds


def tables(n: int) -> Seconds:
    """Seconds of `tasks()` and `profile()` of a history of n tasks."""
    import pandas  # noqa: F401, PLC0415  so that importing it is not measured

    opened = RecordedExecution(HistoryWithRecords(history(n)), "benchmark")
    with Stopwatch() as stopwatch:
        assert len(opened.tasks()) == n
        opened.profile()
    return stopwatch.seconds


def gantt(n: int) -> Seconds:
    """Seconds of the Gantt chart of n tasks, to JSON, of an execution whose tasks have been read."""
    import plotly.express  # noqa: F401, PLC0415  so that importing it is not measured

    opened = RecordedExecution(HistoryWithRecords(history(n)), "benchmark")
    opened.tasks()
    with Stopwatch() as stopwatch:
        opened.gantt().to_json()
    return stopwatch.seconds


def gantt_from_history(n: int) -> Seconds:
    """Seconds of the same chart, with what the history says of the tasks."""
    import plotly.express  # noqa: F401, PLC0415  so that importing it is not measured

    opened = RecordedExecution(HistoryWithRecords(history(n)), "benchmark")
    with Stopwatch() as stopwatch:
        opened.gantt().to_json()
    return stopwatch.seconds


def timeline(n: int) -> Seconds:
    """Seconds of `plotly.express.timeline` of the same table, to JSON."""
    import plotly.express  # noqa: PLC0415

    table = RecordedExecution(HistoryWithRecords(history(n)), "benchmark").tasks().reset_index()
    with Stopwatch() as stopwatch:
        figure = plotly.express.timeline(table, x_start="started", x_end="closed", y="id", color="state")
        io.StringIO().write(figure.to_json())
    return stopwatch.seconds


MEASURED: Final[Mapping[str, Callable[[int], Seconds]]] = {
    "history": parse,
    "json-loads": json_loads,
    "tables": tables,
    "gantt": gantt,
    "gantt-from-history": gantt_from_history,
    "timeline": timeline,
}
