"""A command's name from elsewhere is told with the name that it has here."""

from __future__ import annotations

import re

import pytest

from simpleflow_lab.commands.command_table import run, table
from simpleflow_lab.commands.other_names import OTHER_NAMES
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import UsageError

COMMANDS = set(table.all_commands())


def test_no_name_stands_for_a_command_that_is_not_there_or_hides_one_that_is() -> None:
    assert not OTHER_NAMES.keys() & COMMANDS
    for name, meant in OTHER_NAMES.items():
        assert set(meant.split(" or ")) <= COMMANDS or meant.startswith(
            ("simpleflow --", "%load_ext", "%simpleflow ", "the PATH of the workers: ")
        ), name


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_a_name_from_elsewhere_is_told(name: str) -> None:
    with pytest.raises(UsageError, match=rf"^unknown command '{name}': here it is {re.escape(OTHER_NAMES[name])}$"):
        run([name, "anything"], Session())


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("workflow.ls", "workflow.list"),
        ("workflow.run", "workflow.start"),
        ("workflow run", "workflow.start"),
        ("workflow.stop", "workflow.cancel or workflow.terminate"),
        ("workflow.describe", "workflow.info"),
        ("domain.ls", "domain.list"),
        ("decider.run", "decider.start"),
        ("worker ps", "worker.list"),
        ("activity.retry", None),
        ("standalone.run", None),
    ],
)
def test_another_verb_of_a_noun_is_told_only_if_the_noun_has_it(words: str, meant: str | None) -> None:
    with pytest.raises(UsageError) as refused:
        run(words.split(), Session())
    found = re.search("here it is (.*)$", str(refused.value))
    assert (found and found[1]) == meant
