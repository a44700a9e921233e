"""`simpleflow` as people type it."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from simpleflow_lab import History, settings

pytestmark = pytest.mark.slow

Command = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]
BASIC = "examples.basic.BasicWorkflow"


def test_a_workflow_prints_once_then_its_result(process: Command) -> None:
    ended = process("workflow.start", "--local", BASIC, "--input", "[1, 0]")
    assert ended == (0, "(1 + 1) * 2 = 4\n4\n", "")


def test_other_processes_read_the_same_store_in_upstreams_columns(process: Command, simpleflow: Command) -> None:
    process("workflow.start", BASIC, "--workflow-id", "b1", "--tags", "x,y", "-i", '{"args": [1], "kwargs": {"t": 0}}')
    columns = {
        "workflow.list": ["Workflow ID", "Workflow Type", "Status"],
        "workflow.info": [
            "domain", "workflow_type.name", "workflow_type.version", "task_list", "workflow_id", "run_id", "tag_list",
            "execution_time", "input",
        ],
        "workflow.tasks": ["Tasks", "Last State", "Last State Time", "Scheduled Time"],
        "workflow.profile": [
            "Task", "Last State", "Scheduled", "Time Scheduled", "Start", "Time Running", "End",
            "Percentage of total time",
        ],
    }  # fmt: skip
    tables = {}
    for command, titles in columns.items():
        words = ["lab"] if command == "workflow.list" else ["lab", "b1"]
        ended = simpleflow("--header", "--format", "csv", command, *words)
        assert (ended.code, ended.err) == (0, "")
        found, *tables[command] = csv.reader(io.StringIO(ended.out))
        assert found == titles
    assert tables["workflow.list"] == [["b1", "basic", "COMPLETED"]]
    assert tables["workflow.info"][0][:5] == ["lab", "basic", "example", "example", "b1"]
    assert tables["workflow.info"][0][6] == "x,y"
    assert json.loads(tables["workflow.info"][0][8]) == {"args": [1], "kwargs": {"t": 0}}
    assert {row[1] for row in tables["workflow.tasks"]} == {"completed"}
    assert tables["workflow.tasks"][-1][0] == "examples.basic.increment"  # what was scheduled first comes last
    assert len(tables["workflow.profile"]) == 3


def test_inspection_loads_neither_pandas_nor_plotly(simpleflow: Command) -> None:
    simpleflow("workflow.start", BASIC, "--workflow-id", "b1", "-i", "[1, 0]")
    program = """
import sys
from simpleflow_lab.cli.main import main
for words in (["workflow.list"], ["workflow.info", "b1"], ["workflow.tasks", "b1"], ["workflow.profile", "b1"],
              ["--help"], ["info"], ["help", "gantt"]):
    assert main(words) == 0, words
