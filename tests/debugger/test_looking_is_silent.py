"""Whatever replays a recorded execution to look at it writes nothing: no print, no line to stderr, no log, no hook."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.execution import Execution
from simpleflow_lab.runtime.history_replay import replay_history

hooks: list[str] = []


@activity.with_attributes(version="silent", task_list="silent")
def silent_double(number: int) -> int:
    return number * 2


class Loud(Workflow):
    name, version, task_list = "silent.loud", "1", "silent"

    def run(self, number: int) -> int:
        doubled = number
        for _ in range(2):
            print("printed")
            sys.stderr.write("to stderr\n")
            logging.getLogger("silent.loud").warning("logged")
            doubled = self.submit(silent_double, doubled).result
        return doubled

    def on_completed(self, history: object) -> None:
        hooks.append("on_completed")

    def after_closed(self, history: object) -> None:
        hooks.append("after_closed")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(":memory:") as opened:
        yield opened


@pytest.fixture(scope="module")
def loud(lab: Lab) -> Execution:
    execution = lab.start(Loud, 1)
    assert execution.result(timeout=200) == 4
    return execution


WAYS: dict[str, Callable[[Lab, Execution], object]] = {
    "steps": lambda lab, execution: [(step.locals, str(step)) for step in execution.replay()],
    "debugger": lambda lab, execution: repr(execution.debug()),
    "quiet failures": lambda lab, execution: execution.quiet_failures(),
    "check": lambda lab, execution: lab.check(Loud),
    "what if": lambda lab, execution: execution.what_if(workers=2),
    "workflow.replay": lambda lab, execution: replay_history(
        Loud, execution.history(), workflow_id=execution.workflow_id, run_id=execution.run_id
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_looking_writes_nothing_and_runs_no_hook_of_a_close(
    way: str, lab: Lab, loud: Execution, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = logging.StreamHandler()  # of the stream that is stderr now: capfd's
    logging.getLogger().addHandler(handler)
    before = list(hooks)
    assert before == ["on_completed", "after_closed"]
    capfd.readouterr()
    try:
        WAYS[way](lab, loud)
    finally:
        logging.getLogger().removeHandler(handler)
    assert capfd.readouterr() == ("", "")
    assert hooks == before
