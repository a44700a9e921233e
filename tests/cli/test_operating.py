"""Commands with which a person operates many executions: lists, statistics, tasks, requests, domains, the doctor."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity, open_history
from simpleflow_lab.commands.command_table import MODULES, run, table
from simpleflow_lab.commands.piped_executions import piped_executions
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import UsageError
from tests.examples_count import trials
from tests.waiting import until

Command = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]
LIMIT = 200


@activity.with_attributes(name="operated.load", version="1", task_list="operated", retry=1)
def load(n: int) -> int:
    if n == 2:
        raise LookupError("no such part")
    return n


@activity.with_attributes(name="operated.save", version="1", task_list="operated")
def save(n: int) -> str:
    return f"saved {n}"


class Operated(Workflow):
    name, version, task_list = "operated", "1", "operated"
    tag_list = ("night",)

    def run(self, n: int = 1, wait: bool = False) -> Any:
        part = self.submit(load, n)
        if wait:
            _ = self.submit(self.wait_signal("go")).result
        return self.submit(save, part).result if part.exception is None else self.fail("no part")


@pytest.fixture(scope="module")
def store_with_three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("three") / "lab.sqlite"
    with Lab(path) as lab:
        lab.start(Operated, 1, workflow_id="night-1", tag_list=["night", "eu"]).result(LIMIT)
        lab.start(Operated, 2, workflow_id="night-2").wait(LIMIT)
        execution = lab.start(Operated, 3, wait=True, workflow_id="night-3")
        for _ in execution.watch(timeout=LIMIT):
            if execution.waits_in_short() == "signal go":
                break
    return path


@pytest.fixture
def store(tmp_path: Path, store_with_three: Path) -> Path:
    """A store of this test's own with three executions: one completed, one failed, one that waits for a signal."""
    return Path(shutil.copy(store_with_three, tmp_path / "lab.sqlite"))


@pytest.fixture
def rows(simpleflow: Command, store: Path) -> Callable[..., list[dict[str, Any]]]:
    """The rows of a command as JSON objects."""

    def run(*words: str) -> list[dict[str, Any]]:
        ended = simpleflow("--format", "json", *words)
        assert (ended.code, ended.err) == (0, "")
        found: list[dict[str, Any]] = json.loads(ended.out)
        return found

    return run


# -- forks -------------------------------------------------------------------------------------------------------------


def test_a_fork_reuses_results_and_is_listed(simpleflow: Command, rows: Command) -> None:
    ended = simpleflow("workflow.fork", "night-2", "--replace", "load=7", "--new-id", "again")
    assert (ended.code, ended.out.strip()) == (0, '"saved 7"'), ended.err
    listed = {row["Workflow ID"]: row for row in rows("workflow.list")}
    assert listed["again"]["Forked From"] == rows("workflow.filter", "--workflow-id", "night-2")[0]["Run ID"]
    assert listed["night-1"]["Forked From"] is None
    assert "forked from night-2" in simpleflow("workflow.explain", "again").out
    anew = simpleflow("workflow.fork", "night-1", "--force-activities", "save", "--new-id", "saved-again")
    assert (anew.code, anew.out.strip()) == (0, '"saved 1"'), anew.err
    nowhere = simpleflow("workflow.fork", "night-1")
    assert (nowhere.code, "--at" in nowhere.err, "--replace TASK=JSON" in nowhere.err) == (2, True, True)
    states = {row["Tasks"]: row["Last State"] for row in rows("workflow.tasks", "saved-again")}
    assert states == {"operated.load": "reused", "operated.save": "completed"}
    for command in (["task.info"], ["activity.rerun", "--yes"]):
        told = simpleflow(*command, "saved-again", "load")
        assert (told.code, told.out) == (2, "")
        assert "did not run in this execution: it was inherited from night-1, whose task(), or task.info" in told.err


