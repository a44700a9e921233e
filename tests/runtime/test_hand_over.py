"""A store changes hands while its owner lives: what it holds goes on, nothing times out, nothing runs twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.engine.ownership import owner_pid
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.runtime.shared_store import SharedStore
from tests.served import Served, command, domains

LONG = 200.0
"""Longer than anything here takes, in seconds."""
ROOT = Path(__file__).parents[2]

begun, go_on = threading.Event(), threading.Event()
"""Where the activity, or the decision, stands that is at work while the store changes hands."""
runs: list[int] = []
"""What the activity was called with."""


@activity.with_attributes(name="hand_over.wait", task_list="hand_over", version="1")
def wait(number: int) -> int:
    runs.append(number)
    begun.set()
    go_on.wait(LONG)
    return number


@activity.with_attributes(name="hand_over.pass", task_list="hand_over", version="1")
def at_once(number: int) -> int:
    return number


class Works(Workflow):
    """An activity that waits, and one after it."""

    name = "hand_over.works"
    task_list = "hand_over"

    def run(self) -> int:
        return self.submit(at_once, self.submit(wait, 1)).result + 1


class Decides(Workflow):
    """A decision that waits, and an activity after it."""

    name = "hand_over.decides"
    task_list = "hand_over"

    def run(self) -> int:
        begun.set()
        go_on.wait(LONG)
        return self.submit(at_once, 1).result + 1


@pytest.fixture
def store(tmp_path: Path) -> str:
    begun.clear()
    go_on.clear()
    runs.clear()
    return str(tmp_path / "store.sqlite")


@pytest.fixture
def lab(store: str) -> Iterator[Lab]:
    """A Lab whose process owns the store."""
    with Lab(store) as opened:
        yield opened


def owns(lab: Lab) -> bool:
    """Whether this process owns the store of the Lab."""
    assert isinstance(lab.service, SharedStore)
    return lab.service.engine is not None


@pytest.mark.parametrize("workflow", [Works, Decides])
def test_what_the_owner_holds_goes_on_at_the_next_owner(store: str, lab: Lab, workflow: type[Workflow]) -> None:
    execution = lab.start(workflow)
    assert begun.wait(LONG)
    assert owns(lab)
    with Served(store) as served:
        assert owner_pid(store) == served.process.pid
        go_on.set()
        assert execution.result(LONG) == 2
        assert not owns(lab)
        assert not [event.type for event in execution.history() if event.type.endswith("TimedOut")]
        assert runs == [1] * (workflow is Works)
        served.end()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_what_a_client_holds_goes_on_when_the_engine_that_was_started_ends(
    store: str, lab: Lab, how: signal.Signals
) -> None:
    with Served(store) as served:
        execution = lab.start(Works)
        assert begun.wait(LONG)
        served.end(how)
        go_on.set()
        assert execution.result(LONG) == 2
        assert owns(lab)
        assert not [event.type for event in execution.history() if event.type.endswith("TimedOut")]
        assert runs == [1]


def test_the_store_stays_with_the_engine_that_was_started_as_long_as_that_lives(store: str, lab: Lab) -> None:
    go_on.set()
    with Served(store) as served:
        assert lab.start(Works).result(LONG) == 2
        client = served.client()
        assert domains(client) == ["lab"]
        lab.close()
        with Lab(store) as again:
            assert again.start(Works).result(LONG) == 2
            assert not owns(again)
        assert domains(client) == ["lab"]
        client.close()
        assert owner_pid(store) == served.process.pid


def test_processes_of_ours_go_on_when_the_keys_are_rotated(store: str, lab: Lab) -> None:
    execution = lab.start(Works)
    assert begun.wait(LONG)
    with Served(store, "--rotate-keys") as first:
        assert lab.domains() == ["lab"]
        first.end()
    with Served(store, "--rotate-keys") as second:
        assert second.variables["AWS_ACCESS_KEY_ID"] != first.variables["AWS_ACCESS_KEY_ID"]
        go_on.set()
        assert execution.result(LONG) == 2
        assert runs == [1]


ROTATES = """
import sys
from simpleflow_lab import Lab
with Lab(sys.argv[1]) as lab:
    print("ready", flush=True)
    for _ in sys.stdin:
        print(lab.serve_store(rotate_keys=True).url, flush=True)
"""


def test_no_activity_runs_twice_because_the_keys_are_rotated_while_it_runs(store: str) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", ROTATES, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with owner:
        assert owner.stdin is not None
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        with Lab(store) as lab:
            execution = lab.start(Works)
            assert begun.wait(LONG)
            connection = lab.service._connection
            before = connection.backend
            owner.stdin.write("rotate\n")
            owner.stdin.flush()
            assert owner.stdout.readline().startswith("http")
            deadline = time.monotonic() + LONG
            while connection.backend is before:  # until its session was refused, and has the new keys
                assert time.monotonic() < deadline
                threading.Event().wait(0.02)
            go_on.set()
            assert execution.result(LONG) == 2
            assert runs == [1]
        owner.stdin.close()


def test_a_kernel_that_serves_the_store_takes_it_over_too_and_keeps_it_until_it_stops(store: str, lab: Lab) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", SERVES, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "served\n"
        assert lab.domains() == ["lab"]
        assert not owns(lab)
        with pytest.raises(UsageError, match=f"process {other.pid} .* serves the store .* already"):
            lab.serve_store()
        other.communicate("stop\n")
    assert lab.serve_store().url
    assert owns(lab)


def test_an_owner_that_is_closed_is_followed_by_its_client_which_keeps_what_it_holds(store: str) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNS, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        with Lab(store) as lab:
            execution = lab.start(Works)
            assert begun.wait(LONG)
            assert not owns(lab)
            owner.communicate("stop\n")
            go_on.set()
            assert execution.result(LONG) == 2
            assert owns(lab)
            assert not [event.type for event in execution.history() if event.type.endswith("TimedOut")]
            assert runs == [1]


OWNS = """
import sys
from simpleflow_lab import Lab
with Lab(sys.argv[1]):
    print("ready", flush=True)
    sys.stdin.readline()
"""
SERVES = """
import sys
from simpleflow_lab import Lab
with Lab(sys.argv[1]) as lab:
    lab.serve_store()
    print("served", flush=True)
    sys.stdin.readline()
"""


def refused(store: str) -> str:
    """What `engine.start` says when it is refused."""
    done = subprocess.run(command(store), capture_output=True, text=True, timeout=LONG, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_store_that_is_served_already_is_one_line_and_exit_code_2(store: str) -> None:
    with Served(store) as served:
        assert f"process {served.process.pid} on" in (said := refused(store))
        assert "serves the store" in said


def test_an_owner_whose_clock_is_virtual_keeps_its_store(store: str) -> None:
    with Lab(store, clock="virtual") as lab:
        assert "does not give the store" in (said := refused(store))
        assert "a clock of its own" in said
        go_on.set()
        assert lab.start(Works).result(LONG) == 2
