"""Activities in processes of their own: how they end, what they leave, and what they share with their parent."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import json
import logging
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.data.objects import current_storage
from simpleflow_lab.exceptions import ActivityCanceled, ObjectNotFoundError, StoreError, UsageError
from tests.examples_count import repeats
from tests.notebook.kernel import Kernel
from tests.processes import is_alive
from tests.runtime import by_hand
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.forks]

TASKS = {"task_list": "processes", "version": "1", "executor": "processes", "raises_on_failure": True}


class One(Workflow):
    """One activity."""

    name = "processes.one"
    task_list = "processes"

    def run(self, name, *args, **kwargs):
        return self.submit(activity.registry[name, "1"], *args, **kwargs).result


class OneFailure(Workflow):
    """The reason why an activity failed, and how long it took to be known."""

    name = "processes.failure"
    task_list = "processes"

    def run(self, name, *args):
        return self.submit(activity.registry[name, "1"], *args).exception.reason


def made(function, **options):
    """The function as an activity that runs in a process."""
    return activity.with_attributes(name=f"processes.{function.__name__}", **{**TASKS, **options})(function)


def pid_in(path: Path) -> int:
    return until(lambda: path.exists() and path.read_text().strip() and int(path.read_text()))


GREETING = {"en": "hello"}


def test_it_runs_in_another_process_with_the_names_of_its_module(lab):
    local = object()

    def greet(name):
        assert local is not None
        return [f"{GREETING['en']} {name}", os.getpid(), threading.current_thread() is threading.main_thread()]

    greeting, pid, is_main = lab.start(One, made(greet).name, "you").result(200)
    assert greeting == "hello you"
    assert pid != os.getpid()
    assert is_main
    assert not psutil.pid_exists(pid)


def test_a_lab_says_where_activities_run_unless_they_say_it_themselves():
    def pid_of_either():
        return os.getpid()

    name = made(pid_of_either, executor=None).name
    with Lab(":memory:", activity_threads=2, activity_executor="processes") as lab:
        assert lab.start(One, name).result(200) != os.getpid()
        made(pid_of_either, executor="threads")
        assert lab.start(One, name).result(200) == os.getpid()


def test_an_executor_that_there_is_none_of_is_refused_in_one_line():
    with pytest.raises(UsageError, match="'threads' or 'processes', not 'fibers'"):
        Lab(":memory:", activity_executor="fibers")
    with pytest.raises(UsageError, match="'threads' or 'processes', not 'fibers'"):
        activity.with_attributes(name="processes.bad", executor="fibers")(lambda: None)


# -- F4: how a process ends --------------------------------------------------------------------------------------------


def _kill_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def _exits():
    os._exit(3)


def _crashes():
    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def _leaves():
    sys.exit(5)


def _eats():
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + (64 << 20),) * 2)
    return len(bytearray(2 << 30))


def _is_asked_to_end():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)


def _interrupts():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)


ENDS = [
    (_kill_itself, "ActivityProcessDied: the process .* was killed by SIGKILL"),
    (_exits, "ActivityProcessDied: .* ended with exit code 3 before the activity did"),
    (_crashes, r"ActivityProcessDied: .* was killed by SIGSEGV \(it crashed\)"),
    (_leaves, "SystemExit: 5"),
    (_eats, "MemoryError"),
    (_is_asked_to_end, "ActivityProcessDied: .* was asked to end by SIGTERM"),
    (_interrupts, "KeyboardInterrupt"),
]


@pytest.mark.parametrize(("function", "reason"), ENDS, ids=[function.__name__[1:] for function, _ in ENDS])
def test_f4_whatever_ends_it_is_the_reason_of_its_failure_and_no_timeout(lab, function, reason):
    execution = lab.start(OneFailure, made(function).name)
    found = execution.result(200)  # its timeout is 300 s
    assert re.match(reason, found), found
    ends = [event.type for event in execution.history() if event.type.startswith("ActivityTask")]
    assert ends == ["ActivityTaskScheduled", "ActivityTaskStarted", "ActivityTaskFailed"]


def test_one_that_is_killed_from_outside_fails_at_once_and_is_tried_again(lab, tmp_path):
    path = tmp_path / "pid"

    def waits_once(path):
        if os.path.exists(path):
            return "second attempt"
        Path(path).write_text(str(os.getpid()))
        time.sleep(60)

    execution = lab.start(One, made(waits_once, retry=1).name, str(path))
    pid = pid_in(path)
    os.kill(pid, signal.SIGKILL)
    assert execution.result(200) == "second attempt"
    failed = next(event for event in execution.history() if event.type == "ActivityTaskFailed")
    assert f"the process {pid} of activity-processes.waits_once-1 was killed by SIGKILL" in failed.attributes["reason"]


def test_an_exception_comes_back_with_its_traceback(lab):
    def divides():
        return 1 / 0

    execution = lab.start(OneFailure, made(divides).name)
    assert execution.result(200) == "ZeroDivisionError: division by zero"
    failed = next(event for event in execution.history() if event.type == "ActivityTaskFailed")
    details = json.loads(failed.attributes["details"])
    assert details["error_type"] == "builtins.ZeroDivisionError"
    assert "return 1 / 0" in "\n".join(details["traceback"])


PARENT = """
import os, time, sys
from pathlib import Path
from simpleflow_lab import Lab, Workflow, activity