def test_a_repair_reuses_what_is_done_and_runs_what_failed(simpleflow: Command, rows: Command) -> None:
    """P15: upstream forked a process for each result that it reused."""
    name = f"{__name__}.Operated"
    forks: list[int] = []
    os.register_at_fork(before=lambda: forks.append(1))
    again = simpleflow("workflow.start", name, "--repair", "night-2", "--workflow-id", "mended", "--tags", "mended")
    assert (again.code, "no part" in again.err) == (1, True)  # its load failed again
    (row,) = rows("workflow.info", "mended")
    assert row["tag_list"].startswith("mended")
    anew = simpleflow(
        "workflow.start", name, "--repair", "night-1", "--force-activities", "save", "--workflow-id", "anew"
    )
    assert (anew.code, json.loads(anew.out)) == (0, "saved 1")
    with Lab() as lab:
        tasks = lab.execution("anew").tasks()
        assert tasks[tasks["state"] != "reused"]["name"].tolist() == ["operated.save"]
    assert forks == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--repair", "night-1"], "completed: --force-activities REGEX says which of its tasks run again"),
        (["--repair", "night-3"], "is open, and what it runs would run twice"),
        (["--repair", "nosuch"], "no execution 'nosuch'"),
        (["--repair", "night-2 nosuch"], "no execution 'night-2' with run id 'nosuch'"),
        (["--repair", "a b c"], "--repair is 'WORKFLOW_ID' or 'WORKFLOW_ID RUN_ID'"),
        (["--repair", ""], "--repair is 'WORKFLOW_ID' or 'WORKFLOW_ID RUN_ID'"),
        (["--repair", "night-2", "-i", "[2]"], "leave the other one out"),
        (["--force-activities", "save"], "--force-activities goes with --repair"),
        (["--repair", "night-2", "--force-activities", "("], "no regular expression"),
    ],
)
def test_what_can_not_be_repaired_is_one_line(simpleflow: Command, store: Path, words: list[str], told: str) -> None:
    ended = simpleflow("workflow.start", f"{__name__}.Operated", *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert told in ended.err
    other = simpleflow("workflow.start", "examples.basic.BasicWorkflow", "--repair", "night-2")
    assert (other.code, "is one of" in other.err) == (2, True)


def test_a_fork_that_nobody_would_decide_for_is_not_started(process: Command, rows: Command, store: Path) -> None:
    ended = process("workflow.fork", "night-2", "--new-id", "undecided")
    assert (ended.code, ended.out) == (2, "")
    assert "is not defined in this process, which would decide for the fork: give --module, or --detach" in ended.err
    assert "undecided" not in {row["Workflow ID"] for row in rows("workflow.list")}


# -- lists -------------------------------------------------------------------------------------------------------------


def test_a_filter_has_all_columns_of_upstream(rows: Command) -> None:
    (row,) = rows("workflow.filter", "--workflow-id", "night-1")
    assert list(row) == [
        "Workflow ID", "Workflow Type", "Workflow Version", "Run ID", "Status", "Child Policy", "Close Status",
        "Start Timestamp", "Close Timestamp", "Cancel Requested", "Execution Timeout", "Input", "Tags",
        "Decision Tasks Timeout", "Parent Workflow ID", "Parent Run ID",
    ]  # fmt: skip
    assert (row["Status"], row["Close Status"], row["Tags"]) == ("CLOSED", "COMPLETED", "night,eu")
    assert json.loads(row["Input"])["args"] == [1]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), ["night-3", "night-2", "night-1"]),
        (("--status", "open"), ["night-3"]),
        (("--status", "closed"), ["night-2", "night-1"]),
        (("--close-status", "failed"), ["night-2"]),
        (("--tag", "eu"), ["night-1"]),
        (("--tag", "night,eu"), ["night-1"]),
        (("--workflow-id", "night-2"), ["night-2"]),
        (("--workflow-type-name", "operated", "--workflow-type-version", "2"), []),
        (("--from-date", "2000-01-01", "--to-date", "2001-01-01T00:00:00+01:00"), []),
        (("--started-since", "0"), []),
        (("lab",), ["night-3", "night-2", "night-1"]),
    ],
)
def test_executions_are_filtered(rows: Command, words: tuple[str, ...], found: list[str]) -> None:
    assert [row["Workflow ID"] for row in rows("workflow.filter", *words)] == found


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--sort", "workflow_id"), ["night-1", "night-2", "night-3"]),
        (("--sort", "-workflow-id", "--limit", "2"), ["night-3", "night-2"]),
        (("--filter", "status=F*"), ["night-2"]),
        (("--filter", "Status!=open", "--filter", "workflow id>night-1"), ["night-2"]),
        (("--filter", "waitsfor=signal ?o"), ["night-3"]),
        (("--limit", "0"), []),
    ],
)
def test_any_list_is_sorted_filtered_and_cut(rows: Command, words: tuple[str, ...], found: list[str]) -> None:
    assert [row["Workflow ID"] for row in rows("workflow.list", *words)] == found
    assert [row["Workflow ID"] for row in rows(*words, "workflow", "list")] == found


