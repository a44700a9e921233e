"""What a step says, to be compared with what it says another time."""

from __future__ import annotations

import random
from typing import Any

from simpleflow_lab import Workflow
from simpleflow_lab.debugger.steps import ReplayStep, ReplaySteps
from simpleflow_lab.debugger.walk import WINDOW
from simpleflow_lab.swf.history import History


def facts(step: ReplayStep) -> Any:
    """All that a step says."""
    return (
        step.record,
        [repr(future) for future in step.futures],
        [{name: repr(value) for name, value in frame.locals.items()} for frame in step.stack()],
        step.new_lines,
        repr(step),
    )


def check_steps(workflow: type[Workflow], history: History, **options: Any) -> None:
    """A history that the workflow's code wrote is replayed as recorded, to its end and to each decision; and to and fro
    at random the steps are those of going straight."""
    with ReplaySteps(history, workflow, **options) as steps:
        errors = [step.error for step in steps]
        assert errors == [None] * steps.expected, errors
        for step in steps:
            assert [decision["decisionType"] for decision in step.decisions] == [
                event.decision for event in step.recorded if event.id in {match.event_id for match in step.matches}
            ]
        straight = [facts(step) for step in steps]
        whole = [(step.commands, step.suspended) for step in steps]
    with ReplaySteps(history, workflow, **options) as opened:
        count = opened.open_at_end()
        last = [opened[number] for number in range((count - 1) // WINDOW * WINDOW + 1, count + 1)]
        assert all(step.is_detailed for step in last)
        assert [facts(step) for step in last] == straight[-len(last) :]
        assert opened._walk._replays.progress == count, "one replay gives all of it"
    with ReplaySteps(history, workflow, **options) as again:
        walk = random.Random(len(history)).choices(range(1, len(straight) + 1), k=len(straight) + 3)
        assert [facts(again[number]) for number in walk] == [straight[number - 1] for number in walk]
    for cut in [event.id for event in history if event.type == "DecisionTaskCompleted"]:
        with ReplaySteps(History(history[:cut]), workflow, **options) as part:
            assert [(step.commands, step.suspended) for step in part[:-1]] == whole[: len(part) - 1]
