"""`docs/coming_from_simpleflow.md`, line by line: what it says of upstream is so, with upstream 0.36 itself.

What it says of this package is tried in `tests/authors/test_coming_from_simpleflow.py`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.swf.history import History
from tests.authors.test_coming_from_simpleflow import table_rows
from tests.foreign.test_upstream import simpleflow  # noqa: F401  a fixture

PROGRAM = Path(__file__).with_name("upstream_differences.py")
LIST = "differences"
WORKFLOWS = (
    *("Numbers", "Changed", "Enters", "HeldUp", "Raises", "Passes", "Broken", "Errs", "Cancels"),
    *(
        "Positional",
        "Child",
        "Starts",
        "Listens",
        "Signals",
        "Marks",
        "Contexts",
        "Large",
        "Undecorated",
        "Tagged",
        "OneId",
        "Twice",
    ),
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class Seen(NamedTuple):
    """What upstream did."""

    histories: Mapping[str, History]
    """Of each execution, by its workflow id."""
    facts: Mapping[str, Any]
    """What needs no decider."""
    facts_elsewhere: Mapping[str, Any]
    """The same in a process whose sets have another order."""
    notes: Mapping[str, list[str]]
    """The processes in which something was noted, by what it is."""
    printed: str
    """The output of decider and worker."""

    def result(self, workflow_id: str) -> Any:
        """The result of an execution that completed."""
        last = self.histories[workflow_id][-1]
        assert last.type == "WorkflowExecutionCompleted", last
        return json.loads(last.attributes["result"])

    def reason(self, workflow_id: str) -> str:
        """Why an execution failed."""
        last = self.histories[workflow_id][-1]
        assert last.type == "WorkflowExecutionFailed", last
        return str(last.attributes["reason"])

    def types(self, workflow_id: str) -> list[str]:
        """The types of its events."""
        return [event.type for event in self.histories[workflow_id]]


STARTED = {
    "numbers": [],
    "changed": [],
    "enters": [],
    "held-up": [],
    "raises": [],
    "passes": [],
    "broken": [],
    "errs": [],
    "cancels": [],
    "positional-signal": ["signal"],
    "positional-next": ["next"],
    "starts": [],
    "signals": [],
    "marks": [],
    "contexts": [],
    "large": [],
    "undecorated": [],
    "twice": [],
}


@pytest.fixture(scope="module")
def seen(simpleflow: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:  # noqa: F811
    folder = tmp_path_factory.mktemp("differences")
    python = Path(simpleflow).with_name("python")
    with EmbeddedSWF(":memory:", poll_seconds=0.5) as engine:
        engine.register_domain(name="lab", workflowExecutionRetentionPeriodInDays="1")
        endpoint = Endpoint(engine)
        environment = {
            **os.environ,
            **endpoint.environment,
            "PYTHONPATH": str(PROGRAM.parent),
            "NOTES": str(folder),
            "LOG_LEVEL": "CRITICAL",
            "PYTHONHASHSEED": "1",
        }
        facts, elsewhere = (
            json.loads(subprocess.run([python, PROGRAM], env=env, check=True, capture_output=True).stdout)
            for env in (environment, {**environment, "PYTHONHASHSEED": "2"})
        )
        command = [simpleflow, "workflow.start", "--domain", "lab", "--workflow-id", "tagged", f"{PROGRAM.stem}.Tagged"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        (folder / "printed").touch()
        with open(folder / "printed", "a") as printed:
            programs = [
                subprocess.Popen(
                    [simpleflow, *command], env=environment, stdout=printed, stderr=printed, start_new_session=True
                )
                for command in (
                    ["decider.start", "--domain", "lab", "--task-list", LIST, "-N", "1"]
                    + [f"{PROGRAM.stem}.{name}" for name in WORKFLOWS],
                    ["worker.start", "--domain", "lab", "--task-list", LIST, "-N", "3"],
                )
            ]
            try:
                for workflow_id, arguments in STARTED.items():
                    start(engine, workflow_id, arguments)
                while any(info["executionStatus"] == "OPEN" for info in infos(engine)):
                    assert all(program.poll() is None for program in programs), (folder / "printed").read_text()
                    time.sleep(0.1)
            finally:
                for program in programs:
                    os.killpg(program.pid, signal.SIGKILL)
                    program.wait()
                endpoint.close()
        names = {info["execution"]["workflowId"] for info in infos(engine)}
        yield Seen(
            histories={name: history_of(engine, name) for name in names},
            facts=facts,
            facts_elsewhere=elsewhere,
            notes={path.name: path.read_text().split() for path in folder.iterdir() if path.name != "printed"},
            printed=(folder / "printed").read_text(),
        )


def start(engine: EmbeddedSWF, workflow_id: str, arguments: list[Any]) -> None:
    kind = {"name": workflow_id if workflow_id in ("held-up",) else workflow_id.partition("-")[0], "version": "1"}
    registered = engine.list_workflow_types(domain="lab", registrationStatus="REGISTERED")["typeInfos"]
    if kind not in [each["workflowType"] for each in registered]:
        engine.register_workflow_type(domain="lab", **kind)
    engine.start_workflow_execution(
        domain="lab",
        workflowId=workflow_id,
        workflowType=kind,
        taskList={"name": LIST},
        input=json.dumps({"args": arguments, "kwargs": {}}),
        childPolicy="TERMINATE",
        executionStartToCloseTimeout="600",
        taskStartToCloseTimeout="60",
    )


def infos(engine: EmbeddedSWF) -> list[Mapping[str, Any]]:
    since = {"oldestDate": 0}
    found = engine.list_open_workflow_executions(domain="lab", startTimeFilter=since)["executionInfos"]
    return [*found, *engine.list_closed_workflow_executions(domain="lab", startTimeFilter=since)["executionInfos"]]


def history_of(engine: EmbeddedSWF, workflow_id: str) -> History:
    """The events of its latest run."""
    [first, *_] = [info["execution"] for info in infos(engine) if info["execution"]["workflowId"] == workflow_id]
    return History.from_wire(engine.get_workflow_execution_history(domain="lab", execution=first)["events"])


Check = Callable[[Seen], object]


def a_late_argument(seen: Seen) -> bool:
    return bool(seen.result("numbers") != [4, 600])


def the_class_says_nothing_at_a_start(seen: Seen) -> bool:
    started = seen.histories["tagged"][0].attributes
    return started.get("executionStartToCloseTimeout") != "7200" and not started.get("tagList")


def held_up_by_a_future_in_a_list(seen: Seen) -> bool:
    events = seen.types("held-up")
    return events.index("TimerFired") < events.index("ActivityTaskScheduled")


def a_marker_causes_a_decision(seen: Seen) -> bool:
    return bool(seen.notes.get("no details yet"))


def signals_of_the_child(seen: Seen) -> int:
    """How many signals came to the child."""
    [child] = [each for each in seen.histories.values() if each.workflow_type.lower().endswith("listens")]
    return [event.type for event in child].count("WorkflowExecutionSignaled")


CHECKS: Mapping[str, Check] = {
    "A task is numbered when it is scheduled": a_late_argument,
    "Code that changed under an open execution": lambda seen: (
        str(seen.result("changed")) == seen.notes["changed"][0] and "changed elsewhere" not in seen.notes
    ),
    "Reading `.result` of a pending future": lambda seen: len(seen.notes["entered"]) > 1,
    "`ExecutionBlocked` is an `Exception`": lambda seen: seen.facts["blocked is an exception"],
    "A pending future inside a list or dict": held_up_by_a_future_in_a_list,
    "The failure of a task with `raises_on_failure`": lambda seen: (
        seen.reason("raises") and "TimerFired" not in seen.types("raises")
    ),
    "`raises_on_failure` of a container": lambda seen: (
        seen.facts["raises in a quiet group"][1] is False and seen.facts["raises in a group that is set later"] is False
    ),
    "A failure whose error is never read": lambda seen: seen.result("passes") is None,
    "`print` and log lines in `run`": lambda seen: seen.printed.count("a line of run") > 1,
    "An unexpected error in a decider": lambda seen: seen.histories["broken"].close_status == "FAILED",
    "The reason of a workflow's error": lambda seen: seen.reason("errs").startswith("Cannot replay the workflow"),
    "The local executor runs one task after the other": lambda seen: seen.facts["attempts of the local executor"] == 1,
    "`cancel()` of a future": lambda seen: (
        seen.result("cancels") is None and "ActivityTaskCancelRequested" not in seen.types("cancels")
    ),
    "`signal` and `continue_as_new` fail with positional": lambda seen: (
        "TypeError" in seen.reason("positional-signal") and "TypeError" in seen.reason("positional-next")
    ),
    "`get_task_list`, `get_tag_list` and `get_workflow_id`": lambda seen: "got-Child-7" in seen.histories,
    "Timeouts and tags of a class": the_class_says_nothing_at_a_start,
    "Of the signals of one name": lambda seen: signals_of_the_child(seen) == 1,
    "A child with the workflow id of an earlier one": lambda seen: seen.result("twice") == [1, 1],
    "A timer with the id of an earlier one": lambda seen: seen.types("twice").count("TimerStarted") == 1,
    "A marker, or the cancel of a timer": a_marker_causes_a_decision,
    "Each task runs in a process that is forked for it": lambda seen: (
        seen.result("contexts")[1] != int(seen.result("changed"))
    ),
    "A worker runs any function": lambda seen: seen.result("undecorated") == 12,
    "`activity.context` is kept on the function": lambda seen: "workflow_id" in seen.result("contexts")[0],
    "The seconds of a time": lambda seen: ".123Z" in seen.facts["time"],
    "Bytes that are not UTF-8": lambda seen: "\\ufffd" in seen.facts["bytes"],
    "A set is written": lambda seen: seen.facts["sets"] != seen.facts_elsewhere["sets"],
    "Keys of several types": lambda seen: seen.facts["mixed keys"] == "TypeError",
    "Keys that become text, and NaN": lambda seen: seen.facts["keys and NaN"] == '{"1":NaN}',
    "Lone surrogates": lambda seen: seen.facts["surrogates"] == seen.facts["nesting"] == "",
    "`--input` takes NaN": lambda seen: seen.facts["NaN is read"] == "[nan, inf]",
    "A large value without a bucket": lambda seen: seen.histories["large"].close_status == "FAILED",
    "A `future_class` submits the members": lambda seen: all(seen.facts["computed by the future"]),
}


def test_every_row_of_a_table_is_tried():
    rows = table_rows()
    assert [begin for begin in CHECKS if len([row for row in rows if row.startswith(begin)]) != 1] == []
    assert [row for row in rows if not any(row.startswith(begin) for begin in CHECKS)] == []


@pytest.mark.parametrize("line", CHECKS)
def test_upstream_does_what_the_guide_says(seen: Seen, line: str) -> None:
    assert CHECKS[line](seen)
