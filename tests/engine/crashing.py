"""A process that works on a store until it is killed: `python -m tests.engine.crashing PATH`.

It decides and works, in threads, on one execution: a fan-out of activities with a timer and a child in between, all of
whose results the parent execution sums up. What the engine acknowledged is written to stdout, a line each, after it
was acknowledged.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import Any

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import SWFFault, UnknownResourceFault
from simpleflow_lab.swf import decisions
from simpleflow_lab.swf.conventions import is_worker_lost
from tests.service.scenario import DOMAIN, Scenario, this_process

ACTIVITIES = 30


def acknowledged(*words: object) -> None:
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def decide_parent(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All activities at once, a timer and a child; again whatever a crash took; then the sum."""
    scheduled: dict[int, str] = {}
    open_ids: set[str] = set()
    results: dict[str, int] = {}
    lost: list[str] = []
    other = {"TimerFired": 0, "TimerStarted": 0, "ChildWorkflowExecutionCompleted": 0}
    for event in events:
        event_type = event["eventType"]
        (attributes,) = (value for name, value in event.items() if name.endswith("Attributes"))
        if event_type == "ActivityTaskScheduled":
            scheduled[event["eventId"]] = attributes["activityId"]
            open_ids.add(attributes["activityId"])
        elif event_type == "ActivityTaskCompleted":
            results[scheduled[attributes["scheduledEventId"]]] = int(attributes["result"])
        elif event_type == "ActivityTaskTimedOut":
            assert is_worker_lost(attributes["details"])
            lost.append(scheduled[attributes["scheduledEventId"]])
            open_ids.discard(lost[-1])
        elif event_type in other:
            other[event_type] += 1
    wanted = [f"a{n}" for n in range(ACTIVITIES) if f"a{n}" not in open_ids]
    new = [decisions.schedule_activity_task(activity_id=each, name="activity", version="1") for each in wanted]
    if not other["TimerStarted"]:
        new.append(decisions.start_timer(timer_id="t", start_to_fire_timeout=1))
        new.append(
            decisions.start_child_workflow_execution(
                workflow_id="child", name="workflow", version="1", task_list="children"
            )
        )
    if len(results) == ACTIVITIES and other["TimerFired"] and other["ChildWorkflowExecutionCompleted"]:
        new.append(decisions.complete_workflow_execution(result=str(sum(results.values()))))
    return new


def decider(lab: Scenario, task_list: str) -> None:
    while True:
        task = lab.poll(task_list)
        if "taskToken" not in task:
            continue
        child = task_list == "children"
        new = [decisions.complete_workflow_execution()] if child else decide_parent(task["events"])
        try:
            lab.answer(task, *new)
        except UnknownResourceFault:
            continue
        acknowledged("decided", task["workflowExecution"]["workflowId"], task["startedEventId"])


def worker(lab: Scenario) -> None:
    while True:
        task = lab.take()
        if "taskToken" in task:
            acknowledged("ran", task["activityId"])
            lab.complete(task, task["activityId"][1:])
            acknowledged("completed", task["activityId"])


def main(path: str) -> None:
    engine = EmbeddedSWF(path, poll_seconds=1)
    lab = Scenario(engine, None, this_process())  # type: ignore[arg-type]
    for register in (lab.prepare, lab.workflow_type, lab.activity_type):
        with contextlib.suppress(SWFFault):
            register()
    found = [handle for handle in lab.everything() if handle.workflow_id == "w"]
    handle = found[0] if found else lab.start()
    acknowledged("started", handle.run_id)
    for target, *arguments in ((decider, "decisions"), (decider, "children"), (worker,), (worker,)):
        threading.Thread(target=target, args=(lab, *arguments), daemon=True).start()
    engine.wait_for_history(domain=DOMAIN, execution=handle.ids, after_event_id=0, timeout=60, until_closed=True)
    acknowledged("closed", lab.last(handle).get("result"))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
