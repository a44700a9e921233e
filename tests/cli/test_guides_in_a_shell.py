"""The shell blocks of the guides on processes, the engine's process and the debugger, as typed.

`test_operating_guide` runs those of the guide on operating.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simpleflow_lab import Lab
from tests.cli.supervised import Command
from tests.waiting import until

DOCS = Path(__file__).parents[2] / "docs"
FLOWS = """
from pathlib import Path
from simpleflow_lab import Workflow, activity, futures


@activity.with_attributes(task_list="etl", version="1", raises_on_failure=True)
def count(day):
    if Path("broken").exists():
        raise ValueError("no rate")
    return len(day)


class Nightly(Workflow):
    name, version, task_list = "nightly", "1", "nightly"

    def run(self, day):
        return self.submit(count, day).result


@activity.with_attributes(task_list="etl", version="1", raises_on_failure=True)
def convert(number):
    if Path("broken").exists() and number == 20:
        raise ValueError("no rate")
    return number * 2


class Convert(Workflow):
    name, version, task_list = "convert", "1", "nightly"

    def run(self, numbers):
        return sum(futures.wait(*self.map(convert, numbers)))
"""


def blocks(page: str) -> list[list[str]]:
    """The lines of each shell block of a guide."""
    found = re.findall(r"^```sh\n(.*?)^```$", (DOCS / f"{page}.md").read_text(), re.MULTILINE | re.DOTALL)
    return [block.splitlines() for block in found]


class Shell:
    """A person at a shell in a folder with `flows.py`."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._behind: list[Command] = []

    def run(self, line: str) -> str:
        """Type a line, and wait for its end; gives what it prints."""
        done = subprocess.run(
            ["bash", "-ec", line], cwd=self._folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, line + done.stdout + done.stderr
        return done.stdout

    def behind(self, line: str) -> Command:
        """Type a line in a further terminal, where it goes on."""
        program, *words = shlex.split(line.replace("~", os.environ["HOME"]))
        assert program == "simpleflow"
        self._behind.append(Command(self._folder, *words))
        return self._behind[-1]

    def close(self) -> None:
        for each in self._behind:
            each.close()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("PYTHONPATH", str(DOCS.parent))
    (tmp_path / "flows.py").write_text(FLOWS)
    opened = Shell(tmp_path)
    yield opened
    opened.close()


@pytest.mark.slow
@pytest.mark.trial
def test_the_guide_on_processes(shell: Shell, tmp_path: Path) -> None:
    (decides, works, lists, starts), (standalone,), (repairs,) = blocks("processes")
    decider, worker = shell.behind(decides), shell.behind(works)
    until(lambda: len(re.findall(r"^(?:nightly|etl) .*polling", shell.run(lists), re.MULTILINE)) == 10)
    started = shell.run(starts).split()[0]
    with Lab(os.environ["SIMPLEFLOW_LAB_STORE"], serve="nothing") as lab:
        assert lab.execution(started).result(60) == 10
    assert shell.run("simpleflow worker.stop --wait") is not None
    assert (decider.wait(), worker.wait()) == (0, 0)
    assert shell.run(standalone) == "10\n"

    (tmp_path / "broken").touch()
    fails = "simpleflow workflow.start flows.Nightly --workflow-id nightly-23 --input '[\"2026-11-23\"]' || test $? = 1"
    shell.run(fails)
    (tmp_path / "broken").unlink()
    assert shell.run(repairs) == "10\n"


@pytest.mark.slow
@pytest.mark.trial
def test_the_guide_on_the_engines_process(shell: Shell) -> None:
    (starts,), exports, (rotates,) = blocks("engine_process")
    named = [line.partition("=")[0].removeprefix("export ") for line in exports]

    def variables(line: str) -> dict[str, str]:
        engine = shell.behind(line)
        assert engine.process.stdout is not None
        found: dict[str, str] = {}
        while found.keys() < set(named):
            words = engine.process.stdout.readline().split()
            assert words, engine.said
            if words[0] == "export":
                name, _, value = words[1].partition("=")
                found[name] = value
        assert engine.stop() == 0
        return found

    before, after = variables(starts), variables(rotates)
    assert list(before) == list(after) == named
    assert {name for name in named if before[name] != after[name]} == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


@pytest.mark.slow
@pytest.mark.trial
def test_the_forks_of_the_guide_on_the_debugger(shell: Shell, tmp_path: Path) -> None:
    [(forks, replaces)] = blocks("debugger")
    (tmp_path / "broken").touch()
    start = "simpleflow workflow.start flows.Convert --workflow-id convert-1 --input '[[10, 20, 30]]' || test $? = 1"
    shell.run(start)
    (tmp_path / "broken").unlink()
    assert shell.run(forks) == "120\n"
    assert shell.run(replaces).splitlines()[-1] == "1100"


def test_every_shell_block_of_a_guide_is_run_by_a_test() -> None:
    with_blocks = {page.stem for page in DOCS.glob("*.md") if "\n```sh\n" in page.read_text()}
    assert with_blocks == {"debugger", "engine_process", "operating", "processes"}