loaded = {"pandas", "numpy", "plotly", "boto3", "IPython", "ipywidgets"} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_workflow_starts_without_what_only_others_need(tmp_path: Path) -> None:
    program = f"""
import sys
from simpleflow_lab.cli.main import main
assert main(["--store", {str(tmp_path / "new.sqlite")!r}, "workflow.start", {BASIC!r}, "--input", "[1, 0]"]) == 0
loaded = {{"pandas", "boto3", "IPython", "asyncio", "ssl", "importlib.resources",
          "simpleflow_lab.execution_sets", "simpleflow_lab.workers"}} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("format", ["json", "prettyjson"])
def test_a_result_in_json_comes_with_its_ids(simpleflow: Command, format: str) -> None:
    ended = simpleflow(
        "--header", "--format", format, "workflow.start", "examples.failing.Failing", "--workflow-id", "f1"
    )
    assert ended.code == 0
    printed, found = ended.out.split("\n", 1)
    assert printed == "caught: ZeroDivisionError: division by zero"
    (row,) = json.loads(found)
    assert (row["workflow_id"], row["status"], row["result"]["tries"]) == ("f1", "COMPLETED", 3)


def test_an_unhandled_failure_is_a_warning(simpleflow: Command) -> None:
    ended = simpleflow("workflow.start", "examples.failing.Failing")
    assert ended.code == 0
    assert ended.err.startswith("simpleflow: warning: 1 failure that the workflow did not handle: ")
    assert "no mail address for Ada" in ended.err


def test_an_unhandled_failure_in_a_child_is_a_warning(process: Command) -> None:
    ended = process("workflow.start", "tests.authors.test_root_causes.CompletesAllTheSame")
    assert ended.code == 0
    own, below = ended.err.splitlines()
    load = "activity-causes.load-1: OSError: disk full"
    assert own == f"simpleflow: warning: 1 failure that the workflow did not handle: {load}"
    assert below.startswith("simpleflow: warning: 1 failure that its children did not handle: ")
    assert below.endswith(f", {load}")


def test_a_failed_execution_is_exit_code_1_with_task_error_and_traceback(process: Command) -> None:
    ended = process("workflow.start", "examples.failing.Failing", "-i", '{"kwargs": {"strict": true}}')
    assert ended.code == 1
    assert ended.out == "caught: ZeroDivisionError: division by zero\n"
    assert "activity-examples.failing.forgotten-1: LookupError: no mail address for Ada" in ended.err
    assert 'raise LookupError(f"no mail address for {name}")' in ended.err
    assert "simpleflow_lab/cli" not in ended.err


def test_input_comes_from_a_file_or_a_pipe(simpleflow: Command, tmp_path: Path) -> None:
    file = tmp_path / "input.json"
    file.write_text("[2, 0]")
    assert simpleflow("workflow.start", BASIC, "--input-file", str(file)).out.endswith("\n6\n")
    assert simpleflow("workflow.start", BASIC, "--input-file", "-", input="[3, 0]").out.endswith("\n8\n")


def test_a_detached_execution_waits_for_resume(process: Command, simpleflow: Command) -> None:
    started = simpleflow("workflow.start", BASIC, "--detach", "--workflow-id", "b1", "-i", "[1, 0]")
    workflow_id, run_id = started.out.splitlines()[-1].split()
    assert (started.code, workflow_id) == (0, "b1")
    events = json.loads(simpleflow("--format", "json", "workflow.history", "b1").out)
    assert [event["type"] for event in events] == ["WorkflowExecutionStarted", "DecisionTaskScheduled"]
    assert process("resume", "--module", "examples.basic", "b1").code == 0
    assert simpleflow("workflow.list").out.split() == ["b1", "basic", "COMPLETED"]
    assert simpleflow("workflow.info", "b1", run_id).code == 0


def test_an_execution_of_code_that_is_not_there_is_not_resumed_blindly(process: Command, simpleflow: Command) -> None:
    simpleflow(
        "workflow.start", "examples.survivor.Survivor", "--detach", "--workflow-id", "s1", "-i", '["/dev/null", 1, 5]'
    )
    ended = process("resume", "s1")
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "import the module that defines it" in ended.err


def test_run_ids_may_be_percent_encoded(simpleflow: Command) -> None:
    simpleflow("workflow.start", BASIC, "--workflow-id", "b1", "-i", "[1, 0]")
    run_id = json.loads(simpleflow("--format", "json", "--header", "workflow.info", "b1").out)[0]["run_id"]
    encoded = "".join(f"%{ord(character):02X}" for character in run_id)
    assert simpleflow("workflow.info", "lab", "b1", encoded).out == simpleflow("workflow.info", "b1", run_id).out


def test_the_domain_comes_from_the_option_or_the_environment(simpleflow: Command, process: Command) -> None:
    simpleflow("workflow.start", BASIC, "-d", "other", "--workflow-id", "o1", "-i", "[1, 0]")
    assert simpleflow("workflow.list").out == ""
    for words in (["other"], ["--domain", "other"]):
        assert simpleflow("workflow.list", *words).out.split()[0] == "o1"
    for words in (["other", "o1"], ["-d", "other", "o1"]):
        assert simpleflow("workflow.info", *words).out.split()[0] == "other"
    assert process("workflow.info", "o1", environment={"SWF_DOMAIN": "other"}).out.split()[0] == "other"


def test_a_history_is_saved_whole_and_opened_again(simpleflow: Command, tmp_path: Path) -> None:
    simpleflow("workflow.start", BASIC, "--workflow-id", "b1", "-i", "[1, 0]")
    file = tmp_path / "history.json"
    assert simpleflow("workflow.history", "b1", "-o", "raw", "--output-file", str(file)).out == f"{file}\n"
    saved = History.from_file(file)
    assert saved.close_status == "COMPLETED"
    assert len(simpleflow("workflow.history", "b1").out.splitlines()) == len(saved)
    assert len(json.loads(simpleflow("--format", "json", "workflow.history", "b1").out)) == len(saved)
    assert {row["state"] for row in json.loads(simpleflow("workflow.history", "b1", "-o", "cooked").out)} == {
        "completed"
    }
    ours, theirs = (simpleflow("workflow.tasks", *words).out for words in (["b1"], ["--file", str(file)]))
    assert ours == theirs
    assert simpleflow("open", str(file)).out.split()[0] == "basic"


def test_a_file_that_is_there_is_replaced_only_by_force(simpleflow: Command, tmp_path: Path) -> None:
    simpleflow("workflow.start", BASIC, "--workflow-id", "b1", "-i", "[1, 0]")
    file = tmp_path / "mine"
    for words in (["gantt", "b1", "-o", str(file)], ["workflow.history", "b1", "--output-file", str(file)]):
        file.write_text("mine")
        assert simpleflow(*words) == (2, "", f"simpleflow: {file} is there already: --force replaces it\n")
        assert file.read_text() == "mine"
        assert simpleflow(*words, "--force").code == 0
        assert "increment" in file.read_text()
    assert simpleflow("gantt", "b1", "-o", "/dev/null").code == 0


@pytest.mark.parametrize("recorded", sorted((ROOT / "tests" / "histories").glob("*.json")), ids=lambda path: path.stem)
def test_recorded_histories_can_be_inspected(simpleflow: Command, recorded: Path) -> None:
    for command in ("workflow.info", "workflow.tasks", "workflow.profile", "workflow.history"):
        ended = simpleflow("--header", command, "--file", str(recorded))
        assert (ended.code, ended.err) == (0, "")


def test_the_gantt_is_one_page(simpleflow: Command, tmp_path: Path) -> None:
    simpleflow("workflow.start", BASIC, "--workflow-id", "b1", "-i", "[1, 0]")
    page = tmp_path / "chart.html"
    assert simpleflow("gantt", "b1", "-o", str(page)) == (0, f"{page}\n", "")
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert "<link" not in text


def test_signal_cancel_and_terminate_are_recorded(
    simpleflow: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "waiting.py").write_text("""
