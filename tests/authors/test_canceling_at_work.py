"""From `Future.cancel` to the code that runs and back, with the Lab's own workers (EH-10, UB-03).

The workflow asks; SWF tells the next heartbeat; the activity is told where it runs, be it a thread, a process, a
coroutine or a program; what it says is answered; the future is canceled.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from simpleflow_lab import Chain, Group, Workflow, activity, execute
from simpleflow_lab.exceptions import ActivityCanceled, WorkflowCanceled, WorkflowExecutionCanceled
from tests.examples_count import trials
from tests.processes import is_alive
from tests.test_properties import replays_as_recorded
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("interpreters_without_pandas")]

TASKS = {"task_list": "at-work", "version": "1", "heartbeat_timeout": 6}
"""Without a heartbeat timeout an activity on Amazon SWF learns of it within a minute."""


def begun(folder, name):
    """The activity runs, in this process."""
    Path(folder, f"{name}.new").write_text(str(os.getpid()))
    Path(folder, f"{name}.new").rename(Path(folder, name))


def cleaned_up(folder, name):
    Path(folder, f"{name}.cleaned").touch()


def loops(folder, name):
    try:
        begun(folder, name)
        while True:
            activity.heartbeat("looping")
            time.sleep(0.005)
    except ActivityCanceled:
        cleaned_up(folder, name)
        raise ActivityCanceled(details={"cleaned": name}) from None


async def awaits(folder, name):
    try:
        begun(folder, name)
        await asyncio.sleep(60)
    finally:
        cleaned_up(folder, name)


def sleeps(folder, name):
    try:
        begun(folder, name)
        time.sleep(60)
    finally:
        cleaned_up(folder, name)


@execute.program(path="sh", argument_format=lambda folder, name: ["-c", f"echo $$ >{folder}/{name}; exec sleep 60"])
def shell(folder, name): ...


@execute.program(
    path="sh",
    argument_format=lambda folder, name: ["-c", f"sleep 60 & echo $! >{folder}/{name}; wait"],
    kill_children=True,
)
def shell_with_child(folder, name): ...


@execute.python()
def elsewhere(folder, name):
    begun(folder, name)
    time.sleep(60)


@execute.python(kill_children=True)
def elsewhere_with_child(folder, name):
    import subprocess

    child = subprocess.Popen(["sleep", "60"])
    Path(folder, f"{name}.new").write_text(str(child.pid))
    Path(folder, f"{name}.new").rename(Path(folder, name))
    child.wait()


RUNS = {
    "loops": loops,
    "awaits": awaits,
    "sleeps": sleeps,
    "shell": shell,
    "shell_with_child": shell_with_child,
    "elsewhere": elsewhere,
    "elsewhere_with_child": elsewhere_with_child,
}
CLEANS_UP = {"loops", "awaits", "sleeps"}
IN = {
    f"{name}-{executor}": activity.with_attributes(
        name=f"at_work.{name}-{executor}", executor=executor, retry=3, **TASKS
    )(function)
    for name, function in RUNS.items()
    for executor in ("threads", "processes")
    if (name, executor) != ("sleeps", "threads")  # nothing can wake a thread
}
CONTAINED = [f"{name}-processes" for name in ("shell", "shell_with_child", "elsewhere", "elsewhere_with_child")]
"""A process in a process."""


class Cancels(Workflow):
    name = "at_work.cancels"
    task_list = "at-work"

    def run(self, which, folder):
        task = self.submit(IN[which], folder, which)
        self.submit(self.wait_signal("cancel")).wait()
        asked = task.cancel()
        task.wait()
        return [asked, task.state, task.exception.details]


@pytest.mark.parametrize("which", [which for which in IN if which not in CONTAINED] + trials(CONTAINED))
def test_what_runs_is_told_to_stop_and_its_future_is_canceled(lab, tmp_path, which):
    execution = lab.start(Cancels, which, str(tmp_path))
    until((tmp_path / which).exists)
    until(lambda: (tmp_path / which).read_text().strip())
    pid = int((tmp_path / which).read_text())
    execution.signal("cancel")
    details = f'{{"cleaned":"{which}"}}' if which.startswith("loops") else None
    assert execution.result(200) == [True, "CANCELLED", details]
    types = [event.type for event in execution.history()]
    assert types.count("ActivityTaskCancelRequested") == types.count("ActivityTaskCanceled") == 1
    assert types.count("ActivityTaskScheduled") == 1
    assert (tmp_path / f"{which}.cleaned").exists() == (which.split("-")[0] in CLEANS_UP)
    assert pid == os.getpid() or not is_alive(pid)
    replays_as_recorded(Cancels, execution.history(), execution.workflow_id, execution.run_id, lab.domain)


class CancelsMany(Workflow):
    name = "at_work.cancels_many"
    task_list = "at-work"

    def run(self, folder):
        thread, process = IN["loops-threads"], IN["awaits-processes"]
        group = self.submit(
            Group((thread, folder, "one"), (process, folder, "two"), Chain((thread, folder, "three"), (thread, "", "")))
        )
        self.submit(self.wait_signal("cancel")).wait()
        group.cancel()
        for future in (group, *group.futures[:2], group.futures[2].futures[0]):
            future.wait()
        return [group.state, *(future.state for future in group.futures), len(group.futures[2].futures)]


def test_what_runs_in_groups_and_chains_is_told_too(lab, tmp_path):
    execution = lab.start(CancelsMany, str(tmp_path))
    for name in ("one", "two", "three"):
        until((tmp_path / name).exists)
    execution.signal("cancel")
    assert execution.result(200) == ["CANCELLED"] * 4 + [1]
    types = [event.type for event in execution.history()]
    assert types.count("ActivityTaskCanceled") == types.count("ActivityTaskScheduled") == 3
    assert {path.name for path in tmp_path.glob("*.cleaned")} == {"one.cleaned", "two.cleaned", "three.cleaned"}
    replays_as_recorded(CancelsMany, execution.history(), execution.workflow_id, execution.run_id, lab.domain)


class Raises(Workflow):
    name = "at_work.raises"
    task_list = "at-work"
    cancellation = "raise"

    def run(self, folder):
        tasks = [self.submit(IN[which], folder, which) for which in ("loops-threads", "sleeps-processes")]
        try:
            tasks[0].wait()
        except WorkflowCanceled:
            for task in tasks:
                task.wait()
            self.submit(self.record_marker("states", [task.state for task in tasks]))
            raise


class Closes(Raises):
    name = "at_work.closes"
    cancellation = "close"


@pytest.mark.parametrize("workflow", [Raises, Closes])
def test_what_runs_is_told_when_its_execution_is_canceled(lab, tmp_path, workflow):
    execution = lab.start(workflow, str(tmp_path))
    names = ("loops-threads", "sleeps-processes")
    for name in names:
        until((tmp_path / name).exists)
    execution.request_cancel()
    with pytest.raises(WorkflowExecutionCanceled):
        execution.result(200)
    for name in names:
        until((tmp_path / f"{name}.cleaned").exists)
    history = execution.history()
    types = [event.type for event in history]
    if workflow is Raises:
        assert types.count("ActivityTaskCanceled") == 2
        [marker] = [event for event in history if event.type == "MarkerRecorded"]
        assert marker.attributes["details"] == '["CANCELLED","CANCELLED"]'
    else:
        assert "ActivityTaskCanceled" not in types
        assert "MarkerRecorded" not in types
    replays_as_recorded(workflow, history, execution.workflow_id, execution.run_id, lab.domain)
