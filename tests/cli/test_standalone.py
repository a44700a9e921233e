"""`standalone`, and `worker.start --one-task`: processes that end with what they were started for."""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Lab
from tests.cli import supervised_flows as flows
from tests.cli.supervised import LONG, Command
from tests.cli.supervised import lab as lab  # a fixture
from tests.cli.supervised import start as start  # a fixture
from tests.waiting import until

pytestmark = pytest.mark.slow

Start = Callable[..., Command]


def task_lists(lab: Lab, workflow_id: str) -> set[str]:
    """Every task list that the history of an execution names."""
    events = lab.execution(workflow_id).history()
    return {event.attributes["taskList"]["name"] for event in events if "taskList" in event.attributes}


def test_it_prints_the_result_and_everything_ran_on_a_task_list_of_its_own(start: Start, lab: Lab) -> None:
    # Another worker that polls the task list of the definitions gets nothing.
    lab.start_workers(1, task_list="supervised-activities")
    lab.start_deciders(task_list="supervised-decisions")
    command = start("standalone", "supervised_flows.Parent", "--workflow-id", "alone", "-W", "1")
    assert command.wait() == 0, command.said
    (ran_at,) = json.loads(command.out)
    assert ran_at != os.getpid()
    (task_list,) = task_lists(lab, "alone")
    assert task_list.startswith("alone-")
    (child,) = [info["execution"]["workflowId"] for info in lab.execution_infos() if info.get("parent")]
    assert task_lists(lab, child) == {task_list}
    assert not lab.pollers().of(task_list)
    assert command.said == ""


def test_an_execution_that_fails_is_exit_code_1_and_is_repaired_when_its_code_is(
    start: Start, lab: Lab, tmp_path: Path
) -> None:
    command = start("standalone", "supervised_flows.Wrong", "-W", "1", "--workflow-id", "broken")
    assert command.wait() == 1
    assert "on purpose" in command.said
    assert command.out == ""
    module = tmp_path / "supervised_flows.py"
    module.write_text(module.read_text().replace('raise ValueError("on purpose")', 'return "mended"'))
    words = ("standalone", "supervised_flows.Wrong", "-W", "1", "--repair", "broken", "--workflow-id", "mended")
    repaired = start(*words)
    assert repaired.wait() == 0, repaired.said
    (task_list,) = task_lists(lab, "mended")
    assert task_list.startswith("mended-")
    assert lab.execution("mended").tasks()["name"].tolist() == ["supervised.wrong"]


def test_an_interrupt_leaves_it_open_and_the_same_again_goes_on(start: Start, lab: Lab, tmp_path: Path) -> None:
    words = (
        "standalone",
        "supervised_flows.Gate",
        "-i",
        json.dumps([str(tmp_path)]),
        "--workflow-id",
        "gate",
        "-W",
        "1",
    )
    first = start(*words)
    until(lambda: list(tmp_path.glob("began-*")))
    first.send(signal.SIGINT)
    first.send(signal.SIGTERM)  # the activity is canceled, and given back
    assert first.wait() == 130
    assert list(tmp_path.glob("canceled-*"))
    assert "interrupted; the execution goes on where it stood" in first.said
    assert lab.execution("gate").status == "OPEN"
    (task_list,) = task_lists(lab, "gate")
    # P10: upstream's processes outlived a start that was refused.
    refused = start("standalone", "supervised_flows.Pids", "-i", "[1]", "--workflow-id", "gate", "-W", "1")
    assert refused.wait() == 2
    assert "'gate'" in refused.said
    assert not refused.children()
    (tmp_path / "open").touch()
    again = start(*words)
    assert again.wait() == 0, again.said
    assert task_lists(lab, "gate") == {task_list}
    assert json.loads(again.out) == lab.execution("gate").result(LONG)


def test_it_is_stopped_by_its_pid_and_not_with_all_others(
    start: Start, lab: Lab, tmp_path: Path, simpleflow: Callable[..., Any]
) -> None:
    alone = start("standalone", "supervised_flows.Gate", "-i", json.dumps([str(tmp_path)]), "-W", "1")
    until(lambda: list(tmp_path.glob("began-*")))
    refused = simpleflow("worker.stop")
    assert (refused.code, refused.err) == (
        2,
        "simpleflow: no decider.start or worker.start runs on this machine for domain lab; a standalone is stopped by "
        f"name: `worker.stop {alone.pid}`\n",
    )
    works = start("worker.start", "-N", "1", "--module", "supervised_flows")
    until(lambda: "an interrupt (Ctrl-C) stops them" in works.said)
    assert simpleflow("worker.stop", "--wait").code == 0
    assert (works.wait(), alone.process.poll()) == (0, None)
    assert simpleflow("worker.stop", "--now", str(alone.pid)).code == 0
    assert alone.wait() == 130


def test_one_task_is_run_by_one_process_which_ends(start: Start, lab: Lab) -> None:
    lab.start_deciders(task_list="supervised-decisions")
    execution = lab.start(flows.Pids, 2)
    once = ("worker.start", "--module", "supervised_flows", "-t", "supervised-activities")
    polls = start(*once, "--one-task")
    assert polls.wait() == 0
    assert polls.said == "simpleflow: one activity task is done\n"
    task = lab.service.poll_for_activity_task(domain="lab", taskList={"name": "supervised-activities"})
    gets = start(*once, "--poll-data", base64.b64encode(json.dumps(task).encode()).decode())
    assert gets.wait() == 0
    assert sorted(execution.result(LONG)) == sorted([polls.pid, gets.pid])


@pytest.mark.parametrize("words", [("standalone", "moving.Right", "-W", "1"), ("workflow.start", "moving.Right")])
def test_its_store_and_its_modules_are_found_from_where_it_was_typed_though_a_module_changes_the_directory(
    start: Start, tmp_path: Path, words: tuple[str, ...]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "moving.py").write_text(
        f"import os\nfrom simpleflow_lab import Workflow, activity\nos.chdir({str(elsewhere)!r})\n"
        "@activity.with_attributes(name='moving.seven', version='1')\ndef seven(): return 7\n"
        "class Right(Workflow):\n    name, version, task_list = 'moving', '1', 'moving'\n"
        "    def run(self): return self.submit(seven).result\n"
    )
    command = start("--store", "typed.sqlite", *words)
    assert (command.wait(), command.out) == (0, "7\n"), command.said
    assert (tmp_path / "typed.sqlite").exists()
    assert list(elsewhere.iterdir()) == []
