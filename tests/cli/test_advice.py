"""What helps, as commands of a shell: no call of Python is left, and ids from a history are quoted."""

from __future__ import annotations

import re
import shlex

import pytest

from simpleflow_lab.cli.advice import in_shell
from simpleflow_lab.commands.command_table import table
from simpleflow_lab.views.explanation_lines import Line

ID = "nightly-1"


@pytest.mark.parametrize(
    ("to_do", "expected"),
    [
        ("execution.tasks()", "simpleflow workflow.tasks nightly-1"),
        ("execution.tasks(), or simpleflow workflow.tasks nightly-1", "simpleflow workflow.tasks nightly-1"),
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
    line = in_shell(Line.of("time", "what there is", to_do=to_do), ID)
    assert line == (f"what there is → {expected}" if expected else "what there is")
    for command in re.findall(r"simpleflow (.*?)(?:; | shows|$)", expected):
        words = [word for word in shlex.split(command) if "." in word or word == "gantt"]
        assert set(words) & set(table.all_commands())
