"""A shell session as upstream's README tells it: the same words, the same columns, on a store."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

Command = Callable[..., Any]

INFO = [
    "domain", "workflow_type.name", "workflow_type.version", "task_list", "workflow_id", "run_id", "tag_list",
    "execution_time", "input",
]  # fmt: skip
PROFILE = [
    "Task", "Last State", "Scheduled", "Time Scheduled", "Start", "Time Running", "End", "Percentage of total time",
]  # fmt: skip


def test_a_session_in_upstreams_words(simpleflow: Command) -> None:
    simpleflow("domain.register", "TestDomain")
    started = simpleflow(
        "workflow.start", "--domain", "TestDomain", "--workflow-id", "basic-example-1438722273",
        "examples.basic.BasicWorkflow", "--input", "[1, 1]", "--tags", "nightly,eu",
    )  # fmt: skip
    assert (started.code, started.out) == (0, "(1 + 1) * 2 = 4\n4\n")

    listed = simpleflow("workflow.list", "TestDomain")
    assert listed.out.split() == ["basic-example-1438722273", "basic", "COMPLETED"]

    def table(*words: str) -> tuple[list[str], list[list[str]]]:
        """The titles and the rows, as CSV has them; a person sees the same titles."""
        ended = simpleflow("--header", *words)
        titles, *rows = csv.reader(io.StringIO(simpleflow("--header", "--format", "csv", *words).out))
        assert (ended.code, ended.err) == (0, "")
        assert [title for title in titles if title not in ended.out.splitlines()[0]] == []
        return titles, rows

    titles, [row] = table("workflow.info", "TestDomain", "basic-example-1438722273")
    assert titles == INFO
    info = dict(zip(titles, row, strict=True))
    assert (info["domain"], info["task_list"], info["tag_list"]) == ("TestDomain", "example", "nightly,eu")
    assert json.loads(info["input"]) == {"args": [1, 1], "kwargs": {}}
    assert float(info["execution_time"]) >= 1  # from the start of the execution to its close

    titles, rows = table("workflow.tasks", "TestDomain", "basic-example-1438722273", info["run_id"], "--nb-tasks", "2")
    assert titles == ["Tasks", "Last State", "Last State Time", "Scheduled Time"]
    assert {row[0] for row in rows} == {"examples.basic.delay", "examples.basic.double"}
    assert {row[3] for row in rows} == {rows[0][3]}  # scheduled by one decision, when `y` was there

    titles, rows = table("workflow.profile", "TestDomain", "basic-example-1438722273")
    assert titles == PROFILE
    assert rows[0][0] == "activity-examples.basic.delay-1"
    assert 50 < float(rows[0][7]) <= 100


def test_the_domain_of_the_environment_is_enough_everywhere(simpleflow: Command, monkeypatch: Any) -> None:
    monkeypatch.setenv("SWF_DOMAIN", "TestDomain")
    simpleflow("workflow.start", "examples.basic.BasicWorkflow", "--workflow-id", "b1", "-i", "[1, 0]")
    for words in (
        ["workflow.list"], ["workflow.filter"], ["workflow.statistics"], ["task_list.list"], ["domain.info"],
        *([command, "b1"] for command in ("workflow.info", "workflow.tasks", "workflow.profile", "workflow.history")),
        ["task.info", "b1", "double"], ["activity.rerun", "b1", "double", "-y"], ["workflow.replay", "b1"],
        ["resume", "b1"],
    ):  # fmt: skip
        ended = simpleflow(*words)
        assert ended.code == 0, ended.err
    assert "b1" in simpleflow("workflow.list").out
    assert "b1" not in simpleflow("workflow.list", "--domain", "lab").out + simpleflow("workflow.list", "lab").out
