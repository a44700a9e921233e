"""`%simpleflow open`: a history file, or a folder of them, in a notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from simpleflow_lab import Executions, Lab, RecordedExecution, Workflow

pytestmark = pytest.mark.slow


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A history file in a folder with a space in its name."""

    class Nothing(Workflow):
        name, task_list = "open.nothing", "open"

        def run(self) -> None:
            return None

    path = tmp_path / "my histories" / "run.json"
    path.parent.mkdir()
    with Lab(":memory:") as lab:
        execution = lab.start(Nothing)
        execution.wait(200)
        path.write_text(execution.history().to_json())
    return path


def magic(shell: InteractiveShell, line: str) -> Any:
    return shell.run_line_magic("simpleflow", line)


def test_a_file_and_a_folder_are_opened_and_named(shell: InteractiveShell, history: Path) -> None:
    opened = magic(shell, f"open '{history}' -o run")
    assert isinstance(opened, RecordedExecution)
    assert shell.user_ns["run"] is opened
    assert opened.history().close_status == "COMPLETED"
    folder = magic(shell, f"open '{history.parent}'")
    assert isinstance(folder, Executions)
    assert len(folder) == 1


def test_its_name_is_completed(shell: InteractiveShell, history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(history.parent)
    line = "%simpleflow open ru"
    with provisionalcompleter():
        assert "run.json" in [each.text for each in shell.Completer.completions(line, len(line))]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("open nosuch.json", "nosuch.json"),
        ("open wrong.json", "wrong.json"),
        ("open .", "has no history of an execution: "),
    ],
)
def test_what_is_no_history_is_one_line(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.json").write_text(json.dumps({"events": [1]}))
    with pytest.raises(UsageError) as refused:
        magic(shell, line)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