def test_a_command_that_helps_can_be_pasted(
    simpleflow: Command, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMPLEFLOW_LAB_STORE", str(tmp_path / "another.sqlite"))
    waits = simpleflow("--store", str(store), "workflow.explain", "night-3").out.splitlines()[1]
    program, *words = shlex.split(waits.partition(" → ")[2])
    assert (program, *words) == ("simpleflow", "--store", str(store), "workflow.signal", "night-3", "go")
    assert simpleflow(*words).code == 0


def test_an_explanation_is_a_list_when_its_columns_are_named(rows: Command, simpleflow: Command) -> None:
    assert simpleflow("--columns", "about", "workflow.explain", "night-1").out.splitlines()[0] == "status"
    assert "no column 'nope'" in simpleflow("--columns", "nope", "workflow.explain", "night-1").err


def test_columns_come_in_the_order_asked_for(rows: Command, simpleflow: Command) -> None:
    (row,) = rows("workflow.list", "--columns", "status,WORKFLOW_ID", "--filter", "workflowid=night-1")
    assert list(row.items()) == [("Status", "COMPLETED"), ("Workflow ID", "night-1")]
    assert simpleflow("workflow.list", "--format", "csv", "--columns", "status").out.splitlines()[0] == "Status"


def test_a_list_of_executions_has_every_column_of_a_notebook_when_it_is_named(rows: Command, store: Path) -> None:
    with Lab(store) as lab:
        columns = list(lab.executions().columns)
    found = rows("workflow.list", "--columns", ",".join(columns[:-1]), "--sort=-started")
    assert [(row["Workflow ID"], row["closed"] is None, row["tags"]) for row in found] == [
        ("night-3", True, "night"),
        ("night-2", False, "night"),
        ("night-1", False, "night,eu"),
    ]
    assert all(row["duration"] > 0 for row in found)
    assert [row["Workflow ID"] for row in rows("workflow.list", "--filter", "tags=*eu*")] == ["night-1"]


def test_numbers_and_times_are_compared_as_what_they_are(rows: Command) -> None:
    assert len(rows("workflow.profile", "night-1", "--filter", "time running>=0", "--filter", "start>2020-01-01")) == 2
    assert rows("workflow.profile", "night-1", "--filter", "percentage of total time>100") == []
    shares = [row["Time Running"] for row in rows("workflow.profile", "night-1", "--sort", "-time running")]
    assert shares == sorted(shares, reverse=True)


def test_a_list_is_shown_again_until_it_is_interrupted(store: Path) -> None:
    words = ["--store", str(store), "workflow.list", "--watch", "0.1", "--format", "csv", "--limit", "1"]
    with subprocess.Popen(
        [sys.executable, "-m", "simpleflow_lab.cli", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        lines = [running.stdout.readline() for _ in range(4)]
        running.send_signal(signal.SIGINT)
        assert running.wait(LIMIT) == 0
    assert lines == [lines[0], lines[1]] * 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("file.json", ["workflow.history", "night-1", "--output-file"]),
        ("file.html", ["gantt", "night-1", "-o"]),
        ("file.svg", ["gantt", "night-1", "-o"]),
    ],
)
def test_a_file_that_is_watched_is_written_again_and_each_time_whole(
    store: Path, tmp_path: Path, name: str, words: list[str]
) -> None:
    file = tmp_path / name
    command = [sys.executable, "-m", "simpleflow_lab.cli", "--store", str(store), *words, str(file), "--watch", "0.1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        lines, sizes = [], set()
        for _ in range(3):
            lines.append(running.stdout.readline())
            with file.open() as opened:
                sizes.add(len(opened.read()))
                number = os.fstat(opened.fileno()).st_ino
                until(lambda number=number: running.poll() is not None or file.stat().st_ino != number)  # type: ignore[misc]
                assert running.poll() is None
        running.send_signal(signal.SIGINT)
        assert running.wait(LIMIT) == 0
    assert lines[0] == lines[1] == lines[2] != ""
    assert len(sizes) == 1
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert (done.returncode, done.stderr) == (2, f"simpleflow: {file} is there already: --force replaces it\n")


def test_only_what_reads_is_watched() -> None:
    watched = {
        name
        for name, command in table.all_commands().items()
        if any("--watch" in parameter.opts for parameter in command.params)
    }
    assert {"workflow.list", "workflow.info", "task_list.list", "doctor", "worker.list"} <= watched
    with pytest.raises(UsageError, match=r"only read.* workflow.info ID --watch 2"):
        run(["workflow.start", "Nightly", "--watch", "1"], Session())
    assert not watched & {"workflow.start", "resume", "workflow.signal", "workflow.terminate", "workflow.restart"}


def test_the_table_names_the_module_of_each_command() -> None:
    found = {}
    for name in set(MODULES.values()):
        module = importlib.import_module(f"simpleflow_lab.commands.{name}")
        found |= {command.name: name for command in (*getattr(module, "READING", ()), *getattr(module, "ACTING", ()))}
    assert found == MODULES
    assert set(table.all_commands()) == {*MODULES, "help"}


# -- statistics --------------------------------------------------------------------------------------------------------


def test_statistics_are_of_all_attempts_of_many_executions(rows: Command) -> None:
    found = {row["name"]: row for row in rows("workflow.statistics")}
    loads, saves = found["operated.load"], found["operated.save"]
    assert (loads["executions"], loads["count"], loads["completed"], loads["failed"]) == (3, 4, 2, 2)
    assert loads["failures"] == {"LookupError": 2}
    assert (saves["count"], saves["failures"]) == (1, None)
    assert 0 < loads["median"] <= loads["p95"] <= loads["slowest"]
    assert saves["mean"] == saves["median"] == saves["slowest"]
    assert [row["count"] for row in rows("workflow.statistics", "--tag", "eu", "--sort", "name")] == [1, 1]


def test_statistics_of_nothing_say_so(simpleflow: Command, store: Path) -> None:
    ended = simpleflow("workflow.statistics", "--tag", "nosuch")
    assert (ended.code, ended.out, ended.err) == (0, "", "simpleflow: no execution is as asked for\n")


# -- one task ----------------------------------------------------------------------------------------------------------


def test_a_task_is_shown_attempt_by_attempt(rows: Command) -> None:
    first, second = rows("task.info", "night-2", "load", "--details")
    assert (first["attempt"], second["attempt"], first["state"]) == (1, 2, "failed")
    assert first["id"] == "activity-operated.load-1"
    assert first["reason"] == "LookupError: no such part"
    assert "Traceback" in first["details"]
    assert "details" not in rows("task.info", "lab", "night-1", "activity-operated.load-1")[0]


def test_an_activity_runs_again_here_and_its_execution_stays_as_it_is(simpleflow: Command, store: Path) -> None:
    before = simpleflow("workflow.history", "night-2").out
    assert simpleflow("activity.rerun", "night-1", "save", "--yes") == (0, '"saved 1"\n', "")
    assert simpleflow("activity.rerun", "night-1", "save", "--input", "[7]", "-y").out == '"saved 7"\n'
    upstream = ("--domain", "lab", "--workflow-id", "night-1", "--activity-id", "activity-operated.load-1")
    assert simpleflow("activity.rerun", *upstream, "-y").out == "1\n"
    failed = simpleflow("activity.rerun", "night-2", "load", "--attempt", "1", "-y")
    assert (failed.code, failed.out) == (1, "")
    assert failed.err.endswith("LookupError: no such part\n")
    assert 'raise LookupError("no such part")' in failed.err
    assert failed.err.count("  File ") == 1  # no line of ours
    assert simpleflow("workflow.history", "night-2").out == before


def test_an_activity_does_not_run_again_where_nobody_can_be_asked(process: Command, store: Path) -> None:
    ended = process("activity.rerun", "night-1", "save")
    assert (ended.code, ended.out) == (2, "")
    assert "did not run: nobody can be asked here; give --yes" in ended.err


def test_code_by_the_name_in_a_history_is_never_imported(process: Command, store: Path) -> None:
    ended = process("activity.rerun", "night-1", "save", "--yes")
    assert (ended.code, ended.out) == (2, "")
    assert "no activity operated.save 1 is defined in this process: give --module" in ended.err


# -- replay ------------------------------------------------------------------------------------------------------------


def test_a_history_is_replayed_with_the_code_that_is_here(simpleflow: Command, rows: Command, tmp_path: Path) -> None:
    (row,) = rows("workflow.replay", "night-1")
    assert (row["same"], row["error"]) == ("yes", None)
    assert row["workflow"].endswith("Operated")
    file = tmp_path / "history.json"
    simpleflow("workflow.history", "night-2", "-o", "raw", "--output-file", str(file))
    assert rows("workflow.replay", "--file", str(file))[0]["same"] == "yes"


class Child(Workflow):
    name, version, task_list = "operated.child", "1", "operated"

    def run(self) -> int:
        return 1


class Parent(Workflow):
    name, version, task_list = "operated.parent", "1", "operated"

    def run(self) -> Any:
        return self.submit(Child).result


def test_the_ids_of_children_are_made_of_those_of_the_execution(
    simpleflow: Command, rows: Command, store: Path, tmp_path: Path
) -> None:
    with Lab(store) as lab:
        execution = lab.start(Parent, workflow_id="parent-1")
        execution.result(LIMIT)
    assert rows("workflow.replay", "parent-1")[0]["same"] == "yes"
    file = str(tmp_path / "history.json")
    simpleflow("workflow.history", "parent-1", "-o", "raw", "--output-file", file)
    assert rows("workflow.replay", "--file", file, "parent-1", execution.run_id)[0]["same"] == "yes"
    assert rows("workflow.replay", "--file", file)[0]["same"] == "yes"
    with open_history(file).replay(Parent) as steps:
        assert steps[-1].error is None
    # A file of the AWS CLI does not name the execution.
    Path(file).write_text(open_history(file).history().to_json())
    assert rows("workflow.replay", "--file", file, "parent-1", execution.run_id)[0]["same"] == "yes"
    assert simpleflow("workflow.replay", "--file", file).code == 1


def test_code_that_decides_otherwise_is_exit_code_1(simpleflow: Command, store: Path) -> None:
    class Changed(Workflow):
        name, version, task_list = "operated.changed", "1", "operated"

        def run(self, n: int = 1, wait: bool = False) -> Any:
            return self.submit(save, n).result

    ended = simpleflow("--format", "json", "workflow.replay", "night-1", "--workflow", "Changed")
    assert ended.code == 1
    (row,) = json.loads(ended.out)
    assert row["same"] == "no"
    assert "operated.load" in row["error"]
    assert "operated.save" in row["error"]


# -- requests ----------------------------------------------------------------------------------------------------------


def test_the_id_comes_before_the_signal_and_the_other_order_is_told(simpleflow: Command, store: Path) -> None:
    ended = simpleflow("workflow.signal", "go", "night-3")
    assert (ended.code, ended.err) == (2, "simpleflow: the id comes first, then the rest: write `night-3 go`\n")
    for words in (("night-3", "go"), ("lab", "night-3", "go"), ("night-3", "go", "-d", "lab")):
        assert "signal 'go' was sent to night-3" in simpleflow("workflow.signal", *words).err
    run_id = json.loads(simpleflow("--format", "json", "workflow.info", "night-3").out)[0]["run_id"]
    assert simpleflow("workflow.signal", "night-3", run_id, "go").code == 0
    assert simpleflow("workflow.signal", "night-3", "--run-id", run_id, "go").code == 0
    history = json.loads(simpleflow("--format", "json", "workflow.history", "night-3").out)
    assert sum(event["type"] == "WorkflowExecutionSignaled" for event in history) == 5


def test_an_id_that_looks_like_an_option_goes_after_two_dashes(simpleflow: Command, store: Path) -> None:
    with Lab(store) as lab:
        lab.start(Operated, 1, workflow_id="--wait").result(LIMIT)
    ended = simpleflow("workflow.info", "--wait")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "an id that begins with - goes after --" in ended.err
    assert simpleflow("workflow.tasks", "--", "--wait").code == 0


def test_a_restart_keeps_all_but_the_run(simpleflow: Command, rows: Command) -> None:
    (old,) = rows("workflow.filter", "--workflow-id", "night-3")
    ended = simpleflow("workflow.restart", "lab", "night-3")
    assert ended.code == 0
    new, then = rows("workflow.filter", "--workflow-id", "night-3")
    assert then["Close Status"] == "TERMINATED"
    assert new["Status"] == "OPEN"
    assert ended.out == f"night-3 {new['Run ID']}\n"
    assert f"run {old['Run ID']} is terminated" in ended.err
    kept = ("Workflow Type", "Workflow Version", "Input", "Tags", "Execution Timeout", "Decision Tasks Timeout")
    assert {name: new[name] for name in kept} == {name: old[name] for name in kept}
    assert "was COMPLETED" in simpleflow("workflow.restart", "night-1").err


# -- task lists, domains, the doctor -----------------------------------------------------------------------------------


def test_a_task_list_shows_its_backlog_and_who_polls(simpleflow: Command, rows: Command) -> None:
    simpleflow("workflow.restart", "night-1")
    (row,) = rows("task_list.list")
    assert (row["task list"], row["decision tasks"], row["activity tasks"]) == ("operated", 1, 0)
    assert (row["deciders"], row["polled by"]) == (0, "nobody")
    assert {row["task list"] for row in rows("task_list.list", "--task-list", "other")} == {"operated", "other"}


def test_domains_are_registered_listed_and_deprecated(simpleflow: Command, rows: Command) -> None:
    assert "is registered" in simpleflow("domain.register", "etl", "--description", "nightly").err
    assert {row["domain"]: row["open"] for row in rows("domain.list")} == {"lab": 1, "etl": 0}
    assert rows("domain.info", "etl")[0]["description"] == "nightly"
    assert "is deprecated" in simpleflow("domain.deprecate", "etl").err
    assert [row["domain"] for row in rows("domain.list", "--status", "deprecated")] == ["etl"]
    assert len(rows("domain", "list", "-s", "all")) == 2
    assert "registered again" in simpleflow("domain.undeprecate", "etl").err


def test_a_domain_that_is_already_what_it_should_become_is_one_line_with_the_way_out(simpleflow: Command) -> None:
    def refused(*words: str) -> str:
        ended = simpleflow(*words)
        assert ended.code == 2
        return str(ended.err)

    assert refused("domain.register", "lab") == "simpleflow: domain 'lab' is registered already\n"
    assert refused("domain.undeprecate", "lab") == "simpleflow: domain 'lab' is registered already\n"
    simpleflow("domain.deprecate", "lab")
    is_deprecated = "simpleflow: domain 'lab' is deprecated already: domain.undeprecate takes it back\n"
    assert refused("domain.deprecate", "lab") == is_deprecated
    assert refused("domain.register", "lab") == is_deprecated


def test_the_doctor_says_what_waits_and_what_to_do(simpleflow: Command, store: Path) -> None:
    ended = simpleflow("--format", "json", "doctor")
    found = {row["check"]: row for row in json.loads(ended.out)}
    assert ended.code == 0
    assert found["waits"]["finding"] == "night-3: signal go"
    assert found["waits"]["what to do"]
    assert found["executions"]["finding"] == "1 open, 2 closed"


@pytest.mark.parametrize(
    ("address", "check"), [("/no/such/folder/x.sqlite", "store"), ("/dev/null", "store"), ("http://x", "store")]
)
def test_the_doctor_finds_a_store_that_can_not_be_used(simpleflow: Command, address: str, check: str) -> None:
    ended = simpleflow("--format", "json", "--store", address, "doctor")
    (problem,) = [row for row in json.loads(ended.out) if row["state"] == "problem"]
    assert (ended.code, problem["check"]) == (1, check)
    assert problem["what to do"]


def test_the_doctor_makes_no_store(simpleflow: Command, tmp_path: Path) -> None:
    ended = simpleflow("--store", str(tmp_path / "new.sqlite"), "doctor")
    assert ended.code == 0
    assert f"no store at {tmp_path / 'new.sqlite'} yet" in ended.out
    assert not list(tmp_path.glob("new.sqlite*"))


# -- many at once ------------------------------------------------------------------------------------------------------


def test_a_request_is_made_to_each_execution_whose_id_comes_by_a_pipe(
    simpleflow: Command, process: Command, rows: Command, store: Path
) -> None:
    ids = simpleflow("workflow.list", "--columns", "workflow_id,run_id", "--format", "tsv", "--no-header").out
    canceled = simpleflow("--format", "json", "workflow.cancel", "-", input=ids)
    assert [(row["workflow_id"], row["request"]) for row in json.loads(canceled.out)] == [
        ("night-3", "done"),
        ("night-2", "refused"),
        ("night-1", "refused"),
    ]
    assert (canceled.code, canceled.err) == (1, "simpleflow: 1 request made, 2 refused\n")
    # Processes that do not define the workflow: it stays open.
    again = process("workflow.restart", "-", input="night-1\nnosuch\n\n")
    assert (again.code, "no execution 'nosuch'" in again.out) == (1, True)
    old_run = next(line for line in ids.splitlines() if line.startswith("night-1\t"))
    assert "another run of night-1 is open" in process("workflow.restart", "-", input=old_run).out
    open_ids = simpleflow("workflow.list", "-s", "open", "--columns", "workflow_id", "--format", "csv").out
    assert open_ids.splitlines() == ["Workflow ID", "night-1", "night-3"]  # a title is no id
    assert process("workflow.signal", "-", "go", input=open_ids).code == 0
    ended = simpleflow("workflow.terminate", "-", "--reason", "enough", input=open_ids)
    assert (ended.code, ended.err) == (0, "simpleflow: 2 requests made, 0 refused\n")
    assert rows("workflow.list", "-s", "open") == []
    nothing = simpleflow("workflow.terminate", "-", input="\n")
    assert (nothing.code, nothing.out, nothing.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("format", "titles"),
    [("csv", "--header"), ("tabular", "--header"), ("tsv", "--no-header"), ("tabular", "--no-header")],
)
def test_a_piped_id_is_exact_whatever_it_begins_with(
    simpleflow: Command, store: Path, format: str, titles: str
) -> None:
    ids = ["=1+1", "+2", "-3", "@four", "'=5"]
    with Lab(store, serve="nothing") as lab:
        for each in ids:
            lab.start(Operated, 1, workflow_id=each)
    listed = simpleflow("--format", format, titles, "workflow.list", "-s", "open", "--columns", "workflow_id").out
    if titles == "--no-header":
        assert set(ids) <= set(listed.splitlines())
    ended = simpleflow("--format", "json", "workflow.terminate", "-", input=listed)
    done = {row["workflow_id"] for row in json.loads(ended.out) if row["request"] == "done"}
    assert done == {*ids, "night-3"}
    assert ended.code == 0


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "prettyjson"])
@pytest.mark.parametrize("of", ["workflow.list", "workflow.filter"])
def test_a_whole_list_in_any_format_for_programs_comes_by_a_pipe(
    simpleflow: Command, store: Path, form: str, of: str
) -> None:
    ids = ["=1+1", 'a,"b', "[é]", *(["c\u2028d"] if "json" in form else [])]  # CSV shows what can't be seen
    with Lab(store, serve="nothing") as lab:
        for each in ids:
            lab.start(Operated, 1, workflow_id=each)
    listed = simpleflow("--format", form, of, "-s", "open").out
    ended = simpleflow("--format", "json", "workflow.terminate", "-", input=listed)
    assert ended.code == 0, ended.err
    assert {row["workflow_id"] for row in json.loads(ended.out)} == {*ids, "night-3"}
    # Nothing is open: each list is empty, and so are the requests.
    empty = simpleflow("--format", form, of, "-s", "open").out
    nothing = simpleflow("--format", "json", "workflow.terminate", "-", input=empty)
    assert (nothing.code, nothing.err) == (0, "simpleflow: 0 requests made, 0 refused\n")


