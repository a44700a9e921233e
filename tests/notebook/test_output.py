"""What an execution prints lands in the cell that started it, once, whichever Lab of the kernel runs its tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples_count import trials
from tests.notebook.kernel import Kernel, Reply

pytestmark = pytest.mark.slow

DEFINITIONS = """
import logging, pathlib, threading, time
from simpleflow_lab import Lab, Workflow, activity

@activity.with_attributes(task_list="work", version="test")
def say(text, gate=None):
    while gate is not None and not pathlib.Path(gate).exists():
        time.sleep(0.01)
    print(f"activity {text}")
    if text.startswith("theirs"):
        logging.warning(f"careful {text}")

@activity.with_attributes(task_list="work", version="test")
def say_in_thread(text, gate):
    print("waits")
    while not pathlib.Path(gate).exists():
        time.sleep(0.01)

    def speak():
        print(f"thread {text}")
        logging.warning(f"logged {text}")

    thread = threading.Thread(target=speak)
    thread.start()
    thread.join()
    print("done")

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

    def run(self, text, gate):
        self.submit(say_in_thread, text, gate).result
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
        # A handler that has the cells' own stream.
        assert kernel.run("import logging\nlogging.basicConfig(format='%(message)s')").error is None
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


def test_the_latest_cell_that_takes_it_up_gets_the_output_and_one_that_is_refused_does_not(
    kernel: Kernel, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    start = f"labs[0].start(Says, 'again', {str(gate)!r}, workflow_id='again')"
    begun = kernel.send(start)
    kernel.wait(begun, until=lambda reply: "workflow" in reply.stdout, ended=True)
    again = kernel.send(f"execution = {start.replace('labs[0]', 'labs[1]')}")
    assert kernel.wait(again).error is None
    refused = kernel.run("labs[2].start(Says, 'other', workflow_id='again')")
    gate.touch()
    late = kernel.wait(again, until=lambda reply: "done" in reply.stdout, ended=True)

    assert refused.error is not None
    assert refused.error.startswith("UsageError: an open execution has the id")
    assert lines(late) == [line for line in said("again") if not line.startswith("workflow")]


def test_threads_and_handlers_of_a_task_write_into_its_cell(kernel: Kernel, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    begun = kernel.send(f"found = labs[0].start(SaysInThread, 'of', {str(gate)!r})")
    kernel.wait(begun, until=lambda reply: "waits" in reply.stdout, ended=True)
    other = kernel.run("print('another cell')")
    gate.touch()
    late = kernel.wait(begun, until=lambda reply: "done" in reply.stdout and "logged" in reply.stderr, ended=True)

    assert other.stdout == "another cell\n"
    assert other.stderr == ""
    assert "thread of" in lines(late)
    assert "logged of" in late.stderr.splitlines()


def test_the_log_of_an_execution_shows_itself_and_is_a_command(kernel: Kernel) -> None:
    assert kernel.run("labs[1].start(Says, 'logged', workflow_id='logged').result(60)").error is None
    value = kernel.run("labs[2].execution('logged').logs(task='')").result
    command = kernel.run("%simpleflow workflow.logs logged --text nobody-said-it --tail 1").result

    assert value is not None
    assert command is not None
    assert value["text/plain"].endswith("stdout: done logged")
    assert ">done logged</td>" in value["text/html"]
    assert command["text/plain"] == "<ExecutionLog: nothing was printed or logged>"
    refused = kernel.run("%simpleflow workflow.logs logged --follow")
    assert refused.stderr.startswith("UsageError: a cell shows what there is")


def test_what_another_process_started_is_in_its_log_and_in_no_cell_here(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    with Kernel(store, extension=False) as starts, Kernel(store, extension=False) as works:
        for kernel in (starts, works):
            assert kernel.run("import logging\nlogging.basicConfig(format='%(message)s')").error is None
            assert kernel.run(DEFINITIONS).error is None
        assert starts.run("lab = Lab(serve='decisions')").error is None
        # The worker's own execution makes it serve the list, in a cell of its own.
        assert works.run("lab = Lab()\nlab.start(Says, 'mine').result(60)").error is None
        gate = tmp_path / "gate"
        running = works.send(f"while not pathlib.Path({str(gate)!r}).exists():\n    time.sleep(0.01)")
        own = starts.run("found = lab.start(Says, 'theirs', workflow_id='theirs')\nfound.result(60)")
        gate.touch()
        in_worker = works.wait(running)
        told = starts.run("print(found.logs().text)").stdout.splitlines()

        assert works.run("print(lab.execution('theirs').logs().text)").stdout.splitlines() == told
    spoken = [f"{what} theirs.{n}" for n in range(3) for what in ("activity", "careful")]
    assert told == ["workflow theirs", *spoken, "done theirs", ""]
    assert own.error is None
    assert {"child theirs", "done theirs", "workflow theirs"} <= set(lines(own))  # and what has come of the other's
    assert (in_worker.error, in_worker.stdout, in_worker.stderr) == (None, "", "")


def test_a_log_survives_the_kernel_that_wrote_it(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    with Kernel(store, extension=False) as kernel:
        assert kernel.run(DEFINITIONS).error is None
        assert kernel.run("Lab().start(Says, 'kept', workflow_id='kept').result(60)").error is None
        kernel.kill()
    with Kernel(store, extension=False) as kernel:
        told = kernel.run("from simpleflow_lab import Lab\nprint(Lab().execution('kept').logs().text)").stdout
    assert told.splitlines()[0] == "workflow kept"
    assert "activity kept.2" in told


SHOWS = """
from IPython.display import HTML

@activity.with_attributes(task_list="shows", version="test")
def shows():
    print("printed there")
    display(HTML("<b>x</b>"))
    logging.warning("careful there")

class Shows(Workflow):
    name, version, task_list = "shows", "test", "shows"

    def run(self):
        self.submit(shows).result
"""


@pytest.mark.parametrize("owner", ["starter", *trials(["runner"])])
def test_what_another_kernel_prints_for_an_execution_lands_in_the_cell_that_started_it(tmp_path: Path, owner: str):
    store = tmp_path / "store.sqlite"
    with Kernel(store, extension=False) as starter, Kernel(store, extension=False) as runner:
        for kernel, serve in (
            ((starter, "nothing"), (runner, "everything"))
            if owner == "starter"
            else (
                (runner, "everything"),
                (starter, "nothing"),
            )
        ):
            assert kernel.run(DEFINITIONS + SHOWS).error is None
            assert kernel.run(f"lab = Lab(serve={serve!r})").error is None
        assert (
            runner.run('_ = lab.start_deciders(task_list="shows"), lab.start_workers(task_list="shows")').error is None
        )
        started = starter.send("execution = lab.start(Shows)")
        # A kernel sends its two streams each for itself.
        reply = starter.wait(
            started, until=lambda so_far: "careful" in so_far.stderr and "HTML object" in so_far.stdout, ended=True
        )
        assert reply.stdout.splitlines() == ["printed there", "<IPython.core.display.HTML object>"]
        assert reply.stderr.splitlines() == ["WARNING: careful there"]
        assert "there" not in starter.run("execution.result(30)").shown
        assert "there" not in runner.run("1 + 1").shown