@activity.with_attributes(name="processes.orphan", task_list="orphans", version="1", executor="processes")
def orphan(path):
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)

class Orphans(Workflow):
    name = "processes.orphans"
    task_list = "orphans"
    def run(self, path):
        return self.submit(orphan, path).result

with Lab(":memory:", activity_threads=1) as lab:
    lab.start(Orphans, sys.argv[1]).result()
"""


def test_it_dies_with_its_parent(tmp_path):
    """P4: upstream's went on as an orphan, and its result was refused."""
    path = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(path)])
    pid = pid_in(path)
    parent.kill()
    parent.wait()
    until(lambda: not is_alive(pid))


def test_an_interrupt_of_the_process_group_does_not_reach_it(tmp_path):
    path, noticed = tmp_path / "pid", tmp_path / "noticed"
    ignore = f"import signal; signal.signal(signal.SIGINT, lambda *_: open({str(noticed)!r}, 'w').close())\n"
    parent = subprocess.Popen([sys.executable, "-c", ignore + PARENT, str(path)], start_new_session=True)
    try:
        pid = pid_in(path)
        os.killpg(parent.pid, signal.SIGINT)
        until(noticed.exists)
        assert is_alive(pid)
    finally:
        parent.kill()
        parent.wait()


def test_closing_the_lab_ends_it(tmp_path):
    path = tmp_path / "pid"

    def outlives(path):
        Path(path).write_text(str(os.getpid()))
        time.sleep(60)

    with Lab(":memory:", activity_threads=1) as lab:
        lab.start(One, made(outlives).name, str(path))
        pid = pid_in(path)
    until(lambda: not is_alive(pid))


# -- cancellation ------------------------------------------------------------------------------------------------------


def test_one_that_is_canceled_while_it_sleeps_may_clean_up(lab, tmp_path):
    """P6: upstream's ignored SIGTERM, and was killed without a chance to clean up."""

    def cleans_up(path):
        try:
            Path(path).write_text(str(os.getpid()))
            time.sleep(60)
        except ActivityCanceled as error:
            raise ActivityCanceled(details={"cleaned": str(error)}) from error

    task = by_hand.Task(lab, made(cleans_up, heartbeat_timeout=6), str(tmp_path / "pid"))
    pid_in(tmp_path / "pid")
    task.request_cancel()
    closed = task.closed()
    assert closed.type == "ActivityTaskCanceled"
    assert json.loads(closed.attributes["details"]) == {"cleaned": "it was asked to cancel"}


def test_one_that_goes_on_and_returns_is_completed(lab, tmp_path):
    def finishes(path):
        try:
            Path(path).write_text(str(os.getpid()))
            time.sleep(60)
        except ActivityCanceled:
            return "done all the same"

    task = by_hand.Task(lab, made(finishes, heartbeat_timeout=6), str(tmp_path / "pid"))
    pid_in(tmp_path / "pid")
    task.request_cancel()
    assert task.closed().attributes["result"] == '"done all the same"'


