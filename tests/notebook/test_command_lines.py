"""A line of a magic is split into the words that a shell would see."""

from __future__ import annotations

import shlex
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, strategies

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.notebook.command_lines import split_line, take_out_name, with_variables


@given(strategies.text(alphabet=strategies.sampled_from(" \t\n'\"\\abc#[é\x00\xa0")))
@example('"a\\\'b"\'\' "" "\\\\"x')
def test_the_words_are_those_of_shlex(line: str) -> None:
    try:
        words = shlex.split(line)
    except ValueError:
        with pytest.raises(UsageError, match="put JSON and whatever holds a quote between"):
            split_line(line)
    else:
        assert split_line(line) == words


def test_words_may_be_long() -> None:
    long = "x" * 1_000_000

    assert split_line(f"{long} '{long}' \"{long}\"") == [long, long, long]
    assert split_line('"' + r"\"" * 500_000 + '"') == ['"' * 500_000]
    with pytest.raises(UsageError, match="no closing quotation"):
        split_line(f'"{long}')


VARIABLES: dict[str, Any] = {
    "run_id": "22=",
    "n": 3,
    "e": types.SimpleNamespace(workflow_id="shop 1", runs=[1]),
    "file": Path("a b.json"),
    "data": {"x": 1},
    "é": "acute",
    "count": np.int64(3),
    "option": "--force",
    "out": "-o",
    "minus": -3,
    "item": "- milk",
}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("info $run_id", ["info", "22="]),
        ("info {run_id}", ["info", "22="]),
        ("info --workflow-id=night-{n}-$n", ["info", "--workflow-id=night-3-3"]),
        ("info $count-{count}", ["info", "3-3"]),
        ("info $e.workflow_id", ["info", "shop 1"]),
        ("info {e.workflow_id}-$é", ["info", "shop 1-acute"]),
        ("info -- $option", ["info", "--", "--force"]),
        ("info --reason=$option -{n}", ["info", "--reason=--force", "-3"]),
        ("info $minus $item x$option", ["info", "-3", "- milk", "x--force"]),
        ("info '$run_id {run_id}' \"$run_id {run_id}\"", ["info", "$run_id {run_id}", "$run_id {run_id}"]),
        ("o $file $run_id.json", ["o", "a b.json", "22=.json"]),
        ("info \\$run_id $$run_id {{run_id}}", ["info", "$run_id", "$run_id", "{{run_id}}"]),
        ("f --filter id=^a$ 'b{2}' x{2} $ {} a$.b", ["f", "--filter", "id=^a$", "b{2}", "x{2}", "$", "{}", "a$.b"]),
        ("s --input $data", ["s", "--input", '{"x":1}']),
        ("s -i {data}", ["s", "-i", '{"x":1}']),
        ("s --input=$data", ["s", '--input={"x":1}']),
        ("s --input data", ["s", "--input", '{"x":1}']),
        ("""s --input '["$run_id", {"n": "{n}"}]'""", ["s", "--input", '["$run_id", {"n": "{n}"}]']),
        ('''s --input "[\\"$run_id {n}\\"]"''', ["s", "--input", '["$run_id {n}"]']),
        ('''s --input="[\\"$run_id {n}\\"]"''', ["s", '--input=["$run_id {n}"]']),
        ("s -i {} $n", ["s", "-i", "{}", "3"]),
        ("s -i '[' 'a'$n", ["s", "-i", "[", "a3"]),
        ("s -i '[1, '$n", ["s", "-i", "[1, $n"]),
    ],
)
def test_variables_stand_for_their_values(line: str, words: list[str]) -> None:
    assert with_variables(split_line(line, VARIABLES), VARIABLES) == words


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("info $runid", "there is no variable runid; for the characters themselves put them in '…'"),
        ("info {runid}", "there is no variable runid"),
        ("info $data", "data is of type dict, and a word of a command is a text or number"),
        ("info $e.runs", "e.runs is of type list"),
        ("info $e.run_id", "e has no attribute run_id"),
        ("info {run_id.json}", "run_id has no attribute json"),
        ("info $option", "$option: its value '--force' would be read as an option: put -- before it"),
        ("info {out} x", "{out}: its value '-o' would be read as an option"),
        ("s --input $missing", "there is no variable of this name"),
    ],
)
def test_what_stands_for_no_value_is_refused_in_one_line(line: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        with_variables(split_line(line, VARIABLES), VARIABLES)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_follows_two_hyphens_is_no_name_of_a_variable() -> None:
    assert take_out_name(["info", "-o", "x", "--", "-o"]) == (["info", "--", "-o"], "x")
    assert take_out_name(["info", "--", "--out=x"]) == (["info", "--", "--out=x"], None)


def test_long_words_with_variables_are_read_once() -> None:
    assert split_line("$" * 1_000_000, VARIABLES) == ["$" * 500_000]
    assert split_line("{" * 1_000_000, VARIABLES) == ["{" * 1_000_000]
    assert split_line("{" + "a." * 500_000, VARIABLES) == ["{" + "a." * 500_000]
