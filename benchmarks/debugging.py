"""What is measured of the debugger: opening its view, and a step back in it."""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Callable, Mapping
from typing import Final

from benchmarks.reading import BEGAN
from benchmarks.stopwatch import Seconds, Stopwatch
from simpleflow_lab import Workflow, activity
from simpleflow_lab.recorded_execution import RecordedExecution
from simpleflow_lab.replay.task_records import HistoryWithRecords
from simpleflow_lab.swf.history import History, HistoryEvent

STEPS_BACK: Final = 100


@activity.with_attributes(name="benchmark.debugged", version="1", task_list="benchmark")
def increment(number):
    return number + 1


class Debugged(Workflow):
    name, version, task_list = "benchmark.debugged-chain", "1", "benchmark"

    def run(self, n):
        number = 0
        for _ in range(n):
            number = self.submit(increment, number).result
        return number


def _input(number: int) -> str:
    """As a decider of this package writes it, and upstream's."""
    return json.dumps({"args": [number], "kwargs": {}}, separators=(",", ":"))


@functools.cache
def chain(n: int) -> History:
    """The history of a chain of n tasks with a decision for each, 6 events a task; the last decision is open."""
    events: list[HistoryEvent] = []

    def add(event_type: str, **attributes: object) -> int:
        when = BEGAN + datetime.timedelta(milliseconds=10 * len(events))
        events.append(HistoryEvent(len(events) + 1, event_type, when, attributes))
        return len(events)

    def begin() -> tuple[int, int]:
        scheduled = add("DecisionTaskScheduled", taskList={"name": "benchmark"})
        return scheduled, add("DecisionTaskStarted", scheduledEventId=scheduled)

    add(
        "WorkflowExecutionStarted",
        input=_input(n),
        workflowType={"name": "benchmark.debugged-chain", "version": "1"},
        taskList={"name": "benchmark"},
        parentInitiatedEventId=0,
    )
    for k in range(n):
        scheduled, started = begin()
        completed = add("DecisionTaskCompleted", scheduledEventId=scheduled, startedEventId=started)
        task = add(
            "ActivityTaskScheduled",
            activityType={"name": "benchmark.debugged", "version": "1"},
            activityId=f"activity-benchmark.debugged-{k + 1}",
            input=_input(k),
            taskList={"name": "benchmark"},
            decisionTaskCompletedEventId=completed,
        )
        begun = add("ActivityTaskStarted", scheduledEventId=task, identity="benchmark")
        add("ActivityTaskCompleted", scheduledEventId=task, startedEventId=begun, result=str(k + 1))
    begin()
    return History(events)


def opening(n: int) -> Seconds:
    """Seconds until the view of a chain of n tasks is there: all steps, and the last one shown."""
    from simpleflow_lab.notebook.debugger_view import DebuggerView  # noqa: PLC0415  widgets, which is not measured

    recorded = RecordedExecution(HistoryWithRecords(chain(n)), "benchmark")
    with Stopwatch() as stopwatch:
        debugger = recorded.debug(Debugged)
        view = DebuggerView(debugger)
    assert view.shown["number"] == n  # the last step in which the code waits
    view.close()
    return stopwatch.seconds


def one_second(n: int) -> Seconds:
    """What opening is compared with: for longer nobody likes to wait."""
    return {"wall": 1.0, "cpu": 1.0}


def back(n: int) -> Seconds:
    """Seconds of 100 steps back from the end of a chain of n tasks, each sent to the view."""
    from simpleflow_lab.notebook.debugger_view import DebuggerView  # noqa: PLC0415

    view = DebuggerView(RecordedExecution(HistoryWithRecords(chain(n)), "benchmark").debug(Debugged))
    with Stopwatch() as stopwatch:
        for _ in range(STEPS_BACK):
            view.debugger.back()
    assert view.shown["number"] == n - STEPS_BACK
    view.close()
    return stopwatch.seconds


MEASURED: Final[Mapping[str, Callable[[int], Seconds]]] = {
    "debugger": opening,
    "one-second": one_second,
    "debugger-back": back,
}
