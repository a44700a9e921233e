"""A module that is edited and reloaded: a check shows what was around the recorded line, as it was."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from simpleflow_lab import Lab
from simpleflow_lab.runtime.source_versions import MAX_SOURCE

NAME = "flows_with_recorded_source"
PROGRAM = """\
from simpleflow_lab import Workflow, activity

@activity.with_attributes(task_list="recorded-source", version="1")
def double(x):
    return 2 * x

class Doubles(Workflow):
    name, version, task_list = "recorded_source.doubles", "1", "recorded-source"

    def run(self):
        first = 1  # as it was
        return self.submit(double, first).result
"""
NOT_KNOWN = "what was around this line is not known"


@pytest.fixture
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two versions may have one time and one size
    (tmp_path / f"{NAME}.py").write_text(PROGRAM)
    yield importlib.import_module(NAME)
    del sys.modules[NAME]


def edited(flows: ModuleType, text: str) -> ModuleType:
    Path(str(flows.__file__)).write_text(text)
    return importlib.reload(flows)


@pytest.mark.parametrize("length", [0, MAX_SOURCE], ids=["a short file", "a long file"])
def test_both_sources_are_shown(flows: ModuleType, length: int) -> None:
    long = PROGRAM + "#" * length + "\n"
    now = long.replace("first = 1  # as it was", "first = 3  # as it is now")
    with Lab(":memory:", clock="virtual") as lab:
        assert lab.start(edited(flows, long).Doubles).result(30) == 2
        text = repr(lab.check(edited(flows, now).Doubles))
    assert "recorded:\n" in text
    assert "    11         first = 1  # as it was" in text
    assert "→   12         return self.submit(double, first).result" in text
    assert "    11         first = 3  # as it is now" in text
    assert NOT_KNOWN not in text


def test_a_file_that_was_edited_before_it_was_taken_up_is_not_taken_for_the_code(flows: ModuleType) -> None:
    definition = flows.Doubles
    now = PROGRAM.replace("first = 1  # as it was", "first = 3  # as it is now")
    Path(str(flows.__file__)).write_text(now)
    with Lab(":memory:", clock="virtual") as lab:
        assert lab.start(definition).result(30) == 2
        text = repr(lab.check(edited(flows, now).Doubles))
    assert NOT_KNOWN in text
    assert text.count("as it is now") == 1
