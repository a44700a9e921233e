"""`decider.start`, `worker.start`, `worker.list`, `worker.stop`: processes that are supervised."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from simpleflow_lab import Lab
from simpleflow_lab.views.task_statistics import COLUMNS, StatisticsOfTasks
from simpleflow_lab.views.workflow_listings import TaskChoice, workflow_tasks
from tests.cli import supervised_flows as flows
from tests.cli.supervised import LONG, Command, kill_one_at_work, suspended
from tests.cli.supervised import lab as lab  # a fixture
from tests.cli.supervised import start as start  # a fixture
from tests.examples_count import repeats, trials
from tests.waiting import until

pytestmark = pytest.mark.slow

Start = Callable[..., Command]
MODULE = ("--module", "supervised_flows")


def polling(lab: Lab, count: int) -> list[Any]:
    """The pollers, when so many of them poll."""
    return until(lambda: len(found := [each for each in lab.pollers() if each.waiting_polls]) == count and found)


def began(folder: Path, count: int = 1) -> list[int]:
    """The processes in which activities have begun, when so many have."""
    found = until(lambda: len(names := list(folder.glob("began-*"))) >= count and names)
    return [int(path.name.rpartition("-")[2]) for path in found]


def last_states(execution: Any) -> list[str]:
    """The states of all attempts, latest first, as `workflow.tasks --all` shows them."""
    shown = workflow_tasks(execution.history(), choice=TaskChoice(every_attempt=True)).rows
    states = workflow_statistics(execution)
    assert {row[1] for row in shown} - {"completed"} == states
    return [str(row[1]) for row in shown]


def workflow_statistics(execution: Any) -> set[str]:
    """The types of failures that `workflow.statistics` counts."""
    statistics = StatisticsOfTasks()
    statistics.add(execution.history())
    (found,) = {row[list(COLUMNS).index("failures")] for row in statistics.listing().rows}
    return set(json.loads(found))


def supervised(name: str) -> type[Any]:
    """A workflow that these processes define, in the words of this one."""
    return getattr(flows, name)


def test_processes_of_a_module_decide_and_work_are_listed_everywhere_and_stop(
    start: Start, lab: Lab, tmp_path: Path, simpleflow: Any
) -> None:
    """P8: upstream's idle processes slept five seconds before they stopped."""
    decides = start("decider.start", "-N", "1", *MODULE)
    works = start("worker.start", "--nb-processes", "2", *MODULE, "-t", "supervised-activities")
    pollers = polling(lab, 3)
    assert [each.kind for each in pollers] == ["activity worker", "activity worker", "decider"]
    workers = {each.pid for each in works.children()}
    assert {each.pid for each in pollers if each.kind == "activity worker"} == workers
    assert len(workers) == 2
    until(lambda: all(each.types for each in lab.pollers()))
    assert {each.supervisor for each in lab.pollers()} == {decides.pid, works.pid}
    assert "supervised.pid 1" in lab.pollers()[0].types
    assert set(lab.start(supervised("Pids"), 6).result(LONG)) <= workers
    until(lambda: sum(each.done or 0 for each in lab.pollers().of("supervised-activities")) == 6)
    listed = simpleflow("--header", "worker.list").out
    assert all(str(pid) in listed for pid in workers)
    assert "supervised-deaf 1, supervised-gate 1, supervised-gate-of-child 1 and 4 more" in listed
    # From the shell, by the process of one of them: the whole command ends.
    asked = simpleflow("worker.stop", "--wait", str(min(workers)))
    assert (asked.code, asked.err) == (0, "simpleflow: 2 processes ended\n")
    assert works.wait() == 0
    assert decides.stop(signal.SIGINT) == 0
    assert not lab.pollers()
    assert list((tmp_path / "state").rglob("*.json")) == []
    refused = simpleflow("worker.stop")
    assert refused.code == 2
    assert refused.err == "simpleflow: no decider.start or worker.start runs on this machine for domain lab\n"


