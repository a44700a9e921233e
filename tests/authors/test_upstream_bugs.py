"""Bugs and limits of upstream 0.36 that are not ours: one test a row of the table of findings, UB-01 to UB-28.

What runs a workflow is tried on the engine and over the wire. UB-28 (upstream's tests need moto before 5) has no test:
ours run with moto 5, in `tests/amazon/test_lab.py`.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import logging
import os
import signal as signals
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from simpleflow_lab.history import History as Records
from simpleflow_lab.local.executor import Executor

from simpleflow_lab import Chain, Group, Lab, Workflow, activity, futures
from simpleflow_lab.exceptions import WorkflowExecutionFailed
from simpleflow_lab.recorded_execution import RecordedExecution
from simpleflow_lab.swf.event_types import EVENT_TYPES
from tests.views.story import eventful
from tests.waiting import until

ROOT = Path(__file__).parents[2]
TASKS: Mapping[str, str] = {"task_list": "bugs", "version": "1"}
attempts: dict[str, int] = {}


@activity.with_attributes(name="bugs.one", **TASKS)
def one(x):
    return x


@activity.with_attributes(name="bugs.flaky", retry=2, **TASKS)
def flaky(key):
    attempts[key] = attempts.get(key, 0) + 1
    if attempts[key] < 3:
        raise ValueError("not yet")
    return attempts[key]


@activity.with_attributes(name="bugs.fails", **TASKS)
def fails():
    raise ValueError("in vain")


def defined(run: Any, name: str, **members: Any) -> type[Workflow]:
    """A workflow class."""
    return type(name, (Workflow,), {"name": f"bugs.{name}", "task_list": "bugs", "run": run, **members})


def started(lab: Lab, run: Any, name: str, *args: Any, **members: Any) -> Any:
    """The result of a workflow of its own."""
    return lab.start(defined(run, name, **members), *args).result(timeout=200)


# -- ids and results ---------------------------------------------------------------------------------------------------


def test_ub_01_a_task_never_gets_the_result_of_another(lab: Lab) -> None:
    def run(self):
        y = self.submit(one, 1)
        a = self.submit(one, y)
        b = self.submit(one, 300)
        return [future.result for future in (y, a, b)]

    assert started(lab, run, "shifted_ids") == [1, 1, 300]


def test_ub_01_nor_a_child_or_a_member_of_a_chain(lab: Lab) -> None:
    """Where upstream gives `[6, 8]` and the result of the wrong child."""
    leaf = defined(lambda self, x: self.submit(one, x).result, "shifted_leaf")

    def run(self):
        y = self.submit(one, 1)
        late, early = self.submit(leaf, y), self.submit(leaf, 300)
        group = self.submit(Group(Chain((one, 5), (one, 6)), (one, 7)))
        return [late.result, early.result, group.result]

    assert started(lab, run, "shifted_children") == [1, 300, [[5, 6], 7]]


def test_ub_02_continue_as_new_works_on_every_way_to_run(lab: Lab) -> None:
    def run(self, rounds):
        return rounds if rounds == 3 else self.submit(self.continue_as_new(rounds + 1)).result

    lab.start(defined(run, "rounds"), 0, workflow_id="bugs-rounds")
    until(lambda: lab.execution("bugs-rounds").status == "COMPLETED")
    assert lab.execution("bugs-rounds").result(200) == 3


def test_ub_03_a_canceled_child_ends_the_wait_for_it(lab: Lab) -> None:
    child = defined(lambda self: self.submit(self.wait_signal("never")).result, "canceled_child")

    def run(self):
        future = self.submit(child)
        self.submit(self.wait_signal("canceled")).wait()
        future.wait()
        return [future.cancelled, type(future.exception).__name__]

    execution = lab.start(defined(run, "cancels"), workflow_id="bugs-cancels")
    until(lambda: open_children(lab, execution))
    lab.execution(open_children(lab, execution)[0]).request_cancel()
    execution.signal("canceled")
    assert execution.result(200) == [True, "TaskCanceled"]


def test_ub_03_a_canceled_activity_ends_the_wait_for_it(lab: Lab) -> None:
    @activity.with_attributes(name="bugs.until_canceled", heartbeat_timeout=6, **TASKS)
    def until_canceled():
        while True:
            activity.heartbeat()
            threading.Event().wait(0.01)

    def run(self):
        future = self.submit(until_canceled)
        self.submit(self.start_timer("begun", 1)).wait()
        future.cancel()
        future.wait()
        return future.cancelled

    assert started(lab, run, "cancels_activity") is True


@pytest.mark.parametrize("state", ["canceled", "cancel_requested"])
def test_ub_03_all_54_event_types_are_known_and_spelled_as_swf_spells_them(state: str) -> None:
    assert len(EVENT_TYPES) == 54
    assert state in {row.state for row in EVENT_TYPES.values()}
    assert not any("cancelled" in row.state for row in EVENT_TYPES.values())


# -- running locally is running on SWF ---------------------------------------------------------------------------------


def test_ub_04_a_child_submitted_as_a_class_runs_locally() -> None:
    child = defined(lambda self, x: self.submit(one, x).result + 1, "local_child")
    parent = defined(lambda self, x: self.submit(child, x).result * 10, "local_parent")
    assert Executor(parent).run({"args": [1]}) == 20


def test_ub_05_locally_tasks_are_tried_again_priorities_are_no_arguments_and_signals_have_their_payload() -> None:
    def run(self):
        tried = self.submit(flaky, "local", __priority=5)
        self.submit(self.signal("told", x=1))
        told = self.submit(self.wait_signal("told"))
        futures.wait(tried, told)
        return [tried.result, told.result["kwargs"], self.get_event_details("signal", "told")["name"]]

    attempts.clear()
    assert Executor(defined(run, "local_parity")).run() == [3, {"x": 1}, "told"]


def test_ub_05_locally_fail_fails_and_hooks_are_called() -> None:
    called: list[Any] = []
    workflow = defined(
        lambda self: self.fail("for a reason", "with details"),
        "local_fail",
        on_failure=lambda self, history, reason, details=None: called.append((reason, details)),
        after_closed=lambda self, history: called.append("closed"),
    )
    with pytest.raises(WorkflowExecutionFailed, match="for a reason"):
        Executor(workflow).run()
    assert called == [("for a reason", "with details"), "closed"]


def test_ub_05_locally_on_task_failure_is_asked() -> None:
    asked: list[str] = []

    def on_task_failure(self: Workflow, failure_context: Any) -> None:
        asked.append(failure_context.task_name)

    workflow = defined(lambda self: self.submit(fails).result, "local_asked", on_task_failure=on_task_failure)
    assert Executor(workflow).run() is None
    assert asked == ["bugs.fails"]


# -- signals, next runs, children --------------------------------------------------------------------------------------


def test_ub_06_a_signal_takes_positional_arguments(lab: Lab) -> None:
    def run(self):
        self.submit(self.signal("told", 1, 2, a=3))
        told = self.submit(self.wait_signal("told")).result
        return [told["args"], told["kwargs"]]

    assert started(lab, run, "positional_signal") == [[1, 2], {"a": 3}]


def test_ub_07_the_next_run_takes_positional_arguments(lab: Lab) -> None:
    def run(self, a, b=0):
        return [a, b] if b else self.submit(self.continue_as_new(a, 5)).result

    lab.start(defined(run, "positional_next"), 1, workflow_id="bugs-next")
    until(lambda: lab.execution("bugs-next").status == "COMPLETED")
    assert lab.execution("bugs-next").result(200) == [1, 5]


def test_ub_08_class_methods_say_id_task_list_and_tags_of_a_child_from_its_arguments(lab: Lab) -> None:
    class Says(Workflow):
        name = "bugs.says"

        @classmethod
        def get_workflow_id(cls, word, *args):
            return f"bugs-says-{word}"

        @classmethod
        def get_task_list(cls, word, *args):
            return f"list-{word}"

        @classmethod
        def get_tag_list(cls, word, *args):
            return [word, cls.__name__]

        def run(self, word):
            context = self.get_run_context()
            return [context["workflow_id"], context["tag_list"]]

    def run(self):
        return self.submit(Says, "x").result

    execution = lab.start(defined(run, "asks_class"))
    assert execution.result(200) == ["bugs-says-x", ["x", "Says"]]
    [initiated] = [e for e in execution.history() if e.type == "StartChildWorkflowExecutionInitiated"]
    assert initiated.attributes["taskList"] == {"name": "list-x"}


def test_ub_09_timeouts_and_tags_of_the_class_are_those_of_its_executions(lab: Lab) -> None:
    workflow = defined(
        lambda self: None, "timeouts", execution_timeout=7200, decision_tasks_timeout=77, tag_list=["a", "b=1"]
    )
    execution = lab.start(workflow)
    execution.result(200)
    attributes = execution.history()[0].attributes
    assert attributes["executionStartToCloseTimeout"] == "7200"
    assert attributes["taskStartToCloseTimeout"] == "77"
    assert attributes["tagList"] == ["a", "b=1"]


def test_ub_10_a_failure_that_nobody_noticed_is_shown(lab: Lab) -> None:
    execution = lab.start(defined(lambda self: self.submit(fails).result, "unhandled"))
    assert execution.result(200) is None
    [failure] = execution.unhandled_failures().to_dict("records")
    assert failure["name"] == "bugs.fails"
    assert failure["reason"] == "ValueError: in vain"


# -- histories and what is made of them --------------------------------------------------------------------------------


def test_ub_11_a_lambda_event_is_read_and_shown() -> None:
    history = eventful()
    assert any(event.type.startswith("LambdaFunction") for event in history)
    assert "lambda" in set(RecordedExecution(history).tasks()["kind"])
    assert Records(history).activities


def test_ub_12_a_worker_without_identity_is_read_and_shown() -> None:
    history = eventful()
    assert any(e.type == "ActivityTaskStarted" and "identity" not in e.attributes for e in history)
    assert RecordedExecution(history).tasks()["worker"].isna().any()
    assert any("identity" in record and record["identity"] is None for record in Records(history).activities.values())


def test_ub_13_a_closed_execution_is_found_without_its_run_id(lab: Lab) -> None:
    lab.start(defined(lambda self: "x", "closed"), workflow_id="bugs-closed").result(200)
    assert lab.execution("bugs-closed").status == "COMPLETED"


def test_ub_18_looking_twice_gives_the_same() -> None:
    history = eventful()
    recorded, records = RecordedExecution(history), Records(history)
    assert recorded.profile().equals(recorded.profile())
    assert records.activities == records.activities
    before = json.dumps(records.activities, default=str)
    records.parse()
    assert json.dumps(records.activities, default=str) == before


def test_ub_20_every_attempt_is_a_row_of_its_own(lab: Lab) -> None:
    attempts.clear()
    execution = lab.start(defined(lambda self: self.submit(flaky, "rows").result, "rows"))
    assert execution.result(200) == 3
    tasks = execution.tasks()
    assert list(tasks["attempt"]) == [1, 2, 3]
    assert list(tasks["state"]) == ["failed", "failed", "completed"]
    assert list(tasks["reason"].notna()) == [True, True, False]


def test_ub_16_a_task_that_is_running_or_took_no_time_is_in_the_profile() -> None:
    profile = RecordedExecution(eventful()).profile()
    assert (profile["open"] > 0).any()
    assert (profile["total_running"].fillna(0) >= 0).all()


def test_ub_25_reading_histories_in_threads_mixes_nothing_up() -> None:
    history = eventful()
    expected = Records(history).tasks
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(Records(history).tasks)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8


def test_ub_26_timestamps_of_a_local_run_are_when_it_happened(lab: Lab) -> None:
    before = datetime.datetime.now(datetime.UTC)
    execution = lab.start(defined(lambda self: self.submit(one, 1).result, "timestamps"))
    execution.result(200)
    after = datetime.datetime.now(datetime.UTC)
    slack = datetime.timedelta(milliseconds=5)
    stamps = [event.timestamp for event in execution.history()]
    assert stamps == sorted(stamps)
    assert before - slack <= stamps[0]
    assert stamps[-1] <= after + slack


# -- the process -------------------------------------------------------------------------------------------------------


def test_ub_21_a_workflow_of_a_main_module_runs_in_the_process_that_defined_it(lab: Lab) -> None:
    class Here(Workflow):
        __module__ = "__main__"
        task_list = "bugs"

        def run(self, x):
            return self.submit(here, x).result

    def here(x):
        return x + 1

    here.__module__ = "__main__"
    here = activity.with_attributes(task_list="bugs")(here)
    assert here.name.startswith("__main__.")
    assert lab.start(Here, 1).result(200) == 2


def test_ub_22_it_runs_in_any_thread_and_installs_no_signal_handler() -> None:
    handlers = {number: signals.getsignal(number) for number in (signals.SIGTERM, signals.SIGINT, signals.SIGCHLD)}
    found: list[Any] = []

    def in_a_thread() -> None:
        with Lab(":memory:") as lab:
            found.append(started(lab, lambda self: self.submit(one, 7).result, "in_a_thread"))

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join(200)
    assert found == [7]
    assert {number: signals.getsignal(number) for number in handlers} == handlers


def test_ub_23_importing_it_configures_no_logging_and_changes_no_environment() -> None:
    program = """
