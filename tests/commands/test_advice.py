"""What helps, as commands of a shell: no call of Python is left, and ids from a history are quoted."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from simpleflow_lab import open_history
from simpleflow_lab.commands.advice import in_shell, listing_in_shell, named_in_shell
from simpleflow_lab.commands.command_table import table
from simpleflow_lab.views.explanation_lines import ExplanationLine
from simpleflow_lab.views.listings import Kind, Listing

ID = "nightly-1"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("to_do", "expected"),
    [
        ("execution.tasks()", "simpleflow workflow.tasks nightly-1"),
        ("execution.tasks(), or simpleflow workflow.tasks nightly-1", "simpleflow workflow.tasks nightly-1"),
        ("execution.signal('go'), or simpleflow workflow.signal a go", "simpleflow workflow.signal a go"),
        ("lab.execution('c').signal('go'), or simpleflow workflow.signal c go", "simpleflow workflow.signal c go"),
        ("execution.unhandled_failures()", "simpleflow --filter 'Last State=failed' workflow.tasks nightly-1"),
        ("execution.critical_path()", "simpleflow gantt nightly-1 -o run.html"),
        ("lab.start_workers(6, task_list='etl')", "simpleflow worker.start --module MODULE --task-list etl -N 6"),
        (
            "lab.start_workers(task_list='a (b) c'); lab.pollers() shows who polls",
            "simpleflow worker.start --module MODULE --task-list 'a (b) c'; simpleflow worker.list shows who polls",
        ),
        ("lab.execution('child', 'run').explain()", "simpleflow workflow.explain child run"),
        ("""lab.execution("it's $(rm)").explain()""", """simpleflow workflow.explain 'it'"'"'s $(rm)'"""),
        ("raise max_parallel of the group", "raise max_parallel of the group"),
        ("simpleflow workflow.signal nightly-1 go", "simpleflow workflow.signal nightly-1 go"),
        ("execution.result()", ""),
        ("execution.slack()", ""),
        ("comparison.tasks()", ""),
        ("lab.execution(__import__('os')).explain()", ""),
        ("", ""),
    ],
)
def test_a_call_is_the_command_that_does_it_or_is_left_out(to_do: str, expected: str) -> None:
    line = in_shell(ExplanationLine.of("time", "what there is", to_do=to_do), ID)
    assert line == (f"what there is → {expected}" if expected else "what there is")
    for command in re.findall(r"simpleflow (.*?)(?:; | shows|$)", expected):
        words = [word for word in shlex.split(command) if "." in word or word == "gantt"]
        assert set(words) & set(table.all_commands())


def test_a_table_that_advises_names_commands_too() -> None:
    columns = {"what": Kind.TEXT, "what helps": Kind.TEXT}
    listing = Listing(columns=columns, rows=[("execution.tasks()", "execution.tasks()"), ("x", None)])
    assert listing_in_shell(listing, ID).rows == [
        ("execution.tasks()", "simpleflow workflow.tasks nightly-1"),
        ("x", None),
    ]


def test_a_file_is_named_as_it_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "my run.json"
    path.write_text((ROOT / "tests/histories/with_replays.json").read_text())
    assert named_in_shell(open_history(path)) == f"--file '{path}'"
