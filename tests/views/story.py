"""Histories written as stories: who was scheduled, started and closed, and when.

    story = Story()
    task = story.at(1).schedule("a-1", "pkg.increment")
    story.at(2).start(task); story.at(3.5).complete(task, "2")
    story.at(4).end("Completed")
    story.history()

Times are seconds since `T0`. Attributes are SWF's; nothing is checked, for views must bear what they get.
"""

from __future__ import annotations

import datetime
import random
from typing import Any

from simpleflow_lab.swf.history import History, HistoryEvent

T0 = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
IDENTITY = '{"user": "lab", "hostname": "node-1", "pid": 17}'


def when(seconds: float) -> datetime.datetime:
    return T0 + datetime.timedelta(milliseconds=round(seconds * 1000))


class Story:
    def __init__(self, name: str = "pkg.Story", *, input: str = '{"args": [7]}', **more: Any):
        self._events: list[HistoryEvent] = []
        self._now = 0.0
        self.decided = 0
        """The latest DecisionTaskCompleted."""
        self.add(
            "WorkflowExecutionStarted",
            workflowType={"name": name, "version": "1.2"},
            taskList={"name": "deciders"},
            childPolicy="TERMINATE",
            input=input,
            **more,
        )

    def at(self, seconds: float) -> Story:
        self._now = seconds
        return self

    def add(self, event_type: str, **attributes: Any) -> int:
        event_id = len(self._events) + 1
        self._events.append(HistoryEvent(event_id, event_type, when(self._now), attributes))
        return event_id

    def history(self) -> History:
        return History(self._events)

    # -- decision tasks

    def decide(self, seconds: float = 0.1, *, context: str | None = None) -> int:
        """A decision task that is scheduled now and takes this long; gives the id of its DecisionTaskCompleted."""
        scheduled = self.add("DecisionTaskScheduled", taskList={"name": "deciders"})
        started = self.add("DecisionTaskStarted", scheduledEventId=scheduled, identity=IDENTITY)
        self._now += seconds
        more = {} if context is None else {"executionContext": context}
        self.decided = self.add("DecisionTaskCompleted", scheduledEventId=scheduled, startedEventId=started, **more)
        return self.decided

    # -- activity tasks

    def schedule(self, task_id: str, name: str = "pkg.work", **more: Any) -> int:
        attributes = {
            "activityId": task_id,
            "activityType": {"name": name, "version": "v1"},
            "taskList": {"name": "workers"},
            "input": '{"args": []}',
            "decisionTaskCompletedEventId": self.decided,
        }
        return self.add("ActivityTaskScheduled", **{**attributes, **more})

    def start(self, task: int, identity: str | None = IDENTITY) -> int:
        more = {} if identity is None else {"identity": identity}
        return self.add("ActivityTaskStarted", scheduledEventId=task, **more)

    def complete(self, task: int, result: str = "1") -> int:
        return self.add("ActivityTaskCompleted", scheduledEventId=task, startedEventId=task, result=result)

    def fail(self, task: int, reason: str = "ValueError: no", details: str = "Traceback") -> int:
        return self.add(
            "ActivityTaskFailed", scheduledEventId=task, startedEventId=task, reason=reason, details=details
        )

    def time_out(self, task: int, timeout_type: str = "START_TO_CLOSE") -> int:
        return self.add("ActivityTaskTimedOut", scheduledEventId=task, startedEventId=task, timeoutType=timeout_type)

    def cancel(self, task: int, details: str = "bye") -> int:
        return self.add("ActivityTaskCanceled", scheduledEventId=task, startedEventId=task, details=details)

    def run(self, task_id: str, name: str = "pkg.work", *, start: float, end: float, result: str = "1") -> int:
        """Scheduled now, started and completed at those times."""
        task = self.schedule(task_id, name)
        self.at(start).start(task)
        self.at(end).complete(task, result)
        return task

    def end(self, status: str = "Completed", **attributes: Any) -> int:
        return self.add(f"WorkflowExecution{status}", **attributes)


