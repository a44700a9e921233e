"""The built notebooks: those of their sources, run, and compared by nbval in all but the few cells named here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools import build_notebooks

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
TUTORIALS = sorted(NOTEBOOKS.glob("*.ipynb"))

# What nbval does not compare, by notebook: what differs from run to run, as times and what a worker says late, and
# their number.
IGNORED = {
    "01-quickstart.ipynb": {
        "%simpleflow gantt": 2,
        "%simpleflow workflow.profile": 1,
        '%simpleflow workflow.tasks -o tasks\ntasks.nlargest(2, "running")[["id", "state", "task_list", "result"]]': 1,
    },
    "02-canvas.ipynb": {
        f"%simpleflow gantt {workflow_id}": 1
        for workflow_id in ("each-shop", "all-at-once", "three-at-a-time", "by-region")
    }
    | {"at_eight.gantt()": 1},
    "03-failures-and-retries.ipynb": {f"%simpleflow gantt {workflow_id}": 1 for workflow_id in ("patient", "download")}
    | {'rebuild = lab.start(Rebuild, workflow_id="rebuild")\nrebuild.result()': 1, "rebuild.gantt()": 1},
    "04-signals-and-timers.ipynb": {
        f"%simpleflow gantt {name}": 1 for name in ("week-47", "release-of-week-47", "rows", "mornings")
    },
    "05-child-workflows.ipynb": {
        f"%simpleflow gantt {name}": 1 for name in ("company-monday", "west-monday", "company-tuesday", "exchange")
    },
    "06-large-values.ipynb": {"first.gantt()": 1, "second.gantt()": 1},
    "07-live-work.ipynb": {
        'october = lab.start(MonthEnd, ["Basel", "Cork", "Espoo", "Thessaloniki"], workflow_id="october")\n'
        "time.sleep(1.2)  # so that a saved page has something to show\noctober": 1,
        "october.waiting_for()": 1,
        'october.signal("approve", \'"Ada"\')\nawait october': 1,
        "november.explain()": 1,
        "july": 1,
        "lab": 1,
        "october.gantt()": 1,
    },
    "08-where-the-time-goes.ipynb": dict.fromkeys(
        (
            'monday.tasks().sort_values("running", ascending=False)[["id", "attempt", "state", "running"]].head(4)',
            "print(monday.explain())",
            "monday.gantt(elapsed=True)",
            'path = monday.critical_path()\npath.groupby("kind")["seconds"].sum().sort_values(ascending=False)',
            "monday.graph()",
            'monday.gantt(lineage="fetch-2", elapsed=True)',
            'monday.concurrency(by="name")',
            "monday.time_spent()",
            "tuesday.compare(monday)",
            "tuesday.compare(monday).gantt()",
        ),
        1,
    ),
    "10-a-bug-hunt.ipynb": {
        "print(monday.explain())": 1,
        "monday.gantt()": 1,
        "debugger = monday.debug()\ndebugger": 1,
        "thursday.gantt()": 1,
    },
}
LEAST_SHARE_WITH_OUTPUTS = 0.9
MAX_BYTES = 400_000

tutorial = pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.name)


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_tutorials() -> None:
    assert "01-quickstart.ipynb" in [path.name for path in TUTORIALS]


@tutorial
def test_a_tutorial_is_built_from_its_source(path: Path) -> None:
    assert build_notebooks.difference(NOTEBOOKS / "src" / f"{path.stem}.py") is None


@tutorial
def test_cells_have_run_and_most_show_something(path: Path) -> None:
    cells = code_cells(path)
    assert all(cell.execution_count for cell in cells)
    with_outputs = [cell for cell in cells if cell.outputs]
    # A cell that only loads or imports has nothing to show.
    assert len(with_outputs) / len(cells) >= LEAST_SHARE_WITH_OUTPUTS


@tutorial
def test_only_the_cells_named_here_are_not_compared(path: Path) -> None:
    ignored: dict[str, int] = {}
    for cell in code_cells(path):
        tags = set(cell.metadata.get("tags", []))
        assert tags <= {"nbval-ignore-output", "raises-exception"}, cell.source
        assert "NBVAL_" not in cell.source
        if tags & {"nbval-ignore-output"}:
            ignored[cell.source] = ignored.get(cell.source, 0) + 1
    assert ignored == IGNORED.get(path.name, {})


@tutorial
def test_nothing_of_a_session_is_saved(path: Path) -> None:
    text = path.read_text()
    assert len(text) < MAX_BYTES
    assert "application/vnd.jupyter.widget" not in text
    assert "traceback" not in {output.output_type for cell in code_cells(path) for output in cell.outputs}


def test_what_nbval_compares_does_not_depend_on_how_quick_the_machine_is(tmp_path: Path) -> None:
    """A cell that waits for long displays what it waited for, a quick one does not: whichever of them was saved."""
    still = new_output("display_data", {"text/plain": "<Execution>", "text/html": '<section class="sfl-still">…'})
    answer = new_output("execute_result", {"text/plain": "42"}, execution_count=1)
    show = [
        f"get_ipython().display_pub.publish({dict(still.data)!r})" if slow else "None" for slow in (False, True, True)
    ]
    saved = [[answer], [answer, still], [answer]]
    computed = ["42", "42", "42"]
    cells = [
        new_code_cell(f"{shown}\n{value}", outputs=outputs, execution_count=1)
        for shown, value, outputs in zip(show, computed, saved, strict=True)
    ]
    # Slow when it was saved, quick now; and what is compared still has to be equal.
    cells.append(new_code_cell("42", outputs=[answer, still], execution_count=1))
    cells.append(new_code_cell("43", outputs=[answer, still], execution_count=1))
    nbformat.write(new_notebook(cells=cells), tmp_path / "waits.ipynb")
    (tmp_path / "conftest.py").write_text((NOTEBOOKS / "conftest.py").read_text())

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "-p", "no:cacheprovider", tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    assert "1 failed, 4 passed" in run.stdout, run.stdout
    assert "waits.ipynb::Cell 4" in run.stdout