@pytest.mark.parametrize("kills", [2, *repeats([5])])
def test_a_worker_that_is_killed_is_started_again_and_what_it_had_is_done(
    start: Start, lab: Lab, tmp_path: Path, kills: int
) -> None:
    lab.start_deciders(task_list="supervised-decisions")
    works = start("worker.start", "-N", "2", *MODULE)
    executions = [lab.start(supervised("Gate"), str(tmp_path)) for _ in range(2)]
    for number in range(kills):
        at_work = began(tmp_path, 2 + number)
        next(each for each in works.children() if each.pid in at_work).kill()
    (tmp_path / "open").touch()
    survivors = [execution.result(LONG) for execution in executions]  # though the activity has no retries
    states = [state for execution in executions for state in last_states(execution)]
    assert sorted(states) == ["completed"] * 2 + ["lost"] * kills
    until(lambda: works.said.count("was killed by SIGKILL; it starts again in") == kills)
    assert set(survivors) <= {each.pid for each in works.children()}
    assert works.stop() == 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("processes", "kills"), [*trials([(4, 10)]), *repeats([(16, 100)])])
def test_f3_killed_workers_and_deciders_lose_nothing_and_run_nothing_again_that_is_recorded(
    start: Start, lab: Lab, tmp_path: Path, processes: int, kills: int
) -> None:
    execution = lab.start(supervised("Killed"), str(tmp_path), kills)
    decides = start("decider.start", "-N", "2", *MODULE)
    works = start("worker.start", "-N", str(processes), *MODULE)
    for number in range(kills):
        kill_one_at_work(tmp_path, works)
        if number % 5 == 0:
            until(decides.children)[0].kill()
    assert execution.result(20 * LONG) == list(range(kills))
    assert sorted(last_states(execution)) == ["completed"] * kills + ["lost"] * kills
    until(lambda: works.said.count("was killed by SIGKILL; it starts again in") == kills)
    assert (works.stop(), decides.stop()) == (0, 0)


def test_the_first_signal_lets_them_finish_what_they_have(start: Start, lab: Lab, tmp_path: Path) -> None:
    lab.start_deciders(task_list="supervised-decisions")
    works = start("worker.start", "-N", "1", *MODULE)
    execution = lab.start(supervised("Gate"), str(tmp_path))
    (pid,) = began(tmp_path)
    works.send(signal.SIGINT)
    until(lambda: [each.state for each in lab.pollers().of("supervised-activities")] == ["draining"])
    (tmp_path / "open").touch()
    assert works.wait() == 0
    assert execution.result(LONG) == pid
    assert "they finish what they have in progress; the same again cancels that" in works.said


def test_who_waits_for_their_end_is_told_what_for(start: Start, lab: Lab, tmp_path: Path) -> None:
    lab.start_deciders(task_list="supervised-decisions")
    works = start("worker.start", "-N", "1", *MODULE)
    execution = lab.start(supervised("Gate"), str(tmp_path))
    (pid,) = began(tmp_path)
    (worker,) = until(lambda: [each for each in lab.pollers() if each.tasks and each.kind == "activity worker"])
    stops = start("worker.stop", "--wait")
    task = f"simpleflow: waiting for {worker.tasks[0].activity_id} of {execution.workflow_id} in process {pid}\n"
    until(lambda: task in stops.said)
    supervisor = suspended(works.pid)
    until(lambda: f"process {works.pid}, which is suspended: kill -CONT {works.pid}" in stops.said)
    supervisor.resume()
    (tmp_path / "open").touch()
    assert (stops.wait(), works.wait()) == (0, 0)
    assert stops.said.endswith("simpleflow: 1 process ended\n")


