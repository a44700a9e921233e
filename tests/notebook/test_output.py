"""What an execution prints lands in the cell that started it, once, whichever Lab of the kernel runs its tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebook.kernel import Kernel, Reply

DEFINITIONS = """
import pathlib, threading, time
from simpleflow_lab import Lab, Workflow, activity

@activity.with_attributes(task_list="work", version="test")
def say(text, gate=None):
    while gate is not None and not pathlib.Path(gate).exists():
        time.sleep(0.01)
    print(f"activity {text}")

@activity.with_attributes(task_list="work", version="test")
def say_in_thread(text):
    thread = threading.Thread(target=print, args=(f"thread {text}",))
    thread.start()
    thread.join()

class Child(Workflow):
    name, version = "child", "test"

    def run(self, text):
        print(f"child {text}")
        self.submit(say, f"of child {text}").result

class Says(Workflow):
    name, version = "says", "test"


    def run(self, text, gate=None):
        print(f"workflow {text}")
        for n in range(3):
            self.submit(say, f"{text}.{n}", gate if n == 0 else None).result
        self.submit(Child, text).result
        print(f"done {text}")

class SaysInThread(Workflow):
    name, version = "says-in-thread", "test"

    def run(self, text):
        self.submit(say_in_thread, text).result
"""


def said(text: str) -> list[str]:
    """The lines of one execution of `Says`, sorted."""
    return sorted(
        [
            *(f"{what} {text}" for what in ("workflow", "child", "done")),
            *(f"activity {text}.{n}" for n in range(3)),
            f"activity of child {text}",
        ]
    )


def lines(reply: Reply) -> list[str]:
    """What a cell printed, sorted."""
    return sorted(reply.stdout.splitlines())


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with three Labs on one store, each of which runs the tasks of the same task lists."""
    with Kernel(tmp_path_factory.mktemp("store") / "store.sqlite") as kernel:
        assert kernel.run(DEFINITIONS).error is None
        assert kernel.run("labs = [Lab() for _ in range(3)]").error is None
        for n in range(3):
            assert kernel.run(f"labs[{n}].start(Says, 'first').result(60)").error is None
        yield kernel


def test_a_lab_that_another_one_works_for_prints_in_the_cell_that_started_the_execution(kernel: Kernel) -> None:
    for n in range(3):
        for repetition in range(3):
            text = f"{n}-{repetition}"
            reply = kernel.run(f"labs[{n}].start(Says, {text!r}).result(60)")
            assert reply.error is None
            assert lines(reply) == said(text)


def test_an_execution_prints_in_its_own_cell_while_others_go_on(kernel: Kernel, tmp_path: Path) -> None:
    gates = [tmp_path / f"gate-{n}" for n in range(3)]
    begun = []
    for n in range(3):
        begun.append(kernel.send(f"found = labs[{n}].start(Says, 'at-once-{n}', {str(gates[n])!r})"))
        kernel.wait(begun[-1], until=lambda reply: "workflow" in reply.stdout, ended=True)
    for n in range(3):
        gates[n].touch()
        late = kernel.wait(begun[n], until=lambda reply: "done" in reply.stdout, ended=True)
        assert lines(late) == [line for line in said(f"at-once-{n}") if not line.startswith("workflow")]
