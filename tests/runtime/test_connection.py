"""Several processes on one store: one owns it, the others talk to it, and when it dies the next takes over."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.exceptions import ServiceUnreachableError, StoreError
from simpleflow_lab.runtime.connection import connect
from simpleflow_lab.runtime.shared_store import SharedStore

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]

PROGRAM = """
import json, os, sys, time
from simpleflow_lab import Lab, Workflow, activity

@activity.with_attributes(name="shared.slow", version="1", task_list="shared")
def slow(n):
    with open(notes, "a") as file:
        file.write(f"{os.getpid()} {n}\\n")
    time.sleep(0.02)
    return n

class Sum(Workflow):
    name = "shared.sum"
    task_list = "shared"
    def run(self, n):
        total = 0
        for number in range(n):
            total += self.submit(slow, number).result
        return total

store, notes = sys.argv[1:3]
with Lab(store) as lab:
    print(json.dumps({"owns": lab.service.engine is not None}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            lab.start(Sum, request["n"], workflow_id=request["start"])
            answer = "started"
        elif "resume" in request:
            answer = [execution.workflow_id for execution in lab.resume()]
        else:
            answer = lab.execution(request["result"]).result(40)
        print(json.dumps(answer), flush=True)
"""


class Other:
    """Another process with a Lab on the store."""

    def __init__(self, store: Path, notes: Path):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(store), str(notes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.owns = self._answer()["owns"]

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the other process ended"
        return json.loads(line)

    def tell(self, **request: Any) -> None:
        """Send a request."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def ask(self, **request: Any) -> Any:
        """Send a request and wait for its answer."""
        self.tell(**request)
        return self._answer()

    def answer(self) -> Any:
        """The answer to the latest request."""
        return self._answer()

    def kill(self) -> None:
        """kill -9."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "lab.sqlite"


@pytest.fixture
def others(store: Path, tmp_path: Path) -> Iterator[Any]:
    opened: list[Other] = []

    def open_another() -> Other:
        opened.append(Other(store, tmp_path / "notes"))
        return opened[-1]

    yield open_another
    for other in opened:
        other.process.kill()
        other.process.communicate()


def test_the_second_process_finds_the_owner_by_itself_and_works_with_it(others, store):
    first, second = others(), others()
    assert (first.owns, second.owns) == (True, False)
    assert second.ask(start="from the second", n=3) == "started"
    assert second.ask(result="from the second") == 3
    assert first.ask(result="from the second") == 3
    assert first.ask(start="from the first", n=4) == "started"
    assert second.ask(result="from the first") == 6


def test_when_the_owner_is_killed_the_other_takes_over_and_the_execution_goes_on(others, store, tmp_path):
    first, second = others(), others()
    second.ask(start="long", n=60)
    second.tell(result="long")
    notes = tmp_path / "notes"
    deadline = time.monotonic() + 200
    while not notes.exists() or len(notes.read_text().splitlines()) < 10:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    first.kill()
    assert second.answer() == sum(range(60))
    third = others()
    assert not third.owns
    assert third.ask(result="long") == sum(range(60))


def test_when_the_worker_is_killed_the_owner_keeps_what_was_done(others, store, tmp_path):
    first, second = others(), others()
    second.ask(start="long", n=40)
    notes = tmp_path / "notes"
    deadline = time.monotonic() + 200
    while not notes.exists() or len(notes.read_text().splitlines()) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    second.kill()
    with Lab(store) as lab:
        history = lab.execution("long").history()
        assert [event.type for event in history].count("ActivityTaskCompleted") >= 4
        lab.execution("long").terminate("seen enough")
    assert first.owns


def test_an_owner_that_serves_nobody_is_an_error_in_one_line(store, others):
    others()
    Path(f"{store}.endpoint").unlink()
    with pytest.raises(StoreError, match="does not answer") as refused:
        connect(store, owner_seconds=0.3)
    assert "\n" not in str(refused.value)


def test_closing_does_not_wait_for_polls_in_another_process(others, store):
    first = others()
    assert first.owns

    @activity.with_attributes(name="shared.here", version="1", task_list="here")
    def here():
        return 1

    class Here(Workflow):
        name = "shared.here"
        task_list = "here"

        def run(self):
            return self.submit(here).result

    lab = Lab(store)
    assert lab.start(Here).result(200) == 1
    begun = time.monotonic()
    lab.close()
    assert time.monotonic() - begun < 30  # a poll takes 60 s


def test_a_call_in_another_thread_goes_on_with_the_new_owner(store, others):
    first = others()
    shared = SharedStore(str(store))
    assert shared.engine is None
    answers: list[Any] = []

    def wait_for_a_task() -> None:
        with contextlib.suppress(
            StoreError, ServiceUnreachableError
        ):  # the store may be closed before the poll is made again
            answers.append(shared.poll_for_activity_task(domain="lab", taskList={"name": "nobody's"}))

    poll = threading.Thread(target=wait_for_a_task, daemon=True)
    poll.start()
    first.kill()
    assert shared.list_domains(registrationStatus="REGISTERED")["domainInfos"][0]["name"] == "lab"
    assert shared.engine is not None
    shared.release_polls()
    shared.close()
    poll.join(60)
    assert not any(answer.get("taskToken") for answer in answers)


def test_what_a_worker_in_another_process_has_begun_is_not_begun_again_when_the_owner_is_killed(
    others, store, tmp_path
):
    first, second = others(), others()
    second.ask(start="long", n=200)
    second.tell(result="long")
    notes = tmp_path / "notes"
    deadline = time.monotonic() + 200
    while not notes.exists() or len(notes.read_text().splitlines()) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    first.kill()
    assert second.answer() == sum(range(200))
    begun = [line.split() for line in notes.read_text().splitlines()]
    by_second = [number for pid, number in begun if int(pid) == second.process.pid]
    # Only one activity runs at a time, and each that the second process began it also ended.
    assert len(by_second) == len(set(by_second))