def test_the_second_signal_cancels_and_another_process_does_it_at_once(start: Start, lab: Lab, tmp_path: Path) -> None:
    lab.start_deciders(task_list="supervised-decisions")
    works = start("worker.start", "-N", "1", *MODULE)
    execution = lab.start(supervised("Gate"), str(tmp_path))
    (pid,) = began(tmp_path)
    works.send(signal.SIGTERM)
    until(lambda: "finish what they have" in works.said)
    assert works.stop(signal.SIGINT) == 130
    assert (tmp_path / f"canceled-{pid}").exists()
    (tmp_path / "open").touch()
    start("worker.start", "-N", "1", *MODULE)
    assert execution.result(LONG) != pid  # though the activity has no retries
    assert last_states(execution) == ["completed", "given_back"]


def test_the_third_signal_kills(start: Start, lab: Lab, tmp_path: Path) -> None:
    """P9: upstream's ignored a second and a third signal."""
    lab.start_deciders(task_list="supervised-decisions")
    works = start("worker.start", "-N", "1", *MODULE)
    lab.start(supervised("Deaf"), str(tmp_path))
    (pid,) = began(tmp_path)
    for word in ("finish what", "canceled and given back"):
        works.send(signal.SIGINT)
        until(lambda word=word: word in works.said)
    assert psutil.pid_exists(pid)
    assert works.stop(signal.SIGINT) == 130
    assert not psutil.pid_exists(pid)


BEGINS = """
import os, time
from pathlib import Path
from simpleflow_lab import activity
from simpleflow_lab.runtime.supervised.statuses import published

known = [each["pid"] for supervisor in published() for each in supervisor["processes"]]
Path(f"began-{os.getpid()}.txt").write_text(str(os.getpid() in known))
while not Path("open").exists():
    time.sleep(0.01)


@activity.with_attributes(name="begins", version="1", task_list="begins")
def begins():
    pass
"""


@pytest.mark.parametrize("lists", [(), ("-t", "begins")])
def test_a_process_is_known_with_its_supervisor_before_it_says_what_it_serves(
    start: Start, lab: Lab, tmp_path: Path, lists: tuple[str, ...]
) -> None:
    (tmp_path / "begins_flows.py").write_text(BEGINS)
    works = start("worker.start", "-N", "2", "--module", "begins_flows", *lists)
    until(lambda: [each.read_text() for each in tmp_path.glob("began-*.txt")] == ["True", "True"])
    assert {(each.kind, each.state, each.supervisor, each.done) for each in lab.pollers()} == {
        ("activity worker", "starting", works.pid, 0)
    }
    works.process.send_signal(signal.SIGSTOP)  # it hears nothing of what its processes serve
    try:
        (tmp_path / "open").touch()
        polling(lab, 2)
        shown = [(each.task_list, each.state, each.supervisor, each.done) for each in lab.pollers()]
        assert shown == [("begins", "polling", works.pid, 0)] * 2
    finally:
        works.process.send_signal(signal.SIGCONT)
    until(lambda: [each.types for each in lab.pollers()] == [("begins 1",)] * 2)
    assert works.stop() == 0


def test_a_store_is_named_from_where_the_command_was_typed_though_a_module_changes_the_directory(
    start: Start, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "moving.py").write_text(f"import os\nfrom supervised_flows import *\nos.chdir({str(elsewhere)!r})\n")
    serves = start("--store", "typed.sqlite", "worker.start", "--module", "moving", "-N", "1")
    until(lambda: "an interrupt (Ctrl-C) stops" in serves.said)
    assert (tmp_path / "typed.sqlite").exists()
    assert list(elsewhere.iterdir()) == []
    assert serves.stop() == 0


