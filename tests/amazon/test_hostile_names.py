"""T3: who may write to a domain names types. A worker and a decider that get such a task import and call nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Lab
from simpleflow_lab.swf.conventions import is_not_here
from tests.amazon.conftest import ADDRESS, DOMAIN
from tests.amazon.simulated import SimulatedAmazon
from tests.waiting import until

TASK_LIST = {"name": "hostile"}
NAMES = [
    "os.system", "posix.system", "subprocess.run", "subprocess.call", "builtins.eval", "builtins.exec", "builtins.open",
    "builtins.__import__", "importlib.import_module", "pickle.loads", "shutil.rmtree", "os.remove", "os.mkdir",
    "pathlib.Path.touch", "planted", "planted.touches", "planted.Touches", "antigravity", "antigravity.geohash",
    "this.s", "sys.exit", "simpleflow_lab.execute.program", "simpleflow_lab.activity.Activity", "os.path.os.system",
    "a.__class__.__mro__", "__class__", "..planted", "planted;touches", "planted touches",
]  # fmt: skip
PLANTED = """
import pathlib

pathlib.Path("imported").touch()


def touches(path):
    pathlib.Path(path).touch()
"""


def test_t3_a_name_in_a_task_is_neither_imported_nor_called(
    simulated: SimulatedAmazon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    engine = simulated.engine
    kind = {"name": "planted.Touches", "version": "1"}
    engine.register_workflow_type(domain=DOMAIN, **kind)
    for name in NAMES:
        engine.register_activity_type(domain=DOMAIN, name=name, version="1")
    timeouts = {"taskStartToCloseTimeout": "60", "executionStartToCloseTimeout": "600", "childPolicy": "TERMINATE"}
    # Upstream's deciders import the class that the input names.
    text = json.dumps({"args": ["called"], "kwargs": {}, "__extra": {"class": "planted.Touches"}})
    request: dict[str, Any] = {"domain": DOMAIN, "workflowType": kind, "taskList": TASK_LIST, "input": text, **timeouts}
    run_id = engine.start_workflow_execution(workflowId="hostile", **request)["runId"]
    task = engine.poll_for_decision_task(domain=DOMAIN, taskList=TASK_LIST)
    engine.respond_decision_task_completed(
        taskToken=task["taskToken"], decisions=[schedule(name, text) for name in NAMES]
    )
    with Lab(ADDRESS, serve="nothing", notice=lambda text: None) as lab:
        execution = lab.execution("hostile", run_id)
        lab.start_workers(4, task_list="hostile")
        failed = until(lambda: len(found := of_type(execution, "ActivityTaskFailed")) == len(NAMES) and found)
        lab.start_deciders(task_list="hostile")
        error = until(lambda: execution.decision_error)
    assert all(is_not_here(each["details"]) for each in failed)
    assert "planted.Touches" in str(error)
    assert {path.name for path in tmp_path.iterdir()} == {"planted.py"}
    assert not {"planted", "antigravity", "this"} & set(sys.modules)


def schedule(name: str, text: str) -> dict[str, Any]:
    """The decision to schedule an activity of this type."""
    attributes = {
        "activityId": f"task {NAMES.index(name)}",
        "activityType": {"name": name, "version": "1"},
        "taskList": TASK_LIST,
        "input": text,
        **dict.fromkeys(("scheduleToStartTimeout", "startToCloseTimeout", "scheduleToCloseTimeout"), "600"),
        "heartbeatTimeout": "NONE",
    }
    return {"decisionType": "ScheduleActivityTask", "scheduleActivityTaskDecisionAttributes": attributes}


def of_type(execution: Any, type: str) -> list[dict[str, Any]]:
    """The attributes of the events of this type."""
    return [dict(event.attributes) for event in execution.history() if event.type == type]
