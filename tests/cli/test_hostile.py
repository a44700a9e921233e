"""What a history, an environment or a colleague may hold against a shell: nothing of it does anything there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow
from simpleflow_lab.views.listing_shape import Shape
from simpleflow_lab.views.listings import Kind, Listing

Command = Callable[..., Any]

HOSTILE = ["\x1b]0;title\x07", "\x1b[2J", "\u202e", "\x9b31m", "\u2028", "\r", "\x00"]
TYPE = "planted.Recorded"
"""The name of a type that upstream's dispatcher would import."""


class Recorded(Workflow):
    name, version, task_list = TYPE, "1", "hostile"

    def run(self, text: str) -> str:
        return text


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with an execution whose input, result, tags and type are hostile."""
    path = tmp_path / "lab.sqlite"
    with Lab(path) as lab:
        text = "=1+1" + "".join(HOSTILE)
        lab.start(Recorded, text, workflow_id="=cmd", tag_list=["\x1b[31m", "+1"]).result(200)
    return path


LOOKS = [
    ["workflow.list"], ["workflow.filter"], ["workflow.info", "=cmd"], ["workflow.tasks", "=cmd"],
    ["workflow.profile", "=cmd"], ["workflow.history", "=cmd"], ["workflow.history", "=cmd", "-o", "raw"],
    ["workflow.explain", "=cmd"], ["workflow.statistics"], ["task_list.list"], ["domain.list"], ["doctor"],
]  # fmt: skip


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("format", ["tabular", "human", "csv", "json"])
def test_no_command_writes_what_a_terminal_obeys(simpleflow: Command, format: str) -> None:
    for words in LOOKS:
        ended = simpleflow("--format", format, *words)
        assert ended.code == 0, (words, ended.err)
        assert all(character.isprintable() or character == "\n" for character in ended.out + ended.err), words
        assert format != "csv" or not any(line.startswith(("=", "+", "@")) for line in ended.out.splitlines())


@pytest.mark.usefixtures("store")
def test_a_type_is_never_code_by_its_name(process: Command, tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text("open('imported', 'w').close()\n")
    ended = process("workflow.replay", "=cmd", cwd=tmp_path)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "give --module MODULE, which defines it" in ended.err
    assert not (tmp_path / "imported").exists()
    assert process("workflow.replay", "=cmd", "--module", "planted", cwd=tmp_path).code == 2
    assert (tmp_path / "imported").exists()  # for a person named it


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("text", ["' OR 1=1 --", "'; DROP TABLE run; --", "%", "_", "*", "\\", "\ud800"])
def test_what_is_looked_for_is_text(simpleflow: Command, text: str) -> None:
    for words in (["--workflow-id", text], ["--workflow-type-name", text], ["--tag", text]):
        ended = simpleflow("--format", "json", "workflow.filter", *words)
        assert (ended.code, ended.out) == (0, "[]\n") or (ended.code, ended.err.count("\n")) == (2, 1), words


@pytest.mark.parametrize("pattern", ["*a" * 30 + "b", "?" * 50 + "*" * 50 + "b", "[" * 500, "[!a]" * 100, "a**" * 40])
def test_no_filter_takes_long(pattern: str) -> None:
    listing = Listing(columns={"name": Kind.TEXT}, rows=[("a" * 30_000,), ("b",)])
    began = time.process_time()
    Shape(filters=(f"name={pattern}",)).of(listing)
    assert time.process_time() - began < 2


SECRETS = {
    "AWS_ACCESS_KEY_ID": "CANARYKEY1",
    "AWS_SECRET_ACCESS_KEY": "canary-secret-2",
    "AWS_SESSION_TOKEN": "canary-token-3",
    "SIMPLEFLOW_API_PASSWORD": "canary-password-4",
}


def test_no_secret_of_the_environment_is_told_or_kept(process: Command, tmp_path: Path) -> None:
    environment = {**SECRETS, "LOG_LEVEL": "DEBUG"}
    said = ""
    for words in (
        ["workflow.start", "examples.basic.BasicWorkflow", "--workflow-id", "b1", "-i", "[1, 0]"],
        ["doctor"],
        ["info"],
        ["--debug", "workflow.info", "nosuch"],
    ):
        ended = process(*words, environment=environment)
        said += ended.out + ended.err
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in SECRETS.values():
        assert secret not in said
        assert secret.encode() not in kept


def test_the_input_of_a_workflow_is_in_no_log(process: Command) -> None:
    ended = process(
        "workflow.start", "examples.basic.BasicWorkflow", "-i", '{"kwargs": {"x": 1, "t": 0}}',
        environment={"LOG_LEVEL": "INFO"},
    )  # fmt: skip
    assert ended.code == 0
    assert '"x"' not in ended.err


def test_a_page_is_written_only_where_it_was_asked_for(simpleflow: Command, store: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    assert simpleflow("gantt", "=cmd", "-o", str(tmp_path / "page.html")).code == 0
    assert simpleflow("workflow.history", "=cmd", "-o", "raw", "--output-file", str(tmp_path / "h.json")).code == 0
    new = {path.name for path in set(tmp_path.iterdir()) - before}
    assert new - {path for path in new if path.startswith("lab.sqlite")} == {"page.html", "h.json"}
    assert json.loads((tmp_path / "h.json").read_text())["events"]
