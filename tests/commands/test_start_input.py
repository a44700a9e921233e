"""The input of an execution as it is typed: JSON, or arguments by their names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Workflow
from simpleflow_lab.commands.command_table import run
from simpleflow_lab.commands.session import Session
from simpleflow_lab.commands.workflow import Outcome


class Echo(Workflow):
    name = "start-input-echo"
    task_list = "start-input"

    def run(self, n: Any = 0, shop: Any = None, **others: Any) -> Any:
        return [n, shop, others]


class Typing:
    """A session in which inputs are typed, and what it told."""

    def __init__(self, store: Path) -> None:
        self.told: list[str] = []
        self.session = Session(tell=self.told.append)
        self._store = str(store)

    def start(self, *words: str) -> Any:
        inputs = [part for word in words for part in ("--input", word)]
        outcome = run(["--store", self._store, "workflow.start", "start-input-echo", *inputs], self.session)
        assert isinstance(outcome, Outcome)
        assert outcome.error is None
        return outcome.result


@pytest.fixture(scope="module")
def typing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Typing]:
    typing = Typing(tmp_path_factory.mktemp("typed") / "lab.sqlite")
    typing.start()
    yield typing
    typing.session.close()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [0, None, {}]),
        (["[1, 2]"], [1, 2, {}]),
        (['{"kwargs": {"shop": "Basel"}}'], [0, "Basel", {}]),
        (["n=3"], [3, None, {}]),
        (["n=3", "shop=Basel"], [3, "Basel", {}]),
        (["shop=Basel = Bern"], [0, "Basel = Bern", {}]),
        (['shop="3"', "year=2026"], [0, "3", {"year": 2026}]),
        (["n=[1, 2]", "shop="], [[1, 2], "", {}]),
        (["n=null", 'shop={"id": 7}'], [None, {"id": 7}, {}]),
    ],
)
def test_arguments_are_what_was_typed(typing: Typing, words: list[str], expected: Any) -> None:
    typing.told.clear()
    assert typing.start(*words) == expected
    assert typing.told == []


def test_an_object_with_names_of_arguments_is_one_argument_and_that_is_told(typing: Typing) -> None:
    typing.told.clear()
    assert typing.start('{"n": 3}') == [{"n": 3}, None, {}]
    (line,) = typing.told
    assert line == (
        "--input is one argument here, an object with n. If these are arguments of Echo.run: --input n=…, or "
        """'{"kwargs": {"n": …}}'"""
    )


def test_an_object_with_other_names_is_one_argument_without_a_word(typing: Typing) -> None:
    typing.told.clear()
    assert typing.start('{"city": "Basel"}') == [{"city": "Basel"}, None, {}]
    assert typing.told == []