def test_one_that_does_not_stop_is_killed_with_the_programs_it_started(monkeypatch, tmp_path):
    monkeypatch.setenv("ACTIVITY_SIGTERM_WAIT_SEC", "0.3")

    def goes_on(path):
        program = subprocess.Popen(["sleep", "60"])
        Path(path).write_text(str(program.pid))
        while True:
            with contextlib.suppress(ActivityCanceled):
                time.sleep(60)

    with Lab(":memory:", activity_threads=2) as lab:
        task = by_hand.Task(lab, made(goes_on, heartbeat_timeout=6), str(tmp_path / "pid"))
        pid = pid_in(tmp_path / "pid")
        task.request_cancel()
        closed = task.closed()
        assert closed.type == "ActivityTaskCanceled"
        assert closed.attributes["details"].endswith("was killed, for it had not stopped after 0.3 s")
        until(lambda: not is_alive(pid))


def test_one_that_holds_the_interpreter_is_killed_too(monkeypatch, tmp_path):
    monkeypatch.setenv("ACTIVITY_SIGTERM_WAIT_SEC", "0.3")

    def holds(path):
        Path(path).write_text(str(os.getpid()))
        ctypes.PyDLL(None).sleep(60)

    with Lab(":memory:", activity_threads=2) as lab:
        task = by_hand.Task(lab, made(holds, heartbeat_timeout=6), str(tmp_path / "pid"))
        pid = pid_in(tmp_path / "pid")
        task.request_cancel()
        assert task.closed().type == "ActivityTaskCanceled"
        until(lambda: not is_alive(pid))


def test_a_coroutine_is_canceled_where_it_awaits(lab, tmp_path):
    async def awaits(path):
        try:
            Path(path).write_text(str(os.getpid()))
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            Path(path).write_text("-1")

    task = by_hand.Task(lab, made(awaits, heartbeat_timeout=6), str(tmp_path / "pid"))
    pid_in(tmp_path / "pid")
    task.request_cancel()
    assert task.closed().type == "ActivityTaskCanceled"
    assert pid_in(tmp_path / "pid") == -1


def test_the_process_of_a_terminated_execution_ends(lab, tmp_path, caplog):
    def is_forgotten(path):
        Path(path).write_text(str(os.getpid()))
        time.sleep(60)

    execution = lab.start(One, made(is_forgotten, heartbeat_timeout=6).name, str(tmp_path / "pid"))
    pid = pid_in(tmp_path / "pid")
    with caplog.at_level(logging.INFO, logger="simpleflow_lab"):
        execution.terminate("enough")
        until(lambda: not is_alive(pid))
        until(lambda: "was not answered" in caplog.text)
    assert caplog.text.count("nobody waits for it any more") == 1


def test_a_wrong_time_to_clean_up_is_refused_in_one_line(monkeypatch):
    monkeypatch.setenv("ACTIVITY_SIGTERM_WAIT_SEC", "soon")
    with pytest.raises(UsageError, match="ACTIVITY_SIGTERM_WAIT_SEC is 'soon': it can be seconds, 0 or more"):
        Lab(":memory:")


# -- what it shares with its parent ------------------------------------------------------------------------------------


def test_what_it_and_its_programs_print_comes_out_here(lab, capsys):
    def speaks():
        print("from Python")
        print("to stderr", file=sys.stderr)
        os.write(1, "from below: é\n".encode())
        subprocess.run(["echo", "from a program"], check=True)
        logging.getLogger("processes.test").warning("from a log")

    lab.start(One, made(speaks).name).result(200)
    out, err = capsys.readouterr()
    assert out.splitlines() == ["from Python", "from below: é", "from a program"]
    assert err.splitlines()[0] == "to stderr"


def test_what_it_printed_before_it_crashed_is_not_lost(lab, capsys):
    def prints_and_dies():
        print("last words")
        os.kill(os.getpid(), signal.SIGKILL)

    assert "SIGKILL" in lab.start(OneFailure, made(prints_and_dies).name).result(200)
    assert capsys.readouterr().out == "last words\n"


def test_its_heartbeats_are_seen_here(lab, tmp_path):
    gate = tmp_path / "gate"

    def reports(gate):
        for step in range(1000):
            activity.heartbeat(step / 1000, {"step": step})
        while not os.path.exists(gate):
            time.sleep(0.01)
        return activity.current_context()["activity_id"]

    execution = lab.start(One, made(reports).name, str(gate))
    found = until(lambda: [a for a in execution.progress().activities if a.progress == 0.999])
    assert found[0].details == {"step": 999}
    gate.touch()
    assert execution.result(200) == "activity-processes.reports-1"


