"""A line of a magic is split into the words that a shell would see."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import example, given, strategies

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.notebook.command_lines import split_line


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