from simpleflow_lab import Workflow
class Waiting(Workflow):
    def run(self):
        return self.submit(self.wait_signal("never")).result
""")
    monkeypatch.syspath_prepend(tmp_path)
    simpleflow("workflow.start", "waiting.Waiting", "--detach", "--workflow-id", "s1")
    assert "signal 'go' was sent to s1" in simpleflow("workflow.signal", "s1", "go", "-i", "[1]").err
    assert "was asked to cancel" in simpleflow("workflow.cancel", "lab", "s1").err
    assert "is terminated" in simpleflow("workflow.terminate", "s1", "--reason", "enough").err
    events = simpleflow("--format", "json", "workflow.history", "s1").out
    assert {"WorkflowExecutionSignaled", "WorkflowExecutionCancelRequested", "WorkflowExecutionTerminated"} <= {
        event["type"] for event in json.loads(events)
    }
    ended = simpleflow("workflow.terminate", "s1")
    assert (ended.code, ended.err) == (2, "simpleflow: execution s1 is closed already: TERMINATED\n")


def test_info_redacts_secrets(process: Command) -> None:
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "canary1",
        "AWS_SESSION_TOKEN": "canary2",
        "AWS_ACCESS_KEY_ID": "canary3",
        "SIMPLEFLOW_API_PASSWORD": "canary4",
        "SIMPLEFLOW_PROXY": "http://user:canary5@host/",
        "SWF_CONNECTION_RETRIES": "5",
    }
    ended = process("info", environment=secrets)
    assert ended.code == 0
    assert "canary" not in ended.out + ended.err
    assert re.search(r"environment +SWF_CONNECTION_RETRIES +5\n", ended.out)
    assert re.search(r"versions +python +3\.", ended.out)


def test_info_shows_every_setting_with_its_value(simpleflow: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENV-06: upstream's leaves some out."""
    monkeypatch.setenv("SIMPLEFLOW_IDENTITY", '{"team": "etl"}')
    shown = {row["name"]: row["value"] for row in json.loads(simpleflow("--format", "json", "info", "settings").out)}
    assert {variable.name for variable in settings.variables()} <= set(shown)
    assert (shown["SIMPLEFLOW_IDENTITY"], shown["SIMPLEFLOW_S3_SSE"]) == ('{"team": "etl"}', "False")


def test_a_settings_module_of_the_current_folder_is_found(process: Command, tmp_path: Path) -> None:
    (tmp_path / "settings_here.py").write_text("SIMPLEFLOW_FORMAT = 'csv'")
    ended = process("info", "settings", environment={"SIMPLEFLOW_SETTINGS_MODULE": "settings_here"}, cwd=tmp_path)
    assert "settings,format,csv" in ended.out


def test_help_lists_every_command(simpleflow: Command) -> None:
    for words in ([], ["--help"], ["-h"], ["help"]):
        ended = simpleflow(*words)
        assert ended.code == 0
        assert "workflow.profile" in ended.out
    assert simpleflow("help", "workflow.start").out == simpleflow("workflow.start", "--help").out