def test_the_runs_of_a_list_are_those_that_requests_are_made_to(
    simpleflow: Command, process: Command, store: Path
) -> None:
    (closed,) = json.loads(simpleflow("--format", "json", "workflow.filter", "--workflow-id", "night-1").out)
    assert process("workflow.restart", "night-1").code == 0
    # `jq '.[]'` writes the objects one after the other.
    ended = simpleflow("--format", "json", "workflow.terminate", "-", input=json.dumps(closed, indent=1) * 2)
    assert [(row["workflow_id"], row["request"]) for row in json.loads(ended.out)] == [("night-1", "refused")] * 2
    without = simpleflow("workflow.terminate", "-", input='[{"Status": "OPEN"}]')
    assert (without.code, without.err.count("\n")) == (2, 1)
    assert "no column 'Workflow ID'" in without.err


@pytest.mark.parametrize("workflow_id", ["[]", "Workflow ID"])
def test_what_could_be_the_beginning_of_a_list_is_the_id_of_an_execution_that_is_there(
    simpleflow: Command, store: Path, workflow_id: str
) -> None:
    with Lab(store, serve="nothing") as lab:
        lab.start(Operated, 1, workflow_id=workflow_id)
    ended = simpleflow("--format", "json", "workflow.terminate", "-", input=f"{workflow_id}\nnight-3")
    assert [(row["workflow_id"], row["request"]) for row in json.loads(ended.out)] == [
        (workflow_id, "done"),
        ("night-3", "done"),
    ]


