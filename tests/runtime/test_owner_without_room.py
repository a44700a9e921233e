"""The owner of a store is killed while there is no room on its disk: what other processes hold waits for the room."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.engine import ownership
from simpleflow_lab.exceptions import StoreError, StorePausedError
from simpleflow_lab.http import connection_file
from simpleflow_lab.runtime.shared_store import SharedStore

OWNER = """
import sys
from simpleflow_lab import Lab
with Lab(sys.argv[1]):
    print("open", flush=True)
    sys.stdin.read()
"""
SOON = 200.0
begun = threading.Event()
at_work = threading.Event()
runs: list[int] = []


@activity.with_attributes(name="no_room.hold", task_list="no-room", version="1")
def hold(n: int) -> int:
    runs.append(n)
    begun.set()
    at_work.wait(SOON)
    return n + 1


class Holding(Workflow):
    """One activity, and another one after it."""

    name = "no-room"
    task_list = "no-room"

    def run(self) -> int:
        return self.submit(hold, self.submit(hold, 0).result).result


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """A store that is owned by another process, which is killed with the first call of `kill_owner`."""
    begun.clear()
    at_work.clear()
    runs.clear()
    yield tmp_path / "lab.sqlite"
    at_work.set()


@contextlib.contextmanager
def owned(store: Path) -> Iterator[subprocess.Popen[str]]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "open\n"
    try:
        yield owner
    finally:
        owner.kill()
        owner.communicate()


@contextlib.contextmanager
def failing_to_open(module: ModuleType, writer: str, error: int) -> Iterator[None]:
    """A file that is written when a store is opened can't be: as on a full disk, which needs the right to mount one."""

    def write(path: str, content: object) -> None:
        raise OSError(error, os.strerror(error))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, writer, write)
        yield


@pytest.mark.parametrize(
    ("module", "writer", "error"),
    [
        (ownership, "write_private", errno.ENOSPC),
        (ownership, "write_private", errno.EDQUOT),
        (connection_file, "write_private", errno.ENOSPC),
    ],
)
def test_a_result_that_comes_while_nobody_can_own_the_store_is_recorded_when_there_is_room(
    store: Path, module: ModuleType, writer: str, error: int
):
    with owned(store) as owner, Lab(store) as lab:
        execution = lab.start(Holding)
        assert begun.wait(SOON)
        with failing_to_open(module, writer, error):
            owner.kill()
            owner.wait()
            at_work.set()
            with pytest.raises(StorePausedError, match="make room on its disk"):
                execution.result(1.5)
            with pytest.raises(StorePausedError, match="make room on its disk"):
                lab.start(Holding)
            assert runs == [0]
        assert execution.result(SOON) == 2
        assert runs == [0, 1]
        assert "ActivityTaskTimedOut" not in [event.type for event in execution.history()]


def test_a_task_whose_result_can_not_be_given_is_given_out_again_at_the_next_owner(
    store: Path, monkeypatch: pytest.MonkeyPatch
):
    with owned(store), Lab(store) as lab:
        answer = SharedStore.answer_activity_task

        def fail(*arguments: object, **members: object) -> None:
            monkeypatch.setattr(SharedStore, "answer_activity_task", answer)
            raise StoreError("the store can't be locked: Too many open files")

        monkeypatch.setattr(SharedStore, "answer_activity_task", fail)
        at_work.set()
        execution = lab.start(Holding)
        began = time.monotonic()
        assert execution.result(SOON) == 2
        assert time.monotonic() - began < SOON
        assert runs == [0, 0, 1]
