"""A history alone: all that its explanation advises can be done without the store in which the execution was."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from simpleflow_lab import open_history
from simpleflow_lab.commands.advice import as_commands, named_in_shell
from simpleflow_lab.recorded_execution import RecordedExecution
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.explanation_lines import first_few
from simpleflow_lab.views.recorded_advice import without_a_store
from tests.views import troubles
from tests.views.story import Story

TROUBLES = [
    function
    for _, function in inspect.getmembers(troubles, inspect.isfunction)
    if function.__module__ == troubles.__name__ and function.__annotations__.get("return") == "History"
]


@pytest.mark.parametrize(
    ("to_do", "left"),
    [
        ("", ""),
        ("raise max_parallel of the group", "raise max_parallel of the group"),
        ("execution.tasks()", "execution.tasks()"),
        ("execution.tasks(), or simpleflow workflow.tasks 'shop; 1'", "execution.tasks()"),
        ("simpleflow workflow.signal shop-1 go", ""),
        ("execution.signal('go'), or simpleflow workflow.signal shop-1 go", ""),
        ("lab.execution('child; 1', 'run').explain()", ""),
        ("execution.result() raises it with its traceback", ""),
        ("lab.start_workers(6, task_list='etl')", "lab.start_workers(6, task_list='etl')"),
        ("lab.start_workers(6, task_list='a; b'); lab.pollers() shows", "lab.start_workers(6, task_list='a; b')"),
        ("one task list for each; lab.pollers() shows who polls", "one task list for each"),
        ("don't; lab.resume() goes on", ""),
        ("comparison.tasks()", "comparison.tasks()"),
    ],
)
def test_what_needs_the_store_is_left_out(to_do: str, left: str) -> None:
    assert without_a_store(to_do, lambda name: hasattr(RecordedExecution, name)) == left


def opened(history: History, folder: Path) -> RecordedExecution:
    path = folder / "run.json"
    path.write_text(history.to_json(workflow_id="shop-1", run_id="run-1"))
    return open_history(path)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_every_call_that_a_file_is_explained_with_can_be_made(trouble: Callable[[], History], tmp_path: Path) -> None:
    execution = opened(trouble(), tmp_path)
    for line in (*execution.explain(), *execution.waiting_for()):
        for call in re.findall(r"(?<![\w.])execution\.\w+\(\)", line.to_do):
            assert eval(call, {"execution": execution}) is not None
        command = as_commands(line.to_do, named_in_shell(execution))
        assert "shop-1" not in command
        assert command.startswith("simpleflow worker.start ") or "simpleflow" not in command or "--file" in command


def test_of_a_failed_child_no_command_is_advised_that_needs_its_store(tmp_path: Path) -> None:
    story = Story()
    story.decide()
    child = {"workflowType": {"name": "shop.Child", "version": "1"}, "decisionTaskCompletedEventId": story.decided}
    initiated = story.add("StartChildWorkflowExecutionInitiated", workflowId="child-1", **child)
    ids = {"workflowExecution": {"workflowId": "child-1", "runId": "run-2"}, "initiatedEventId": initiated}
    story.add("ChildWorkflowExecutionStarted", **ids)
    story.at(5).add("ChildWorkflowExecutionFailed", reason="ValueError: no", **ids)
    story.decide()
    story.end("Failed", reason="child-1: ValueError: no")

    lines = opened(story.history(), tmp_path).explain()

    assert lines[0].text == "✗ FAILED after 5.1 s: its code failed with child-1: ValueError: no"
    assert not [line.to_do for line in lines if "child-1" in line.to_do]


def test_a_line_names_whole_things_and_as_many_as_it_has_room_for() -> None:
    assert first_few(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert first_few(["a" * 100, "b" * 100, "c" * 100]) == f"{'a' * 100}, {'b' * 100} and 1 more"
    assert first_few(["a" * 500, "b"]) == f"{'a' * 500} and 1 more"
    assert first_few([]) == ""
