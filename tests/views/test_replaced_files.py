"""A file is replaced whole, or stays as it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from simpleflow_lab.views.replaced_files import replaced_file


def test_a_file_is_written_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "run.trace.json"
    for text in ("one", "two"):
        with replaced_file(file) as beside:
            assert beside.name.endswith(".trace.json")
            beside.write_text(text)
            assert not file.exists() or file.read_text() == "one"
        assert file.read_text() == text
    assert list(tmp_path.iterdir()) == [file]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text("before")

    def fail() -> None:
        with replaced_file(file) as beside:
            beside.write_text("half")
            raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        fail()
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_keeps_its_mode_and_a_link_its_place(tmp_path: Path) -> None:
    file, link = tmp_path / "run.json", tmp_path / "link.json"
    file.write_text("before")
    file.chmod(0o640)
    link.symlink_to(file)
    with replaced_file(link) as beside:
        beside.write_text("after")
    assert link.is_symlink()
    assert file.read_text() == "after"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_the_longest_name_that_a_file_may_have_is_one(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 250 + ".json")
    with replaced_file(file) as beside:
        beside.write_text("whole")
    assert file.read_text() == "whole"


def test_what_is_no_file_is_written_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with replaced_file(pipe) as beside:
        beside.write_text("through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    with replaced_file(Path(os.devnull)) as beside:
        assert beside == Path(os.devnull)
