"""Activities that are programs, and Python functions in another interpreter.

    simpleflow workflow.start --local examples.programs.Report --input '["to be or not to be"]'

`execute.program()` makes a function's name and parameters a command line: the activity's result is what the program
prints, and a return code other than 0 fails it with what it wrote to stderr. `execute.python()` runs the function in a
fresh interpreter, which may be another one than this: it may crash there, and ends with all that it started when it
times out.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from simpleflow_lab import Workflow, activity, execute


@activity.with_attributes(task_list="programs", version="example", raises_on_failure=True)
def write(text: str) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.write("\n".join(text.split()) + "\n")
    return file.name


@activity.with_attributes(task_list="programs", version="example", raises_on_failure=True)
@execute.program(path="sort", argument_format=execute.separate_arguments, timeout=60)
def sorted_lines(path: str, unique: bool = False) -> None:
    """`sort --unique -- PATH`; the body is never run."""


@activity.with_attributes(task_list="programs", version="example")
@execute.program()
def cat(path: str) -> None:
    """`cat PATH`"""


@activity.with_attributes(task_list="programs", version="example", raises_on_failure=True)
@execute.python(timeout=60, kill_children=True)
def shout(lines: str) -> str:
    return " ".join(lines.split()).upper()


@activity.with_attributes(task_list="programs", version="example")
def remove(path: str) -> None:
    Path(path).unlink()


class Report(Workflow):
    name = "programs"
    version = "example"
    task_list = "programs"

    def run(self, text: str) -> str:
        path = self.submit(write, text)
        lines = self.submit(sorted_lines, path, unique=True).result
        self.submit(remove, path)
        print(self.submit(cat, "/no/such/file").exception)
        shouted: str = self.submit(shout, lines).result
        return shouted
