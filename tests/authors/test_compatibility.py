"""What programs written for upstream lean on, beside the programs of `programs/`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from simpleflow_lab.base import SubmittableContainer
from simpleflow_lab.local.executor import Executor
from simpleflow_lab.swf.task import NonPythonicActivityTask

from simpleflow_lab import Lab, Workflow, activity, canvas, futures, swf, task
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.replay.replay import Replay

ROOT = Path(__file__).parents[2]
TASKS: Mapping[str, str] = {"task_list": "compatibility", "version": "1"}


@activity.with_attributes(name="compatibility.double", **TASKS)
def double(x):
    return 2 * x


class Looks(Workflow):
    """Looks at its history at each turn."""

    name = "compatibility.looks"
    task_list = "compatibility"

    def run(self):
        history = self.executor.history
        seen = [history.last_event_id]
        y = self.submit(double, 1).result
        seen.append(history.last_event_id)
        self.submit(self.record_marker("looked", {"y": y}))
        self.submit(self.start_timer("a minute", 60)).result
        seen.append(history.last_event_id)
        [record] = history.activities.values()
        assert record["state"] == "completed"
        assert record["name"] == "compatibility.double"
        assert record["input"]["args"] == [1]
        assert history.timers["a minute"]["state"] == "fired"
        assert history.markers["looked"][0]["details"] == '{"y":2}'
        assert self.get_event_details("marker", "looked")["details"] == {"y": 2}
        assert history.started_decision_id == history.last_event_id
        return seen


def test_a_workflow_sees_its_history_up_to_the_current_decision_and_so_does_its_replay(virtual_lab: Lab) -> None:
    execution = virtual_lab.start(Looks)
    seen = execution.result(timeout=200)
    history = execution.history()
    assert [history.event(event_id).type for event_id in seen] == ["DecisionTaskStarted"] * 3
    assert seen[0] == 3
    # A history that is fed whole has more events than were there at each decision; the code must not see them.
    replay = Replay(Looks, workflow_id=execution.workflow_id, run_id=execution.run_id)
    replay.feed(history)  # raises NondeterminismError if it comes to another result
    replay.close()


class AsksExecutor(Workflow):
    """Asks what runs it, as upstream's programs do."""

    name = "compatibility.asks_executor"
    task_list = "compatibility"

    def run(self):
        return isinstance(self.executor, swf.executor.Executor) and self.executor.workflow is self


def test_the_executor_is_what_upstream_calls_one(lab: Lab) -> None:
    assert lab.start(AsksExecutor).result(timeout=200) is True


class Twice(SubmittableContainer):
    """A container of the author's own."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def submit(self, executor):
        return executor.workflow.submit(canvas.Group((double, *self.arguments), (double, *self.arguments)))


class UsesContainer(Workflow):
    """Submits a container of the author's own, by itself and in a chain."""

    name = "compatibility.uses_container"
    task_list = "compatibility"

    def run(self):
        both = self.submit(Twice(2))
        chained = self.submit(canvas.Chain((double, 1), Twice(3)))
        return futures.wait(both, chained)


def test_a_container_of_the_authors_own_is_submitted_like_any_other(lab: Lab) -> None:
    """PM-03."""
    assert lab.start(UsesContainer).result(timeout=200) == [[4, 4], [2, [6, 6]]]


class NotPython(Workflow):
    """Asks for tasks that are run by another language."""

    name = "compatibility.not_python"
    task_list = "compatibility"

    def run(self):
        positional = self.submit(NonPythonicActivityTask(double, 1, [2]))
        named = self.submit(NonPythonicActivityTask(double, a=1))
        return [positional.exception is None, named.exception is None]


def test_a_task_that_python_does_not_run_has_its_arguments_alone_as_input(lab: Lab) -> None:
    """TO-15."""
    execution = lab.start(NotPython)
    execution.wait(200)
    scheduled = [event for event in execution.history() if event.type == "ActivityTaskScheduled"]
    assert [json.loads(event.attributes["input"]) for event in scheduled] == [[1, [2]], {"a": 1}]


def test_a_task_that_python_does_not_run_takes_positional_arguments_or_named_ones() -> None:
    with pytest.raises(UsageError, match="positional arguments or named ones"):
        NonPythonicActivityTask(double, 1, a=2)


def test_what_is_no_activity_is_refused_by_type() -> None:
    """PM-03."""
    with pytest.raises(TypeError, match=r"decorate it with @activity\.with_attributes"):
        task.ActivityTask(len, "x")


class First(Workflow):
    """Has the type of `Second`."""

    name = "compatibility.one_type"
    task_list = "compatibility"

    def run(self, rounds=0):
        if rounds:
            return ["first", rounds]
        return self.submit(self.continue_as_new(rounds=1)).result


class Second(Workflow):
    """Has the type of `First`."""

    name = "compatibility.one_type"
    task_list = "compatibility"

    def run(self, rounds=0):
        return ["second", rounds]


def test_two_classes_of_one_type_each_run_their_own_code_also_in_the_next_run(lab: Lab) -> None:
    """Upstream's examples have such: a decider must not run one for the other."""
    first, second = lab.start(First), lab.start(Second)
    assert second.result(timeout=200) == ["second", 0]
    assert first.wait(200)
    assert lab.execution(first.workflow_id).result(timeout=200) == ["first", 1]
    assert lab.start("First").workflow_id != lab.start(f"{__name__}.Second").workflow_id


def test_upstreams_local_executor_gives_the_result() -> None:
    """LX-06."""

    class Doubles(Workflow):
        name = "compatibility.doubles"

        def run(self, x, y=1):
            return self.submit(double, x).result + y

    assert Executor(Doubles).run({"args": [4], "kwargs": {"y": 2}}) == 10
    assert Executor(Looks, clock="virtual").run()[0] == 3


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["programs.basic.BasicWorkflow", "--input", "[3]"], "[4, 8]"),
        (["programs.basic.BasicWorkflow", "--input", '{"kwargs": {"x": 3, "seconds": 0}}', "--tags", "a,b"], "[4, 8]"),
        (["programs.children.OneOfAType", "--input", "[]"], "one"),
        (["programs.canvas.CanvasWorkflow", "--input", "[]", "--workflow-id", "the-one"], "[[2, 3, 4], 24]"),
    ],
)
def test_workflow_start_finds_a_program_from_the_current_folder(tmp_path: Path, words: list[str], printed: str) -> None:
    """SD-10, SD-14: as `simpleflow workflow.start --local examples.basic.BasicWorkflow --input …` upstream."""
    shutil.copytree(Path(__file__).parent / "programs", tmp_path / "programs")
    done = subprocess.run(
        [sys.executable, "-m", "simpleflow_lab.cli", "workflow.start", "--local", *words],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "SIMPLEFLOW_LAB_STORE": str(tmp_path / "lab.sqlite"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert printed in done.stdout


def test_workflow_start_takes_upstreams_middleware_options(tmp_path: Path) -> None:
    """MW-01."""
    shutil.copytree(Path(__file__).parent / "programs", tmp_path / "programs")
    words = ["--middleware-pre-execution", "programs.middleware.before"]
    words += ["--middleware-post-execution", "programs.middleware.after"]
    command = [sys.executable, "-m", "simpleflow_lab.cli", "workflow.start", "--local", *words]
    done = subprocess.run(
        [*command, "programs.children.TwoLevelsWorkflow", "--input", "[1]"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "SIMPLEFLOW_LAB_STORE": str(tmp_path / "lab.sqlite"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert "before add\nafter add 5\n" in done.stdout
