"""Every example runs, and does what it says."""

from __future__ import annotations

import ast
import importlib
import json
import logging
import os
import re
import select
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import pytest

from examples.basic import BasicWorkflow
from examples.canvas import WordCount
from examples.failing import Failing
from examples.steps import Import
from examples.values import Sales
from simpleflow_lab import History, Lab
from simpleflow_lab.cli.main import main as simpleflow
from simpleflow_lab.exceptions import WorkflowExecutionFailed
from tests.debugger.step_facts import check_steps

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def python(*words: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def next_line(trace: IO[bytes], running: subprocess.Popen[str]) -> str:
    """The next line of a fifo that this process writes to; fails if it ends instead."""
    assert running.stderr is not None
    ready, _, _ = select.select([trace, running.stderr], [], [], 200)
    assert trace in ready, running.communicate(timeout=200)
    return trace.readline().decode()


def test_basic_prints_once_and_delay_waits_for_increment(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    execution = lab.start(BasicWorkflow, 1, t=0)
    assert execution.result(timeout=200) == 4
    assert capsys.readouterr().out == "(1 + 1) * 2 = 4\n"
    assert list(execution.tasks()["name"]) == [f"examples.basic.{name}" for name in ("increment", "delay", "double")]


def test_canvas_maps_and_reduces(lab: Lab) -> None:
    texts = ["to be or not to be", "let it be", "let it be"]
    execution = lab.start(WordCount, texts, max_parallel=2)
    assert execution.result(timeout=200) == [["be", 4], ["it", 2], ["let", 2]]
    assert (execution.tasks()["name"] == "examples.canvas.count_words").sum() == 2  # the same text twice is one task


def test_failing_completes_with_one_failure_that_nobody_noticed(lab: Lab) -> None:
    execution = lab.start(Failing)
    assert execution.result(timeout=200) == {"tries": 3, "quotient": None, "mail": None}
    assert list(execution.unhandled_failures()["name"]) == ["examples.failing.forgotten"]
    assert list(execution.tasks().query("name == 'examples.failing.flaky'")["state"]) == [
        "failed",
        "failed",
        "completed",
    ]


def test_failing_strictly_fails_with_the_activitys_own_error(lab: Lab) -> None:
    with pytest.raises(WorkflowExecutionFailed, match="no mail address for Ada"):
        lab.start(Failing, strict=True).result(timeout=200)


def test_values_are_data_frames_and_a_type_of_ones_own(lab: Lab) -> None:
    execution = lab.start(Sales, 3)
    assert execution.result(timeout=200) == "30 kg in 3 days, most of it on Saturday"
    recorded = execution.history().to_json()
    assert "pandas.DataFrame" in recorded
    assert "examples.Quantity" in recorded


def test_steps_are_done_once_for_each_id_unless_forced(lab: Lab) -> None:
    def statuses(**arguments: object) -> list[str]:
        execution = lab.start(Import, "a.csv", workflow_id="steps", **arguments)
        assert execution.wait(timeout=200)
        return list(execution.steps()["status"])

    assert statuses() == ["completed"] * 3
    assert statuses() == ["skipped"] * 3
    assert statuses(force="clean.names") == ["skipped", "skipped", "completed"]


def test_steps_as_a_program_shows_what_was_skipped(tmp_path: Path) -> None:
    for before in ("nothing", "clean.names, clean.rows, load"):  # the store lasts
        done = python("-m", "examples.steps", str(tmp_path / "lab.sqlite"), environment={})
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"done before: {before}\n")


def test_survivor_is_killed_resumed_and_runs_nothing_twice_that_had_completed(tmp_path: Path) -> None:
    fifo, store = tmp_path / "trace", {"SIMPLEFLOW_LAB_STORE": str(tmp_path / "lab.sqlite")}
    Lab(tmp_path / "lab.sqlite").close()  # else a line says that it was made
    os.mkfifo(fifo)
    arguments = json.dumps([str(fifo), 4, 0.5])
    words = ["-m", "simpleflow_lab.cli", "workflow.start", "examples.survivor.Survivor", "--workflow-id", "trip"]
    with os.fdopen(os.open(fifo, os.O_RDWR), "rb", buffering=0) as trace:
        with subprocess.Popen(
            [sys.executable, *words, "-i", arguments],
            cwd=ROOT,
            env={**os.environ, **store},
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            before = [next_line(trace, running) for _ in range(5)]
            running.kill()
        assert before == ["begin 0\n", "end 0\n", "begin 1\n", "end 1\n", "begin 2\n"]

        listed = python("-m", "simpleflow_lab.cli", "workflow.list", environment=store)
        assert listed.stdout.split()[:3] == ["trip", "survivor", "OPEN"]
        resumed = python(
            "-m", "simpleflow_lab.cli", "resume", "--module", "examples.survivor", "trip", environment=store
        )
        assert (resumed.returncode, resumed.stderr) == (0, "")
        assert json.loads(resumed.stdout) == {"steps": 4, "processes": 2}

        after = []
        while "end 3\n" not in after:
            after.append(trace.readline().decode())
        assert "begin 0\n" not in after
        assert "begin 1\n" not in after
        assert after[-4:] == ["begin 2\n", "end 2\n", "begin 3\n", "end 3\n"]


def test_quickstart_shows_and_keeps_its_run_and_may_be_run_again(tmp_path: Path) -> None:
    store = {"SIMPLEFLOW_LAB_STORE": str(tmp_path / "lab.sqlite")}
    Lab(tmp_path / "lab.sqlite").close()  # else a line says that it was made
    for _ in range(2):
        done = python(
            "-m", "examples.quickstart", "--output", str(tmp_path / "kept"), "--seconds", "0", environment=store
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("\n(1 + 1) * 2 = 4\n4\n") == 1
        assert "Tasks " in done.stdout
        assert "./script/lab" in done.stdout
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [
        "quickstart-gantt.html",
        "quickstart-history.json",
    ]
    assert History.from_file(tmp_path / "kept" / "quickstart-history.json").close_status == "COMPLETED"
    with Lab(tmp_path / "lab.sqlite") as lab:
        assert len(lab.executions()) == 2


def test_quickstart_shares_the_store_that_a_notebook_has_open(tmp_path: Path) -> None:
    with Lab(tmp_path / "lab.sqlite") as lab:
        done = python(
            "-m", "examples.quickstart", "--output", str(tmp_path / "kept"), "--seconds", "0",
            environment={"SIMPLEFLOW_LAB_STORE": str(tmp_path / "lab.sqlite")},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert list(lab.executions()["status"]) == ["COMPLETED"]


# -- what a docstring says to type -------------------------------------------------------------------------------------

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("[!_]*.py"))

RUN_ABOVE = {"survivor", "quickstart"}
"""One is to be killed in the middle, the other types commands itself."""

PRINTED = {
    "basic": ["(1 + 1) * 2 = 4", "4"],
    "canvas": ['[["be", 3], ["to", 2], ["it", 1]]'],
    "failing": [
        "caught: ZeroDivisionError: division by zero",
        '{"mail": null, "quotient": null, "tries": 3}',
        "caught: ZeroDivisionError: division by zero",
    ],
    "retries": [
        "corner shop: activity-examples.retries.ask-2: SoldOut: no lamp left",
        "market: 19.9, … seconds later",
        '{"corner shop": null, "label": "label for Ada", "market": 19.9}',
    ],
    "recovery": [
        "examples.recovery.encode, attempt 1: MemoryError: 4320 lines don't fit",
        "examples.recovery.encode, attempt 2: MemoryError: 2160 lines don't fit",
        "examples.recovery.upload, attempt 1: ConnectionError: video.example is down",
        "examples.recovery.tweet, attempt 1: PermissionError: the password has expired",
        '"https://mirror.example/holiday.mov-1080p.mp4"',
    ],
    "steps": [
        '"done before: nothing"',
        '"done before: clean.names, clean.rows, load"',
    ],
    "signals": [
        "press …",
        '"a press is ordered, signed Ada"',
        '"a press is not ordered: nobody approved it in 3 days"',
        "till …",
        "tea: 4",
        "milk: 2",
        '{"paid": "cash", "total": 6}',
    ],
    "timers": [
        '["day 11: Ada: three days left", "day 14: Ada: month 1 paid", '
        '"day 44: Ada: month 2 paid", "day 74: Ada: month 3 paid"]',
        '["day 2: Bob: goodbye"]',
    ],
    "markers": [
        "rule: below 500",
        "checked: 4",
        "odd: {'amount': 990, 'number': 3}",
        '{"notes": 6, "odd": {"amount": 990, "number": 3}}',
    ],
    "children": [
        "no invoices for xx: TaskFailed: activity-examples.children.customers-1: KeyError: 'xx'",
        '{"fr": 2, "it": 1, "xx": null}',
        "lab … children-country … invoices-may-it … may,it …",
    ],
    "continue_as_new": [
        "day 11: the history has 124 events",
        "day 22: the history has 124 events",
        '{"days": 30, "runs": 3, "total": 385}',
        "meter … COMPLETED",
        "meter … CONTINUED_AS_NEW",
        "meter … CONTINUED_AS_NEW",
    ],
    "cancellation": [
        '"CANCELLED: the file is removed"',
        "hotel booked and given back",
        "flight booked and given back",
        "the execution is CANCELED",
    ],
    "heartbeats": [
        "START_TO_CLOSE timeout of 2 s at file 2",
        '["20 files of photos", "20 files of letters", "18 files of 20 checked"]',
    ],
    "coroutines": [
        "3 answers, side by side",
        "first: sun in Oslo",
        '["sun in Oslo", "sun in Rome", "sun in Lima"]',
    ],
    "processes": ["crash: … was killed by SIGKILL…", '{"primes": 6057, "processes": 3}'],
    "programs": [
        "activity-examples.programs.cat-1: ProgramError: cat ended with return code 1: … /no/such/file…",
        '"BE NOT OR TO"',
    ],
    "middleware": [
        "begin activity-examples.middleware.multiply-1",
        "end   activity-examples.middleware.multiply-1: 16",
        "16",
        "begin …",
        "end …: 16",
        "begin …",
        "end …: 16",
        "begin …",
        "end …: OverflowError('5000 is too large')",
        "{'computed': 2, 'known': 1}",
    ],
    "priorities": ["treated: a heart attack, a broken arm, a cold, a prescription"],
    "large_values": [
        '{"A": 50188, "C": 49908, "G": 49781, "T": 50123}',
        "1,000,000 letters counted",
        "the history is small",
        "simpleflow+store://jumbo/…",
        "simpleflow+store://jumbo/…",
        '{"A":250306,"C":250135,"G"',
    ],
    "measured": [
        "2997 pieces",
        "… name … step … read_bytes … read_records … write_bytes … write_records",
        "…load generate … 11889 … 0",
        "…load … parse … 11889 … 1000",
        "…Total … sum … 1000 … 0 … 0",
    ],
    "patches": ["from before: bill, ship", "from after: ship, bill"],
    "task_lists": [
        '["battle, rendered by machines-large", "titles, rendered by machines-small"]',
        "task-lists-scene  completed …",
        "task-lists-scene  completed …",
    ],
    "values": ['"30 kg in 3 days, most of it on Saturday"'],
}
"""What the commands of an example's docstring print to stdout, one after the other; `…` is anything."""

FAILS = {'simpleflow workflow.start --local examples.failing.Failing --input \'{"kwargs": {"strict": true}}\''}
"""Commands that end with exit code 1, as their docstring says."""


def docstring(example: str) -> str:
    return ast.get_docstring(ast.parse((ROOT / "examples" / f"{example}.py").read_text())) or ""


def commands(example: str) -> list[str]:
    """The command lines that stand by themselves in the docstring."""
    text = docstring(example).replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if re.match(r"    (simpleflow|python) ", line)]


@pytest.fixture
def from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if typed at the root of the clone, with a store of its own; logging is as before afterwards."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SIMPLEFLOW_LAB_STORE", str(tmp_path / "lab.sqlite"))
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.mark.parametrize("example", sorted(PRINTED))
def test_each_command_of_a_docstring_does_what_it_says(
    example: str, from_the_root: None, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = commands(example)
    assert typed
    lines: list[str] = []
    for command in typed:
        program, *words = shlex.split(command)
        if program == "simpleflow":
            code = simpleflow(words)
            out, err = capsys.readouterr()
        else:
            done = python(*words, environment={})
            code, out, err = done.returncode, done.stdout, done.stderr
        assert code == (command in FAILS), (command, out, err)
        lines += out.splitlines()
    assert len(lines) == len(PRINTED[example]), lines
    for line, expected in zip(lines, PRINTED[example], strict=True):
        assert re.fullmatch(".*".join(map(re.escape, expected.split("…"))), line), (line, expected)
    if os.path.exists(os.environ["SIMPLEFLOW_LAB_STORE"]):
        check_steps_of_all(os.environ["SIMPLEFLOW_LAB_STORE"], f"examples.{example}")


def check_steps_of_all(store: str, module: str) -> None:
    """What a store has of the executions that closed is replayed by steps, as it was recorded, to and fro."""
    importlib.import_module(module)
    with Lab(store) as lab:
        for info in lab.execution_infos():
            if info["executionStatus"] != "CLOSED":
                continue
            execution = lab.execution(info["execution"]["workflowId"], info["execution"]["runId"])
            with execution.replay() as steps:
                check_steps(steps.workflow, execution.history(), **steps.options)


def test_no_example_is_left_out() -> None:
    assert sorted(PRINTED.keys() | RUN_ABOVE) == EXAMPLES


def test_the_table_of_examples_has_them_all_with_their_first_lines() -> None:
    rows = re.findall(
        r"^\| .+ \| \[(\w+)\.py\]\((\w+)\.py\) \| (.+) \|$", (ROOT / "examples/README.md").read_text(), re.M
    )
    assert sorted(name for name, _, _ in rows) == EXAMPLES
    for name, link, says in rows:
        assert (name, says) == (link, docstring(name).splitlines()[0])