def test_a_list_as_a_spreadsheet_saves_it_and_one_with_a_very_long_field(simpleflow: Command, store: Path) -> None:
    saved = simpleflow(
        "--format", "json", "workflow.terminate", "-", input="\ufeffWorkflow ID,Status\r\nnight-3,OPEN\r\n"
    )
    assert [(row["workflow_id"], row["request"]) for row in json.loads(saved.out)] == [("night-3", "done")]
    long = simpleflow("workflow.terminate", "-", input=f"Workflow ID,Input\nnight-3,{'x' * 200_000}\n")
    assert (long.code, long.err.count("\n")) == (2, 1)
    assert "--columns workflow_id" in long.err
    ids = "\n".join(['"a', *["night-3"] * 20_000])  # no table, whatever its first line begins with
    assert len(piped_executions(ids, lambda _: False)) == 20_001


@pytest.mark.parametrize("text", ["[", "[night-3", '["night-3"]', "{", "[" * 100_000])
def test_what_only_begins_as_a_list_is_an_id_that_is_refused(simpleflow: Command, text: str) -> None:
    refused = simpleflow("workflow.terminate", "-", input=text)
    assert (refused.code, refused.err) == (1, "simpleflow: 0 requests made, 1 refused\n")


# -- completion --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_asks_simpleflow(simpleflow: Command, shell: str) -> None:
    ended = simpleflow("completion", shell)
    assert (ended.code, ended.err) == (0, "")
    assert f"_SIMPLEFLOW_COMPLETE={shell}_complete" in ended.out


