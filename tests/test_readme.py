"""What the README says can be done: its snippets run as typed, in the order in which they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simpleflow_lab.commands.command_specs import describe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SNIPPETS: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

NOT_RUN = {
    "./script/quickstart": "it makes .venv, in which this runs; tests/examples runs what it runs then",
    "./script/test": "it is what runs this",
}
"""Lines of shell snippets that are not run here, and why."""

CELLS = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in sys.argv[1:]:
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    print(repr(result.result))
"""


def snippets(language: str) -> list[str]:
    return [text for found, text in SNIPPETS if found == language]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the examples, and a store of its own: where who reads the README types along."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "examples").symlink_to(ROOT / "examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMPLEFLOW_LAB_STORE", str(folder / "lab.sqlite"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        patch.setenv("PYTHONPATH", str(ROOT))
        for name in ("SWF_DOMAIN", "SIMPLEFLOW_FORMAT"):
            patch.delenv(name, raising=False)
        yield folder


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_snippet_is_one_of_those_that_are_run() -> None:
    assert {language for language, _ in SNIPPETS} == {"python", "ipython", "sh"}


def test_its_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names = {"__name__": "__readme__"}
    for program in snippets("python"):
        exec(compile(program, "README.md", "exec"), names)
    assert capsys.readouterr().out.splitlines()[:2] == ["(1 + 1) * 2 = 4"] * 2


def test_its_cells_run_in_one_notebook(folder: Path) -> None:
    said = run(folder, sys.executable, "-c", CELLS, *snippets("ipython"))
    assert re.search(r"<Execution nightly-\w+ of nightly: COMPLETED>", said)
    assert (folder / "flows.py").exists()


SHELL = [text for text in snippets("sh") if not any(line.split()[0] in NOT_RUN for line in text.splitlines())]


def test_its_shell_commands_run_in_one_shell(folder: Path) -> None:
    said = run(folder, "bash", "-ec", SHELL[0])
    assert "(1 + 1) * 2 = 4" in said
    assert re.search(r"^first +basic +COMPLETED", said, re.MULTILINE)


@pytest.mark.trial
def test_its_processes_run_the_module_of_the_notebook(folder: Path) -> None:
    if not (folder / "flows.py").exists():  # this test was run alone
        run(folder, sys.executable, "-c", CELLS, *snippets("ipython"))
    _, processes = SHELL
    said = run(folder, "bash", "-ec", f"{processes}\nwait")
    assert said.splitlines()[-2:] == ["10", "10"]  # the results: a day has ten characters


def test_what_is_not_run_is_there_and_executable() -> None:
    scripts = set(re.findall(r"\./(script/\w+)", README))
    assert {f"./{script}" for script in scripts} >= NOT_RUN.keys()
    for script in scripts:
        assert (ROOT / script).stat().st_mode & 0o111


def test_its_commands_exist() -> None:
    known = {command.name for command in describe()}
    inline = re.findall(r"`%?simpleflow ([a-z_.]+)[^`]*`", README)
    typed = [shlex.split(line.partition("#")[0]) for text in snippets("sh") for line in text.splitlines()]
    commands = [words[1] for words in typed if words[0] == "simpleflow"]
    assert len(commands) > 10
    assert {*inline, *commands} <= {*known, "help", "export", "connect"}


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
