"""What the README says can be done."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from simpleflow_lab.commands.command_specs import describe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_its_python_runs(capsys):
    [program] = blocks("python")
    namespace = {"__name__": "__readme__"}
    exec(compile(program, "README.md", "exec"), namespace)
    assert capsys.readouterr().out == "(1 + 1) * 2 = 4\n"


def test_its_scripts_are_there_and_executable():
    for script in set(re.findall(r"\./(script/\w+)", README)):
        assert (ROOT / script).stat().st_mode & 0o111


@pytest.mark.parametrize(
    "line", [line for block in blocks("sh") for line in block.splitlines() if "simpleflow" in line]
)
def test_its_shell_commands_exist(line):
    known = {command.name for command in describe()}
    words = shlex.split(line.partition("#")[0])
    command = next(word for word in words[1:] if not word.startswith("-"))
    assert command in known


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