IN_BASH = """
eval "$(simpleflow completion bash)"
COMP_WORDS=(simpleflow {line}) COMP_CWORD={last}
_simpleflow_completion simpleflow {word} simpleflow
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
IN_FISH = """
simpleflow completion fish | source
complete -C "simpleflow {line}" | string replace -r "\\t.*" ""
true
"""
IN_ZSH = """
zmodload zsh/zpty
zpty typed zsh -f -i
zpty -w typed 'PS1=; autoload -U compinit; compinit -u -D; eval "$(simpleflow completion zsh)"; print ready-$((1+1))'
zpty -r typed seen '*ready-2*'
zpty -w -n typed $'simpleflow {line}\\t'
zpty -r typed seen '*{completed}*'
print -r -- {completed}
"""


SCRIPTS = {"bash": IN_BASH, "fish": IN_FISH, "zsh": IN_ZSH}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "line", "completed"),
    [
        ("bash", "workflow.sta", ["workflow.start", "workflow.statistics"]),
        *trials([("fish", "workflow.sta", ["workflow.start", "workflow.statistics"])]),
        *trials((shell, "workflow sig", ["signal"]) for shell in SCRIPTS),
        *((shell, "workflow.info alone", ["alone-among-them"]) for shell in SCRIPTS),
        *((shell, "workflow.list --columns status,sta", ["status,started"]) for shell in SCRIPTS),
        *((shell, "workflow.list --sort -star", ["-started"]) for shell in ("bash", "zsh")),
        *((shell, "workflow.list --sort=-star", ["--sort=-started"]) for shell in ("fish", "zsh")),
        *trials((shell, "task.info night-2 activity-operated.l", ["activity-operated.load-1"]) for shell in SCRIPTS),
        *((shell, "open ./only", ["./only.json"]) for shell in ("fish", "zsh")),
    ],
)
def test_each_shell_completes_with_its_script(
    store: Path, tmp_path: Path, shell: str, line: str, completed: list[str]
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "only.json").touch()
    with Lab(store) as lab:
        lab.start(Operated, 1, workflow_id="alone-among-them").result(LIMIT)
    words = line.split()
    # A terminal shows what is completed in parts: what was typed, and what the shell adds.
    added = completed[0].removeprefix(words[-1])
    script = SCRIPTS[shell].format(line=line, last=len(words), word=words[-1], completed=added)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [shell, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=LIMIT,
        env={**os.environ, "PATH": path, "HOME": str(tmp_path)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ([added] if shell == "zsh" else completed)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("workflow.info night-", ["night-3", "night-2", "night-1"]),
        ("workflow info night-2", ["night-2"]),
        ("workflow in", ["info"]),
        ("domain ", ["deprecate", "info", "list", "register", "undeprecate"]),
        ("workflow.signal ", ["night-3", "night-2", "night-1"]),
        ("workflow.list l", ["lab"]),
        ("workflow.list --format pretty", ["prettyjson"]),
        ("domain.info x", []),
        ("workflow.list --columns st", ["status", "started"]),
        ("workflow.list --columns status,st", ["status,started"]),
        ("workflow.list --sort -st", ["-status", "-started"]),
        ("workflow.list --sort=-sta", ["--sort=-status", "--sort=-started"]),
        ("workflow.list --sort = -status,-sta", ["-status,-started"]),
        ("workflow tasks night-2 --columns last", ["last_state", "last_state_time"]),
        ("workflow.history --columns ", ["event", "time", "type", "attributes"]),
        ("workflow.history nosuch --columns ", []),
        ("workflow.terminate night-3 --columns ", []),
        ("--format = json workflow.info night-2", ["night-2"]),
        ("task.info night", ["night-3", "night-2", "night-1"]),
        ("task.info night-2 activity-operated.l", ["activity-operated.load-1"]),
        ("task.info lab night-2 operated.l", ["operated.load"]),
        ("task.info nosuch l", []),
        ("workflow.logs night-2 --task operated.l", ["operated.load"]),
        ("workflow.logs --task ", []),
        ("activity.rerun --workflow-id night-2 --activity-id activity-operated.l", ["activity-operated.load-1"]),
        ("--store /no/such/store.sqlite workflow.info ", []),
    ],
)
def test_a_shell_offers_ids_domains_and_columns_of_the_store(
    simpleflow: Command, store: Path, monkeypatch: pytest.MonkeyPatch, line: str, offered: list[str]
) -> None:
    words = ["simpleflow", *line.split()]
    number = len(words) if line.endswith(" ") else len(words) - 1
    monkeypatch.setenv("_SIMPLEFLOW_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(number))
    ended = simpleflow()
    assert [each.partition(",")[2] for each in ended.out.split()] == offered
    assert ended.err == ""
    assert not Path("/no/such").exists()


IDS_OF_ANYBODY = ["$(touch ran)", "*", "a b", "it's; x", 'q"t', "back\\slash", "plain,id"]


def test_a_completion_that_fails_writes_nothing_into_the_line_that_is_typed(process: Command) -> None:
    nobody_typed = process(environment={"_SIMPLEFLOW_COMPLETE": "bash_complete"})
    assert (nobody_typed.code, nobody_typed.out, nobody_typed.err) == (1, "", "")


@pytest.mark.slow
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_what_bash_completes_is_the_id_and_nothing_that_runs(simpleflow: Command, tmp_path: Path, quote: str) -> None:
    for workflow_id in IDS_OF_ANYBODY:
        assert simpleflow("workflow.start", "operated", "--workflow-id", workflow_id, "--detach").code == 0

    def in_bash(script: str) -> list[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["bash", "--norc", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    typed = shlex.quote(quote)
    completed = in_bash(IN_BASH.format(line=f"workflow.info {typed}", last=2, word=typed))
    words = " ".join(f"{quote}{word}{quote}" for word in completed)
    assert sorted(in_bash(f"printf '%s\\n' {words}")) == sorted(IDS_OF_ANYBODY)
    assert not (tmp_path / "ran").exists()


# -- what is waited for ------------------------------------------------------------------------------------------------


class Clocked(Workflow):
    name, version, task_list, determinism = "operated.clocked", "1", "operated", "raise"

    def run(self) -> float:
        return time.time()


class Waiting(Workflow):
    name, version, task_list = "operated.waiting", "1", "operated"

    def run(self) -> Any:
        return self.submit(Clocked).result


@pytest.mark.filterwarnings("ignore:.*reads the clock")
def test_who_waits_for_a_blocked_child_is_told_its_name_and_the_reason(simpleflow: Command) -> None:
    for words in (
        ("workflow.start", "operated.waiting", "--workflow-id", "waiting-1"),
        ("resume", "waiting-1"),
    ):
        ended = simpleflow(*words)
        assert ended.code == 1
        assert "execution waiting-1 is blocked: waiting-1 waits for its child workflow-operated.clocked-" in ended.err
        assert "time.time reads the clock" in ended.err


def test_what_is_waited_for_is_said_without_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "patient.py").write_text("""
from simpleflow_lab import Workflow
class Patient(Workflow):
    def run(self):
        return self.submit(self.wait_signal("go")).result
