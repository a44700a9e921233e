"""A program: replays every history that upstream recorded, at every decision, and prints what is decided there."""

from __future__ import annotations

import json
import sys

from simpleflow_lab.replay import task_ids
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.swf.history import History
from tests.replay.test_recorded_by_upstream import HISTORIES, RECORDED


def main() -> None:
    for name, workflow in RECORDED:
        history = History.from_file(HISTORIES / f"{name}.json")
        for event in history:
            if event.type == "StartChildWorkflowExecutionInitiated":
                # The id of a child holds a hash of its parent's run id, which is in no history.
                recorded = int(event.attributes["workflowId"].split("--")[1], 16)
                task_ids.zlib.adler32 = lambda _, recorded=recorded: recorded  # type: ignore[attr-defined]
        for event in history:
            if event.type == "DecisionTaskCompleted":
                started = event.attributes["startedEventId"]
                replay = Replay(workflow, workflow_id="test-simpleflow-workflow", run_id="r")
                replay.feed(history[:started])
                answer = replay.decide(started)
                replay.close()
                sys.stdout.write(f"{name} {started} {json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