def test_it_keeps_objects_in_the_storage_of_its_lab(lab):
    lab.storage.default.put("notes/given", b"\x00given")

    def keeps():
        objects = current_storage().default
        objects.put("notes/made", b"\xffmade")
        with pytest.raises(ObjectNotFoundError, match="notes/none"):
            objects.get("notes/none")
        with pytest.raises(StoreError, match="is no key"):
            objects.put("none", b"")
        with pytest.raises(UsageError):
            current_storage().at("no/bucket//at all")
        return [objects.get("notes/given").decode("latin-1"), objects.keys("notes/")]

    assert lab.start(One, made(keeps).name).result(200) == ["\x00given", ["notes/given", "notes/made"]]
    assert lab.storage.default.get("notes/made") == b"\xffmade"


def test_large_inputs_and_results_pass(lab):
    def echoes(text):
        return {"back": text}

    text = "é" * 5000
    assert lab.start(One, made(echoes).name, text).result(200) == {"back": text}


def test_a_result_that_json_cannot_hold_fails_as_in_a_thread(lab):
    def gives_an_object():
        return {"x": object()}

    reason = lab.start(OneFailure, made(gives_an_object).name).result(200)
    assert reason.startswith("EncodingError: the result of processes.gives_an_object can't be recorded")


def test_it_may_use_multiprocessing_and_leave_programs_behind(lab, tmp_path):
    def leaves_a_program(path):
        program = subprocess.Popen(["sleep", "60"])
        Path(path).write_text(str(program.pid))
        for _ in range(10):  # ends its processes by SIGTERM, maybe just after they were forked
            with multiprocessing.get_context("fork").Pool(2) as pool:
                found = pool.map(abs, [-1, -2])
        return found

    assert lab.start(One, made(leaves_a_program).name, str(tmp_path / "pid")).result(60) == [1, 2]
    os.kill(pid_in(tmp_path / "pid"), signal.SIGKILL)


@pytest.mark.parametrize("tasks", [8, *repeats([24, 100])])
def test_many_run_at_once_and_leave_nothing_open(tmp_path, tasks):
    def small(x):
        return x + 1

    class Many(Workflow):
        name = "processes.many"
        task_list = "processes"

        def run(self):
            return [future.result for future in self.map(activity.registry["processes.small", "1"], range(tasks))]

    made(small)
    children = set(psutil.Process().children())  # another test may have left its fork server
    with Lab(":memory:", activity_threads=8) as lab:
        lab.start(One, "processes.small", 0).result(200)
        before = psutil.Process().num_fds()
        assert lab.start(Many).result(60) == list(range(1, tasks + 1))
        until(lambda: psutil.Process().num_fds() <= before)
    until(lambda: set(psutil.Process().children()) <= children)


def test_the_engine_of_the_lab_refuses_to_work_in_it(lab):
    def uses_the_lab():
        return lab.domains()

    reason = lab.start(OneFailure, made(uses_the_lab).name).result(200)
    assert "forked" in reason


def test_a_cells_function_runs_with_the_names_of_other_cells_and_prints_in_its_cell(tmp_path):
    with Kernel(tmp_path / "store.sqlite") as kernel:
        kernel.run("import os\nfactor = 3\ndef times(x):\n    return factor * x", cell_id="names")
        defined = kernel.run(CELL, cell_id="definitions")
        assert defined.error is None, defined.traceback
        done = kernel.run("%simpleflow workflow.start processes.cell", cell_id="start")
        assert done.error is None, done.traceback
        assert "21 in another process: True" in done.stdout


CELL = """%%simpleflow
from simpleflow_lab import Workflow, activity
kernel_pid = os.getpid()

@activity.with_attributes(task_list="cells", raises_on_failure=True, executor="processes")
def triple(x):
    print(times(x), "in another process:", os.getpid() != kernel_pid)
    return times(x)

class InACell(Workflow):
    name = "processes.cell"
    task_list = "cells"

    def run(self):
        return self.submit(triple, 7).result
"""