""")
    words = ["--store", "lab.sqlite", "workflow.start", "patient.Patient", "--workflow-id", "p1"]
    with subprocess.Popen(
        [sys.executable, "-m", "simpleflow_lab.cli", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        assert running.stderr.readline() == "p1 waits for signal go\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(LIMIT) == 130


@pytest.mark.parametrize("workflow_id", ["night", "-x", "--help", "a b"])
def test_what_explain_advises_can_be_pasted_and_is_about_the_execution_of_that_domain(
    simpleflow: Command, tmp_path: Path, workflow_id: str
) -> None:
    store = tmp_path / "lab.sqlite"
    with Lab(store) as lab, Lab(store, domain="prod") as prod:
        first, second = (each.start(Operated, 3, wait=True, workflow_id=workflow_id) for each in (lab, prod))
        for each in (first, second):
            for _ in each.watch(timeout=LIMIT):
                if each.waits_in_short() == "signal go":
                    break
        explained = simpleflow("--store", str(store), "workflow.explain", "--domain", "prod", "--", workflow_id)
        (line,) = (line for line in explained.out.splitlines() if line.startswith("waits for signal go"))
        _, *words = shlex.split(line.partition(" → ")[2])
        assert shlex.join(words) in second.explain()[1].to_do.replace("simpleflow", f"--store {store}")

        sent = simpleflow(*words)

        assert sent.code == 0, sent.err
        assert second.result(LIMIT) == "saved 3"
        assert first.waits_in_short() == "signal go"


def test_what_executions_wait_for_can_be_asked_for_when_none_is_open(simpleflow: Command) -> None:
    asked = simpleflow(
        "workflow.list", "--filter", "waits_for=signal*", "--columns", "workflow_id,waits_for,forked_from"
    )
    assert (asked.code, asked.out, asked.err) == (0, "", "")


def test_a_bracket_in_a_filter_is_a_bracket(simpleflow: Command) -> None:
    simpleflow("workflow.start", "operated", "--workflow-id", "part[1]", "--local")
    simpleflow("workflow.start", "operated", "--workflow-id", "part1", "--local")
    found = simpleflow("workflow.list", "--filter", "workflow_id=part[1]*", "--columns", "workflow_id")
    assert found.out.split() == ["part[1]"]


@pytest.mark.parametrize("form", [("csv",), ("csv", "--no-header"), ("tsv", "--no-header"), ("tabular",)])
def test_ids_with_commas_and_quotation_marks_come_by_a_pipe_in_any_form(
    simpleflow: Command, form: tuple[str, ...]
) -> None:
    ids = ["a,b", 'q"t', '"quoted"', '"']
    for workflow_id in ids:
        assert simpleflow("workflow.start", "operated", "--workflow-id", workflow_id, "--detach").code == 0
    listed = simpleflow("workflow.list", "--columns", "workflow_id", "--format", *form)

    done = simpleflow("--format", "json", "workflow.terminate", "-", input=listed.out)

    assert done.code == 0, done.err
    assert {row["workflow_id"] for row in json.loads(done.out)} == set(ids)


def test_who_sends_a_request_is_told_to_resume_only_if_no_decider_polls(simpleflow: Command, store: Path) -> None:
    asleep = simpleflow("--store", str(store), "workflow.signal", "night-3", "other")
    assert "it goes on where it stood: simpleflow" in asleep.err
    with Lab(store) as lab:
        lab.start_deciders(task_list="operated")
        served = simpleflow("--store", str(store), "workflow.signal", "night-3", "other")
    assert served.err == "simpleflow: signal 'other' was sent to night-3\n"
