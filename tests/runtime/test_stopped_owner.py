"""The owner of a store is stopped (Ctrl-Z, SIGSTOP): others say what they wait for, wait, and repeat nothing."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simpleflow_lab import Lab, Workflow
from simpleflow_lab.exceptions import ServiceUnreachableError
from simpleflow_lab.runtime.shared_store import SharedStore

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LONG = 200.0
"""Longer than anything here takes, in seconds."""

OWNER = """
import mmap, sys
from simpleflow_lab import Lab
with Lab(sys.argv[1]) as lab:
    print("ready", flush=True)
    if sys.stdin.readline() == "busy\\n":
        with open(sys.argv[1] + ".is-busy", "r+b") as file, mmap.mmap(file.fileno(), 1) as is_busy:
            sys.setswitchinterval(1000)  # so that this thread gives the interpreter to no other
            while is_busy[0]:
                pass
            sys.setswitchinterval(0.005)
        sys.stdin.readline()
"""


class Waits(Workflow):
    """Nobody decides it but the process that starts it."""

    name = "stopped.waits"
    task_list = "stopped"

    def run(self):
        return self.submit(self.wait_signal("go")).result


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "lab.sqlite"


@pytest.fixture
def owner(store: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which owns the store."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def stop(owner: subprocess.Popen[str]) -> None:
    """Stop all its threads."""
    owner.send_signal(signal.SIGSTOP)
    os.waitpid(owner.pid, os.WUNTRACED)


def go_on(owner: subprocess.Popen[str]) -> None:
    owner.send_signal(signal.SIGCONT)


def test_calls_wait_for_a_stopped_owner_and_say_so_once_for_each_stop(store, owner, threads):
    said: queue.Queue[str] = queue.Queue()
    with Lab(store, notice=said.put) as lab:
        for _ in range(2):
            stop(owner)
            calls = [threads.submit(lab.domains) for _ in range(3)]
            line = said.get(timeout=LONG)
            assert "\n" not in line
            assert f"process {owner.pid}, which owns the store {store}, is stopped" in line
            assert not any(call.done() for call in calls)
            go_on(owner)
            assert [call.result(LONG) for call in calls] == [lab.domains()] * 3
    assert said.empty()


def test_an_owner_that_something_holds_up_is_waited_for_too(store, owner, threads):
    said: queue.Queue[str] = queue.Queue()
    is_busy = Path(f"{store}.is-busy")
    is_busy.write_bytes(b"\1")
    told = threading.Event()

    def call_until_told(lab: Lab) -> None:
        while not told.is_set():
            lab.domains()

    with Lab(store, notice=said.put) as lab:
        owner.stdin.write("busy\n")
        owner.stdin.flush()
        calling = threads.submit(call_until_told, lab)
        line = said.get(timeout=LONG)
        assert f"process {owner.pid}, which owns the store {store}, does not answer" in line
        assert not calling.done()
        told.set()
        with is_busy.open("r+b") as file:
            file.write(b"\0")
        calling.result(LONG)
        assert lab.domains()


def test_what_was_sent_to_a_stopped_owner_is_done_once(store, owner, threads):
    said: queue.Queue[str] = queue.Queue()
    with Lab(store, notice=said.put) as lab:
        execution = lab.start(Waits, workflow_id="w")
        stop(owner)
        signaled = threads.submit(execution.signal, "other")
        started = threads.submit(lab.start, Waits, workflow_id="second")
        said.get(timeout=LONG)
        go_on(owner)
        signaled.result(LONG)
        started.result(LONG)
        execution.signal("go", '"7"')
        execution.result(LONG)
        assert [event.type for event in execution.history()].count("WorkflowExecutionSignaled") == 2
        assert list(lab.executions()["workflow_id"]).count("second") == 1


def test_the_timeouts_of_waiting_hold_while_the_owner_is_stopped_and_say_so(store, owner):
    with Lab(store, notice=lambda text: None) as lab:
        execution = lab.start(Waits, workflow_id="w")
        stop(owner)
        with pytest.raises(TimeoutError, match=f"waits for process {owner.pid}, which owns the store .*, is stopped"):
            execution.result(0.1)
        assert execution.wait(0.1) is False
        assert list(execution.watch(timeout=0.1)) == []
        go_on(owner)
        execution.signal("go", "1")
        execution.result(LONG)


def test_a_store_whose_owner_is_stopped_is_opened_when_the_owner_goes_on(store, owner, threads):
    said: queue.Queue[str] = queue.Queue()
    stop(owner)
    opened = threads.submit(Lab, store, notice=said.put)
    assert "is stopped" in said.get(timeout=LONG)
    go_on(owner)
    with opened.result(LONG) as lab:
        assert lab.service.engine is None


def test_an_owner_that_is_stopped_before_it_serves_is_waited_for(store, owner, threads):
    endpoint = Path(f"{store}.endpoint")
    served = endpoint.read_text()
    endpoint.unlink()
    stop(owner)
    said: queue.Queue[str] = queue.Queue()
    opened = threads.submit(SharedStore.open, str(store), owner_seconds=0.1, tell=said.put)
    assert "is stopped" in said.get(timeout=LONG)
    descriptor = os.open(endpoint, os.O_WRONLY | os.O_CREAT, 0o600)
    with open(descriptor, "w") as file:
        file.write(served)
    go_on(owner)
    opened.result(LONG).close()


def test_the_next_owner_is_found_when_a_stopped_one_is_killed(store, owner, threads):
    said: queue.Queue[str] = queue.Queue()
    with Lab(store, notice=said.put) as lab:
        stop(owner)
        call = threads.submit(lab.domains)
        said.get(timeout=LONG)
        owner.kill()
        call.result(LONG)
        assert lab.service.engine is not None


def test_closing_ends_the_wait(store, owner, threads):
    said: queue.Queue[str] = queue.Queue()
    lab = Lab(store, notice=said.put)
    stop(owner)
    call = threads.submit(lab.domains)
    said.get(timeout=LONG)
    lab.close()
    with pytest.raises(ServiceUnreachableError):
        call.result(LONG)


def test_a_shell_says_what_it_waits_for_and_ctrl_c_ends_the_wait(store, owner):
    stop(owner)
    shell = subprocess.Popen(
        [sys.executable, "-m", "simpleflow_lab.cli", "--store", str(store), "workflow.list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert shell.stderr is not None
    said = shell.stderr.readline()
    assert f"process {owner.pid}, which owns the store {store}, is stopped" in said
    shell.send_signal(signal.SIGINT)
    _, rest = shell.communicate(timeout=LONG)
    assert shell.returncode == 130
    assert "Traceback" not in rest


def test_a_shell_goes_on_when_the_owner_does(store, owner):
    with Lab(store) as lab:
        lab.start(Waits, workflow_id="shown")
    stop(owner)
    shell = subprocess.Popen(
        [sys.executable, "-m", "simpleflow_lab.cli", "--store", str(store), "workflow.list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert shell.stderr is not None
    shell.stderr.readline()
    go_on(owner)
    output, rest = shell.communicate(timeout=LONG)
    assert shell.returncode == 0
    assert "shown" in output
    assert rest == ""


def test_who_opens_a_store_owns_it_when_the_owner_ends_that_it_has_waited_for(store, owner, threads):
    """However long it has waited for that one, it looks for the next owner as if it had just come."""
    said: queue.Queue[str] = queue.Queue()
    stop(owner)
    opened = threads.submit(SharedStore.open, str(store), owner_seconds=1.0, tell=said.put)
    assert "is stopped" in said.get(timeout=LONG)
    owner.kill()
    shared = opened.result(LONG)
    assert shared.engine is not None
    shared.close()
