"""A decider or an activity worker made with boto3 alone, as an SWF program in any language is. Run by `tests.faults`.

    python boto3_program.py decider|worker|… IDENTITY

Each execution runs `STEPS` activities one after the other, whose results are the numbers from 0; its result is their
sum. The program says on its output what was acknowledged, a JSON list each, as the programs of the fault suite do.
Where the engine does not answer it tries again for ever; it has no other way to find the engine than its variables.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import boto3
import botocore.config
import botocore.exceptions

DOMAIN = "lab"
LIST = {"name": "boto3"}
STEPS = 6
PAUSE = 0.1
"""Seconds that an activity takes."""
TIMEOUT = "15"
"""Seconds after which a task of a program that does not answer is given out again."""
TYPE = {"name": "numbers", "version": "1"}
STEP = {"name": "step", "version": "1"}


def say(*words: Any) -> None:
    """Report what was acknowledged."""
    sys.stdout.write(f"{json.dumps(words)}\n")
    sys.stdout.flush()


def new_client() -> Any:
    """A client that finds the engine by the variables, and tries each request once."""
    return boto3.client("swf", config=botocore.config.Config(retries={"total_max_attempts": 1}))


def patiently(call: Callable[..., Any], **request: Any) -> Any:
    """The response to a request; it is sent until there is one. `None` if the engine refuses it."""
    while True:
        try:
            return call(**request)
        except botocore.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                time.sleep(0.1)
                continue
            say("refused", error.response["Error"]["Code"], str(error))
            return None
        except (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError):
            time.sleep(0.1)


def next_decisions(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The next step, the same step again if it timed out, or the end."""
    results = [int(event["activityTaskCompletedEventAttributes"]["result"]) for event in of(events, "Completed")]
    if len(results) == STEPS:
        result = {"result": str(sum(results))}
        return [
            {
                "decisionType": "CompleteWorkflowExecution",
                "completeWorkflowExecutionDecisionAttributes": result,
            }
        ]
    scheduled = [event["eventId"] for event in of(events, "Scheduled")]
    closed = len(results) + len(of(events, "TimedOut"))
    if len(scheduled) > closed:
        return []
    attributes = {
        "activityId": str(len(results)),
        "activityType": STEP,
        "taskList": LIST,
        "input": str(len(results)),
        "scheduleToStartTimeout": "NONE",
        "scheduleToCloseTimeout": "NONE",
        "startToCloseTimeout": TIMEOUT,
        "heartbeatTimeout": "NONE",
    }
    return [{"decisionType": "ScheduleActivityTask", "scheduleActivityTaskDecisionAttributes": attributes}]


def of(events: list[dict[str, Any]], what: str) -> list[dict[str, Any]]:
    """The events of activity tasks of this kind."""
    return [event for event in events if event["eventType"] == f"ActivityTask{what}"]


def decide(client: Any, identity: dict[str, str]) -> None:
    """Poll for one decision task, and answer it."""
    task = patiently(client.poll_for_decision_task, domain=DOMAIN, taskList=LIST, **identity)
    if not task or not task.get("taskToken"):
        return
    new = next_decisions(task["events"])
    if patiently(client.respond_decision_task_completed, taskToken=task["taskToken"], decisions=new) is not None:
        say("decided", task["workflowExecution"]["runId"], task["startedEventId"])


def work(client: Any, identity: dict[str, str]) -> None:
    """Poll for one activity task, and answer it."""
    task = patiently(client.poll_for_activity_task, domain=DOMAIN, taskList=LIST, **identity)
    if not task or not task.get("taskToken"):
        return
    run_id, activity_id = task["workflowExecution"]["runId"], task["activityId"]
    say("took", run_id, activity_id, task["startedEventId"])
    time.sleep(PAUSE)
    token, result = task["taskToken"], task["input"]
    if patiently(client.respond_activity_task_completed, taskToken=token, result=result) is not None:
        say("completed", run_id, activity_id)


def main(role: str, identity: str = "") -> None:
    """Run it until it is killed."""
    client = new_client()
    given = {"identity": identity} if identity else {}
    serve = {"decider": decide, "worker": work}[role]
    while True:
        serve(client, given)


if __name__ == "__main__":
    main(*sys.argv[1:])
