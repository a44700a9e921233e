"""What a test finds defined doesn't depend on which other test files are run with it."""

from __future__ import annotations

import sys

import pytest

import tests.authors.test_futures
from simpleflow_lab import Workflow, activity, workflow
from tests import own_definitions
from tests.authors.test_signals import TwoChildren


class OfThisFile(Workflow):
    name = "own_definitions.of_this_file"
    version = "1"

    def run(self) -> None:
        pass


def test_a_test_finds_what_its_own_file_defines() -> None:
    assert workflow.registry["own_definitions.of_this_file", "1"] is OfThisFile


def test_a_test_finds_what_a_test_file_defines_from_which_its_own_imports_a_definition() -> None:
    assert workflow.registry[TwoChildren.type_name(), TwoChildren.type_version()] is TwoChildren


def test_a_test_finds_nothing_that_other_test_files_define() -> None:
    assert tests.authors.test_futures.__name__ not in {each.__module__ for each in activity.registry.values()}


@pytest.mark.parametrize("answer", [1, 2])
def test_what_a_test_defines_is_gone_after_it(answer: int) -> None:
    assert ("own_definitions.of_a_test", "1") not in activity.registry
    activity.with_attributes(name="own_definitions.of_a_test", version="1")(lambda: answer)
    assert ("own_definitions.of_a_test", "1") in activity.registry


def test_what_a_test_replaced_is_there_again_after_it() -> None:
    undo = own_definitions.undone(sys.modules[__name__])
    type("Other", (OfThisFile,), {})
    assert workflow.registry["own_definitions.of_this_file", "1"] is not OfThisFile
    undo()
    assert workflow.registry["own_definitions.of_this_file", "1"] is OfThisFile


def test_what_a_program_defines_that_a_test_executes_is_gone_after_it() -> None:
    undo = own_definitions.undone(sys.modules[__name__])
    program = "class OfThisFile(Parent): pass\n@with_attributes(name='own_definitions.of_a_program')\ndef one(): pass"
    exec(program, {"__name__": "__program__", "Parent": OfThisFile, "with_attributes": activity.with_attributes})
    assert workflow.input_of(OfThisFile, [], {}).keys() == {"args", "kwargs", "__extra"}  # two have its type
    undo()
    assert workflow.input_of(OfThisFile, [], {}).keys() == {"args", "kwargs"}
    assert workflow.registry["own_definitions.of_this_file", "1"] is OfThisFile
    assert "own_definitions.of_a_program" not in {name for name, _ in activity.registry}
