"""Advice with the names of a notebook's variables: what is renamed is a call, and no name that somebody gave."""

from __future__ import annotations

from pathlib import Path

import pytest

from simpleflow_lab import open_history
from simpleflow_lab.notebook.advice_names import with_names

HISTORY = Path(__file__).parents[1] / "histories/with_replays.json"


@pytest.mark.parametrize(
    ("to_do", "expected"),
    [
        ("execution.tasks()", "run.tasks()"),
        ("execution.signal('execution.tasks()')", "run.signal('execution.tasks()')"),
        ("execution.signal('lab.resume()')", "run.signal('lab.resume()')"),
        ("use lab.x once, then execution.tasks()", "use lab.x once, then run.tasks()"),
        ("comparison.tasks()", "comparison.tasks()"),
        ("raise max_parallel", "raise max_parallel"),
        ("simpleflow workflow.list", "simpleflow workflow.list"),
    ],
)
def test_calls_have_the_names_of_variables(to_do: str, expected: str) -> None:
    execution = open_history(HISTORY)
    assert with_names(to_do, execution, {"run": execution}, ()) == expected


@pytest.mark.parametrize(
    ("to_do", "expected"),
    [
        ("execution.tasks()", f"%simpleflow workflow.tasks --file {HISTORY}"),
        ("execution.signal('go'), or simpleflow workflow.signal 'simpleflow x' go", "%simpleflow workflow.signal "
         "'simpleflow x' go"),
        ("execution.result()", ""),
    ],
)  # fmt: skip
def test_where_no_variable_has_it_the_magic_does_the_same(to_do: str, expected: str) -> None:
    assert with_names(to_do, open_history(HISTORY), {}, ()) == expected