def eventful() -> History:
    """One of everything that a view shows: retries, timeouts, a child, a lambda, timers, signals, what is open."""
    story = Story("shop.orders.Import", tagList=["team=a", "run=1"])
    story.at(0.2).decide(0.2)
    load, parse = (
        story.schedule("activity-shop.load-1", "shop.load"),
        story.schedule("activity-shop.parse-1", "shop.parse"),
    )
    timer = story.add(
        "TimerStarted", timerId="patience", startToFireTimeout="5", decisionTaskCompletedEventId=story.decided
    )
    story.at(0.6).start(load)
    story.at(0.9).start(parse)
    story.at(1.8).fail(load, "ConnectionError: shop.example did not answer", "Traceback (most recent call last): …")
    story.at(1.8).decide()
    load = story.schedule("activity-shop.load-1", "shop.load", input='{"args": ["again"]}')
    story.add("MarkerRecorded", markerName="first retry", details="1", decisionTaskCompletedEventId=story.decided)
    child = story.add(
        "StartChildWorkflowExecutionInitiated",
        workflowId="audit-2026",
        workflowType={"name": "shop.Audit", "version": "3"},
        taskList={"name": "auditors"},
        input="{}",
        decisionTaskCompletedEventId=story.decided,
    )
    story.at(2.1).start(load)
    run = {"workflowId": "audit-2026", "runId": "run-of-the-audit"}
    story.at(2.4).add("ChildWorkflowExecutionStarted", initiatedEventId=child, workflowExecution=run)
    story.at(2.6).complete(parse, '"parsed"')
    function = story.add(
        "LambdaFunctionScheduled", id="resize-1", name="resize", input="{}", decisionTaskCompletedEventId=story.decided
    )
    story.at(2.8).add("LambdaFunctionStarted", scheduledEventId=function)
    story.at(3.3).add("LambdaFunctionCompleted", scheduledEventId=function, startedEventId=function, result="3")
    story.at(3.6).time_out(load, "HEARTBEAT")
    story.at(3.6).decide()
    load = story.schedule("activity-shop.load-1", "shop.load")
    late = story.schedule("activity-shop.render-1", "shop.render", taskPriority="5")
    story.at(3.9).start(load, identity=None)
    story.at(4.0).add("WorkflowExecutionSignaled", signalName="hurry", input="[1]")
    story.at(4.4).add(
        "ActivityTaskCancelRequested", activityId="activity-shop.render-1", decisionTaskCompletedEventId=story.decided
    )
    story.at(4.7).cancel(late)
    story.at(5.0).complete(load, '"loaded"')
    story.at(5.4).add("TimerFired", timerId="patience", startedEventId=timer)
    story.at(5.5).decide()
    story.add(
        "ScheduleActivityTaskFailed",
        activityId="activity-shop.gone-1",
        activityType={"name": "shop.gone", "version": "v0"},
        cause="ACTIVITY_TYPE_DOES_NOT_EXIST",
        decisionTaskCompletedEventId=story.decided,
    )
    story.schedule("activity-shop.queue-1", "shop.queue")
    busy = story.schedule("activity-shop.busy-1", "shop.busy")
    story.at(5.8).start(busy)
    story.at(7.0).add("DecisionTaskScheduled", taskList={"name": "deciders"})
    return story.history()


def large(tasks: int, *, workers: int = 16, names: int = 4, failing: float = 0.02, seed: int = 1) -> History:
    """A fan-out of so many activity tasks over so many workers, completed; three events a task."""
    chance = random.Random(seed)
    story = Story("pkg.Large")
    story.decide(0.05)
    free = [0.05] * workers
    steps: list[tuple[float, int, int, int]] = []
    for i in range(tasks):
        scheduled = 0.05 + (i // 99) * 0.04
        worker = min(range(workers), key=free.__getitem__)
        started = max(free[worker], scheduled) + 0.002
        free[worker] = closed = started + chance.expovariate(1 / (0.04 + 0.03 * (i % names)))
        steps += [(scheduled, 0, i, worker), (started, 1, i, worker), (closed, 2, i, worker)]
    ids: dict[int, int] = {}
    for at, kind, i, worker in sorted(steps):
        story.at(at)
        if kind == 0:
            name = f"pkg.step{i % names}"
            ids[i] = story.schedule(f"activity-{name}-{i + 1}", name, input=f'{{"args": [{i}]}}')
        elif kind == 1:
            story.start(ids[i], f'{{"user": "lab", "hostname": "node-{worker % 4}", "pid": {worker}}}')
        elif chance.random() < failing:
            story.fail(ids[i])
        else:
            story.complete(ids[i], str(i))
    story.decide(0.5)
    story.end(result="1")
    return story.history()
