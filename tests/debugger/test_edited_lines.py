"""An execution whose module was edited since: its steps tell which lines were others when it was recorded."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from simpleflow_lab import Lab
from simpleflow_lab.debugger import view_data

NAME = "edited_flows"
PROGRAM = """\
from simpleflow_lab import Workflow, activity

@activity.with_attributes(task_list="edited", version="1")
def double(x):
    return 2 * x

class Doubles(Workflow):
    name, version, task_list = "edited.doubles", "1", "edited"

    def run(self):
        first = self.submit(double, 1).result
        second = self.submit(double, first)
        return second.result
"""


@pytest.fixture
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two versions may have one time and one size
    (tmp_path / f"{NAME}.py").write_text(PROGRAM)
    yield importlib.import_module(NAME)
    del sys.modules[NAME]


def edit(flows: ModuleType, text: str) -> None:
    Path(str(flows.__file__)).write_text(text)
    linecache.clearcache()


@pytest.mark.parametrize("reloads", [True, False])
def test_a_line_that_was_edited_is_told_and_one_that_moved_is_not(flows: ModuleType, reloads: bool) -> None:
    with Lab(":memory:", clock="virtual") as lab:
        execution = lab.start(flows.Doubles)
        assert execution.result(30) == 4
        with execution.replay() as steps:
            assert [list(step.edited) for step in steps] == [[], [], []]
            assert "edited since" not in repr(steps[2])
        text = PROGRAM.replace("second = self.submit(double, first)", "second = self.submit(double, int(first))")
        if reloads:
            text = text.replace("    def run", "    # a comment\n    def run")
        edit(flows, text)
        with execution.replay(importlib.reload(flows).Doubles if reloads else flows.Doubles) as steps:
            assert [len(step.edited) for step in steps] == [0, 1, 0]
            [edited] = steps[2].edited
            assert edited.recorded == f"{NAME}.py:12, second = self.submit(double, first)"
            assert edited.now == f"{NAME}.py:{12 + reloads}, second = self.submit(double, int(first))"
            assert f"edited since: {edited.command.id} was asked for at {edited.recorded}; the code here is" in repr(
                steps[2]
            )
            assert view_data.shown(steps[2])["edited"][-1] == str(edited)
            assert steps[2].is_of_other_code == reloads
