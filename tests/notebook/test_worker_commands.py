"""`%simpleflow worker.start`, `decider.start`, `worker.list`, `worker.stop`: the kernel's own deciders and workers."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

DEFINITIONS = """%%simpleflow
from simpleflow_lab import Lab, Workflow, activity

@activity.with_attributes(name="kernels.double", task_list="kernels")
def double(x):
    return 2 * x

class Doubling(Workflow):
    name = "kernels-doubling"
    task_list = "kernels-decisions"

    def run(self, x):
        return self.submit(double, x).result
"""


@pytest.fixture
def defined(shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A shell in which a workflow is defined, whose Lab serves nothing by itself."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    shell.run_cell(DEFINITIONS, store_history=True).raise_error()
    shell.run_cell(f"lab = Lab({str(tmp_path / 'store.sqlite')!r}, serve='nothing')").raise_error()
    shell.run_line_magic("simpleflow", "connect lab")
    yield shell
    shell.user_ns["lab"].close()


def test_they_are_started_listed_and_stopped(defined: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    lab = defined.user_ns["lab"]
    (worker,) = defined.run_line_magic("simpleflow", "worker.start -N 4 --task-list kernels")
    assert (worker.kind, worker.task_list, worker.at_once) == ("activity worker", "kernels", 4)
    (decider,) = defined.run_line_magic("simpleflow", "decider.start Doubling")
    assert (decider.kind, decider.task_list) == ("decider", "kernels-decisions")
    assert lab.start("Doubling", 3).result(200) == 6
    listed = defined.run_line_magic("simpleflow", "worker.list")
    assert listed["kind"].tolist() == ["activity worker", "decider"]
    assert listed["done"].sum() == worker.done + decider.done
    assert "(this one)" in listed["process"][0]
    capsys.readouterr()
    assert defined.run_line_magic("simpleflow", "worker.stop --task-list kernels --wait") is None
    assert capsys.readouterr().out == "1 decider or activity worker stopped\n"
    assert (worker.state, decider.state) == ("stopped", "polling")
    defined.run_line_magic("simpleflow", "worker.stop --now --wait")
    assert [each.state for each in lab.workers] == ["stopped", "stopped"]
    # Without a name: all that the cells define, as many at once as before.
    assert [each.at_once for each in defined.run_line_magic("simpleflow", "worker.start")] == [4]


NOT_DONE = [
    ("decider.start -N 2", "a kernel has one decider for each task list, and -N is for the processes of a shell"),
    ("worker.start --one-task", "--one-task and --poll-data are for processes of a shell"),
    ("worker.start --threads 3", "--threads and --executor are for processes of a shell: here -N says"),
    ("worker.start --executor processes", "--threads and --executor are for processes of a shell"),
    ("worker.start -l debug", "--log-level is for processes of a shell"),
    ("decider.start -l debug", "--log-level is for processes of a shell"),
    ("worker.stop", "no decider and no activity worker of this kernel is there to stop: worker.list shows all"),
    ("worker.stop 1", "no decider.start or worker.start with PID 1 runs on this machine for domain lab"),
    (
        "standalone flows.Nightly",
        "standalone starts processes, which have no cells: use workflow.start, or a shell",
    ),
    ("decider.start Nothing", "no workflow 'Nothing': defined here: "),
]


def test_what_a_kernel_does_not_do_is_one_line(defined: InteractiveShell) -> None:
    for line, said in NOT_DONE:
        with pytest.raises(UsageError) as refused:
            defined.run_line_magic("simpleflow", line)
        assert str(refused.value).startswith(said), line


def test_a_start_in_a_terminal_says_that_it_waits_for_stopped_workers(defined: InteractiveShell) -> None:
    lab = defined.user_ns["lab"]
    lab.start_deciders(task_list="kernels-decisions")
    lab.start_workers(task_list="kernels")
    defined.run_line_magic("simpleflow", "worker.stop --task-list kernels --wait")

    class Reader(io.StringIO):
        """A person who starts the workers again when told so."""

        def write(self, text: str) -> int:
            if "worker.start" in text:
                lab.start_workers(task_list="kernels")
            return super().write(text)

    with contextlib.redirect_stdout(Reader()) as out:
        defined.run_line_magic("simpleflow", "workflow.start Doubling --input [3] --workflow-id stuck")
    assert (
        "stuck waits for 1 activity: the activity workers of task list 'kernels' were stopped in this kernel; "
        "interrupt this, then %simpleflow worker.start brings them back\n"
    ) in out.getvalue()
    assert lab.execution("stuck").result(200) == 6
