"""Deciders and activity workers in several processes on one store: who serves what, and who says so."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from simpleflow_lab import Lab
from tests.waiting import until
from tests.worker_program import Where

PROGRAM = Path(__file__).with_name("worker_program.py")
LONG = 200


class Program:
    """Another process on the store."""

    def __init__(self, store, serve):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.worker_program", str(store), serve],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROGRAM.parents[1],
        )

    def ask(self, expression):
        """The value of an expression in that process."""
        self.process.stdin.write(f"{expression}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def program(tmp_path):
    """Begin another process on the store `lab.sqlite`, which ends with the test."""
    with contextlib.ExitStack() as ends:

        def begin(serve):
            begun = Program(tmp_path / "lab.sqlite", serve)
            ends.callback(begun.process.communicate, timeout=LONG)  # with the end of its input it ends
            return begun

        yield begin


def rows(lab):
    return sorted((poller.kind, poller.task_list, poller.pid, poller.is_this_process) for poller in lab.pollers())


def test_one_process_decides_and_another_runs_the_activities(tmp_path, program):
    with Lab(tmp_path / "lab.sqlite", serve="decisions") as lab:
        execution = lab.start(Where, 3)
        other = program("activities")
        pid = other.process.pid
        other.ask("bool(lab.start_workers(2, task_list='programs-etl'))")
        decided_by, *ran_at = execution.result(LONG)
        assert decided_by != pid
        assert set(ran_at) == {pid}
        assert rows(lab) == [
            ("activity worker", "programs-etl", pid, False),
            ("decider", "programs-decisions", decided_by, True),
        ]
        (there,) = lab.pollers().of("programs-etl")
        assert there.since is not None
        assert there.hostname
        assert not there.is_silent
        assert str(pid) in repr(lab.pollers())
        assert f"{decided_by} (this one)" in lab.pollers()._repr_html_()
        assert lab.pollers().to_pandas()["task list"].tolist() == ["programs-decisions", "programs-etl"]
        # The other process says the same of both.
        told = other.ask("sorted([p.kind, p.task_list, p.pid, p.is_this_process] for p in lab.pollers())")
        assert told == [
            ["activity worker", "programs-etl", pid, True],
            ["decider", "programs-decisions", decided_by, False],
        ]


def test_a_worker_that_stops_in_another_process_polls_no_more_at_once(tmp_path, program):
    with Lab(tmp_path / "lab.sqlite", serve="decisions") as lab:
        lab.start_deciders(task_list="programs-decisions")
        other = program("nothing")
        assert other.ask("[w.state for w in lab.start_workers(task_list='programs-etl')]") == ["polling"]
        until(lambda: [poller.waiting_polls for poller in lab.pollers().of("programs-etl")] == [1])
        assert other.ask("lab.workers.stop(seconds=30)") is True
        until(lambda: not lab.pollers().of("programs-etl"))
        until(lambda: other.ask("[w.state for w in lab.workers]") == ["stopped"])
        execution = lab.start(Where, 1)
        assert other.ask("[w.state for w in lab.start_workers(task_list='programs-etl')]") != ["stopped"]
        assert execution.result(LONG)[1:] == [other.process.pid]


def test_50_task_lists_in_a_process_that_does_not_own_the_store_take_two_threads_each(tmp_path, program):
    with Lab(tmp_path / "lab.sqlite", serve="nothing") as lab:
        other = program("nothing")
        before = other.ask("threading.active_count()")
        for start in ("start_workers(9, ", "start_deciders("):
            assert other.ask(f"[len(lab.{start}task_list=str(n))) for n in range(50)]") == [1] * 50
        assert other.ask("threading.active_count()") <= before + 2 * 50 + 4
        until(lambda: [poller.waiting_polls for poller in lab.pollers()] == [1] * 100)
        assert other.ask("lab.workers.stop(seconds=60)") is True
        until(lambda: not lab.pollers())
        until(lambda: other.ask("threading.active_count()") <= before + 4)


def test_of_nobody_the_pollers_say_so(tmp_path):
    with Lab(tmp_path / "lab.sqlite", serve="nothing") as lab:
        assert list(lab.pollers()) == []
        assert repr(lab.pollers()) == "nobody polls a task list of this domain"
        lab.start_workers(task_list="programs-etl")
        (here,) = lab.pollers()
        assert here.is_this_process
