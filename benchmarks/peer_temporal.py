"""Temporal's Replayer on a history of its own, without a server. Run in the peers' virtual environment; speaks as
`benchmarks.ours` does.

The history is made by hand, as a server records a fan-out: all activities are scheduled by the first workflow task. The
time is that of `Replayer.replay_workflow`, with the unsandboxed runner, which is the quicker one; reading the history
from JSON is not counted.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import json
import sys
import time
from datetime import timedelta

from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner


@workflow.defn(name="FanOut")
class FanOut:
    """As many activities at once as it is told."""

    @workflow.run
    async def run(self, n: int) -> int:
        """Their sum."""
        tasks = [
            workflow.execute_activity("increment", x, start_to_close_timeout=timedelta(seconds=60)) for x in range(n)
        ]
        return sum(await asyncio.gather(*tasks))


def payloads(value: object) -> dict[str, object]:
    """A value as Temporal's default converter writes it."""

    def text(plain: str) -> str:
        return base64.b64encode(plain.encode()).decode()

    return {"payloads": [{"metadata": {"encoding": text("json/plain")}, "data": text(json.dumps(value))}]}


def history(n: int) -> str:
    """The JSON text of the history of a fan-out of n activities: 3 events each, and 8 more."""
    events: list[dict[str, object]] = []
    began = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

    def add(kind: str, **attributes: object) -> str:
        number = len(events) + 1
        name = "".join(part.title() for part in kind.split("_"))
        events.append(
            {
                "eventId": str(number),
                "eventTime": (began + timedelta(milliseconds=number)).isoformat().replace("+00:00", "Z"),
                "eventType": f"EVENT_TYPE_{kind}",
                f"{name[0].lower()}{name[1:]}EventAttributes": attributes,
            }
        )
        return str(number)

    queue = {"name": "benchmark"}

    def decide() -> str:
        scheduled = add("WORKFLOW_TASK_SCHEDULED", taskQueue=queue, startToCloseTimeout="10s", attempt=1)
        started = add("WORKFLOW_TASK_STARTED", scheduledEventId=scheduled, identity="b", requestId="r")
        return add(
            "WORKFLOW_TASK_COMPLETED",
            scheduledEventId=scheduled,
            startedEventId=started,
            identity="b",
            sdkMetadata={"coreUsedFlags": [1, 2, 3]},
        )

    add(
        "WORKFLOW_EXECUTION_STARTED",
        workflowType={"name": "FanOut"},
        taskQueue=queue,
        input=payloads(n),
        workflowTaskTimeout="10s",
        originalExecutionRunId="11111111-1111-1111-1111-111111111111",
        firstExecutionRunId="11111111-1111-1111-1111-111111111111",
        attempt=1,
        workflowId="benchmark",
    )
    decided = decide()
    scheduled = [
        add(
            "ACTIVITY_TASK_SCHEDULED",
            activityId=str(number + 1),
            activityType={"name": "increment"},
            taskQueue=queue,
            input=payloads(number),
            startToCloseTimeout="60s",
            workflowTaskCompletedEventId=decided,
        )
        for number in range(n)
    ]
    for number, its in enumerate(scheduled):
        started = add("ACTIVITY_TASK_STARTED", scheduledEventId=its, identity="b", requestId="r", attempt=1)
        add("ACTIVITY_TASK_COMPLETED", scheduledEventId=its, startedEventId=started, result=payloads(number + 1))
    decided = decide()
    add(
        "WORKFLOW_EXECUTION_COMPLETED",
        result=payloads(sum(range(1, n + 1))),
        workflowTaskCompletedEventId=decided,
    )
    return json.dumps({"events": events})


async def replay(n: int) -> dict[str, float]:
    """Seconds of the replay of a fan-out of n activities."""
    recorded = WorkflowHistory.from_json("benchmark", history(n))
    # In debug mode it does not take a workflow task of more than 2 s, as on a busy machine, for a deadlock.
    replayer = Replayer(workflows=[FanOut], workflow_runner=UnsandboxedWorkflowRunner(), debug_mode=True)
    wall, cpu = time.perf_counter(), time.process_time()
    result = await replayer.replay_workflow(recorded)
    found = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    assert result.replay_failure is None
    return found


def main() -> None:
    """Answer the lines on standard input."""
    for line in sys.stdin:
        print(json.dumps(asyncio.run(replay(int(line.split()[1])))), flush=True)


if __name__ == "__main__":
    main()
