"""A finished execution, replayed by a decider that never saw it."""

from __future__ import annotations

from simpleflow_lab import Execution, Workflow
from simpleflow_lab.replay.replay import Replay


def replay_all(execution: Execution, workflow: type[Workflow]) -> Replay:
    """Raises `NondeterminismError` where the code would decide otherwise than it did."""
    replay = Replay(workflow, domain="lab", workflow_id=execution.workflow_id, run_id=execution.run_id)
    replay.feed(execution.history())
    return replay


def types_of(execution: Execution, *wanted: str) -> list[str]:
    """The event types of its history, of these only."""
    return [event.type for event in execution.history() if event.type in wanted]


def timers_of(execution: Execution) -> list[tuple[str, int]]:
    """Id and seconds of each timer, in order."""
    return [
        (event.attributes["timerId"], int(event.attributes["startToFireTimeout"]))
        for event in execution.history()
        if event.type == "TimerStarted"
    ]