@pytest.mark.parametrize("command", ["decider.start", "worker.start"])
def test_what_supervises_runs_no_code_of_authors(start: Start, lab: Lab, tmp_path: Path, command: str) -> None:
    (tmp_path / "telling.py").write_text(
        "import os, pathlib\n"
        "from supervised_flows import *\n"
        "pathlib.Path(f'imported-{os.getpid()}').touch()\n"
        "os.chdir('/')\n"
    )
    serves = start("--module", "telling", *command.split("."), "-N", "1")
    (served,) = until(serves.children)
    until(lambda: "an interrupt (Ctrl-C) stops" in serves.said)
    assert [path.name for path in tmp_path.glob("imported-*")] == [f"imported-{served.pid}"]
    assert serves.stop() == 0


@pytest.mark.parametrize("where", [("--store", "new.sqlite"), ("--domain", "new")])
def test_processes_that_are_about_to_make_the_store_or_its_domain_are_listed(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simpleflow: Any, where: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    before, after = (where, ()) if where[0] == "--store" else ((), where)
    refused = simpleflow(*before, "worker.list", *after)
    assert refused.code == 2
    (tmp_path / "begins_flows.py").write_text(BEGINS)
    works = start(*before, "worker.start", *after, "-N", "1", "--module", "begins_flows")
    until(lambda: list(tmp_path.glob("began-*.txt")))
    listed = simpleflow("--format", "json", "--columns", "state,process", *before, "worker.list", *after)
    assert (listed.code, listed.err) == (0, "")
    assert [row["state"] for row in json.loads(listed.out)] == ["starting"]
    assert simpleflow(*before, "worker.list", *after).code == 0
    (tmp_path / "open").touch()
    until(lambda: "polling" in simpleflow(*before, "worker.list", *after).out)
    assert works.stop() == 0


LAST = """
import sys, time
from pathlib import Path
from simpleflow_lab import activity

while "1 of 2" in sys.argv[2] and not Path("new.sqlite").exists():
    time.sleep(0.01)


@activity.with_attributes(name="last", version="1", task_list="last")
def last():
    pass
"""


def test_a_new_store_is_told_once_whichever_process_made_it(start: Start, tmp_path: Path) -> None:
    (tmp_path / "last_flows.py").write_text(LAST)
    works = start("--store", "new.sqlite", "worker.start", "-N", "2", "--module", "last_flows")
    until(lambda: "worker.list shows what they do" in works.said)
    until(lambda: "a new store was made" in works.said)
    assert works.stop() == 0
    assert works.said.count(f"a new store was made: {tmp_path / 'new.sqlite'}") == 1


TOGETHER = """
import os
import time
from pathlib import Path

from simpleflow_lab import activity

Path(f"came-{os.getpid()}").touch()
while len(list(Path().glob("came-*"))) < 2:
    time.sleep(0.001)


@activity.with_attributes(name="together", version="1", task_list="together")
def together():
    pass
"""


def test_a_new_store_is_told_once_by_two_supervisors_that_start_at_once(start: Start, tmp_path: Path) -> None:
    (tmp_path / "together_flows.py").write_text(TOGETHER)
    both = [
        start("--store", "new.sqlite", "worker.start", "-N", "1", "--module", "together_flows", "--task-list", each)
        for each in ("one", "other")
    ]
    for works in both:
        until(lambda works=works: "worker.list shows what they do" in works.said)
    until(lambda: any("a new store was made" in works.said for works in both))
    assert [works.stop() for works in both] == [0, 0]
    said = "".join(works.said for works in both)
    assert said.count(f"a new store was made: {tmp_path / 'new.sqlite'}") == 1


def test_a_supervisor_without_a_place_for_its_status_waits_without_work(start: Start, lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder would be")
    works = start("worker.start", "-N", "1", *MODULE)
    polling(lab, 1)
    until(lambda: "worker.list shows what they do" in works.said and "other processes can't see these" in works.said)

    def used_in_two_seconds() -> float:
        before = sum(psutil.Process(works.pid).cpu_times()[:2])
        assert not psutil.wait_procs(works.children(), timeout=2)[0]
        return sum(psutil.Process(works.pid).cpu_times()[:2]) - before

    until(lambda: used_in_two_seconds() < 0.1)  # once it has started
    assert works.said.count("other processes can't see these") == 1
    assert works.stop() == 0


def test_processes_end_with_their_supervisor(start: Start, lab: Lab, tmp_path: Path) -> None:
    works = start("worker.start", "-N", "2", *MODULE)
    polling(lab, 2)
    children = works.children()
    works.process.kill()
    psutil.wait_procs(children, timeout=LONG)
    assert not [each for each in children if each.is_running()]
    assert not lab.pollers()
    assert list((tmp_path / "state").rglob("*.json")) == []  # the status that it left was found to be a dead one's


@pytest.mark.trial
def test_a_process_that_somebody_else_tells_to_end_is_started_again(start: Start, lab: Lab) -> None:
    works = start("worker.start", "-N", "1", *MODULE)
    polling(lab, 1)
    (before,) = works.children()
    before.terminate()
    until(lambda: [each.pid for each in works.children()] not in ([], [before.pid]))
    polling(lab, 1)
    until(lambda: "ended with exit code 0; it starts again in 0.5 s" in works.said)


WITHOUT_A_BEGINNING = {
    ("worker.start", "-N", "1", "--module", "nope"): "no module 'nope': is it installed, or in the current directory?",
    ("decider.start", "-N", "1", "json.Nope"): "module 'json' has no 'Nope'",
    ("worker.start", "-N", "2", "--module", "json"): (
        "module 'json' defines no activity: name the modules that do, as in --module flows"
    ),
    ("standalone", "supervised_flows.Pids", "-i", "[1]", "-W", "1", "--middleware-pre-execution", "json.nope"): (
        "module 'json' has no function 'nope'"
    ),
}


@pytest.mark.parametrize("words", WITHOUT_A_BEGINNING)
def test_what_can_not_begin_ends_with_one_line_and_exit_code_2(start: Start, words: tuple[str, ...]) -> None:
    command = start(*words)
    assert command.wait() == 2
    assert command.said.splitlines() == [f"simpleflow: {WITHOUT_A_BEGINNING[words]}"]
    assert command.out == ""


REFUSED = {
    ("worker.start",): "which activities? name the module that defines them, as in worker.start --module flows: ",
    ("decider.start", "-t", "etl"): "which workflows? name them, or the module that defines them, as in decider.start ",
    ("decider.start", "--module", "a/b"): "'a/b' is no name of a module: write it with dots, as in examples.basic",
    ("--store", ":memory:", "worker.start", "--module", "json"): "a store in memory is this process's alone: ",
    (
        "worker.start",
        "-N",
        "0",
        "--module",
        "json",
    ): "worker.start: Invalid value for '-N' / '--nb-processes': 0 is ",
    ("worker.start", "--module", "json", "--heartbeat", "-1"): "worker.start: Invalid value for '--heartbeat': -1.0 is",
    ("worker.start", "--module", "json", "--poll-data", "?"): "--poll-data is no base64 of JSON: ",
    ("worker.start", "--module", "json", "--poll-data", "e30="): "--poll-data is no activity task: taskToken, ",
    ("standalone", "Pids"): "'Pids' is no workflow that a process can import: name it as module.Class",
    ("worker.stop", "1"): "no decider.start or worker.start with PID 1 runs on this machine for domain lab",
    ("worker.stop", "-t", "etl"): "no decider.start or worker.start of task list etl runs on this machine for domain ",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_typed_wrong_is_one_line_and_exit_code_2(
    words: tuple[str, ...], simpleflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    ended = simpleflow(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"simpleflow: {REFUSED[words]}")
    assert ended.err.count("\n") == 1


def test_a_command_that_has_ended_leaves_the_handlers_of_signals_as_they_were(simpleflow: Any) -> None:
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = [signal.getsignal(number) for number in numbers]
    assert simpleflow("worker.start", "--module", "nosuch").code == 2
    assert [signal.getsignal(number) for number in numbers] == before