import json, logging, os
before = dict(os.environ)
import simpleflow_lab
logger = logging.getLogger("simpleflow_lab")
root = logging.getLogger()
print(json.dumps([logger.handlers == [], logger.propagate, root.handlers == [], before == dict(os.environ)]))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True] * 4
    assert logging.getLogger("simpleflow_lab").propagate


def test_ub_24_a_decision_runs_only_what_is_new(lab: Lab) -> None:
    entered: list[int] = []

    def run(self):
        entered.append(1)
        x = 0
        for _ in range(20):
            x = self.submit(one, x + 1).result
        return x

    assert started(lab, run, "incremental") == 20
    assert len(entered) == 1


# -- the command line --------------------------------------------------------------------------------------------------


@pytest.fixture
def simpleflow(tmp_path: Path) -> Any:
    """`simpleflow …` as a process with a store of its own."""

    def run(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SIMPLEFLOW_LAB_STORE": str(tmp_path / "lab.sqlite"), "PYTHONPATH": str(ROOT)}
        environment.pop("SIMPLEFLOW_FORMAT", None)
        command = [sys.executable, "-m", "simpleflow_lab.cli", *words]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False, **options
        )

    return run


BASIC = "tests.authors.programs.basic.BasicWorkflow"


def test_ub_13_to_17_and_19_commands_tell_all_and_need_no_terminal(simpleflow: Any) -> None:
    ended = simpleflow("workflow.start", BASIC, "--workflow-id", "b1", "--input", "[7]", stdin=subprocess.DEVNULL)
    assert ended.returncode == 0, ended.stderr
    # UB-13, UB-14: closed, without its run id; its own input and its own time.
    info = json.loads(simpleflow("--format", "json", "--header", "workflow.info", "b1").stdout)
    [row] = info if isinstance(info, list) else [info]
    assert "7" in json.dumps(row["input"])
    # UB-15: all of the history, in more than one format.
    events = simpleflow("--format", "prettyjson", "workflow.history", "b1").stdout
    assert "WorkflowExecutionCompleted" in events
    assert "WorkflowExecutionStarted" in events
    # UB-16, UB-19: every task, with titles in CSV, and no blank line at its end.
    text = simpleflow("--format", "csv", "--header", "workflow.tasks", "b1").stdout
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 4
    assert rows[0][0].lower() == "tasks"
    assert not text.endswith("\n\n")
    human = simpleflow("--format", "human", "workflow.tasks", "b1").stdout
    assert all(name in human for name in ("increment", "double", "Later"))


def test_ub_27_a_failed_workflow_is_an_exit_code_and_its_cause(simpleflow: Any) -> None:
    ended = simpleflow("workflow.start", "tests.authors.programs.children.ChildWithId", "--input", '[{"odd": 1}, 2]')
    assert ended.returncode == 2  # these arguments don't fit
    ended = simpleflow("workflow.start", "examples.failing.Failing", "--input", '{"kwargs": {"strict": true}}')
    assert ended.returncode == 1
    assert "LookupError: no mail address for Ada" in ended.stderr


# -- helpers -----------------------------------------------------------------------------------------------------------


def open_children(lab: Lab, execution: Any) -> list[str]:
    """Ids of the child executions that have started."""
    return [
        event.attributes["workflowExecution"]["workflowId"]
        for event in execution.history()
        if event.type == "ChildWorkflowExecutionStarted"
    ]
