"""Advice is read as it was written, whatever the names in it are."""

from __future__ import annotations

import shlex

import pytest

from simpleflow_lab.commands.advice import Named, as_commands
from simpleflow_lab.views.advice_text import Call, in_domain, read_advice
from simpleflow_lab.views.history_waits import signal_remedy
from simpleflow_lab.views.outcome_lines import call_of_explain

NAMES = [
    "go",
    "two words",
    "-x",
    "it's",
    'a "b"',
    "back\\slash'",
    "$(touch owned)",
    "x, or simpleflow $(touch owned)",
    "'x, or simpleflow y; z",
    "execution.tasks()",
    "lab.resume('a')",
    "); lab.resume('a'",
    "a; b",
]


@pytest.mark.parametrize("id", NAMES)
@pytest.mark.parametrize("name", NAMES)
def test_a_signal_is_sent_by_this_name_to_this_execution(id: str, name: str) -> None:
    for is_child in (False, True):
        to_do = signal_remedy(id, name, is_child=is_child)
        advice = read_advice(to_do)
        assert str(advice) == to_do
        assert len(advice.calls) == 1
        for written in (as_commands(to_do, Named(workflow_id=id)), in_domain(to_do, "prod").removeprefix(str(advice))):
            assert not written or shlex.split(written)[-2:] == [id, name]
        assert shlex.split(read_advice(in_domain(to_do, "prod")).command)[-3:] == ["prod", id, name]


@pytest.mark.parametrize("id", NAMES)
def test_the_execution_that_is_explained_has_this_id(id: str) -> None:
    to_do = call_of_explain(id, "run")
    assert read_advice(to_do).parts == (Call("lab", "execution", f"{id!r}, 'run'", ".explain()"),)
    assert shlex.split(as_commands(to_do, Named(workflow_id="shop")))[-2:] == [id, "run"]


@pytest.mark.parametrize(
    ("workflow_id", "name", "expected"),
    [
        ("c", "go", "lab.execution('c').signal('go'), or simpleflow workflow.signal c go"),
        ("c", "g\no", "lab.execution('c').signal(name) sends it"),
        ("c\n", "go", ""),
    ],
)
def test_the_signal_that_a_child_waits_for_is_sent_to_the_child(workflow_id: str, name: str, expected: str) -> None:
    assert signal_remedy(workflow_id, name, is_child=True) == expected


def test_words_that_begin_a_call_which_can_not_be_read_are_no_call() -> None:
    advice = read_advice("look: lab.execution(f('x')).explain() shows it")
    assert advice.calls == ()
    assert not advice.is_read
    assert read_advice("don't; lab.resume() goes on").calls == (Call("lab", "resume", "", ""),)
