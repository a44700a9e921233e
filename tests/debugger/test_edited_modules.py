"""A module that is edited since: a check shows what was around the recorded line, as it was, and a step tells which
lines were others when it was recorded."""

from __future__ import annotations

import importlib
import linecache
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from simpleflow_lab import Lab
from simpleflow_lab.debugger import view_data
from simpleflow_lab.runtime.source_versions import MAX_SOURCE
from tests.debugger.imported_flows import imported

NAME = "edited_flows"
PROGRAM = """\
from simpleflow_lab import Workflow, activity

@activity.with_attributes(task_list="edited", version="1")
def double(x):
    return 2 * x

class Doubles(Workflow):
    name, version, task_list = "edited.doubles", "1", "edited"

    def run(self):
        self.submit(double, 1).wait()
        first = 1  # as it was
        return self.submit(double, first).result
"""
NOT_KNOWN = "what was around this line is not known"


@pytest.fixture
def flows(tmp_path: Path) -> Iterator[ModuleType]:
    with imported(tmp_path, NAME, PROGRAM) as module:
        yield module


def edited(flows: ModuleType, text: str) -> ModuleType:
    Path(str(flows.__file__)).write_text(text)
    return importlib.reload(flows)


@pytest.mark.parametrize("length", [0, MAX_SOURCE], ids=["a short file", "a long file"])
def test_both_sources_are_shown(flows: ModuleType, length: int) -> None:
    long = PROGRAM + "#" * length + "\n"
    now = long.replace("first = 1  # as it was", "first = 3  # as it is now")
    with Lab(":memory:", clock="virtual") as lab:
        assert lab.start(edited(flows, long).Doubles).result(200) == 2
        text = repr(lab.check(edited(flows, now).Doubles))
    assert "recorded:\n" in text
    assert "    12         first = 1  # as it was" in text
    assert "→   13         return self.submit(double, first).result" in text
    assert "    12         first = 3  # as it is now" in text
    assert NOT_KNOWN not in text


def test_a_file_that_was_edited_before_it_was_taken_up_is_not_taken_for_the_code(flows: ModuleType) -> None:
    definition = flows.Doubles
    now = PROGRAM.replace("first = 1  # as it was", "first = 3  # as it is now")
    Path(str(flows.__file__)).write_text(now)
    with Lab(":memory:", clock="virtual") as lab:
        assert lab.start(definition).result(200) == 2
        text = repr(lab.check(edited(flows, now).Doubles))
    assert NOT_KNOWN in text
    assert text.count("as it is now") == 1


@pytest.mark.parametrize("reloads", [True, False])
def test_a_line_that_was_edited_is_told_and_one_that_moved_is_not(flows: ModuleType, reloads: bool) -> None:
    with Lab(":memory:", clock="virtual") as lab:
        execution = lab.start(flows.Doubles)
        assert execution.result(200) == 2
        with execution.replay() as steps:
            assert [list(step.edited) for step in steps] == [[], [], []]
            assert "edited since" not in repr(steps[2])
        text = PROGRAM.replace("self.submit(double, first)", "self.submit(double, int(first))")
        if reloads:
            text = text.replace("    def run", "    # a comment\n    def run")
            edited(flows, text)
        else:
            Path(str(flows.__file__)).write_text(text)
        linecache.clearcache()
        with execution.replay(flows.Doubles) as steps:
            assert [len(step.edited) for step in steps] == [0, 1, 0]
            [line] = steps[2].edited
            assert line.recorded == f"{NAME}.py:13, return self.submit(double, first).result"
            assert line.now == f"{NAME}.py:{13 + reloads}, return self.submit(double, int(first)).result"
            assert f"edited since: {line.command.id} was asked for at {line.recorded}; the code here is" in repr(
                steps[2]
            )
            assert view_data.shown(steps[2])["edited"][-1] == str(line)
            assert steps[2].is_of_other_code == reloads