def test_the_shell_completes_commands(process: Command) -> None:
    words = {"_SIMPLEFLOW_COMPLETE": "bash_complete", "COMP_WORDS": "simpleflow workflow.s", "COMP_CWORD": "1"}
    offered = ["plain,workflow.signal", "plain,workflow.start", "plain,workflow.statistics"]
    assert process(environment=words).out.splitlines() == offered


def test_a_reader_that_goes_away_is_no_page_of_traceback(simpleflow: Command) -> None:
    simpleflow("workflow.start", BASIC, "--workflow-id", "b1", "-i", "[1, 0]")
    read, write = os.pipe()
    os.close(read)
    with subprocess.Popen(
        [sys.executable, "-m", "simpleflow_lab.cli", "workflow.history", "b1"],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        os.close(write)
        _, error = running.communicate(timeout=200)
    assert (running.returncode, error) == (141, "")


# -- signals and terminals ---------------------------------------------------------------------------------------------


def survivor(fifo: Path, *, steps: int, seconds: float) -> list[str]:
    arguments = json.dumps([str(fifo), steps, seconds])
    return [
        sys.executable, "-m", "simpleflow_lab.cli", "workflow.start", "examples.survivor.Survivor",
        "--workflow-id", "trip", "-i", arguments,
    ]  # fmt: skip


def next_line(trace: IO[bytes], running: subprocess.Popen[str]) -> str:
    """The next line of a fifo that this process writes to; fails if it ends instead."""
    assert running.stderr is not None
    ready, _, _ = select.select([trace, running.stderr], [], [], 200)
    assert trace in ready, running.communicate(timeout=200)
    return trace.readline().decode()


def test_ctrl_c_leaves_the_execution_open_and_says_how_to_go_on(
    process: Command, simpleflow: Command, tmp_path: Path
) -> None:
    fifo = tmp_path / "trace"
    os.mkfifo(fifo)
    with (
        os.fdopen(os.open(fifo, os.O_RDWR), "rb", buffering=0) as trace,
        subprocess.Popen(survivor(fifo, steps=1, seconds=3), cwd=ROOT, stderr=subprocess.PIPE, text=True) as running,
    ):
        assert next_line(trace, running) == "begin 0\n"
        running.send_signal(signal.SIGINT)
        _, error = running.communicate(timeout=200)
        assert running.returncode == 130
        assert error == (
            "simpleflow: interrupted; the execution goes on where it stood: "
            "simpleflow resume --module examples.survivor trip\n"
        )
        resumed = process("resume", "--module", "examples.survivor", "trip")
        assert resumed.code in (0, 2), resumed.err  # it may have got to its end while the process came to its own
        assert simpleflow("workflow.list").out.split() == ["trip", "survivor", "COMPLETED"]


LIVE = """
import os, time
from simpleflow_lab import Workflow, activity

@activity.with_attributes(task_list="live", version="1")
def delay():
    while not os.path.exists("go"):
        time.sleep(0.01)

@activity.with_attributes(task_list="live", version="1")
def double(x):
    return 2 * x

class Doubles(Workflow):
    name, version, task_list = "live", "1", "live"

    def run(self, x):
        delayed, doubled = self.submit(delay), self.submit(double, x)
        delayed.wait()
        print(f"{x} * 2 = {doubled.result}")
        return doubled.result
"""


def test_a_terminal_gets_a_live_line_and_output_goes_above_it(tmp_path: Path) -> None:
    (tmp_path / "live_flows.py").write_text(LIVE)
    ours, theirs = pty.openpty()
    words = ["workflow.start", "live_flows.Doubles", "--workflow-id", "b1", "-i", "[2]"]
    with subprocess.Popen(
        [sys.executable, "-m", "simpleflow_lab.cli", *words],
        cwd=tmp_path,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    ) as running:
        os.close(theirs)
        text = ""
        while True:
            try:
                text += os.read(ours, 4096).decode()
            except OSError:  # the other end is closed
                break
            if "b1: 1 running (delay), 1 completed" in text:
                (tmp_path / "go").touch()
    os.close(ours)
    assert running.returncode == 0, text
    lines = [line.rpartition("\r\x1b[K")[2] for line in text.split("\r\n")]
    assert lines[0] == "2 * 2 = 4"
    assert re.fullmatch(r"b1: COMPLETED in [\d.]+ m?s, 2 tasks", lines[1])
    assert lines[2] == "4"
    assert re.match(r"simpleflow: \d+ % of ", lines[3])  # what took longest depends on how busy the machine is
    assert lines[-1] == ""
